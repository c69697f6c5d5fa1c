package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// Constraints are a view of the merged state. A row that is alive but cannot be shown is set aside whole in
// tributary_hidden and shown again when its reason goes. Which row gives way depends on the merged state alone, so all
// replicas agree: of two rows with one unique value the one inserted first stays, and a row whose parent is not shown
// is not shown. Setting aside is not a change: nothing new is sent.

// touched collects which rows a fold or apply has written in tables that take part in constraints.
type touched struct {
	tables  map[int64]*touchedTable
	refused map[string]bool // rows that some other constraint has refused while it settles
}

type touchedTable struct {
	upserts, deletes [][]crdt.Value
	promote          [][]crdt.Value // keys whose shown incarnation died while others are set aside
	imported         []candidates   // of imports, whose keys are not in upserts
	any              bool
}

func newTouched() *touched {
	return &touched{tables: map[int64]*touchedTable{}, refused: map[string]bool{}}
}

func (d *touched) table(t *table) *touchedTable {
	w := d.tables[t.id]
	if w == nil {
		w = &touchedTable{}
		d.tables[t.id] = w
	}
	w.any = true
	return w
}

// upsert notes a row that was inserted or updated. Keys are kept only where a foreign key may ask for them.
func (d *touched) upsert(t *table, key []crdt.Value, changed bool) {
	w := d.table(t)
	if changed && t.enforced() > 0 {
		w.upserts = append(w.upserts, cloneKey(key))
	}
	if changed && t.byValue {
		w.deletes = append(w.deletes, cloneKey(key))
	}
}

func (d *touched) delete(t *table, key []crdt.Value) {
	w := d.table(t)
	if t.parent {
		w.deletes = append(w.deletes, cloneKey(key))
	}
}

func (d *touched) promote(t *table, key []crdt.Value) {
	w := d.table(t)
	w.promote = append(w.promote, cloneKey(key))
}

// enforced counts the foreign keys that merging upholds.
func (t *table) enforced() (n int) {
	for i := range t.schema.ForeignKeys {
		if t.obeys(&t.schema.ForeignKeys[i]) {
			n++
		}
	}
	return n
}

// obeys says whether merging upholds a foreign key of the table.
func (t *table) obeys(fk *fkSchema) bool {
	return !strings.Contains(t.loose, fmt.Sprintf(",%d,", fk.ID)) && len(fk.Columns) == len(fk.ParentColumns)
}

// settle makes the user's tables show the rows that the constraints allow, no more and no fewer.
func (e *Engine) settle(d *touched) error {
	if len(d.tables) == 0 {
		return nil
	}
	if err := e.promoteAll(d); err != nil {
		return err
	}
	clear(d.refused)
	for range 1000 { // a legal database needs a few rounds, however long its chains of references are
		n, err := e.hideOrphans(d)
		for more := n; more > 0 && err == nil; n += more {
			more, err = e.hideOrphans(d)
		}
		if err != nil {
			return err
		}
		m, err := e.retryHidden(d)
		if err != nil {
			return err
		}
		if n+m > 0 {
			continue
		}
		if n, err = e.untie(d); err != nil || n == 0 {
			return err
		}
	}
	return errors.New("tributary: constraints do not settle: run check")
}

// promoteAll shows the next incarnation of rows whose shown one was deleted here, and forgets those that the delete
// covers too.
func (e *Engine) promoteAll(d *touched) error {
	for _, id := range d.ids() {
		t := e.byID[id]
		for _, key := range d.tables[id].promote {
			c, known, err := e.clockOf(t, key)
			if err != nil {
				return err
			}
			if !known {
				continue
			}
			s, err := e.loadRow(t, key, c, !c.dead)
			if err != nil {
				return err
			}
			stale := c.dead && len(s.row.Lives) > 0
			for dot := range s.reasons {
				stale = stale || s.row.Life(dot) < 0
			}
			if v := s.row.Visible(); v >= 0 { // a column that decided is gone
				stale = stale || s.row.Lives[v].Birth.Dot() != c.birth.Dot()
			}
			if !stale {
				continue
			}
			place := func(n *clock) { n.pos = c.pos } // the fold has given it a position already
			if err := e.quietly(t, 1, func() error { return e.storeRow(s, place, d) }); err != nil {
				return err
			}
		}
		d.tables[id].promote = nil
	}
	return nil
}

func (d *touched) ids() []int64 {
	var out []int64
	for id := range d.tables {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// clockOf reads one clock: that of its chunk for a base row, which is known by no row of the clock table. Position 0: there is none.
func (e *Engine) clockOf(t *table, key []crdt.Value) (c clock, known bool, err error) {
	e.conn.SetRows(&Rows{Data: [][]crdt.Value{key}})
	defer e.conn.SetRows(nil)
	err = e.each(t.sql.lookup, 1+clockWidth, func(r []crdt.Value) error {
		known = true
		return e.decodeClock(r[1:], &c)
	})
	if err != nil || known {
		return c, known, err
	}
	base, err := e.baseOf(t, key)
	if base != nil {
		c = base.clock()
	}
	return c, false, err
}

// hide takes a shown row out of the user's table and keeps it whole.
func (e *Engine) hide(t *table, key []crdt.Value, reason, detail string, d *touched) error {
	c, known, err := e.clockOf(t, key)
	if err != nil {
		return err
	}
	if !known && c.pos == 0 {
		return fmt.Errorf("tributary: %s %s has no clock: run check", t.name, keyText(key))
	}
	h := &hidden{t: t, key: cloneKey(key), inc: c.incarnation(), reason: reason, detail: detail}
	if found, err := e.loadValues(h); err != nil || !found { // it was set aside for another reason already
		return err
	}
	if err := e.putHidden(h); err != nil {
		return err
	}
	c.hidden = true
	if err := e.putClock(t, key, &c); err != nil {
		return err
	}
	d.delete(t, key)
	return e.quietly(t, 1, func() error { return e.writeUser(t, [][]crdt.Value{key}, t.sql.remove) })
}

func byBirth(a, b *hidden) int {
	x, y := a.inc.Birth.Stamp, b.inc.Birth.Stamp
	if c := x.Compare(y); c != 0 {
		return c
	}
	return compareKeys(a.key, b.key)
}

// retryHidden shows what was set aside and fits now.
func (e *Engine) retryHidden(d *touched) (shown int, err error) {
	any, err := e.one("SELECT EXISTS (SELECT 1 FROM tributary_hidden WHERE reason <> '" + reasonKey + "')")
	if err != nil || any.Int() == 0 {
		return 0, err
	}
	for _, t := range e.tables {
		if t.schema == nil || len(t.knot) > 0 || !d.concerns(e, t) {
			continue
		}
		list, err := e.hiddenIn(t)
		if err != nil {
			return 0, err
		}
		slices.SortFunc(list, byBirth)
		for more := -1; more != 0; shown += more {
			if list, more, err = e.retryOnce(list, d); err != nil {
				return 0, err
			}
			slices.Reverse(list) // a chain of references is short from one of its ends
		}
	}
	return shown, nil
}

// retryOnce tries each row of a list once, and returns those that still do not fit.
func (e *Engine) retryOnce(list []*hidden, d *touched) (left []*hidden, shown int, err error) {
	for _, h := range list {
		if h.reason == reasonKey {
			continue
		}
		ok, err := e.tryShow(h, d)
		if err != nil {
			return nil, 0, err
		}
		if ok {
			shown++
		} else {
			left = append(left, h)
		}
	}
	return left, shown, nil
}

// concerns says whether what was touched can have freed a row of t.
func (d *touched) concerns(e *Engine, t *table) bool {
	if w := d.tables[t.id]; w != nil && w.any {
		return true
	}
	for _, fk := range t.schema.ForeignKeys {
		if p := e.tracked(fk.Parent); p != nil && d.tables[p.id] != nil && d.tables[p.id].any {
			return true
		}
	}
	return false
}

// tryShow shows a row that was set aside, if its parents are there and no row with an older claim holds its values.
func (e *Engine) tryShow(h *hidden, d *touched) (bool, error) {
	c, known, err := e.clockOf(h.t, h.key)
	if err != nil || !known || !c.hidden || c.birth.Dot() != h.inc.Birth.Dot() {
		return false, err
	}
	if fk, err := e.unmet(h); err != nil {
		return false, err
	} else if fk != nil {
		return false, e.tell(h, reasonForeign, orphanDetail(fk))
	}
	was := *h
	if err := e.quietly(h.t, 1, func() error { return e.show(h, d) }); err != nil {
		return false, err
	}
	return h.reason == "" && was.reason != "", nil
}

// unmet is the first reference whose row is not shown, nil if there is none: of several reasons the same one is told everywhere,
// whichever was found first.
func (e *Engine) unmet(h *hidden) (*fkSchema, error) {
	for i := range h.t.schema.ForeignKeys {
		fk := &h.t.schema.ForeignKeys[i]
		if !h.t.obeys(fk) {
			continue
		}
		if ok, err := e.parentShown(h, fk); err != nil || !ok {
			return fk, err
		}
	}
	return nil, nil
}

// tell notes why a hidden row is not shown.
func (e *Engine) tell(h *hidden, reason, detail string) error {
	if h.reason == reason && h.detail == detail {
		return nil
	}
	h.reason, h.detail = reason, detail
	return e.putHidden(h)
}

// parentShown says whether the row that h refers to is shown, or is h itself.
func (e *Engine) parentShown(h *hidden, fk *fkSchema) (bool, error) {
	where, args := h.refersTo(fk)
	self := sqltext.EqualName(fk.Parent, h.t.name)
	for i, c := range fk.Columns {
		if where == "" {
			return true, nil
		}
		if self {
			same, err := e.refers(h.t.schema, fk.ParentColumns[i], h.column(fk.ParentColumns[i]), h.column(c))
			if err != nil {
				return false, err
			}
			self = same
		}
	}
	if self {
		return true, nil
	}
	n, err := e.one(fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM %s WHERE %s)", ident(fk.Parent), where), args...)
	return n.Int() != 0, err
}

// refersTo is the condition for the row of the parent that h refers to, and its arguments. It is "" if there is a NULL in the
// foreign key, which then refers to nothing.
func (h *hidden) refersTo(fk *fkSchema) (where string, args []crdt.Value) {
	var on []string
	for i, c := range fk.Columns {
		v := h.column(c)
		if v.IsNull() {
			return "", nil
		}
		args = append(args, v)
		on = append(on, fmt.Sprintf("%s = ?%d", ident(fk.ParentColumns[i]), i+1))
	}
	return strings.Join(on, " AND "), args
}

// column is the value of a key or other column by name, NULL if it has none.
func (h *hidden) column(name string) crdt.Value {
	for i, k := range h.t.schema.Key {
		if sqltext.EqualName(k.Name, name) {
			return h.key[i]
		}
	}
	v, _ := h.inc.Value(h.t.ordinal(name))
	return v
}
