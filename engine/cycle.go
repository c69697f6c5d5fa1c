package engine

import (
	"fmt"

	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// showCycles shows rows that were set aside because each waits for another of them: references may form a cycle, and
// then no row of it can come first. What is left after removing every row that waits for something truly missing is
// the greatest set that supports itself, and does not depend on the order of removal. It must also be able to stay: of those
// that give way to others by a UNIQUE value, and of what waits for them, none is shown.
func (e *Engine) showCycles(d *touched) (shown int, err error) {
	var set []*hidden
	for _, t := range e.tables {
		if t.schema == nil || t.enforced() == 0 || !d.concerns(e, t) {
			continue
		}
		list, err := e.hiddenIn(t)
		if err != nil {
			return 0, err
		}
		for _, h := range list {
			c, known, err := e.clockOf(t, h.key)
			if err != nil {
				return 0, err
			}
			if h.reason == reasonForeign && !d.refused[h.id()] && known && c.hidden && c.birth.Dot() == h.inc.Birth.Dot() {
				set = append(set, h)
			}
		}
	}
	w, err := e.waitingOf(set)
	for unfit := len(set); unfit > 0 && err == nil; {
		set = w.left()
		var list []*hidden
		list, err = e.unfit(set)
		for _, h := range list {
			w.drop(h)
		}
		unfit = len(list)
	}
	if err != nil {
		return 0, err
	}
	d.cycle = set
	defer func() { d.cycle = nil }()
	for _, h := range set {
		if err := e.quietly(h.t, 1, func() error { return e.show(h, d) }); err != nil {
			return 0, err
		}
	}
	return len(set), nil
}

// unfit finds rows that would give way once the set is shown: to rows that are shown, or else one to a row of the set.
func (e *Engine) unfit(set []*hidden) (out []*hidden, err error) {
	for _, h := range set {
		blockers, err := e.blockers(h)
		if err != nil {
			return nil, err
		}
		fits := true
		for i := 0; fits && i < len(blockers); i++ {
			if fits, err = e.precedes(h, blockers[i], set); err != nil {
				return nil, err
			}
		}
		if !fits {
			out = append(out, h)
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	for i, h := range set {
		for _, other := range set[i+1:] {
			if equal, err := e.equalValues(h, other); err != nil {
				return nil, err
			} else if !equal {
				continue
			}
			if first, err := e.precedes(h, other, set); err != nil || first {
				return []*hidden{other}, err
			}
			return []*hidden{h}, nil
		}
	}
	return nil, nil
}

// equalValues says whether two rows that are not shown have one value in a unique index.
func (e *Engine) equalValues(h, other *hidden) (bool, error) {
	if h.t != other.t {
		return false, nil
	}
	for _, u := range h.t.schema.Unique {
		row, args := other.asRow(0)
		where, more := h.equalIn(u, len(args))
		n, err := e.one(fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM %s t WHERE %s)", row, where), append(args, more...)...)
		if err != nil || n.Int() != 0 {
			return err == nil, err
		}
	}
	return false, nil
}

// isParent says whether p is the row that h refers to by a foreign key.
func (e *Engine) isParent(p, h *hidden, fk *fkSchema) (bool, error) {
	if !sqltext.EqualName(p.t.name, fk.Parent) {
		return false, nil
	}
	for i, c := range fk.Columns {
		if ok, err := e.refers(p.t.schema, fk.ParentColumns[i], p.column(fk.ParentColumns[i]), h.column(c)); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}
