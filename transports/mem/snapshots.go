package mem

import (
	"bytes"
	"context"
	"io"
	"slices"
	"time"

	"github.com/tributary-db/tributary/transports"
)

// kept is a snapshot in memory.
type kept struct {
	transports.Snapshot
	content []byte
}

// PutSnapshot keeps a snapshot and forgets the oldest beyond three of its database.
func (t *Transport) PutSnapshot(ctx context.Context, s transports.Snapshot, content io.Reader) error {
	if err := t.open(ctx); err != nil {
		return err
	}
	if err := s.Valid(); err != nil {
		return err
	}
	b, err := io.ReadAll(transports.Whole(s, content)) // what really comes is allocated
	if err != nil {
		return err
	}
	s.At, s.Info = time.Now(), bytes.Clone(s.Info)
	h := t.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	h.snaps = slices.DeleteFunc(h.snaps, func(k kept) bool { return k.DB == s.DB && k.ID == s.ID })
	h.snaps = append(h.snaps, kept{s, b})
	n := 0
	for _, k := range slices.Backward(h.snaps) {
		if k.DB == s.DB {
			n++
		}
	}
	h.snaps = slices.DeleteFunc(h.snaps, func(k kept) bool {
		if k.DB != s.DB || n <= transports.KeptSnapshots {
			return false
		}
		n--
		return true
	})
	return nil
}

// Snapshots lists what is kept.
func (t *Transport) Snapshots(ctx context.Context, db string) ([]transports.Snapshot, error) {
	if err := t.open(ctx); err != nil {
		return nil, err
	}
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	var out []transports.Snapshot
	for _, k := range slices.Backward(t.hub.snaps) {
		if k.DB == db {
			k.Info = bytes.Clone(k.Info)
			out = append(out, k.Snapshot)
		}
	}
	return out, nil
}

// OpenSnapshot reads one.
func (t *Transport) OpenSnapshot(ctx context.Context, s transports.Snapshot) (io.ReadCloser, error) {
	if err := t.open(ctx); err != nil {
		return nil, err
	}
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	for _, k := range t.hub.snaps {
		if k.DB == s.DB && k.ID == s.ID {
			return io.NopCloser(transports.Whole(k.Snapshot, bytes.NewReader(k.content))), nil
		}
	}
	return nil, transports.ErrNoSnapshot
}
