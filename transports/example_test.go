package transports_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tributary-db/tributary/conformance"
	"github.com/tributary-db/tributary/transports"
)

// journal is the example of README.md: a log in one file, a package on each line. Several processes may append to it.
type journal struct {
	path  string
	life  context.Context
	end   context.CancelFunc
	mu    sync.Mutex // guards what follows
	known map[string]bool
	upto  int64 // how far the file was read for known
}

func openJournal(path string) *journal {
	life, end := context.WithCancel(context.Background())
	return &journal{path: path, life: life, end: end, known: map[string]bool{}}
}

func (j *journal) Caps() transports.Caps {
	return transports.Caps{Log: true, SiteOrder: true, Durability: transports.Accepted}
}

func (j *journal) Close() error { j.end(); return nil }

func (j *journal) Serve(context.Context, string, string, transports.Answerer) error {
	return errors.ErrUnsupported // nobody answers questions in a file
}

func (j *journal) Ask(context.Context, transports.Request) ([]transports.Package, error) {
	return nil, errors.ErrUnsupported
}

// place is a line of the file, and the cursor behind it: the line must still be what it was.
type place struct {
	Start, Next int64
	ID          string // of its package; "" before the first
}

// each calls f with the whole lines from an offset on. A package that is damaged has no ID.
func (j *journal) each(from int64, f func(place, transports.Package) bool) error {
	file, err := os.Open(j.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	for r := bufio.NewReader(io.NewSectionReader(file, from, 1<<40)); ; {
		b, err := r.ReadBytes('\n')
		if err == io.EOF {
			return nil // half a line: the rest is on its way
		}
		var p transports.Package
		if err != nil || json.Unmarshal(b, &p) != nil || !p.Intact() {
			p.ID = ""
		}
		at := place{from, from + int64(len(b)), p.ID}
		if from = at.Next; err != nil || !f(at, p) {
			return err
		}
	}
}

func (j *journal) Publish(ctx context.Context, ps ...transports.Package) error {
	if j.life.Err() != nil {
		return transports.ErrClosed
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	err := j.each(j.upto, func(at place, p transports.Package) bool { j.known[p.DB+"/"+p.ID], j.upto = true, at.Next; return true })
	f, oerr := os.OpenFile(j.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err = errors.Join(err, oerr); err != nil {
		return err
	}
	for _, p := range ps {
		if b, _ := json.Marshal(p); !j.known[p.DB+"/"+p.ID] && err == nil {
			_, err = f.Write(append(b, '\n')) // one write: what others append does not mix with it
		}
	}
	return errors.Join(err, f.Close())
}

func (j *journal) Subscribe(ctx context.Context, db string, from transports.Cursor, h func(transports.Batch) error) error {
	var at place
	if from != nil && json.Unmarshal(from, &at) != nil {
		return transports.ErrCursorLost
	}
	for told := false; ; transports.Wait(ctx, 5*time.Millisecond, j.life.Done()) {
		b, found, size := transports.Batch{Live: true}, at.ID == "", 0
		err := j.each(at.Start, func(l place, p transports.Package) bool {
			if found = found || l == at; l != at && found && p.ID != "" {
				if at = l; p.DB == db {
					b.Packages, size = append(b.Packages, p), size+len(p.Body)
				}
			}
			b.Live = len(b.Packages) < transports.BatchPackages && size < transports.BatchBytes
			return found && b.Live
		})
		switch b.Cursor, _ = json.Marshal(at); {
		case j.life.Err() != nil:
			return transports.ErrClosed
		case ctx.Err() != nil || err != nil:
			return err
		case !found:
			return transports.ErrCursorLost // another file, or one that was cut
		case len(b.Packages) > 0 || b.Live && !told:
			told = b.Live
			if err := h(b); err != nil {
				return err
			}
		}
	}
}

// TestJournal runs the suite on the example. Levers hurt the file as whatever owns it might.
func TestJournal(t *testing.T) {
	conformance.TestTransport(t, func(t *testing.T) *conformance.Medium {
		path := filepath.Join(t.TempDir(), "journal")
		rewrite := func(t *testing.T, f func([]byte) []byte) {
			b, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, f(b), 0o666)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		return &conformance.Medium{
			Open: func(*testing.T) transports.Transport { return openJournal(path) },
			Truncate: func(t *testing.T) {
				rewrite(t, func(b []byte) []byte {
					lines := bytes.SplitAfter(b, []byte("\n"))
					return bytes.Join(lines[len(lines)/2:], nil)
				})
			},
			Recreate: func(t *testing.T) { rewrite(t, func([]byte) []byte { return nil }) },
			Rollback: func(t *testing.T, between func()) {
				old, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				between()
				rewrite(t, func([]byte) []byte { return old })
			},
			Corrupt: func(t *testing.T, _, _ string) {
				rewrite(t, func(b []byte) []byte { b[len(b)-12] ^= 1; return b })
			},
			Cannot: map[string]string{"Restart": "there is no broker", "Snapshots": "the file is the whole log"},
		}
	})
}
