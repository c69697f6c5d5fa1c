package dir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tributary-db/tributary/transports"
)

// place is where a reader stands in one site's files.
type place struct {
	Last string `json:"last"` // name of the newest file that was read: it must still be there
	// Holes are numbers below it that were not there, or not whole, as [first, last].
	Holes [][2]uint64 `json:"holes,omitempty"`
}

// maxHoles bounds a cursor. A folder with more holes is read again from the beginning, which does no harm.
const maxHoles = 256

func (p *place) missing(n uint64) bool {
	return slices.ContainsFunc(p.Holes, func(h [2]uint64) bool { return h[0] <= n && n <= h[1] })
}

// fill takes a number out of the holes.
func (p *place) fill(n uint64) {
	var out [][2]uint64
	for _, h := range p.Holes {
		if n < h[0] || n > h[1] {
			out = append(out, h)
			continue
		}
		if h[0] < n {
			out = append(out, [2]uint64{h[0], n - 1})
		}
		if n < h[1] {
			out = append(out, [2]uint64{n + 1, h[1]})
		}
	}
	p.Holes = out
}

// dig adds numbers to the holes; they are greater than all that are there.
func (p *place) dig(from, to uint64) {
	if n := len(p.Holes); n > 0 && p.Holes[n-1][1]+1 == from {
		p.Holes[n-1][1] = to
		return
	}
	p.Holes = append(p.Holes, [2]uint64{from, to})
}

// Subscribe reads what is behind the cursor, and then looks again and again.
func (t *Transport) Subscribe(ctx context.Context, db string, from transports.Cursor, f func(transports.Batch) error) error {
	if err := t.open(context.Background()); err != nil {
		return err
	}
	at := map[string]*place{}
	if len(from) > 0 {
		if err := json.Unmarshal(from, &at); err != nil {
			return transports.ErrCursorLost
		}
		for _, p := range at {
			if p == nil {
				return transports.ErrCursorLost
			}
		}
	}
	told := false
	still := map[string]time.Time{}
	full := time.Now()
	for {
		if time.Since(full) > fullScan {
			clear(still)
			full = time.Now()
		}
		t.mu.Lock()
		wake := t.wake
		t.mu.Unlock()
		b, err := t.scan(ctx, db, at, still)
		switch {
		case t.life.Err() != nil:
			return transports.ErrClosed
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		if len(b.Packages) > 0 || b.Live && !told {
			told = b.Live
			if b.Cursor, err = json.Marshal(at); err != nil {
				return err
			}
			if err := f(b); err != nil {
				return err
			}
		}
		if !b.Live {
			continue
		}
		both, cancel := context.WithCancel(ctx)
		stop := context.AfterFunc(t.life, cancel)
		transports.Wait(both, t.poll, wake)
		stop()
		cancel()
	}
}

// Folders whose time has not changed are not listed again, once that time lies so far back that a file which came with it
// was seen, and for a while only: the times of network mounts are not to be trusted.
const (
	coarseTime = 3 * time.Second
	fullScan   = 30 * time.Second
)

// scan looks at every site's folder once and reads up to one batch, moving the places on. still has the times of the
// folders in which everything was read.
func (t *Transport) scan(ctx context.Context, db string, at map[string]*place, still map[string]time.Time) (transports.Batch, error) {
	var b transports.Batch
	folder := filepath.Join(t.root, escape(db))
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return b, fmt.Errorf("dir: %w", err)
	}
	if _, gone := os.Stat(t.root); gone != nil && len(at) > 0 {
		return b, fmt.Errorf("dir: the folder is away: %w", gone) // a stick that was pulled out comes back as it was
	}
	there := map[string]bool{}
	size := 0
	for _, e := range entries {
		site, ok := unescape(e.Name())
		if !ok || !e.IsDir() {
			continue
		}
		there[e.Name()] = true
		info, err := e.Info()
		if err == nil && still[e.Name()].Equal(info.ModTime()) && time.Since(info.ModTime()) > coarseTime {
			continue
		}
		whole := err == nil
		files, err := list(filepath.Join(folder, e.Name()))
		if err != nil {
			return b, fmt.Errorf("dir: %w", err)
		}
		p := at[e.Name()]
		last := uint64(0)
		if p == nil {
			if len(files) == 0 {
				continue
			}
			p = &place{}
		} else {
			if !slices.ContainsFunc(files, func(f file) bool { return f.name() == p.Last }) {
				return b, fmt.Errorf("%w: %s is not in the folder any more", transports.ErrCursorLost, filepath.Join(folder, e.Name(), p.Last))
			}
			f, _ := parseName(p.Last)
			last = f.number
		}
		for _, f := range files {
			if f.number <= last && !p.missing(f.number) {
				continue
			}
			if len(b.Packages) >= transports.BatchPackages || size >= transports.BatchBytes || ctx.Err() != nil {
				return b, nil
			}
			pkg := transports.Package{DB: db, Site: site, From: f.from, To: f.to, ID: f.id}
			if pkg.Body, err = os.ReadFile(filepath.Join(folder, e.Name(), f.name())); err != nil || !pkg.Intact() {
				t.mu.Lock()
				t.counts["damaged"]++
				t.mu.Unlock()
				whole = false
				continue // half copied, or gone again: a hole for now
			}
			if f.number > last+1 {
				p.dig(last+1, f.number-1)
			}
			if f.number > last {
				last, p.Last = f.number, f.name()
			}
			p.fill(f.number)
			if len(p.Holes) > maxHoles {
				return b, fmt.Errorf("%w: %s has %d holes", transports.ErrCursorLost, filepath.Join(folder, e.Name()), len(p.Holes))
			}
			at[e.Name()] = p
			b.Packages = append(b.Packages, pkg)
			size += len(pkg.Body)
		}
		if delete(still, e.Name()); whole {
			still[e.Name()] = info.ModTime()
		}
	}
	for name := range maps.Keys(at) {
		if !there[name] {
			return b, fmt.Errorf("%w: %s is not in the folder any more", transports.ErrCursorLost, filepath.Join(folder, name))
		}
	}
	b.Live = true
	return b, nil
}
