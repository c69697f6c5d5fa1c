// Package dir carries packages in a folder: a network mount, a folder that Syncthing or a cloud drive keeps equal, a USB
// stick that is carried from one machine to the other. Each package is one file that never changes.
//
// Layout, below the folder that Open names:
//
//	<database>/<site>/<number>-<from>-<to>-<id>.pkg   16 hex digits each, the id whole; number is dense, from 1
//	<database>/.sites/<site>.json                     what a site last told of itself
//	<database>/.snapshots/<id>.snap and <id>.json     a snapshot, and what tells of it
//
// Files appear by rename after a sync, so a reader never sees half of one where rename is atomic. Where it is not (a copy
// in progress, a sync tool that writes in place) the file's name tells what its content must hash to; one that does not
// is as good as absent, and is tried again. Files may appear in any order, and late: a reader remembers the numbers that
// it has jumped over. Old files may be deleted at any time; who had not read them gets ErrCursorLost.
//
// There is no exchange: nobody answers questions here. A folder from which files were deleted helps a new replica to its
// beginning by a snapshot, if there is one.
package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/tributary-db/tributary/transports"
)

// Options adjusts a Transport; nil means all defaults.
type Options struct {
	// Poll is how often the folder is looked at. 0: 250 ms.
	Poll time.Duration
}

const defaultPoll = 250 * time.Millisecond

// Transport is a handle on a folder. Several processes may use one folder; a site has one publisher at a time.
type Transport struct {
	root string
	poll time.Duration

	life   context.Context // ends with Close
	end    context.CancelFunc
	mu     sync.Mutex         // guards what follows
	own    map[string]*series // what this handle knows of the folders it publishes to, by path
	wake   chan struct{}      // closed and replaced by Publish: readers of this handle need not wait for the next poll
	counts map[string]int64
}

// series is a publisher's view of its own folder.
type series struct {
	next uint64
	ids  map[string]bool
}

var (
	_ transports.Transport = (*Transport)(nil)
	_ transports.Tailer    = (*Transport)(nil)
	_ transports.Registry  = (*Transport)(nil)
	_ transports.Counter   = (*Transport)(nil)
	_ transports.Snapshots = (*Transport)(nil)
)

// Open returns a handle on a folder, which may be missing yet, or away: a stick that is not plugged in.
func Open(folder string, o *Options) *Transport {
	t := &Transport{root: folder, poll: defaultPoll, own: map[string]*series{}, wake: make(chan struct{}), counts: map[string]int64{}}
	if o != nil && o.Poll > 0 {
		t.poll = o.Poll
	}
	t.life, t.end = context.WithCancel(context.Background())
	return t
}

// Caps has a log and no exchange.
func (t *Transport) Caps() transports.Caps {
	return transports.Caps{Log: true, Durability: transports.Synced}
}

// Close ends subscriptions. The folder stays as it is.
func (t *Transport) Close() error {
	t.end()
	return nil
}

// Counts has "damaged": looks at a file whose content is not what its name says, or not yet.
func (t *Transport) Counts() map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return map[string]int64{"damaged": t.counts["damaged"]}
}

// Serve has nobody to answer.
func (t *Transport) Serve(context.Context, string, string, transports.Answerer) error {
	return errors.ErrUnsupported
}

// Ask has nobody to ask.
func (t *Transport) Ask(context.Context, transports.Request) ([]transports.Package, error) {
	return nil, errors.ErrUnsupported
}

func (t *Transport) open(ctx context.Context) error {
	if t.life.Err() != nil {
		return transports.ErrClosed
	}
	return ctx.Err()
}

// Publish writes one file for each package that the folder does not have.
func (t *Transport) Publish(ctx context.Context, ps ...transports.Package) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	touched := map[string]bool{}
	for _, p := range ps {
		if err := t.open(ctx); err != nil {
			return err
		}
		folder := filepath.Join(t.root, escape(p.DB), escape(p.Site))
		if err := t.add(folder, p); err != nil {
			delete(t.own, folder) // whatever it is now, look again
			return fmt.Errorf("dir: publishing to %s: %w", folder, err)
		}
		touched[folder] = true
	}
	for folder := range touched {
		if err := syncFolder(folder); err != nil {
			return fmt.Errorf("dir: %w", err)
		}
	}
	close(t.wake)
	t.wake = make(chan struct{})
	return nil
}

func (t *Transport) add(folder string, p transports.Package) error {
	s := t.own[folder]
	if s == nil || !exists(folder, s) {
		list, err := list(folder)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(folder, 0o777); err != nil {
			return err
		}
		s = &series{next: 1, ids: map[string]bool{}}
		for _, f := range list {
			s.next, s.ids[f.id] = f.number+1, true
		}
		t.own[folder] = s
	}
	if s.ids[p.ID] {
		return nil
	}
	for {
		f := file{number: s.next, from: p.From, to: p.To, id: p.ID}
		err := create(folder, f.name(), p.Body)
		if errors.Is(err, fs.ErrExist) { // another handle of the same site was faster
			s.next++
			continue
		}
		if err != nil {
			return err
		}
		s.next, s.ids[p.ID] = s.next+1, true
		return nil
	}
}

// exists says whether a publisher's view still fits: the folder is there, and nobody has added the next number to it.
func exists(folder string, s *series) bool {
	if _, err := os.Stat(folder); err != nil {
		return false
	}
	m, err := filepath.Glob(filepath.Join(globQuote(folder), fmt.Sprintf("%016x-*", s.next)))
	return err == nil && len(m) == 0
}

// create makes a file appear whole, on disk, and not over another.
func create(folder, name string, body []byte) error {
	if m, _ := filepath.Glob(filepath.Join(globQuote(folder), name[:16]+"-*")); len(m) > 0 {
		return fs.ErrExist
	}
	f, err := os.CreateTemp(folder, ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(folder, name))
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// syncFolder makes renames durable where the system knows how; network mounts may not.
func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !strings.Contains(err.Error(), "invalid argument") {
		d.Close()
		return err
	}
	return d.Close()
}

func globQuote(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// Tail is the newest package of a site in the folder.
func (t *Transport) Tail(ctx context.Context, db, site string) (transports.Package, error) {
	if err := t.open(ctx); err != nil {
		return transports.Package{}, err
	}
	l, err := list(filepath.Join(t.root, escape(db), escape(site)))
	if err != nil || len(l) == 0 {
		return transports.Package{}, err
	}
	f := l[len(l)-1]
	return transports.Package{DB: db, Site: site, From: f.from, To: f.to, ID: f.id}, nil
}
