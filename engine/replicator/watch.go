package replicator

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"
)

// watch notices commits of other connections, in this process and in others, and tells the outboxes: the first at once
// when it was quiet before, then in batches.
func (r *Replicator) watch(ctx context.Context, stop context.CancelCauseFunc) {
	r.mu.Lock()
	path := r.conn.Filename()
	r.mu.Unlock()
	served, _ := os.Stat(path)
	events, done := r.o.Events(path)
	defer done()
	b := batcher{idle: r.o.Idle, max: r.o.Max, count: int64(r.o.Count)}
	poll := time.NewTicker(r.o.Poll)
	defer poll.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	// A writer's bytes reach the log before its commit can be seen, and the commit itself makes no event. So after an event
	// the database is looked at again and again, at growing distances.
	again := time.NewTimer(0)
	defer again.Stop()
	last, wait := int64(-1), time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-events:
			wait = firstLook
		case <-again.C:
		case <-poll.C:
			if !Still(path, served) {
				stop(ErrReplaced)
				return
			}
		case <-timer.C:
		}
		version, n, err := r.look(ctx, last)
		if err != nil {
			if !isBusy(err) && ctx.Err() == nil {
				stop(err)
				return
			}
			version = last
		}
		now := r.now()
		if version != last {
			wait = 0
		}
		if wait > 0 && wait <= lastLook {
			again.Reset(wait)
			wait *= 2
		}
		if b.see(now, version != last, n) {
			r.kickAll(nil)
		}
		last = version
		if at := b.due; !at.IsZero() {
			timer.Reset(max(at.Sub(now), time.Millisecond))
		}
	}
}

// ErrReplaced ends the loop: programs that open the file by its name now write to another one.
var ErrReplaced = errors.New("the file was moved, deleted or replaced while it was being replicated; start again")

// Still says whether a path leads to the same file as before, whose os.Stat that was; nil, as of a database in memory, does. So
// does what cannot be looked at now.
func Still(path string, before fs.FileInfo) bool {
	if before == nil {
		return true
	}
	now, err := os.Stat(path)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	return os.SameFile(before, now)
}

// Distances of the looks after a file event.
const (
	firstLook = 500 * time.Microsecond
	lastLook  = 64 * time.Millisecond
)

// look reads the data version, which changes with every commit of another connection and with none of this one, and if
// it did, how many changes wait to be folded. https://sqlite.org/pragma.html#pragma_data_version
func (r *Replicator) look(ctx context.Context, last int64) (version, changes int64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if version, err = r.number("PRAGMA data_version"); err != nil || version == last {
		return version, 0, err
	}
	if err := r.newSchema(ctx); err != nil {
		return version, 0, err
	}
	changes, err = r.pending()
	return version, changes, err
}

// newSchema folds when tables were made, altered or tracked, so that what is parked for them is shown though nobody writes;
// the caller holds mu.
func (r *Replicator) newSchema(ctx context.Context) error {
	v, err := r.number("PRAGMA schema_version")
	if err != nil || v == r.schema {
		return err
	}
	switch _, err := r.e.Fold(ctx); {
	case isBusy(err):
		return err // looked at again soon
	case err != nil: // publishing says it too, as a state
		r.o.Log.Debug("looking at the new schema", "db", r.o.DB, "error", err)
		return nil
	}
	r.schema, err = r.number("PRAGMA schema_version") // triggers were made anew for it
	return err
}

// batcher decides when commits that were noticed are published. The zero due means that nothing waits.
type batcher struct {
	idle, max time.Duration
	count     int64
	first     time.Time // when the oldest commit that waits was noticed
	due       time.Time
	sent      time.Time
}

// see takes in a look at the database and says whether to publish now.
func (b *batcher) see(now time.Time, changed bool, changes int64) bool {
	if changed { // without changes to fold another program may have folded or applied some
		if b.due.IsZero() {
			b.first = now
			if changes > 0 && now.Sub(b.sent) >= b.max {
				b.due = now // after a pause the first goes alone, and others may gather behind it
			}
		}
		if b.due != now {
			b.due = now.Add(b.idle)
			if end := b.first.Add(b.max); end.Before(b.due) {
				b.due = end
			}
		}
		if changes >= b.count {
			b.due = now
		}
	}
	if b.due.IsZero() || now.Before(b.due) {
		return false
	}
	b.sent, b.due = now, time.Time{}
	return true
}
