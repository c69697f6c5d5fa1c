package replicator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/transports"
)

// repairs says that there is a way to what the log does not have: peers or snapshots.
func (l *link) repairs() bool { return l.caps.Exchange || l.kept != nil }

// listSnapshots asks the medium, and notes how old the newest is. A medium that keeps none has an empty list.
func (l *link) listSnapshots(ctx context.Context) ([]transports.Snapshot, error) {
	if l.kept == nil {
		return nil, nil
	}
	call, cancel := context.WithTimeout(ctx, l.r.o.Call)
	defer cancel()
	list, err := l.kept.Snapshots(call, l.r.o.DB)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, transports.ErrNoSnapshot) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var newest transports.Snapshot
	var held crdt.VersionVector
	for _, s := range list {
		if a, err := aboutOf(s); err == nil {
			newest, held = s, a.Vector
			break
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.newest.ID != newest.ID {
		l.snapBytes = l.count.PublishedBytes + l.count.ReceivedBytes
	}
	l.newest, l.snapHolds = newest, held
	return list, nil
}

// bootstrap brings a replica that has no position in the log up to a snapshot, if there is one that has what it lacks: a
// new replica at once, any other only if no peer answers, since a peer sends no more than what is missing.
func (l *link) bootstrap(ctx context.Context) error {
	list, err := l.listSnapshots(ctx)
	if err != nil || len(list) == 0 {
		return err
	}
	l.r.mu.Lock()
	v, err := l.r.e.Vector(ctx)
	self := l.r.e.Site()
	l.r.mu.Unlock()
	if err != nil {
		return err
	}
	if l.helpful(list, v) == nil {
		return nil
	}
	for s := range v {
		if s != self {
			if err := l.ask(ctx, ""); err == nil || errors.Is(err, errMoved) || ctx.Err() != nil {
				return err
			}
			break
		}
	}
	_, err = l.takeSnapshot(ctx, true)
	return err
}

// helpful leaves the snapshots that have what a vector has not and were not found bad before.
func (l *link) helpful(list []transports.Snapshot, have crdt.VersionVector) (out []transports.Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range list {
		if a, err := aboutOf(s); l.bad[s.ID] == nil && (err != nil || !have.Covers(a.Vector)) {
			out = append(out, s)
		}
	}
	return out
}

// takeSnapshot merges the newest snapshot that can be merged, and says whether there was one. With tail the log is read
// from the position in it.
func (l *link) takeSnapshot(ctx context.Context, tail bool) (bool, error) {
	l.taking.Lock()
	defer l.taking.Unlock()
	list, err := l.listSnapshots(ctx)
	if err != nil {
		return false, err
	}
	l.r.mu.Lock()
	have, err := l.r.e.Vector(ctx)
	l.r.mu.Unlock()
	if err != nil {
		return false, err
	}
	var problems error
	for _, s := range l.helpful(list, have) {
		began := l.r.now()
		a, err := l.merge(ctx, s, have, tail)
		if err == nil {
			l.mu.Lock()
			l.count.SnapshotsTaken++
			l.missed = false
			l.mu.Unlock()
			l.r.o.Log.Info("snapshot merged", "link", l.name, "db", l.r.o.DB, "id", s.ID[:16], "from", s.Site, "made", s.At.UTC().Format(time.RFC3339),
				"bytes", s.Size, "packages", a.Packages, "took", l.r.now().Sub(began).Round(time.Millisecond))
			return true, nil
		}
		if errors.Is(err, errMoved) || ctx.Err() != nil {
			return false, err
		}
		err = fmt.Errorf("the snapshot %.16s of site %s: %w", s.ID, s.Site, err)
		l.mu.Lock()
		l.count.SnapshotsRefused++
		if errors.Is(err, errSnapCorrupt) || errors.Is(err, errSnapFormat) {
			l.bad[s.ID] = err
		}
		l.mu.Unlock()
		l.r.o.Log.Warn("a snapshot cannot be used", "link", l.name, "db", l.r.o.DB, "error", err)
		problems = errors.Join(problems, err)
	}
	return false, problems
}

// textForgotten is told to who lacks deletes that are forgotten, and is found again in what a peer says.
const textForgotten = "rows may be here whose deletes are forgotten there; make this replica anew with clone"

var errForgotten = errors.New("replicator: " + textForgotten)

// merge brings one snapshot into the database. Nothing is changed before all of it is here and was examined.
func (l *link) merge(ctx context.Context, s transports.Snapshot, have crdt.VersionVector, tail bool) (about, error) {
	a, err := aboutOf(s)
	if err != nil {
		return a, err
	}
	if engine.MissesDeletes(have, a.Forgotten) {
		l.mu.Lock()
		l.stale = true
		l.mu.Unlock()
		return a, errForgotten
	}
	f, done, err := l.r.scratch()
	if err != nil {
		return a, err
	}
	defer done()
	content, err := l.kept.OpenSnapshot(ctx, s)
	if err != nil {
		return a, err
	}
	_, err = io.Copy(f, content)
	if err = errors.Join(err, content.Close()); err != nil {
		return a, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return a, err
	}
	if err := examine(f, siteOf(s.Site), a); err != nil {
		return a, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return a, err
	}
	if err := l.applySnapshot(ctx, f, a, tail); err != nil {
		return a, err
	}
	l.r.mu.Lock()
	now, err := l.r.e.Vector(ctx)
	l.r.mu.Unlock()
	if err == nil && !now.Covers(a.Vector) {
		err = errors.New("replicator: it was applied and what it says is not here")
	}
	return a, err
}

// applySnapshot applies the packages, some at a time, and with the last of them notes the position.
func (l *link) applySnapshot(ctx context.Context, r io.Reader, a about, tail bool) error {
	in, err := newSnapReader(r)
	if err != nil {
		return err
	}
	for n := 0; n < a.Packages; {
		var parcels []engine.Parcel
		for size := 0; n < a.Packages && size < transports.BatchBytes && len(parcels) < transports.BatchPackages; n++ {
			body, err := in.next()
			if err != nil {
				return err
			}
			parcels = append(parcels, engine.Parcel{Body: body})
			size += len(body)
		}
		if err := l.applyParts(ctx, parcels, a, n == a.Packages, tail); err != nil {
			return err
		}
	}
	l.r.kickAll(l)
	poke(l.kick)
	return nil
}

// applyParts applies packages of a snapshot in one transaction.
func (l *link) applyParts(ctx context.Context, parcels []engine.Parcel, a about, last, tail bool) error {
	r := l.r
	r.mu.Lock()
	defer r.mu.Unlock()
	site := r.e.Site()
	var next record
	_, err := r.e.ApplyBatch(ctx, parcels, func(out []engine.Arrived) error {
		l.mu.Lock()
		next = l.rec
		next.Seen = next.Seen.clone()
		next.Status = l.status()
		l.mu.Unlock()
		for i := range out {
			if out[i].Err != nil {
				return fmt.Errorf("%w: %w", errSnapCorrupt, out[i].Err)
			}
			next.Seen.covers(out[i].Covers) // the medium has it: nobody needs it on the log
		}
		if !last {
			return nil
		}
		if tail && len(a.Cursor) > 0 {
			next.Cursor = a.Cursor
		}
		if err := r.e.LearnForgotten(ctx, a.Forgotten); err != nil {
			return err
		}
		return next.save(ctx, r.e, l.name, r.o.DB)
	})
	if r.e.Site() != site {
		return errMoved
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	if l.rec.Seen = next.Seen; tail && last {
		l.rec.Cursor = next.Cursor
	}
	l.saved = r.now()
	l.mu.Unlock()
	return nil
}
