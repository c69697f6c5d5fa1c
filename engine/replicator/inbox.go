package replicator

import (
	"context"
	"errors"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/transports"
)

// inbox subscribes, again and again, until ctx ends.
func (l *link) inbox(ctx context.Context, stop context.CancelCauseFunc) {
	for failures := 0; ctx.Err() == nil; {
		l.mu.Lock()
		from := transports.Cursor(l.rec.Cursor)
		l.again = false
		l.mu.Unlock()
		if from == nil {
			l.askSoon(0, "") // what is older than the log
			if err := l.bootstrap(ctx); errors.Is(err, errMoved) {
				stop(errMoved)
				return
			} else if err != nil && ctx.Err() == nil {
				l.warn(ctx, "beginning with a snapshot", err)
			}
			l.mu.Lock()
			from = transports.Cursor(l.rec.Cursor)
			l.mu.Unlock()
		}
		began := l.r.now()
		err := l.t.Subscribe(ctx, l.r.o.DB, from, func(b transports.Batch) error {
			failures = 0
			return l.receive(ctx, b)
		})
		l.mu.Lock()
		l.tailDue = true
		l.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errMoved):
			stop(errMoved)
			return
		case errors.Is(err, errAgain):
			l.r.o.Log.Info("reading the log again", "link", l.name)
			l.forget(ctx, func(c *condition) { c.live = false })
		case errors.Is(err, transports.ErrCursorLost):
			l.r.o.Log.Warn("the log has lost this replica's position", "link", l.name, "db", l.r.o.DB, "error", err)
			l.mu.Lock()
			l.count.CursorLost++
			l.missed = l.repairs()
			l.mu.Unlock()
			l.forget(ctx, func(c *condition) { c.live, c.lost = false, err.Error() })
			l.askSoon(0, "")
		default:
			if err == nil {
				err = errors.New("the subscription ended")
			}
			l.failed(ctx, "subscribing", err)
			if l.r.now().Sub(began) > maxBackoff {
				failures = 0
			}
		}
		if !l.r.pause(ctx, failures) {
			return
		}
		failures++
	}
}

// errAgain ends a subscription in order to read the log from its beginning.
var errAgain = errors.New("replicator: reading the log again")

// forget makes the link begin anew with its log: what it saw there counts no more, except for what all peers have, and for
// what is in a snapshot.
func (l *link) forget(ctx context.Context, change func(*condition)) {
	if _, err := l.listSnapshots(ctx); err != nil {
		l.r.o.Log.Debug("listing snapshots", "link", l.name, "error", err)
	}
	l.r.mu.Lock()
	floor, err := l.floor(ctx)
	if err == nil {
		l.mu.Lock()
		if l.caps.Exchange {
			_, tail := l.t.(transports.Tailer) // which finds what the log has lost of this site's newest
			for s, v := range l.snapHolds {
				if s != l.r.e.Site() || tail {
					floor[s] = max(floor[s], v)
				}
			}
		}
		l.rec.Cursor = nil
		l.rec.Seen.reduce(crdt.Site{}, 0, floor)
		l.mu.Unlock()
	}
	l.r.mu.Unlock()
	if err != nil {
		l.failed(ctx, "beginning anew", err)
		return
	}
	l.set(ctx, change)
}

// receive takes one batch from the log.
func (l *link) receive(ctx context.Context, b transports.Batch) error {
	if err := l.apply(ctx, b.Packages, b.Cursor); err != nil {
		return err
	}
	l.mu.Lock()
	again := l.again && b.Live
	late := l.r.now().Sub(l.saved) > recordEvery
	turned := b.Live && !l.cond.live
	l.mu.Unlock()
	if again {
		if !l.r.pause(ctx, 8) {
			return nil
		}
		return errAgain
	}
	l.set(ctx, func(c *condition) {
		c.offline = ""
		if c.live = b.Live; b.Live {
			c.lost = ""
		}
	})
	if turned || b.Live && len(b.Packages) > 0 {
		poke(l.kick) // what the log lacks can be told now
	}
	if late {
		return l.save(ctx)
	}
	return nil
}

// apply applies packages with their cursor in one transaction, keeping aside what cannot be. A nil cursor is an answer's.
func (l *link) apply(ctx context.Context, ps []transports.Package, cursor transports.Cursor) error {
	fresh := l.sift(ps)
	if len(fresh) == 0 {
		if cursor != nil { // written with the next record: reading its own packages again costs nothing
			l.mu.Lock()
			l.rec.Cursor = cursor
			l.mu.Unlock()
		}
		return nil
	}
	applied, err := l.commit(ctx, fresh, cursor)
	if err != nil {
		return err
	}
	if applied {
		l.r.kickAll(l)
		poke(l.kick)
	}
	return nil
}

// sift leaves out what is damaged and what this run has published itself.
func (l *link) sift(ps []transports.Package) (fresh []transports.Package) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range ps {
		p := ps[i]
		switch {
		case !p.Intact():
			l.count.Corrupt++
			l.lose(p.Site)
		case l.sent[p.ID]:
			l.count.Own++
			l.rec.Seen.add(siteOf(p.Site), crdt.Version(p.From), crdt.Version(p.To))
		default:
			l.count.Received++
			l.count.ReceivedBytes += int64(len(p.Body))
			fresh = append(fresh, p)
		}
	}
	return fresh
}

// lose notes that a package could not be taken: peers are asked for it, or the log is read again. The caller holds mu.
func (l *link) lose(site string) {
	if !l.caps.Exchange {
		l.again = true
		return
	}
	if at := l.r.now().Add(l.r.o.Gap); l.askAt.IsZero() || at.Before(l.askAt) {
		l.askAt, l.askPeer = at, site
	}
	poke(l.want)
}

// commit applies packages in one transaction, or in several if some must be left out, and reports whether there was news.
func (l *link) commit(ctx context.Context, ps []transports.Package, cursor transports.Cursor) (news bool, err error) {
	r := l.r
	r.mu.Lock()
	defer r.mu.Unlock()
	site := r.e.Site()
	refused := map[string]error{}
	for tries := 0; ; tries++ {
		var parcels []engine.Parcel
		var of []*transports.Package
		for i := range ps {
			if refused[ps[i].ID] == nil {
				parcels = append(parcels, engine.Parcel{Body: ps[i].Body, Sender: siteOf(ps[i].Site)})
				of = append(of, &ps[i])
			}
		}
		var next record
		out, err := r.e.ApplyBatch(ctx, parcels, func(out []engine.Arrived) error {
			l.mu.Lock()
			next = l.rec
			next.Seen = next.Seen.clone()
			next.Status = l.status()
			l.mu.Unlock()
			for i := range out {
				if out[i].Err == nil {
					next.Seen.covers(out[i].Covers)
				}
			}
			if cursor != nil {
				next.Cursor = cursor
			}
			if r.e.Site() != site {
				next.Cursor = nil // see rewind
			}
			return next.save(ctx, r.e, l.name, r.o.DB)
		})
		if bad := new(engine.BatchError); errors.As(err, &bad) && !transient(err) && ctx.Err() == nil {
			refused[of[bad.Index].ID] = bad.Err
			l.refuse(ctx, of[bad.Index], bad.Err)
			if r.e.Site() != site {
				if errors.Is(bad.Err, engine.ErrEquivocation) {
					l.mu.Lock()
					l.cond.clone = bad.Err.Error()
					l.mu.Unlock()
				}
				return false, errMoved
			}
			continue
		}
		if err != nil {
			return false, err
		}
		l.mu.Lock()
		l.rec.Seen = next.Seen
		l.rec.Cursor = next.Cursor
		l.saved = r.now()
		l.mu.Unlock()
		for i := range out {
			news = l.account(ctx, of[i], &out[i]) || news
		}
		if r.e.Site() != site {
			return news, errMoved
		}
		return news, nil
	}
}

// account counts what became of a package and reports whether it was news.
func (l *link) account(ctx context.Context, p *transports.Package, a *engine.Arrived) bool {
	switch {
	case errors.Is(a.Err, engine.ErrForged):
		l.mu.Lock()
		l.count.Forged++
		l.mu.Unlock()
		l.r.o.Log.Warn("forged package left out", "link", l.name, "site", p.Site, "id", p.ID, "error", a.Err)
		return false
	case a.Err != nil:
		l.refuse(ctx, p, a.Err)
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch a.State {
	case engine.StateDuplicate:
		l.count.Duplicates++
		return false
	case engine.StatePending:
		l.count.Waiting++
		if at := l.r.now().Add(jittered(l.r.o.Gap)); l.repairs() && l.askAt.IsZero() {
			l.askAt, l.askPeer = at, ""
			poke(l.want)
		}
		return a.Released > 0
	}
	l.count.Applied++
	delete(l.cond.stalled, p.Site)
	return true
}

// refuse keeps a package aside that cannot be applied; the caller holds the Replicator's mu.
func (l *link) refuse(ctx context.Context, p *transports.Package, why error) {
	log := l.r.o.Log
	l.mu.Lock()
	l.count.Refused++
	full := errors.Is(why, engine.ErrPendingFull)
	if full {
		l.count.Dropped++
		l.count.Refused--
		l.lose(p.Site)
	} else {
		l.cond.stalled[p.Site] = why.Error()
	}
	l.mu.Unlock()
	if full {
		log.Warn("no room for a package to wait; it will be asked for", "link", l.name, "site", p.Site, "error", why)
		return
	}
	log.Error("a package cannot be applied and is kept aside", "link", l.name, "site", p.Site, "id", p.ID, "error", why)
	if err := l.r.e.Refuse(ctx, engine.RefusedInfo{ID: p.ID, Stream: l.name, Site: p.Site, At: l.r.now().UnixMilli(), Error: why.Error(), Body: p.Body}); err != nil {
		log.Error("a package could not be kept aside", "link", l.name, "id", p.ID, "error", err)
	}
}

// transient says that an error is of the moment or the machine, not of the package: trying again may help.
func transient(err error) bool {
	if isBusy(err) || errors.Is(err, engine.ErrReadOnly) || errors.Is(err, engine.ErrClock) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	var code engine.ErrorCode
	if !errors.As(err, &code) {
		return false
	}
	switch code.SQLiteCode() & 0xff { // https://sqlite.org/rescode.html
	case 7, 8, 9, 10, 13, 14: // out of memory, read-only, interrupted, I/O, disk full, cannot open
		return true
	}
	return false
}

// retryRefused tries packages again that were kept aside: a newer program may take them, or the operator has put right
// what was wrong.
func (r *Replicator) retryRefused(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list, err := r.e.Refused(ctx)
	if err != nil {
		r.o.Log.Warn("reading refused packages", "error", err)
		return
	}
	for _, p := range list {
		out, err := r.e.ApplyBatch(ctx, []engine.Parcel{{Body: p.Body, Sender: siteOf(p.Site)}}, nil)
		if err == nil {
			err = out[0].Err
		}
		if err == nil {
			err = r.e.Unrefuse(ctx, p.ID)
			r.o.Log.Info("a package that had been refused was applied", "site", p.Site, "id", p.ID)
		}
		if err == nil {
			continue
		}
		for _, l := range r.links {
			if l.name == p.Stream && !transient(err) {
				l.mu.Lock()
				l.cond.stalled[p.Site] = err.Error()
				l.mu.Unlock()
			}
		}
		if ctx.Err() != nil {
			return
		}
	}
}
