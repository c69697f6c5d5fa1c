package transports

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"time"
)

// Snapshot names the state of a whole database that a medium keeps beside its log. It never changes: another state is
// another snapshot.
type Snapshot struct {
	DB   string    `json:"db"`
	Site string    `json:"site"` // who made it
	ID   string    `json:"id"`   // SHA-256 of its content in hex
	Size int64     `json:"size"` // bytes of its content
	At   time.Time `json:"at"`   // when it was stored, by the clock of whoever keeps it
	Info []byte    `json:"info"` // what is in it; opaque here, at most SnapshotInfo bytes
}

// SnapshotInfo bounds Snapshot.Info.
const SnapshotInfo = 256 << 10

// Snapshots is a transport that keeps snapshots, for replicas that need what the log has dropped when no peer answers. A
// cursor of the log that a snapshot holds must mean the same to every handle on the medium.
type Snapshots interface {
	// PutSnapshot stores content, which is s.Size bytes with s.ID as their hash, and reads no more. It appears whole or not
	// at all; if reading fails, or gives something else, it does not. Of each database at least the three newest are
	// kept. ErrTooLarge comes before anything is read.
	PutSnapshot(ctx context.Context, s Snapshot, content io.Reader) error
	// Snapshots lists those of a database, the newest first.
	Snapshots(ctx context.Context, db string) ([]Snapshot, error)
	// OpenSnapshot reads the content of one that was listed. ErrNoSnapshot: it is gone. It may go while it is read, or be
	// damaged: Read then fails, so what io.EOF ends is whole. The caller closes the reader; ctx bounds the reading too.
	OpenSnapshot(ctx context.Context, s Snapshot) (io.ReadCloser, error)
}

// KeptSnapshots is how many of a database a medium keeps at least.
const KeptSnapshots = 3

// Whole reads the content of a snapshot and fails in the place of io.EOF if it is not the content that s names.
func Whole(s Snapshot, content io.Reader) io.Reader {
	return &whole{s: s, r: content, h: sha256.New(), left: s.Size}
}

type whole struct {
	s    Snapshot
	r    io.Reader
	h    hash.Hash
	left int64
}

func (w *whole) Read(b []byte) (int, error) {
	if int64(len(b)) > w.left {
		b = b[:w.left]
	}
	if w.left == 0 {
		if got := hex.EncodeToString(w.h.Sum(nil)); got != w.s.ID {
			return 0, fmt.Errorf("%w: its hash is %.16s and should be %.16s", ErrDamaged, got, w.s.ID)
		}
		return 0, io.EOF
	}
	n, err := w.r.Read(b)
	w.h.Write(b[:n])
	w.left -= int64(n)
	if err == io.EOF {
		if err = nil; w.left > 0 {
			err = fmt.Errorf("%w: it ends after %d of %d bytes", ErrDamaged, w.s.Size-w.left, w.s.Size)
		}
	}
	return n, err
}

// SnapshotID names a content.
func SnapshotID(content io.Reader) (id string, size int64, err error) {
	h := sha256.New()
	size, err = io.Copy(h, content)
	return hex.EncodeToString(h.Sum(nil)), size, err
}

// Valid says what is wrong with a snapshot that is to be stored.
func (s *Snapshot) Valid() error {
	switch id, err := hex.DecodeString(s.ID); {
	case err != nil || len(id) != sha256.Size || !bytes.Equal([]byte(s.ID), []byte(hex.EncodeToString(id))):
		return fmt.Errorf("transport: %.80q names no snapshot", s.ID)
	case s.Size < 0:
		return fmt.Errorf("transport: a snapshot of %d bytes", s.Size)
	case len(s.Info) > SnapshotInfo:
		return fmt.Errorf("%w: %d bytes of what a snapshot says of itself, the limit is %d", ErrTooLarge, len(s.Info), SnapshotInfo)
	}
	return nil
}
