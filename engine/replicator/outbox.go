package replicator

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/transports"
)

// outbox publishes, whenever it is kicked, what the log lacks.
func (l *link) outbox(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	failures := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.kick:
		case <-timer.C:
		}
		l.mu.Lock()
		ready := l.cond.live // before that, the log may hold what would be published
		l.mu.Unlock()
		if !ready {
			continue
		}
		err := l.checkTail(ctx)
		if err == nil {
			err = l.publish(ctx, false)
		}
		if err != nil {
			l.failed(ctx, "publishing", err)
			if !l.r.pause(ctx, failures) {
				return
			}
			failures++
			poke(l.kick)
			continue
		}
		failures = 0
		l.mu.Lock()
		at := l.relayAt
		l.mu.Unlock()
		if !at.IsZero() {
			timer.Reset(max(at.Sub(l.r.now()), time.Millisecond))
		}
	}
}

// manyPositions is how many changes make larger packages, as does everything from the beginning.
const manyPositions = 10_000

// window is what is read from the database before it is published, in bytes: a slow medium holds back the reading.
const window = 1 << 20

// publish sends what this replica has and the link has not seen: own changes at once, those of others when nobody else
// has done it for a while, or at once.
func (l *link) publish(ctx context.Context, atOnce bool) error {
	for {
		set, err := l.compose(ctx, atOnce)
		if err != nil || set == nil {
			return err
		}
		if err := l.send(ctx, set); err != nil {
			return err
		}
	}
}

// outgoing is a part of what is to be published. Once the last part of a set is sent, the set's versions are seen.
type outgoing struct {
	packages []transports.Package
	began    int64 // cursor at which the set begins
	cursor   int64 // where to go on
	last     bool
	whole    bool // what went out of the set has the changes of all
	origins  []crdt.Site
	target   crdt.VersionVector
}

// compose reads the next window from the database; nil: the log lacks nothing.
func (l *link) compose(ctx context.Context, atOnce bool) (*outgoing, error) {
	r := l.r
	r.mu.Lock()
	defer r.mu.Unlock()
	l.mu.Lock()
	stale := l.stale
	l.mu.Unlock()
	if stale {
		return nil, nil
	}
	n, err := r.pending()
	if err != nil {
		return nil, err
	}
	if n > 0 {
		if _, err := r.e.Fold(ctx); err != nil {
			return nil, err
		}
	}
	v, err := r.e.Vector(ctx)
	if err != nil {
		return nil, err
	}
	origins, err := l.due(ctx, v, atOnce)
	if err != nil || len(origins) == 0 {
		return nil, err
	}
	l.mu.Lock()
	prefix := l.rec.Seen.prefix()
	l.mu.Unlock()
	have := v.Clone()
	for _, s := range origins {
		have[s] = prefix[s]
	}
	since, err := r.e.Since(ctx, have)
	if err != nil {
		return nil, err
	}
	return l.read(ctx, &outgoing{origins: origins, target: v, cursor: since, began: since})
}

// read fills an outgoing from its cursor on; the caller holds the Replicator's mu.
func (l *link) read(ctx context.Context, out *outgoing) (*outgoing, error) {
	self := l.r.e.Site()
	l.mu.Lock()
	own := l.rec.Seen.prefix()[self]
	l.mu.Unlock()
	size := 0
	out.packages = nil
	limit := l.r.o.Bytes
	if end, err := l.r.e.Cursor(ctx); err == nil && (out.began == 0 || end-out.began > manyPositions) {
		limit *= 4 // much to send: fewer packages, each of which costs the reader a step
	}
	if m := l.caps.MaxPackage; m > 0 {
		limit = min(limit, m/2)
	}
	for p, err := range l.r.e.Pull(ctx, engine.PullOptions{Since: out.cursor, Began: out.began, Continues: out.cursor != out.began, Whole: out.whole, Origins: out.origins, MaxBytes: limit}) {
		if err != nil {
			return nil, err
		}
		pkg := transports.Package{DB: l.r.o.DB, Site: self.String(), From: uint64(own) + 1, To: uint64(own), ID: transports.PackageID(p.Package), Body: p.Package}
		if p.Last && slices.Contains(out.origins, self) {
			pkg.To = uint64(out.target[self])
		}
		out.packages = append(out.packages, pkg)
		out.cursor, out.last, out.whole = p.Cursor, p.Last, p.Whole
		if size += len(p.Package); size >= window {
			break
		}
	}
	if len(out.packages) == 0 {
		out.last = true
	}
	return out, nil
}

// due says whose versions are to be published now; the caller holds the Replicator's mu.
//
// What is published must not need what comes behind it, or readers would wait for each other's packages for ever. So own
// changes that were made upon changes of others that the link has not seen go out together with those.
func (l *link) due(ctx context.Context, v crdt.VersionVector, atOnce bool) ([]crdt.Site, error) {
	self := l.r.e.Site()
	l.mu.Lock()
	lacks := l.rec.Seen.lacks(v)
	foreign := slices.ContainsFunc(lacks, func(s crdt.Site) bool { return s != self })
	now := l.r.now()
	relay := foreign && (atOnce || !l.relayAt.IsZero() && !now.Before(l.relayAt))
	switch {
	case !foreign || relay:
		l.relayAt = time.Time{}
	case l.relayAt.IsZero():
		l.relayAt = now.Add(jittered(l.r.o.Relay))
	}
	l.mu.Unlock()
	if relay || !foreign || !slices.Contains(lacks, self) {
		if !relay && foreign {
			return nil, nil
		}
		return lacks, nil
	}
	need, err := l.r.e.MadeUpon(ctx, self)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rec.Seen.lacks(need)) > 0 {
		return nil, nil // with the others, when it is their time
	}
	return []crdt.Site{self}, nil
}

// send publishes one set, window by window, and then notes that the link has seen it. A failed call is repeated with the
// same bytes, so that the medium can tell that it is the same.
func (l *link) send(ctx context.Context, out *outgoing) error {
	for {
		for failures := 0; ; failures++ {
			call, cancel := context.WithTimeout(ctx, l.r.o.Call)
			err := l.t.Publish(call, out.packages...)
			cancel()
			if err == nil {
				break
			}
			if failures >= 3 || ctx.Err() != nil || errors.Is(err, transports.ErrTooLarge) || errors.Is(err, transports.ErrClone) {
				return err
			}
			l.failed(ctx, "publishing", err)
			if !l.r.pause(ctx, failures) {
				return ctx.Err()
			}
		}
		l.mu.Lock()
		for _, p := range out.packages {
			l.remember(p.ID)
			l.count.Published++
			l.count.PublishedBytes += int64(len(p.Body))
		}
		l.mu.Unlock()
		if out.last {
			break
		}
		l.r.mu.Lock()
		_, err := l.read(ctx, out)
		l.r.mu.Unlock()
		if err != nil {
			return err
		}
	}
	l.mu.Lock()
	for _, s := range out.origins {
		l.rec.Seen.add(s, 1, out.target[s])
	}
	l.mu.Unlock()
	self := l.r.site().String()
	l.set(ctx, func(c *condition) {
		c.offline, c.rival = "", ""
		delete(c.stalled, self)
	})
	return l.save(ctx)
}
