package dir

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tributary-db/tributary/transports"
)

func (t *Transport) snapshots(db string) string {
	return filepath.Join(t.root, escape(db), ".snapshots")
}

// keepFor is how long a snapshot stays at least: who has begun to read it should get to its end.
const keepFor = time.Hour

// PutSnapshot writes the content, and after it what tells of it. Older ones go: beyond three, after an hour.
func (t *Transport) PutSnapshot(ctx context.Context, s transports.Snapshot, content io.Reader) error {
	if err := t.open(ctx); err != nil {
		return err
	}
	if err := s.Valid(); err != nil {
		return err
	}
	folder := t.snapshots(s.DB)
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return fmt.Errorf("dir: %w", err)
	}
	put := func(name string, r io.Reader) error {
		f, err := os.CreateTemp(folder, ".new-*")
		if err != nil {
			return err
		}
		_, err = io.Copy(f, &alive{t, ctx, r})
		err = errors.Join(err, f.Sync(), f.Close())
		if err == nil {
			err = os.Rename(f.Name(), filepath.Join(folder, name))
		}
		if err != nil {
			os.Remove(f.Name())
		}
		return err
	}
	s.At = time.Now()
	about, err := json.Marshal(s)
	if err != nil {
		return err
	}
	err = put(s.ID+".snap", transports.Whole(s, content))
	if err == nil {
		err = syncFolder(folder) // whoever sees the other file finds this one
	}
	if err == nil {
		err = put(s.ID+".json", strings.NewReader(string(about)))
	}
	if err == nil {
		err = syncFolder(folder)
	}
	if err != nil {
		return fmt.Errorf("dir: storing a snapshot in %s: %w", folder, err)
	}
	t.removeOld(ctx, s.DB)
	return nil
}

// alive reads until the transport is closed or ctx ends.
type alive struct {
	t   *Transport
	ctx context.Context
	io.Reader
}

func (a *alive) Read(b []byte) (int, error) {
	if err := a.t.open(a.ctx); err != nil {
		return 0, err
	}
	return a.Reader.Read(b)
}

// removeOld removes what nobody needs any more, as well as it can: another handle may do the same.
func (t *Transport) removeOld(ctx context.Context, db string) {
	all, err := t.Snapshots(ctx, db)
	if err != nil {
		return
	}
	stay := map[string]bool{}
	for i, s := range all {
		stay[s.ID] = i < transports.KeptSnapshots || time.Since(s.At) < keepFor
	}
	entries, err := os.ReadDir(t.snapshots(db))
	if err != nil {
		return
	}
	for _, e := range entries {
		id, _, _ := strings.Cut(e.Name(), ".")
		if info, err := e.Info(); err == nil && !stay[id] && time.Since(info.ModTime()) > keepFor {
			os.Remove(filepath.Join(t.snapshots(db), e.Name()))
		}
	}
}

// maxAbout bounds what is read of a file that tells of a snapshot.
const maxAbout = 2 * transports.SnapshotInfo

// Snapshots reads what tells of them. A file that tells of nothing that can be is left out: it may be half copied.
func (t *Transport) Snapshots(ctx context.Context, db string) ([]transports.Snapshot, error) {
	if err := t.open(ctx); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(t.snapshots(db))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("dir: %w", err)
	}
	var out []transports.Snapshot
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok {
			continue
		}
		s, err := readAbout(filepath.Join(t.snapshots(db), e.Name()))
		if err != nil || s.ID != id || s.DB != db || s.Valid() != nil {
			continue
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b transports.Snapshot) int { return cmp.Or(b.At.Compare(a.At), strings.Compare(a.ID, b.ID)) })
	return out, nil
}

func readAbout(name string) (s transports.Snapshot, err error) {
	f, err := os.Open(name)
	if err != nil {
		return s, err
	}
	defer f.Close()
	return s, json.NewDecoder(io.LimitReader(f, maxAbout)).Decode(&s)
}

// OpenSnapshot opens the content.
func (t *Transport) OpenSnapshot(ctx context.Context, s transports.Snapshot) (io.ReadCloser, error) {
	if err := t.open(ctx); err != nil {
		return nil, err
	}
	if s.Valid() != nil {
		return nil, transports.ErrNoSnapshot
	}
	f, err := os.Open(filepath.Join(t.snapshots(s.DB), s.ID+".snap"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, transports.ErrNoSnapshot
	}
	if err != nil {
		return nil, fmt.Errorf("dir: %w", err)
	}
	return &struct {
		io.Reader
		io.Closer
	}{&alive{t, ctx, transports.Whole(s, f)}, f}, nil
}
