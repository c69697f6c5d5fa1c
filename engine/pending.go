package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"

	"github.com/tributary-db/tributary/crdt"
)

// flags of tributary_waiting
const (
	waitStarts = 1 << iota
	waitEnds
	waitBulk

	waitSent = 3 // from this bit on: the package's time, see sentOf
)

// sentOf is the time of a package's state as it is kept in flags. Years after 2248 count as that year.
func sentOf(p *crdt.Package) int64 { return min(int64(p.Sent), 1<<59) << waitSent }

// uponOf tells parts of unlike sets by what they are about and, in its lower half, by what a receiver must have for them. They can
// have the same place in the feed.
func uponOf(p *crdt.Package) (int64, error) {
	needs, err := p.Needs.MarshalJSON()
	if err != nil {
		return 0, err
	}
	h := fnv.New32a()
	h.Write(needs)
	about := uint64(0)
	if p.LocalOnly {
		about = p.Scope | 1<<32
	}
	return int64(about&^math.MaxUint32 | uint64(h.Sum32())), nil
}

// aboutOf is what a part is about, 0 for everything. Parts of some sites' changes lack what others wrote in between, so they make
// no set with parts of everything, or of other sites' changes.
func aboutOf(upon int64) int64 { return upon >> 32 }

// follows says whether n can be the part after w. Parts of one set come from one state of the sender, or from ascending ones:
// a row that has changed meanwhile moves to the end, so it is in neither part if the second is of an older state.
func (w *waiting) follows(n *waiting) bool { return sentAfter(w.flags, n.flags) }

func sentAfter(first, then int64) bool { return first>>waitSent <= then>>waitSent }

// waiting is a package, or part of a set, that could not be applied yet. Parts of a bulk set that have been applied
// stay without their bodies until the set is complete.
type waiting struct {
	sender       crdt.Site
	since, until int64
	upon         int64 // see uponOf
	flags        int64
	applied      bool
	lack         lack // one thing that was missing when it was last looked at
	led          bool // to the end of a set by parts that are here: see link
}

// bulk applies a part of a bulk set at once if all parts before it have been, and keeps it otherwise.
func (a *applier) bulk(p *crdt.Package, body []byte) error {
	upon, err := uponOf(p)
	if err != nil {
		return err
	}
	before, err := a.e.list("SELECT flags, upon FROM tributary_waiting WHERE sender = ?1 AND until = ?2 AND body IS NULL", 2, crdt.Blob(p.Sender[:]), crdt.Int(p.Since))
	if err != nil {
		return err
	}
	follows := slices.ContainsFunc(before, func(r []crdt.Value) bool {
		return aboutOf(r[1].Int()) == aboutOf(upon) && sentAfter(r[0].Int(), sentOf(p))
	})
	cursor, err := a.e.peerCursor(p.Sender)
	if err != nil {
		return err
	}
	if !follows && !p.Starts && (cursor == 0 || cursor < p.Since) {
		a.r.State, a.r.Reason = StatePending, reasonRest
		return a.wait(p, body, lack{})
	}
	a.r.State = StateApplied
	if err := a.set(p); err != nil {
		return err
	}
	if p.Ends {
		return a.ended(p.Sender, p.Until, upon)
	}
	return a.wait(p, nil, lack{})
}

const reasonRest = "the rest of its set"

// wait stores a package until it can be applied.
func (a *applier) wait(p *crdt.Package, body []byte, l lack) error {
	reason := cmp.Or(l.reason, reasonRest)
	size, err := a.e.one("SELECT ifnull(sum(bytes), 0) FROM tributary_waiting WHERE body IS NOT NULL")
	if err != nil {
		return err
	}
	if size.Int()+int64(len(body)) > a.e.opt.MaxPending {
		return fmt.Errorf("%w: %d bytes, the limit is %d; deliver what they wait for: %s", ErrPendingFull, size.Int(), a.e.opt.MaxPending, reason)
	}
	flags := sentOf(p)
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
	upon, err := uponOf(p)
	if err != nil {
		return err
	}
	return a.e.run("INSERT INTO tributary_waiting(sender, since, until, part, flags, bytes, reason, lacks_site, lacks, body, upon) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (sender, since, until, upon) DO UPDATE SET part = excluded.part, flags = excluded.flags, bytes = excluded.bytes,"+
		" reason = excluded.reason, lacks_site = excluded.lacks_site, lacks = excluded.lacks, body = excluded.body WHERE tributary_waiting.body IS NOT NULL AND excluded.body IS NOT NULL AND excluded.flags > tributary_waiting.flags",
		crdt.Blob(p.Sender[:]), crdt.Int(p.Since), crdt.Int(p.Until), crdt.Int(int64(p.Part)), crdt.Int(flags), crdt.Int(int64(len(body))), crdt.TextString(reason), crdt.Blob(l.site[:]), crdt.Int(l.until), stored, crdt.Int(upon))
}

// drain applies every waiting set that has become whole and whose needs are met, until none is left. now is the package
// that has just come.
func (a *applier) drain(now *crdt.Package) error {
	for {
		chain, whole, err := a.ready(now)
		if err != nil || chain == nil {
			return err
		}
		last := chain[len(chain)-1]
		var end *crdt.Package // known first, since it says what the set covers
		if whole && !last.applied {
			if end, err = a.decoded(last, now); err != nil {
				return err
			}
			a.covers = append([]crdt.Cover{}, end.Covers...)
		}
		for _, w := range chain {
			if w.applied {
				continue
			}
			p := end
			if w != last || p == nil {
				if p, err = a.decoded(w, now); err != nil {
					return err
				}
			}
			if err := a.applyWaiting(w, p, now); err != nil {
				return err
			}
		}
		a.covers = nil
		if !whole {
			continue
		}
		if err := a.ended(last.sender, last.until, last.upon); err != nil {
			return err
		}
	}
}

// ended takes away what waited for a set that has been applied. A set of everything is also what the others waited for.
func (a *applier) ended(sender crdt.Site, until, upon int64) error {
	return a.e.run("DELETE FROM tributary_waiting WHERE sender = ?1 AND until <= ?2 AND (upon >> 32 = ?3 OR ?3 = 0)", crdt.Blob(sender[:]), crdt.Int(until), crdt.Int(aboutOf(upon)))
}

// ready finds parts to apply: a whole set, or the beginning of a bulk one. Packages are decoded only when all that is
// known without speaks for them: many may wait, and this is done after every package that comes.
func (a *applier) ready(now *crdt.Package) (chain []*waiting, whole bool, err error) {
	all, err := a.waiting()
	if err != nil || len(all) == 0 {
		return nil, false, err
	}
	have, err := a.e.vector()
	if err != nil {
		return nil, false, err
	}
	next := map[place][]*waiting{}
	done := map[place]bool{} // where parts end that have been applied
	for _, w := range all {
		k := place{w.sender, w.since, aboutOf(w.upon)}
		next[k] = append(next[k], w) // the longest comes first
		if w.applied {
			done[place{w.sender, w.until, aboutOf(w.upon)}] = true
		}
	}
	a.link(all, next, have)
	for i := 0; i < len(all); i++ {
		first := all[i]
		if first.applied && done[place{first.sender, first.since, aboutOf(first.upon)}] {
			continue // the chain that begins before it goes over it: of a set of n parts there is one, not n
		}
		chain := []*waiting{first}
		w := first
		for w.flags&waitEnds == 0 {
			n := a.after(w, next, have)
			if n == nil {
				break
			}
			w = n
			chain = append(chain, w)
		}
		whole := w.flags&waitEnds != 0
		news := slices.ContainsFunc(chain, func(w *waiting) bool { return !w.applied })
		if !whole && (first.flags&waitBulk == 0 || !news) {
			continue
		}
		ok, err := a.mayStart(first, have, now)
		if err != nil {
			return nil, false, err
		}
		// A part may be of a later set, which began further on and has less of its rows: then it needs more.
		for _, w := range chain[1:] {
			if ok && !w.applied {
				if ok, err = a.met(w, now); err != nil {
					return nil, false, err
				} else if !ok && a.lacking(w.lack, have) {
					a.link(all, next, have)
					i-- // without this part there may be another way
				}
			}
		}
		if ok {
			return chain, whole, nil
		}
	}
	return nil, false, nil
}

// place is where a part stands in the feed of its sender.
type place struct {
	sender crdt.Site
	pos    int64
	about  int64 // see aboutOf
}

// link finds which parts lead to the end of a set. Sets of two pulls can share parts, and of one of them the rest may never come: who
// takes any part that follows may miss the set that is whole. all is in the order of waiting.
func (a *applier) link(all []*waiting, next map[place][]*waiting, have crdt.VersionVector) {
	for end := len(all); end > 0; { // from the end of the feed, at one place the longest first: what follows a part is known before it
		from := end - 1
		for from > 0 && all[from-1].sender == all[from].sender && all[from-1].since == all[from].since {
			from--
		}
		for _, w := range all[from:end] {
			if w.led = w.flags&waitEnds != 0; !w.led {
				n := a.after(w, next, have)
				w.led = n != nil && n.led
			}
		}
		end = from
	}
}

// after is a part that can come after one, if there is one rather one that leads to the end.
func (a *applier) after(w *waiting, next map[place][]*waiting, have crdt.VersionVector) (best *waiting) {
	for _, n := range next[place{w.sender, w.until, aboutOf(w.upon)}] {
		if (best == nil || n.led) && n.until > w.until && w.follows(n) && !a.lacking(n.lack, have) {
			if best = n; n.led {
				break
			}
		}
	}
	return best
}

func (a *applier) waiting() (all []*waiting, err error) {
	err = a.e.each("SELECT sender, since, until, flags, body IS NULL, lacks_site, lacks, upon FROM tributary_waiting ORDER BY sender, since, until DESC", 8, func(r []crdt.Value) error {
		w := &waiting{since: r[1].Int(), until: r[2].Int(), upon: r[7].Int(), flags: r[3].Int(), applied: r[4].Int() != 0, lack: lack{until: r[6].Int()}}
		copy(w.sender[:], r[0].Bytes())
		copy(w.lack.site[:], r[5].Bytes())
		all = append(all, w)
		return nil
	})
	return all, err
}

// mayStart says whether a waiting part can be the first of a set: what it needs is here.
func (a *applier) mayStart(w *waiting, have crdt.VersionVector, now *crdt.Package) (bool, error) {
	if w.applied {
		return true, nil
	}
	if w.flags&waitStarts == 0 {
		if cursor, err := a.e.peerCursor(w.sender); err != nil || cursor < w.since {
			return false, err
		}
	}
	if a.lacking(w.lack, have) {
		return false, nil
	}
	return a.met(w, now)
}

// met says whether all is here that a waiting part needs. If not, it notes one thing of that.
func (a *applier) met(w *waiting, now *crdt.Package) (bool, error) {
	p, err := a.decoded(w, now)
	if err != nil {
		return false, err
	}
	l, err := a.lacks(p)
	if err != nil || l.reason == "" {
		return err == nil, err
	}
	w.lack = l
	if l.never() { // as long as the cursor is not found out to be untrue, by what comes next
		l.site, l.until = crdt.Site{}, 0
	}
	return false, a.e.run("UPDATE tributary_waiting SET reason = ?4, lacks_site = ?5, lacks = ?6 WHERE sender = ?1 AND since = ?2 AND until = ?3 AND upon = ?7",
		crdt.Blob(w.sender[:]), crdt.Int(w.since), crdt.Int(w.until), crdt.TextString(l.reason), crdt.Blob(l.site[:]), crdt.Int(l.until), crdt.Int(w.upon))
}

// decoded is a waiting package; now is the one that has just come.
func (a *applier) decoded(w *waiting, now *crdt.Package) (*crdt.Package, error) {
	if w.sender == now.Sender && w.since == now.Since && w.until == now.Until && w.flags>>waitSent == sentOf(now)>>waitSent {
		if upon, err := uponOf(now); err != nil || upon == w.upon {
			return now, err
		}
	}
	v, err := a.e.one("SELECT body FROM tributary_waiting WHERE sender = ?1 AND since = ?2 AND until = ?3 AND upon = ?4", crdt.Blob(w.sender[:]), crdt.Int(w.since), crdt.Int(w.until), crdt.Int(w.upon))
	if err != nil {
		return nil, err
	}
	if p := a.e.decoded.find(v.Bytes()); p != nil {
		return p, nil
	}
	p, err := decode(v.Bytes(), a.e.opt.Compressor)
	if err != nil {
		return nil, fmt.Errorf("a waiting package: %w", err)
	}
	return p, nil
}

func (a *applier) applyWaiting(w *waiting, p, now *crdt.Package) error {
	if p == now {
		a.r.State, a.r.Reason = StateApplied, ""
	} else {
		a.r.Released++
	}
	a.e.decoded.drop(p) // merging changes it
	if err := a.set(p); err != nil {
		return err
	}
	return a.e.run("UPDATE tributary_waiting SET body = NULL WHERE sender = ?1 AND since = ?2 AND until = ?3 AND upon = ?4", crdt.Blob(w.sender[:]), crdt.Int(w.since), crdt.Int(w.until), crdt.Int(w.upon))
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
