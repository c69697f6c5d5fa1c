package engine

import (
	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// showCycles shows rows that were set aside because each waits for another of them: references may form a cycle, and
// then no row of it can come first. What is left after removing every row that waits for something truly missing is
// the greatest set that supports itself, and does not depend on the order of removal.
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
			if h.reason == reasonForeign && known && c.hidden && c.birth.Dot() == h.inc.Birth.Dot() {
				set = append(set, h)
			}
		}
	}
	for removed := true; removed && len(set) > 0; {
		removed = false
		var kept []*hidden
		for _, h := range set {
			ok, err := e.supported(h, set)
			if err != nil {
				return 0, err
			}
			if ok {
				kept = append(kept, h)
			} else {
				removed = true
			}
		}
		set = kept
	}
	for _, h := range set {
		if err := e.quietly(h.t, 1, func() error { return e.show(h, d) }); err != nil {
			return 0, err
		}
		if h.reason == "" {
			shown++
		}
	}
	return shown, nil
}

// supported says whether every row that h refers to is shown, or is one of the set.
func (e *Engine) supported(h *hidden, set []*hidden) (bool, error) {
	for i := range h.t.schema.ForeignKeys {
		fk := &h.t.schema.ForeignKeys[i]
		if !h.t.obeys(fk) {
			continue
		}
		ok, err := e.parentShown(h, fk)
		if err != nil {
			return false, err
		}
		for j := 0; !ok && j < len(set); j++ {
			if ok, err = e.isParent(set[j], h, fk); err != nil {
				return false, err
			}
		}
		if !ok {
			return false, nil
		}
	}
	return true, nil
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
