package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/tributary-db/tributary/transports"
	"github.com/tributary-db/tributary/transports/dir"
	"github.com/tributary-db/tributary/transports/mem"
)

// hubBytes bounds the log of --http. It is a cache: who needs what is older asks a peer, or takes a snapshot.
const hubBytes = 256 << 20

// hub is what --http shows: a log that is in memory and in a file, and snapshots in the same folder.
type hub struct {
	log  *mem.Hub
	kept *dir.Transport
	lock *lockFile
}

// openHub opens the folder of --http.
func (s *server) openHub() error {
	store := s.flags.httpStore
	if store == "" {
		store = s.databases[0].file + "-tributary-http"
	}
	full, err := filepath.Abs(store)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(full, 0o777); err != nil {
		return inFile(store, reason(err))
	}
	lock, err := takeLock(full + "-lock")
	if err != nil {
		return inFile(store, err)
	}
	log, err := mem.Open(filepath.Join(full, "log"))
	if err != nil {
		lock.release()
		return inFile(store, err)
	}
	s.hub = &hub{log.Limit(hubBytes), dir.Open(filepath.Join(full, "snapshots"), nil), lock}
	return nil
}

func (h *hub) transport() transports.Transport { return &hubTransport{h.log.Transport(), h.kept} }

// close comes after all transports are closed. nil: there is none.
func (h *hub) close() error {
	if h == nil {
		return nil
	}
	defer h.lock.release()
	return errors.Join(h.log.Close(), h.kept.Close())
}

// hubTransport is a handle on a hub.
type hubTransport struct {
	*mem.Transport
	kept *dir.Transport
}

// PutSnapshot writes it to the folder.
func (t *hubTransport) PutSnapshot(ctx context.Context, s transports.Snapshot, content io.Reader) error {
	return t.kept.PutSnapshot(ctx, s, content)
}

// Snapshots lists those in the folder.
func (t *hubTransport) Snapshots(ctx context.Context, db string) ([]transports.Snapshot, error) {
	return t.kept.Snapshots(ctx, db)
}

// OpenSnapshot reads one in the folder.
func (t *hubTransport) OpenSnapshot(ctx context.Context, s transports.Snapshot) (io.ReadCloser, error) {
	return t.kept.OpenSnapshot(ctx, s)
}
