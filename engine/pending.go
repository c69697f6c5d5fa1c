package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/tributary-db/tributary/crdt"
)

// flags of tributary_waiting
const (
	waitStarts = 1 << iota
	waitEnds
	waitBulk
)

// waiting is a package, or part of a set, that could not be applied yet. Parts of a bulk set that have been applied
// stay without their bodies until the set is complete.
type waiting struct {
	sender       []byte
	since, until int64
	flags        int64
	applied      bool
}

// bulk applies a part of a bulk set at once if all parts before it have been, and keeps it otherwise.
func (a *applier) bulk(p *crdt.Package, body []byte) error {
	follows, err := a.e.one("SELECT EXISTS (SELECT 1 FROM tributary_waiting WHERE sender = ?1 AND until = ?2 AND body IS NULL)", crdt.Blob(p.Sender[:]), crdt.Int(p.Since))
	if err != nil {
		return err
	}
	cursor, err := a.e.peerCursor(p.Sender)
	if err != nil {
		return err
	}
	if follows.Int() == 0 && !p.Starts && (cursor == 0 || cursor < p.Since) {
		a.r.State, a.r.Reason = StatePending, reasonRest
		return a.wait(p, body, reasonRest)
	}
	a.r.State = StateApplied
	if err := a.set(p); err != nil {
		return err
	}
	if p.Ends {
		return a.e.run("DELETE FROM tributary_waiting WHERE sender = ?1 AND until <= ?2", crdt.Blob(p.Sender[:]), crdt.Int(p.Until))
	}
	return a.wait(p, nil, reasonRest)
}

const reasonRest = "the rest of its set"

// wait stores a package until it can be applied.
func (a *applier) wait(p *crdt.Package, body []byte, reason string) error {
	size, err := a.e.one("SELECT ifnull(sum(bytes), 0) FROM tributary_waiting WHERE body IS NOT NULL")
	if err != nil {
		return err
	}
	if size.Int()+int64(len(body)) > a.e.opt.MaxPending {
		return fmt.Errorf("%w: %d bytes, the limit is %d; deliver what they wait for: %s", ErrPendingFull, size.Int(), a.e.opt.MaxPending, reason)
	}
	var flags int64
	for _, f := range []struct {
		on  bool
		bit int64
	}{{p.Starts, waitStarts}, {p.Ends, waitEnds}, {p.Bulk, waitBulk}} {
		if f.on {
			flags |= f.bit
		}
	}
	stored := crdt.Null() // a part that has been applied stays as a link of its set
	if body != nil {
		stored = crdt.Blob(body)
	}
	return a.e.run("INSERT INTO tributary_waiting(sender, since, until, part, flags, bytes, reason, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (sender, since, until) DO NOTHING",
		crdt.Blob(p.Sender[:]), crdt.Int(p.Since), crdt.Int(p.Until), crdt.Int(int64(p.Part)), crdt.Int(flags), crdt.Int(int64(len(body))), crdt.TextString(reason), stored)
}

// drain applies every waiting set that has become whole and whose needs are met, until none is left. now is the package
// that has just come.
func (a *applier) drain(now *crdt.Package) error {
	for {
		chain, whole, err := a.ready()
		if err != nil || chain == nil {
			return err
		}
		for _, w := range chain {
			if w.applied {
				continue
			}
			if err := a.applyWaiting(w, now); err != nil {
				return err
			}
		}
		if !whole {
			continue
		}
		last := chain[len(chain)-1]
		if err := a.e.run("DELETE FROM tributary_waiting WHERE sender = ?1 AND until <= ?2", crdt.Blob(last.sender), crdt.Int(last.until)); err != nil {
			return err
		}
	}
}

// ready finds parts to apply: a whole set, or the beginning of a bulk one.
func (a *applier) ready() (chain []*waiting, whole bool, err error) {
	rows, err := a.e.list("SELECT sender, since, until, flags, body IS NULL FROM tributary_waiting ORDER BY sender, since, until DESC", 5)
	if err != nil {
		return nil, false, err
	}
	next := map[string][]*waiting{}
	var all []*waiting
	for _, r := range rows {
		w := &waiting{r[0].Bytes(), r[1].Int(), r[2].Int(), r[3].Int(), r[4].Int() != 0}
		k := fmt.Sprintf("%x/%d", w.sender, w.since)
		next[k] = append(next[k], w)
		all = append(all, w)
	}
	for _, first := range all {
		ok, err := a.mayStart(first)
		if err != nil {
			return nil, false, err
		}
		if !ok {
			continue
		}
		chain := []*waiting{first}
		for w := first; ; {
			if w.flags&waitEnds != 0 {
				return chain, true, nil
			}
			n := next[fmt.Sprintf("%x/%d", w.sender, w.until)]
			if len(n) == 0 || n[0].until == w.until {
				break
			}
			w = n[0]
			chain = append(chain, w)
		}
		if first.flags&waitBulk != 0 {
			for _, w := range chain {
				if !w.applied {
					return chain, false, nil
				}
			}
		}
	}
	return nil, false, nil
}

// mayStart says whether a waiting part can be the first of a set: what it needs is here.
func (a *applier) mayStart(w *waiting) (bool, error) {
	if w.applied {
		return true, nil
	}
	body, err := a.body(w)
	if err != nil {
		return false, err
	}
	p, err := decode(body, a.e.opt.Compressor)
	if err != nil {
		return false, fmt.Errorf("a waiting package: %w", err)
	}
	why, err := a.whyWait(p)
	if err != nil || why != "" {
		return false, err
	}
	if w.flags&waitStarts != 0 {
		return true, nil
	}
	cursor, err := a.e.peerCursor(p.Sender)
	return cursor >= p.Since, err
}

func (a *applier) body(w *waiting) ([]byte, error) {
	v, err := a.e.one("SELECT body FROM tributary_waiting WHERE sender = ?1 AND since = ?2 AND until = ?3", crdt.Blob(w.sender), crdt.Int(w.since), crdt.Int(w.until))
	return v.Bytes(), err
}

func (a *applier) applyWaiting(w *waiting, now *crdt.Package) error {
	body, err := a.body(w)
	if err != nil {
		return err
	}
	p, err := decode(body, a.e.opt.Compressor)
	if err != nil {
		return fmt.Errorf("a waiting package: %w", err)
	}
	if p.Sender == now.Sender && p.Since == now.Since && p.Until == now.Until {
		a.r.State, a.r.Reason = StateApplied, ""
	} else {
		a.r.Released++
	}
	if err := a.set(p); err != nil {
		return err
	}
	return a.e.run("UPDATE tributary_waiting SET body = NULL WHERE sender = ?1 AND since = ?2 AND until = ?3", crdt.Blob(w.sender), crdt.Int(w.since), crdt.Int(w.until))
}

// PendingInfo describes a waiting package.
type PendingInfo struct {
	Sender       crdt.Site `json:"sender"`
	Since, Until int64
	Part, Bytes  int
	Reason       string `json:"reason"`
	Covers       string `json:"covers"` // JSON: site -> "from-to"
	Needs        string `json:"needs"`  // JSON: a version vector
}

// Pending lists the packages that wait.
func (e *Engine) Pending(ctx context.Context) ([]PendingInfo, error) {
	if err := e.load(ctx); errors.Is(err, ErrNoDatabase) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	rows, err := e.list("SELECT sender, since, until, part, bytes, reason, body FROM tributary_waiting ORDER BY sender, since, until", 7)
	if err != nil {
		return nil, err
	}
	var out []PendingInfo
	for _, r := range rows {
		i := PendingInfo{Since: r[1].Int(), Until: r[2].Int(), Part: int(r[3].Int()), Bytes: int(r[4].Int()), Reason: string(r[5].Bytes())}
		copy(i.Sender[:], r[0].Bytes())
		if r[6].IsNull() {
			i.Reason = "applied; the rest of its set is on the way"
		} else if p, err := decode(r[6].Bytes(), e.opt.Compressor); err == nil {
			needs, _ := p.Needs.MarshalJSON()
			i.Needs, i.Covers = string(needs), coversText(p.Covers)
		}
		out = append(out, i)
	}
	return out, nil
}

func coversText(list []crdt.Cover) string {
	s := "{"
	for i, c := range list {
		if i > 0 {
			s += ","
		}
		s += fmt.Sprintf(`"%s":"%d-%d"`, c.Site, c.From, c.To)
	}
	return s + "}"
}
