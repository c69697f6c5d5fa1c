package engine

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/tributary-db/tributary/crdt"
)

// slowly merges the rows that decide left: rows with several incarnations, or whose one is in quarantine.
func (b *batch) slowly() error {
	for _, i := range b.slow {
		if err := b.slowRow(i); err != nil {
			return err
		}
	}
	return nil
}

// rowState is the full state of one row, with all values.
type rowState struct {
	t       *table
	key     []crdt.Value
	row     crdt.Row
	clock   clock
	shown   crdt.Dot // birth of the incarnation in the user's table, zero if there is none
	reasons map[crdt.Dot]*hidden
	keys    map[crdt.Dot][]crdt.Value // how each incarnation spells the key
	told    []crdt.Dot                // incarnations of which a column is known only now
}

// loadRow reads the full state of a row; c is its clock.
func (e *Engine) loadRow(t *table, key []crdt.Value, c clock, alive bool) (*rowState, error) {
	s := &rowState{t: t, key: cloneKey(key), clock: c, reasons: map[crdt.Dot]*hidden{}, keys: map[crdt.Dot][]crdt.Value{}}
	s.row.Deleted = c.deleted
	if alive && !c.hidden {
		h := &hidden{t: t, key: cloneKey(key), inc: c.incarnation()}
		if found, err := e.loadValues(h); err != nil || !found {
			return nil, cmp.Or(err, fmt.Errorf("tributary: %s %s has a clock but no row: run check", t.name, keyText(key)))
		}
		s.shown = c.birth.Dot()
		s.keys[s.shown] = h.key
		s.row.Lives = append(s.row.Lives, h.inc)
	}
	list, err := e.hiddenOf(t, key)
	if err != nil {
		return nil, err
	}
	for _, h := range list {
		s.reasons[h.inc.Birth.Dot()], s.keys[h.inc.Birth.Dot()] = h, h.key
		s.row.Lives = append(s.row.Lives, h.inc)
	}
	// Which incarnation is shown must not depend on a column that only some replicas still had when it was written.
	live := t.live()
	for i := range s.row.Lives {
		s.row.Lives[i].Newer = groupsOf(s.row.Lives[i].Newer, live)
	}
	// Deleted may cover what a fold has just deleted.
	full := crdt.Row{Deleted: s.row.Deleted}
	full.Merge(&s.row)
	s.row = full
	return s, nil
}

// groupsOf leaves out of groups the columns that a table does not have.
func groupsOf(groups []crdt.CellGroup, live crdt.ColumnSet) (out []crdt.CellGroup) {
	for _, g := range groups {
		if g.Columns = g.Columns.Intersect(live); !g.Columns.IsEmpty() {
			out = append(out, g)
		}
	}
	return out
}

func cloneKey(key []crdt.Value) []crdt.Value {
	out := make([]crdt.Value, len(key))
	for i, v := range key {
		out[i] = v.Clone()
	}
	return out
}

func (b *batch) slowRow(i int) error {
	e, r := b.a.e, &b.rows[i]
	// The clock is read again: rows before this one may have set it aside.
	c, known, err := e.clockOf(b.t, r.Key)
	if err != nil {
		return err
	}
	s, err := e.loadRow(b.t, r.Key, c, !c.dead && (known || b.base[i]))
	if err != nil {
		return err
	}
	before := len(s.row.Lives)
	s.unlike(r, func(ours *crdt.Incarnation, _ int, _ crdt.Value) { s.told = append(s.told, ours.Birth.Dot()) })
	effect, err := s.row.MergeChange(r)
	if errors.Is(err, crdt.ErrMissingBirth) {
		return b.a.park(b.p, b.dict, b.original(i), reasonInsert)
	} else if err != nil {
		return err
	}
	if b.a.replaying && s.takeParked(r, nil) || b.forms.later(r.Key) && s.takeParked(r, &b.forms.more) {
		effect.Changed = true
	}
	if len(s.row.Lives) > before {
		b.forms.inserted(r.Key)
	}
	if !effect.Changed {
		return nil
	}
	for i := range r.Lives {
		if d := r.Lives[i].Birth.Dot(); s.keys[d] == nil {
			s.keys[d] = cloneKey(r.Key)
		}
	}
	b.a.r.Changed++
	if len(s.row.Lives) == 0 {
		s.clock.birth = deleter(r, s.row.Deleted)
	}
	return e.quietly(b.t, 1, func() error { return e.storeRow(s, b.a.place, b.a.touched) })
}

// unlike calls f with each value of a change that has the stamp of ours and is another: the column was not known when that came, and a
// default stands there.
func (s *rowState) unlike(r *crdt.RowChange, f func(ours *crdt.Incarnation, c int, v crdt.Value)) {
	for i := range r.Lives {
		l := &r.Lives[i]
		at := s.row.Life(l.Birth.Dot())
		if at < 0 {
			continue
		}
		ours := &s.row.Lives[at]
		l.Has.Each(func(c int) {
			v, _ := l.Value(c)
			if have, ok := ours.Value(c); ours.Write(c).Stamp == l.Write(c).Stamp && (!ok || !have.Equal(v)) {
				f(ours, c, v)
			}
		})
	}
}

// takeParked takes from a change that was parked the values of columns that are new here: they have the stamp already, of
// which the rest was merged before, but hold the column's default. only are the columns that can be such; nil: all.
func (s *rowState) takeParked(r *crdt.RowChange, only *crdt.ColumnSet) (changed bool) {
	s.unlike(r, func(ours *crdt.Incarnation, c int, v crdt.Value) {
		if only == nil || only.Has(c) {
			ours.SetValue(c, v)
			changed = true
		}
	})
	return changed
}

// storeRow writes a row's full state back: the incarnation that wins into the user's table, as far as constraints let
// it, the others whole into tributary_hidden.
func (e *Engine) storeRow(s *rowState, place func(*clock), touched *touched) error {
	v := s.row.Visible()
	details, err := e.details(s, v)
	if err != nil {
		return err
	}
	for dot := range s.reasons {
		if s.row.Life(dot) < 0 || s.row.Life(dot) == v {
			if err := e.dropHidden(s.t, s.key, dot); err != nil {
				return err
			}
		}
	}
	if v >= 0 {
		s.key = s.keys[s.row.Lives[v].Birth.Dot()]
	}
	n := clock{birth: s.clock.birth, deleted: s.row.Deleted, dead: v < 0, siblings: len(s.row.Lives) > 1}
	if v >= 0 {
		n.birth, n.newer = s.row.Lives[v].Birth, s.row.Lives[v].Newer
	}
	place(&n)
	for i := range s.row.Lives {
		l := &s.row.Lives[i]
		if l.Birth.Pos == posNew {
			l.Birth.Pos = n.pos
		}
		for j := range l.Newer {
			if l.Newer[j].Write.Pos == posNew {
				l.Newer[j].Write.Pos = n.pos
			}
		}
		if i == v {
			continue
		}
		if err := e.putHidden(&hidden{t: s.t, key: s.keys[l.Birth.Dot()], inc: *l, reason: reasonKey, detail: details[i]}); err != nil {
			return err
		}
	}
	if err := e.putClock(s.t, s.key, &n); err != nil {
		return err
	}
	if s.shown != (crdt.Dot{}) {
		if err := e.writeUser(s.t, [][]crdt.Value{s.key}, s.t.sql.remove); err != nil {
			return err
		}
		touched.delete(s.t, s.key)
	}
	if v < 0 {
		return nil
	}
	touched.upsert(s.t, s.key, true)
	return e.show(&hidden{t: s.t, key: s.key, inc: s.row.Lives[v]}, touched)
}

// putClock writes one clock row.
func (e *Engine) putClock(t *table, key []crdt.Value, c *clock) error {
	row, err := e.appendClock(cloneKey(key), c)
	if err != nil {
		return err
	}
	return e.runRows([][]crdt.Value{row}, t.sql.upsert)
}
