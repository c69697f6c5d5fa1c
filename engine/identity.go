package engine

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tributary-db/tributary/crdt"
)

// A site id names one incarnation of a database file. A copy of the file that went on under the same id would use one
// version for two contents. So a nonce is kept in the database and beside it: a file that was copied or restored
// without its side file is found out before its first fold and gets an id of its own.

// Evidence is what is kept beside a database.
type Evidence struct {
	Nonce string `json:"nonce"`
	Path  string `json:"path"`  // of the database
	Inode string `json:"inode"` // file number, "" where the system has none
	// Version is a version that the site is known to have committed: a database that knows less was restored.
	Version crdt.Version `json:"version"`
	// Position is one of its feed that others may know. A database that is before it was restored too, to a state that lacks nothing
	// of its own: it keeps its id, and goes on behind that position, so that none means two things.
	Position int64 `json:"position"`
}

// IdentityStore keeps the evidence that a database file is the one it was. Load returns fs.ErrNotExist when there is none.
type IdentityStore interface {
	Load(database string) (Evidence, error)
	Save(database string, e Evidence) error
	// Inode identifies the file at path, "" if it does not exist or cannot be told.
	Inode(path string) string
}

// SideFile is the IdentityStore in a small file NAME-tributary beside the database.
type SideFile struct{}

func sideName(database string) string { return database + "-tributary" }

// Load reads the side file.
func (SideFile) Load(database string) (Evidence, error) {
	var ev Evidence
	b, err := os.ReadFile(sideName(database))
	if err != nil {
		return ev, err
	}
	if json.Unmarshal(b, &ev) != nil {
		return Evidence{}, fs.ErrNotExist // half written: as good as none
	}
	return ev, nil
}

// Save replaces the side file as a whole.
func (SideFile) Save(database string, ev Evidence) error {
	b, err := json.Marshal(ev)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(database), filepath.Base(database)+"-tributary-*")
	if err != nil {
		return err
	}
	// Not synced: a side file that a power cut has torn only costs a new site id.
	_, err = f.Write(append(b, '\n'))
	// Who may write the database must be able to write this file too. No error counts: it is only a convenience.
	if info, serr := os.Stat(database); serr == nil {
		_ = f.Chmod(info.Mode().Perm())
		own(f, info)
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), sideName(database))
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// Inode is the file's inode number.
func (SideFile) Inode(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return inode(info)
}

// newSite draws a random site id.
func (e *Engine) newSite() (s crdt.Site, err error) {
	for s.IsZero() && err == nil {
		_, err = io.ReadFull(e.opt.Random, s[:])
	}
	return s, err
}

// newNonce gives the file a new nonce, in the database and beside it.
func (e *Engine) newNonce() error {
	name := e.conn.Filename()
	if name == "" {
		e.checked = true
		return nil
	}
	var b [16]byte
	if _, err := io.ReadFull(e.opt.Random, b[:]); err != nil {
		return err
	}
	nonce := hex.EncodeToString(b[:])
	if err := e.setMeta("nonce", crdt.TextString(nonce)); err != nil {
		return err
	}
	// The side file is written first and the database commits after: if that fails, the nonces differ and the site
	// gets a new id, which is safe; the other way round a copy could pass for the original.
	if err := e.opt.Identity.Save(name, Evidence{Nonce: nonce, Path: name, Inode: e.opt.Identity.Inode(name)}); err != nil {
		return fmt.Errorf("writing the identity beside the database: %w", err)
	}
	e.checked, e.witnessed = true, 0
	return nil
}

// verifyIdentity compares the database with the evidence beside it, once per connection, and mints a new site id for
// a copy. Evidence counts by weight: another inode alone (a file system mounted anew, a file that was replaced by its
// own vacuumed copy) does not make a copy, unless the file that has the old inode's place still exists elsewhere.
func (e *Engine) verifyIdentity() error {
	name := e.conn.Filename()
	if e.checked || name == "" {
		e.checked = true
		return nil
	}
	nonce, err := e.meta("nonce")
	if err != nil {
		return err
	}
	ev, err := e.opt.Identity.Load(name)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("reading the identity beside the database: %w", err)
	case err != nil || ev.Nonce != string(nonce.Bytes()):
		_, err := e.remint()
		return err
	}
	own, err := e.ownVersion()
	if err != nil {
		return err
	}
	if own < ev.Version { // an older state of this very file was put back
		_, err := e.remint()
		return err
	}
	pos, err := e.pos()
	if err != nil {
		return err
	}
	if pos < ev.Position {
		if err := e.setPos(ev.Position); err != nil {
			return err
		}
	}
	e.witnessed = max(pos, ev.Position)
	// A power cut may have taken the newest evidence. A version is evidence only if no power cut can take it.
	known := Evidence{Nonce: ev.Nonce, Path: name, Inode: e.opt.Identity.Inode(name), Version: ev.Version, Position: e.witnessed}
	if unsynced, err := e.meta("unsynced"); err != nil {
		return err
	} else if unsynced.Int() == 0 {
		known.Version = own
	}
	if ev.Inode != known.Inode && ev.Path != name && e.opt.Identity.Inode(ev.Path) == ev.Inode {
		// Copied together with its side file, and the original is still there.
		if _, err := e.remint(); err != nil {
			return err
		}
	} else if known != ev {
		if err := e.opt.Identity.Save(name, known); err != nil && (ev.Path != name || ev.Inode != known.Inode) {
			return err // of the rest, as of what witness notes, it is only a convenience
		}
	}
	e.checked = true
	return nil
}

func (e *Engine) ownVersion() (crdt.Version, error) {
	v, err := e.one("SELECT max(version) FROM tributary_changeset WHERE site = ?1", crdt.Int(e.self))
	return crdt.Version(v.Int()), err
}

// witness notes beside the database that a version has been committed, 0 for none, and a position that others get to know. It
// is best effort: without it a restored backup is found out by the first peer instead of here.
func (e *Engine) witness(v crdt.Version, pos int64) {
	name := e.conn.Filename()
	if name == "" || v == 0 && pos <= e.witnessed || e.conn.ReadOnly() {
		return
	}
	if ev, err := e.opt.Identity.Load(name); err == nil && (ev.Version < v || ev.Position < pos) {
		ev.Version, ev.Position = max(ev.Version, v), max(ev.Position, pos)
		_ = e.opt.Identity.Save(name, ev)
	}
	e.witnessed = max(e.witnessed, pos)
}

// Remint gives this database a new site id; what it wrote under the old one stays as that site's history.
func (e *Engine) Remint(ctx context.Context) (site crdt.Site, err error) {
	err = e.change(ctx, func() error {
		site, err = e.remint()
		return err
	})
	return site, wrap("new site id", err)
}

func (e *Engine) remint() (crdt.Site, error) {
	site, err := e.newSite()
	if err != nil {
		return site, err
	}
	ord, err := e.ordinal(site)
	if err != nil {
		return site, err
	}
	if err := e.setMeta("self", crdt.Int(ord)); err != nil {
		return site, err
	}
	// Nobody has a cursor into the feed of the new site, and what waited for others' packages may wait on.
	if err := e.run("UPDATE tributary_stream SET last_retrieved = 0, last_sent = 0, last_acked = 0 WHERE kind = 'out'"); err != nil {
		return site, err
	}
	e.self, e.site = ord, site
	return site, e.newNonce()
}
