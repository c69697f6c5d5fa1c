package replicator

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/transports"
)

// question is what a request's Have holds, as JSON.
type question struct {
	Have crdt.VersionVector `json:"have"`
	// Within a set that did not fit one answer: where it began, and up to where it has come.
	Began int64 `json:"began,omitempty"`
	Until int64 `json:"until,omitempty"`
}

// askBytes is about how long one answer may be.
const askBytes = 2 << 20

// maxAnswers bounds one round of questions: what is more comes with the next.
const maxAnswers = 10_000

// asks asks peers when there is a reason, and now and then without one.
func (l *link) asks(ctx context.Context, stop context.CancelCauseFunc) {
	regular := l.r.now().Add(jittered(l.r.o.Exchange))
	if !l.caps.Log {
		regular = l.r.now() // there is no other way to hear of anything
	}
	failures := 0
	if why, sender, err := l.lacking(ctx, transports.ErrNoPeer); err == nil && why != "" {
		l.askSoon(l.r.o.Gap, sender) // it waited when the loop was last stopped
	}
	for {
		l.mu.Lock()
		at, peer := l.askAt, l.askPeer
		l.mu.Unlock()
		reason := !at.IsZero()
		if !reason || regular.Before(at) {
			at = regular
		}
		if d := at.Sub(l.r.now()); d > 0 {
			if transports.Wait(ctx, d, l.want) != nil {
				return
			}
			continue
		}
		l.mu.Lock()
		l.askAt, l.askPeer = time.Time{}, ""
		l.mu.Unlock()
		regular = l.r.now().Add(jittered(l.r.o.Exchange))
		err := l.ask(ctx, peer)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errMoved):
			stop(errMoved)
			return
		case err == nil:
			failures = 0
			if !l.caps.Log {
				l.online(ctx)
			}
		case !errors.Is(err, transports.ErrNoPeer) && !misses(err):
			l.failed(ctx, "asking a peer", err)
		}
		if err := l.settle(ctx, err, &failures); errors.Is(err, errMoved) {
			stop(errMoved)
			return
		}
	}
}

// misses says that a peer has refused to answer because this replica lacks deletes that are forgotten.
func misses(err error) bool { return err != nil && strings.Contains(err.Error(), textForgotten) }

// settle looks at what is still missing after asking, tries a snapshot for it, says so, and asks again later.
func (l *link) settle(ctx context.Context, asked error, failures *int) error {
	why, sender, err := l.lacking(ctx, asked)
	if err != nil {
		l.failed(ctx, "looking at what waits", err)
		return nil
	}
	l.mu.Lock()
	ready := l.cond.live && l.cond.lost == ""
	l.mu.Unlock()
	if why != "" && asked != nil && ready {
		took, serr := l.takeSnapshot(ctx, false)
		if errors.Is(serr, errMoved) {
			return errMoved
		}
		if took {
			asked = nil
			if why, sender, err = l.lacking(ctx, nil); err != nil {
				return nil
			}
		} else {
			text := why + "; asking peers failed: " + asked.Error()
			switch {
			case serr != nil:
				text += "; " + serr.Error()
			case l.kept != nil:
				text += "; and there is no snapshot that has it"
			}
			l.set(ctx, func(c *condition) { c.snapshot = text })
		}
	}
	if why == "" {
		l.set(ctx, func(c *condition) { c.snapshot = "" })
		return nil
	}
	*failures++
	pause := l.r.o.Gap << min(*failures, 10)
	l.askSoon(jittered(min(pause, l.r.o.Exchange)), sender)
	return nil
}

// lacking says what is missing after peers were asked, and who may have it; "": nothing that is known of.
func (l *link) lacking(ctx context.Context, asked error) (why, sender string, err error) {
	l.r.mu.Lock()
	_, err = l.r.e.DropSuperseded(ctx)
	n, nerr := l.r.waiting()
	var pending []engine.PendingInfo
	if n > 0 && n < 64 {
		pending, _ = l.r.e.Pending(ctx)
	}
	l.r.mu.Unlock()
	if err = errors.Join(err, nerr); err != nil {
		return "", "", err
	}
	l.mu.Lock()
	if asked == nil {
		l.missed, l.stale = false, false
	} else if misses(asked) {
		l.stale = true
	}
	missed := l.missed
	l.mu.Unlock()
	switch {
	case len(pending) > 0:
		p := pending[0]
		return "a package of site " + p.Sender.String() + " waits for " + p.Reason + ", which the log does not have", p.Sender.String(), nil
	case n > 0:
		return "packages wait for what the log does not have", "", nil
	case missed:
		return "what followed this replica's position is gone from the log", "", nil
	case misses(asked):
		return "a peer cannot put this replica right", "", nil
	}
	return "", "", nil
}

// ask asks a peer, or anybody, until the answer is empty.
func (l *link) ask(ctx context.Context, peer string) error {
	if !l.caps.Exchange {
		return transports.ErrNoPeer
	}
	err := l.converse(ctx, peer)
	if peer != "" && errors.Is(err, transports.ErrNoPeer) {
		return l.converse(ctx, "") // the one who must have it is away: anybody then
	}
	return err
}

func (l *link) converse(ctx context.Context, peer string) error {
	q := question{}
	var before crdt.VersionVector
	for range maxAnswers {
		l.r.mu.Lock()
		v, err := l.r.e.Vector(ctx)
		site := l.r.e.Site()
		l.r.mu.Unlock()
		if err != nil {
			return err
		}
		if q.Until == 0 && before != nil && before.Equal(v) {
			return nil // an answer that brought nothing: what it holds waits for something else
		}
		before, q.Have = v, v
		have, err := json.Marshal(q)
		if err != nil {
			return err
		}
		l.mu.Lock()
		l.count.Asked++
		l.mu.Unlock()
		call, cancel := context.WithTimeout(ctx, l.r.o.Call)
		ps, err := l.t.Ask(call, transports.Request{DB: l.r.o.DB, Site: site.String(), Peer: peer, Have: have, MaxBytes: askBytes})
		cancel()
		if err != nil || len(ps) == 0 {
			return err
		}
		for i := range ps {
			if !ps[i].Intact() {
				return errors.New("replicator: the answer of site " + ps[i].Site + " was damaged on the way")
			}
		}
		if err := l.apply(ctx, ps, nil); err != nil {
			return err
		}
		peer = ps[0].Site // the rest of a set is with whom it began
		if q, err = rest(q, ps); err != nil {
			return err
		}
	}
	return nil
}

// rest is the question after an answer: for the rest of its set, or for whatever else there is.
func rest(q question, ps []transports.Package) (question, error) {
	first, err := crdt.PackageHeader(ps[0].Body, crdt.DefaultLimits())
	if err != nil {
		return q, err
	}
	last, err := crdt.PackageHeader(ps[len(ps)-1].Body, crdt.DefaultLimits())
	if err != nil {
		return q, err
	}
	if last.Ends {
		return question{}, nil
	}
	if q.Until == 0 {
		q.Began = first.Since
	}
	q.Until = last.Until
	return q, nil
}
