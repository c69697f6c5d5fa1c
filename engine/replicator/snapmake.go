package replicator

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/transports"
)

// Times of making snapshots.
const (
	firstLookout = time.Minute      // the first look for one comes within about that
	lookouts     = 10 * time.Minute // and further ones not rarer than that
	renew        = 7 * 24 * time.Hour
	// turn is how long each site that is known leaves the making of a snapshot to the others, on average.
	turn = 10 * time.Second
)

// snapshots makes one when it is time and nobody else has: whoever looks first, after a wait by chance.
func (l *link) snapshots(ctx context.Context) {
	every := l.r.o.Snapshot
	for wait := min(every, firstLookout); transports.Wait(ctx, jittered(wait), nil) == nil; wait = min(every/4, lookouts) {
		due, err := l.snapshotDue(ctx)
		if err == nil && due {
			l.r.mu.Lock()
			v, verr := l.r.e.Vector(ctx)
			l.r.mu.Unlock()
			if verr != nil || transports.Wait(ctx, rand.N(min(time.Duration(len(v))*turn, every/2)+1), nil) != nil {
				continue
			}
			if due, err = l.snapshotDue(ctx); err == nil && due {
				err = l.makeSnapshot(ctx)
			}
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, errors.ErrUnsupported) {
			l.r.o.Log.Warn("making a snapshot", "link", l.name, "db", l.r.o.DB, "error", err)
		}
	}
}

// snapshotDue says whether the medium needs a newer snapshot than it has, and whether this replica can make it.
func (l *link) snapshotDue(ctx context.Context) (bool, error) {
	l.r.mu.Lock()
	sound, err := l.r.sound(ctx)
	v, verr := l.r.e.Vector(ctx)
	forgotten, ferr := l.r.e.Forgotten(ctx)
	l.r.mu.Unlock()
	if err := errors.Join(err, verr, ferr); err != nil {
		return false, err
	}
	l.mu.Lock()
	live := l.cond.live && l.cond.offline == ""
	l.mu.Unlock()
	if !live || !sound {
		return false, nil
	}
	list, err := l.listSnapshots(ctx)
	if err != nil {
		return false, err
	}
	l.mu.Lock()
	bytes := l.count.PublishedBytes + l.count.ReceivedBytes - l.snapBytes
	l.mu.Unlock()
	for _, s := range list {
		a, err := aboutOf(s)
		if err != nil {
			continue
		}
		age := l.r.now().Sub(s.At)
		if a.Vector.Covers(v) {
			return age >= renew, nil // the medium may let it go for its age
		}
		return age >= l.r.o.Snapshot || bytes >= l.r.o.SnapshotBytes || !a.Vector.Covers(forgotten), nil
	}
	return len(v) > 0, nil
}

// sound says that everything that came here has been applied: else the log's position would be ahead of the database. The
// caller holds mu.
func (r *Replicator) sound(ctx context.Context) (bool, error) {
	n, err := r.waiting()
	if err != nil || n > 0 {
		return false, err
	}
	refused, err := r.e.Refused(ctx)
	return len(refused) == 0, err
}

// makeSnapshot writes one to a file and hands it to the medium. The database goes on meanwhile: the packages are read a
// few at a time, and rows that change in between go out as they are then.
func (l *link) makeSnapshot(ctx context.Context) error {
	f, done, err := l.r.scratch()
	if err != nil {
		return err
	}
	defer done()
	began := l.r.now()
	a, err := l.writeSnapshot(ctx, f)
	if err != nil || a.Packages == 0 {
		return err
	}
	s := transports.Snapshot{DB: l.r.o.DB, Site: l.r.site().String()}
	if s.Info, err = json.Marshal(a); err != nil {
		return err
	}
	if _, err = f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if s.ID, s.Size, err = transports.SnapshotID(f); err != nil {
		return err
	}
	if _, err = f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := l.kept.PutSnapshot(ctx, s, f); err != nil {
		return err
	}
	l.mu.Lock()
	l.count.SnapshotsMade++
	l.mu.Unlock()
	l.r.o.Log.Info("snapshot made", "link", l.name, "db", l.r.o.DB, "id", s.ID[:16], "bytes", s.Size, "packages", a.Packages, "took", l.r.now().Sub(began).Round(time.Millisecond))
	_, err = l.listSnapshots(ctx)
	return err
}

func (l *link) writeSnapshot(ctx context.Context, w io.Writer) (a about, err error) {
	out, err := newSnapWriter(w)
	if err != nil {
		return a, err
	}
	a = about{Format: snapFormat, Program: l.r.o.Program}
	r := l.r
	for cursor, last := int64(0), false; !last; {
		r.mu.Lock()
		if a.Packages == 0 {
			// The position is older than what is read after it, and everything before it is in the database.
			sound, err := r.sound(ctx)
			if err != nil || !sound {
				r.mu.Unlock()
				return about{}, err
			}
			l.mu.Lock()
			a.Cursor = l.rec.Cursor
			l.mu.Unlock()
		}
		size := 0
		for p, perr := range r.e.Pull(ctx, engine.PullOptions{Since: cursor, Continues: cursor > 0, MaxBytes: 4 * r.o.Bytes}) {
			if err = perr; err != nil {
				break
			}
			if err = out.add(p.Package); err != nil {
				break
			}
			a.Packages++
			cursor, last = p.Cursor, p.Last
			if p.Last {
				var h *crdt.Package
				if h, err = crdt.PackageHeader(p.Package, crdt.DefaultLimits()); err == nil {
					a.Vector = coveredBy(h)
				}
			}
			if size += len(p.Package); size >= window {
				break
			}
		}
		if err == nil && last {
			a.Forgotten, err = r.e.Forgotten(ctx)
		}
		r.mu.Unlock()
		if err != nil {
			return about{}, err
		}
		if size == 0 { // there is nothing
			return about{}, nil
		}
	}
	return a, out.close()
}

// scratch makes a file beside the database, where there is room for what is as long; done removes it.
func (r *Replicator) scratch() (f *os.File, done func(), err error) {
	r.mu.Lock()
	path := r.conn.Filename()
	r.mu.Unlock()
	folder := os.TempDir()
	if path != "" {
		folder = filepath.Dir(path)
	}
	if f, err = os.CreateTemp(folder, ".tributary-snapshot-*"); err != nil {
		return nil, nil, err
	}
	os.Remove(f.Name()) // where that is possible nothing is left behind, whatever happens
	return f, func() {
		f.Close()
		os.Remove(f.Name())
	}, nil
}
