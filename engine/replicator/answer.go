package replicator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/transports"
)

// serve answers peers until ctx ends.
func (l *link) serve(ctx context.Context, site crdt.Site) {
	for failures := 0; ctx.Err() == nil; failures++ {
		err := l.t.Serve(ctx, l.r.o.DB, site.String(), l.answer)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = fmt.Errorf("it ended")
		}
		if !l.caps.Log { // else the subscription says how the medium is
			l.failed(ctx, "serving peers", err)
		}
		if !l.r.pause(ctx, failures) {
			return
		}
	}
}

// answer yields what the asker lacks, up to the length that he asked for. What it yields was read in one go, so a slow
// asker does not keep the database's snapshot.
func (l *link) answer(ctx context.Context, req transports.Request) iter.Seq2[transports.Package, error] {
	return func(yield func(transports.Package, error) bool) {
		l.mu.Lock()
		stale := l.stale
		l.mu.Unlock()
		if stale {
			yield(transports.Package{}, errors.New("replicator: this site has to be made anew itself"))
			return
		}
		list, err := l.r.lacks(ctx, req)
		if err != nil {
			yield(transports.Package{}, err)
			return
		}
		l.mu.Lock()
		l.count.Answered++
		l.mu.Unlock()
		for _, p := range list {
			if !yield(p, nil) {
				return
			}
		}
	}
}

// lacks reads what the asker of a request lacks.
func (r *Replicator) lacks(ctx context.Context, req transports.Request) (out []transports.Package, err error) {
	var q question
	if err := json.Unmarshal(req.Have, &q); err != nil {
		return nil, fmt.Errorf("replicator: a request that is none: %w", err)
	}
	limit := req.MaxBytes
	if limit <= 0 || limit > askBytes {
		limit = askBytes
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ready {
		return nil, errors.New("replicator: this site is stopping")
	}
	if n, err := r.pending(); err != nil {
		return nil, err
	} else if n > 0 {
		if _, err := r.e.Fold(ctx); err != nil {
			return nil, err
		}
	}
	v, err := r.e.Vector(ctx)
	if err != nil {
		return nil, err
	}
	forgotten, err := r.e.Forgotten(ctx)
	if err != nil {
		return nil, err
	}
	if engine.MissesDeletes(q.Have, forgotten) {
		return nil, errForgotten
	}
	o := engine.PullOptions{Since: q.Until, Began: q.Began, Continues: q.Until > 0, MaxBytes: max(r.o.Bytes, limit/8)}
	if !o.Continues {
		if q.Have.Covers(v) {
			return nil, nil
		}
		if o.Since, err = r.e.Since(ctx, q.Have); err != nil {
			return nil, err
		}
	}
	// What the asker wrote himself he need not hear again, unless he has forgotten some of it.
	if asker := siteOf(req.Site); !asker.IsZero() && q.Have[asker] >= v[asker] {
		o.Exclude = append(o.Exclude, asker)
	}
	self := r.e.Site().String()
	size := 0
	for p, err := range r.e.Pull(ctx, o) {
		if err != nil {
			return nil, err
		}
		if size += len(p.Package); len(out) > 0 && size > limit {
			break
		}
		out = append(out, transports.Package{DB: r.o.DB, Site: self, From: 1, To: 0, ID: transports.PackageID(p.Package), Body: p.Package})
	}
	return out, nil
}
