package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tributary-db/tributary/crdt"
)

// noteForgotten notes up to where deletes may have been forgotten.
func (e *Engine) noteForgotten(upto crdt.VersionVector) error {
	v, err := e.forgotten()
	if err != nil {
		return err
	}
	v.Join(upto)
	text, err := v.MarshalJSON()
	if err != nil {
		return err
	}
	return e.setMeta("forgotten", crdt.Text(text))
}

func (e *Engine) forgotten() (crdt.VersionVector, error) {
	v := crdt.VersionVector{}
	text, err := e.meta("forgotten")
	if err != nil || text.IsNull() {
		return v, err
	}
	return v, v.UnmarshalJSON(text.Bytes())
}

// Forgotten is up to where this replica may have forgotten deletes: all of them that members have made within it. Empty:
// none. See MissesDeletes.
func (e *Engine) Forgotten(ctx context.Context) (crdt.VersionVector, error) {
	if err := e.load(ctx); errors.Is(err, ErrNoDatabase) {
		return crdt.VersionVector{}, nil
	} else if err != nil {
		return nil, wrap("forgotten", err)
	}
	v, err := e.forgotten()
	return v, wrap("forgotten", err)
}

// LearnForgotten notes what another replica has forgotten, whose whole state was applied here: what is not in that is not
// here either. Inside a transaction it is part of that.
func (e *Engine) LearnForgotten(ctx context.Context, v crdt.VersionVector) error {
	if len(v) == 0 {
		return nil
	}
	if e.conn.InTransaction() {
		return wrap("learn forgotten", e.noteForgotten(v))
	}
	return wrap("learn forgotten", e.change(ctx, func() error { return e.noteForgotten(v) }))
}

// MissesDeletes says whether a replica with a vector may have rows whose deletes are forgotten where forgotten is the
// answer of Forgotten: it has some of the versions up to there and not all. Merging what is left there would not delete
// those rows. A member never is in that place, since forgetting waits for it; nor is a replica that has nothing.
func MissesDeletes(have, forgotten crdt.VersionVector) bool {
	if have.Covers(forgotten) {
		return false
	}
	for s, v := range forgotten {
		if v > 0 && have[s] > 0 {
			return true
		}
	}
	return false
}

// lacksDeletes is what a package of a sender who has forgotten deletes waits for where a row that one of them removed may still be:
// versions up to there, from a replica that knows them. MissesDeletes says the same of the whole of what a sender has
// forgotten; a package says it of what it covers. A replica that has what the package needs has something.
func (a *applier) lacksDeletes(p *crdt.Package, have crdt.VersionVector) lack {
	missing, knows := -1, len(p.Needs) > 0
	for i, c := range p.Covers {
		if c.Forgotten == 0 {
			continue
		}
		knows = knows || have[c.Site] > 0
		if missing < 0 && have[c.Site] < c.Forgotten {
			missing = i
		}
	}
	if missing < 0 || !knows {
		return lack{}
	}
	c := p.Covers[missing]
	return lack{site: c.Site, until: int64(c.Forgotten), deletes: true, reason: fmt.Sprintf(
		"deletes of site %s up to version %d (here: %d), which the sender has forgotten: bring them from a replica that has not, or make this one anew with clone",
		c.Site, c.Forgotten, have[c.Site])}
}

// inherit notes the deletes that a package is about to cover and did not bring: its sender has forgotten them, and they are
// not here either.
func (a *applier) inherit(p *crdt.Package, have crdt.VersionVector) error {
	without := crdt.VersionVector{}
	for _, c := range p.Covers {
		if have[c.Site] < c.Forgotten {
			without[c.Site] = max(without[c.Site], c.Forgotten)
		}
	}
	if len(without) == 0 {
		return nil
	}
	a.forgotten = nil // what waited may be applied next, and bring rows that are forgotten now
	return a.e.noteForgotten(without)
}

// dropForgotten takes from the changes the inserts whose deletes are forgotten: all members had them, and they are not here.
// They come in packages of long ago, as parts of a set whose versions came another way. So do the deletes themselves, from
// who has not forgotten them; they would take positions for no version.
func (b *batch) dropForgotten() error {
	if b.a.replaying { // what was parked has its versions counted, and is not here
		return nil
	}
	if b.a.forgotten == nil {
		var err error
		if b.a.forgotten, err = b.a.e.forgotten(); err != nil {
			return err
		}
	}
	if len(b.a.forgotten) == 0 {
		return nil
	}
	asked, parked := false, false
	for i := range b.rows {
		r := &b.rows[i]
		for j := 0; j < len(r.Lives); {
			d := r.Lives[j].Birth.Dot()
			if here, err := b.alive(i, d); err != nil {
				return err
			} else if here || !b.a.forgotten.Has(d) {
				j++
				continue
			}
			r.Lives = slices.Concat(r.Lives[:j], r.Lives[j+1:]) // the package's own stay
		}
		if len(r.Lives) > 0 || b.known[i] || b.base[i] || r.Deleter.IsZero() || !b.a.forgotten.Has(r.Deleter.Dot()) ||
			slices.ContainsFunc(r.Deleted, func(d crdt.Dot) bool { return !b.a.forgotten.Has(d) }) {
			continue
		}
		if !asked { // what is parked may need the delete: see parkedKeys
			v, err := b.a.e.one("SELECT EXISTS (SELECT 1 FROM tributary_unknown)")
			if err != nil {
				return err
			}
			asked, parked = true, v.Int() != 0
		}
		if !parked {
			r.Deleted = nil
		}
	}
	return nil
}

// alive says whether an incarnation of row i is here, shown or set aside.
func (b *batch) alive(i int, d crdt.Dot) (bool, error) {
	c := &b.clocks[i]
	switch {
	case !b.base[i] && (!b.known[i] || c.dead):
		return false, nil
	case c.birth.Dot() == d:
		return true, nil
	case !c.siblings:
		return false, nil
	}
	list, err := b.a.e.hiddenOf(b.t, b.rows[i].Key)
	return slices.ContainsFunc(list, func(h *hidden) bool { return h.inc.Birth.Dot() == d }), err
}
