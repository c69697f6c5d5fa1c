package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// rows merges the rows of a package, table by table, in batches: clocks are read with one statement, the merge is
// decided in memory, and what changed is written with one statement for each kind of change.
func (a *applier) rows(p *crdt.Package) error {
	a.inForms(p)
	for from := 0; from < len(p.Rows); {
		to := from
		for to < len(p.Rows) && p.Rows[to].Table == p.Rows[from].Table {
			to++
		}
		if err := a.block(p, p.Tables[p.Rows[from].Table], p.Rows[from:to]); err != nil {
			return fmt.Errorf("table %s: %w", p.Tables[p.Rows[from].Table].Name, err)
		}
		from = to
	}
	return nil
}

// block merges rows of one table, or parks them while this database lacks the table or a column.
func (a *applier) block(p *crdt.Package, dict crdt.Table, rows []crdt.RowChange) error {
	t := a.e.meant(dict.Name)
	if t == nil {
		return a.park(p, dict, rows, "no tracked table of this name")
	}
	m, why := mapColumns(t, dict)
	if m == nil {
		return a.park(p, dict, rows, why)
	}
	if err := a.parkUnknown(p, dict, t, m, rows); err != nil {
		return err
	}
	b := newBatch(a, t, p, dict)
	defer b.free()
	b.forms = a.twice[t].next(t, m)
	seen := newKeySet(t)
	for i := range rows {
		r := m.apply(&rows[i])
		if !t.names(r.Key) {
			if err := a.park(p, dict, rows[i:i+1], "its key cannot be a key here"); err != nil {
				return err
			}
			continue
		}
		if len(b.rows) >= foldBatch || !seen.add(r.Key) {
			if err := b.flush(); err != nil {
				return err
			}
			seen.clear()
			seen.add(r.Key)
		}
		if len(b.rows) == 0 {
			b.rows = slices.Grow(b.rows, min(len(rows)-i, foldBatch))
		}
		b.rows = append(b.rows, r)
	}
	return b.flush()
}

// parkUnknown parks the changes of columns that are missing here, before what is known of the same rows is merged: so they
// go out first, and a replica that has the columns inserts the rows with their values and not with defaults.
func (a *applier) parkUnknown(p *crdt.Package, dict crdt.Table, t *table, m *columnMap, rows []crdt.RowChange) error {
	if len(m.missing) == 0 {
		return nil
	}
	var parked []crdt.RowChange
	for i := range rows {
		if m.unknown(&rows[i]) && t.names(m.apply(&rows[i]).Key) {
			parked = append(parked, rows[i])
		}
	}
	return a.park(p, dict, parked, "no column "+strings.Join(m.missing, ", "))
}

// names says whether a key can name a row of the table: none of it is NULL, and the alias of a rowid is an integer.
func (t *table) names(key []crdt.Value) bool {
	for _, v := range key {
		if v.IsNull() || t.schema.RowidKey && v.Kind() != crdt.KindInt {
			return false
		}
	}
	return true
}

// columnMap translates a package's column numbers into the table's own.
type columnMap struct {
	same    bool
	key     []int // by the table's key order: index in the package's key
	local   []int // by the package's numbers: ordinal here, -1 for none
	missing []string
	lacking crdt.ColumnSet // package numbers that have no column here
}

func mapColumns(t *table, dict crdt.Table) (*columnMap, string) {
	if len(dict.Key) != len(t.schema.Key) {
		return nil, fmt.Sprintf("the key has %d columns there and %d here", len(dict.Key), len(t.schema.Key))
	}
	m := &columnMap{same: true}
	for i, k := range t.schema.Key {
		at := slices.IndexFunc(dict.Key, func(n string) bool { return sqltext.EqualName(n, k.Name) })
		if at < 0 {
			at = slices.IndexFunc(dict.Key, func(n string) bool { return t.former.key(n) == i && !t.schema.hasColumn(n) })
		}
		if at < 0 {
			return nil, "the key has no column " + k.Name + " there"
		}
		m.same = m.same && at == i
		m.key = append(m.key, at)
	}
	for j, name := range dict.Columns {
		ord := t.ordinal(name)
		if ord < 0 {
			ord = t.renamed(name, dict)
		}
		if ord < 0 {
			m.missing = append(m.missing, name)
			m.lacking.Add(j)
		}
		m.same = m.same && ord == j
		m.local = append(m.local, ord)
	}
	return m, ""
}

// unknown says whether a change speaks of a column that is missing here.
func (m *columnMap) unknown(r *crdt.RowChange) bool {
	for i := range r.Lives {
		if !r.Lives[i].Has.Intersect(m.lacking).IsEmpty() {
			return true
		}
	}
	return false
}

func (m *columnMap) set(s crdt.ColumnSet) (out crdt.ColumnSet) {
	s.Each(func(j int) {
		if m.local[j] >= 0 {
			out.Add(m.local[j])
		}
	})
	return out
}

// posNew stands for the position that a received write will get once its row is known to change.
const posNew = int64(1) << 62

// apply returns the change in the table's own numbers. Where these are the package's, parts of it stay the package's
// own: positions, which mean nothing there, are set in it.
func (m *columnMap) apply(r *crdt.RowChange) crdt.RowChange {
	out := *r
	if m.same {
		for i := range r.Lives {
			l := &r.Lives[i]
			l.Birth.Pos = posNew
			for j := range l.Newer {
				l.Newer[j].Write.Pos = posNew
			}
		}
		return out
	}
	out.Key = make([]crdt.Value, len(m.key))
	for i, at := range m.key {
		out.Key[i] = r.Key[at]
	}
	out.Lives = make([]crdt.LiveChange, len(r.Lives))
	for i := range r.Lives {
		l := r.Lives[i]
		l.Birth.Pos = posNew
		l.Newer = make([]crdt.CellGroup, 0, len(r.Lives[i].Newer))
		for _, g := range r.Lives[i].Newer {
			g.Write.Pos = posNew
			g.Columns = m.set(g.Columns)
			if !g.Columns.IsEmpty() {
				l.Newer = append(l.Newer, g)
			}
		}
		src := l.Incarnation
		l.Has, l.Values = m.set(src.Has), nil
		src.Has.Each(func(j int) {
			if m.local[j] >= 0 {
				v, _ := src.Value(j)
				l.SetValue(m.local[j], v)
			}
		})
		out.Lives[i] = l
	}
	return out
}

// batch is rows of one table on their way through a merge. Each key comes once.
type batch struct {
	a    *applier
	t    *table
	p    *crdt.Package
	dict crdt.Table

	forms   *forms // of the rows in the set; nil: they have one
	rows    []crdt.RowChange
	clocks  []clock
	parts   clockParts
	known   []bool // has a clock row
	base    []bool // is there under the base clock
	out     [][]crdt.Value
	blobs   []byte // of the clocks in out
	inserts []rowWrite
	updates []rowWrite
	deletes [][]crdt.Value
	slow    []int
	runs    []run          // of rows that become base rows
	slab    []crdt.Value   // of which rows for tributary_rows are cut
	shown   [][]crdt.Value // such rows that no other field holds
}

// rowWrite is a row whose values have to be written.
type rowWrite struct {
	key   []crdt.Value
	birth crdt.Write // of the row after the merge, and what was written since, for constraints that decide by birth
	newer []crdt.CellGroup
	cols  crdt.ColumnSet
	vals  *crdt.Incarnation // holds the values of cols
}

func (b *batch) flush() error {
	if len(b.rows) == 0 {
		return nil
	}
	for _, step := range []func() error{b.sort, b.read, b.dropForgotten, b.findRuns, b.chunks, b.decide, b.write, b.slowly} {
		if err := step(); err != nil {
			return err
		}
	}
	b.empty()
	return nil
}

// sort brings the rows into the order of this table's keys. A package has them in that of their values, and its sender may know
// nothing of this table's collation or encoding.
func (b *batch) sort() error {
	byKey := func(r, s crdt.RowChange) int { return b.t.compare(r.Key, s.Key) }
	if !slices.IsSortedFunc(b.rows, byKey) {
		slices.SortStableFunc(b.rows, byKey)
	}
	return nil
}

// keys are the rows' keys as content for tributary_rows.
func (b *batch) keys() [][]crdt.Value {
	b.shown = sized(emptied(b.shown), len(b.rows))
	for i := range b.rows {
		b.shown[i] = b.rows[i].Key
	}
	return b.shown
}

// read fetches the clocks of all rows at once.
func (b *batch) read() error {
	e := b.a.e
	b.clocks, b.known, b.base = sized(b.clocks, len(b.rows)), sized(b.known, len(b.rows)), sized(b.base, len(b.rows))
	e.conn.SetRows(&Rows{Data: b.keys()})
	defer e.conn.SetRows(nil)
	clocked, err := b.clocked()
	if clocked && err == nil {
		err = e.each(b.t.sql.lookup, 1+clockWidth, func(r []crdt.Value) error {
			i := r[0].Int()
			b.known[i] = true
			return e.decodeClockTo(r[1:], &b.clocks[i], &b.parts)
		})
	}
	if err != nil || len(b.t.chunks) == 0 {
		return err
	}
	for i := range b.rows {
		if b.known[i] {
			continue
		}
		c, err := e.baseOf(b.t, b.rows[i].Key)
		if err != nil {
			return err
		}
		if c != nil {
			b.base[i], b.clocks[i] = true, c.clock()
		}
	}
	return nil
}

// manyTogether is from how many rows on it pays to ask whether any key in their range has a clock. Tests lower it.
var manyTogether = 32

// clocked says whether some row may have a clock. None has among keys in a range of their own, as those of an import.
func (b *batch) clocked() (bool, error) {
	if len(b.rows) < manyTogether {
		return true, nil
	}
	ends := append(append([]crdt.Value(nil), b.rows[0].Key...), b.rows[len(b.rows)-1].Key...)
	return b.a.e.anyClock(b.t, ends)
}

// decide merges each row. Rows with one incarnation on both sides, which is nearly all, are decided here; what needs
// values that are not at hand goes to slowly.
func (b *batch) decide() error {
	for i := range b.rows {
		r, c := &b.rows[i], &b.clocks[i]
		alive := b.base[i] || b.known[i] && !c.dead
		simple := len(r.Lives) <= 1 && !c.hidden && !c.siblings
		switch {
		case !simple || b.forms.later(r.Key):
			b.slow = append(b.slow, i)
		case !alive:
			if err := b.revive(i); err != nil {
				return err
			}
		case len(r.Lives) == 1 && r.Lives[0].Birth.Dot() == c.birth.Dot() && !covered(r.Deleted, c.birth.Dot()):
			if err := b.update(i); err != nil {
				return err
			}
		case len(r.Lives) == 0:
			if err := b.remove(i); err != nil {
				return err
			}
		case covered(c.deleted, r.Lives[0].Birth.Dot()) && !covered(r.Deleted, c.birth.Dot()):
			r.Lives = nil // news of an incarnation that is gone here
			if err := b.remove(i); err != nil {
				return err
			}
		default:
			b.slow = append(b.slow, i)
		}
	}
	return nil
}

// revive merges into a row that is not alive here: an insert, a tombstone, or news of something dead.
func (b *batch) revive(i int) error {
	r, c := &b.rows[i], &b.clocks[i]
	deleted, changed := joinDeleted(c.deleted, r.Deleted)
	if len(r.Lives) == 1 && !covered(deleted, r.Lives[0].Birth.Dot()) {
		l := &r.Lives[0]
		if !l.Full {
			return b.a.park(b.p, b.dict, b.original(i), reasonInsert)
		}
		n := clock{birth: l.Birth, newer: l.Newer, deleted: deleted}
		if b.adopted(i) {
			b.a.r.Changed++
		} else if err := b.put(i, &n); err != nil {
			return err
		}
		if len(b.inserts) == 0 {
			b.inserts = slices.Grow(b.inserts, len(b.rows)-i)
		}
		b.inserts = append(b.inserts, rowWrite{r.Key, n.birth, n.newer, l.Has, &l.Incarnation})
		b.forms.inserted(r.Key)
		return nil
	}
	if !changed && b.known[i] {
		return nil
	}
	if len(deleted) == 0 {
		return nil
	}
	n := clock{birth: c.birth, deleted: deleted, dead: true}
	if d := deleter(r, deleted); !b.known[i] || c.birth.Stamp.Compare(d.Stamp) < 0 {
		n.birth = d
	}
	return b.put(i, &n)
}

// update merges columns into the incarnation that is here.
func (b *batch) update(i int) error {
	r, c := &b.rows[i], &b.clocks[i]
	l := &r.Lives[0]
	inc := c.incarnation() // changed in place: the clock is not looked at again
	won := inc.Merge(&l.Incarnation, l.Full)
	if b.a.replaying { // a column that is new here has the birth's stamp already, but not its value
		l.Has.Each(func(col int) {
			if inc.Write(col).Stamp == l.Write(col).Stamp {
				won.Add(col)
			}
		})
	}
	deleted, changed := joinDeleted(c.deleted, r.Deleted)
	if won.IsEmpty() && !changed {
		return nil
	}
	n := clock{birth: c.birth, newer: inc.Newer, deleted: deleted}
	if err := b.put(i, &n); err != nil {
		return err
	}
	if won = won.Intersect(l.Has); !won.IsEmpty() {
		if len(b.updates) == 0 {
			b.updates = slices.Grow(b.updates, len(b.rows)-i)
		}
		b.updates = append(b.updates, rowWrite{r.Key, n.birth, n.newer, won, &l.Incarnation})
	}
	return nil
}

// remove merges deletes into an incarnation that is here.
func (b *batch) remove(i int) error {
	r, c := &b.rows[i], &b.clocks[i]
	deleted, changed := joinDeleted(c.deleted, r.Deleted)
	n := *c
	n.deleted = deleted
	if covered(deleted, c.birth.Dot()) {
		n = clock{birth: deleter(r, deleted), deleted: deleted, dead: true}
		b.deletes = append(b.deletes, r.Key)
	} else if !changed {
		return nil
	}
	return b.put(i, &n)
}

// put queues a clock row at a new position.
func (b *batch) put(i int, c *clock) error {
	b.a.place(c)
	b.a.r.Changed++
	if len(b.out) == 0 {
		b.out = slices.Grow(b.out, len(b.rows)-i)
	}
	row := append(b.row(len(b.rows[i].Key)+clockWidth), b.rows[i].Key...)
	row, blobs, err := b.a.e.encodeClock(row, b.blobs, c)
	b.out, b.blobs = append(b.out, row), blobs
	return err
}

// place gives a row the next position, and with it the writes that have just come.
func (a *applier) place(c *clock) {
	a.pos++
	c.pos = a.pos
	if c.dead || c.birth.Pos == posNew {
		c.birth.Pos = c.pos
	}
	for i := range c.newer {
		if c.newer[i].Write.Pos == posNew {
			c.newer[i].Write.Pos = c.pos
		}
	}
}

// deleter is the stamp under which a tombstone is kept.
func deleter(r *crdt.RowChange, deleted []crdt.Dot) crdt.Write {
	if r.Deleter.IsZero() && len(deleted) > 0 {
		return crdt.Write{Stamp: crdt.Stamp{Site: deleted[0].Site, Version: deleted[0].Version}}
	}
	return crdt.Write{Stamp: r.Deleter}
}

// joinDeleted is the pointwise maximum of two lists of deleted births.
func joinDeleted(ours, theirs []crdt.Dot) (out []crdt.Dot, changed bool) {
	if len(ours) == 0 {
		return theirs, len(theirs) > 0
	}
	out = ours
	for _, d := range theirs {
		if !covered(out, d) {
			out, changed = withDeleted(out, d), true
		}
	}
	return out, changed
}

// original is row i in the package's own numbers, to be parked.
func (b *batch) original(i int) []crdt.RowChange {
	for j := range b.p.Rows {
		r := &b.p.Rows[j]
		if b.p.Tables[r.Table].Name == b.dict.Name && len(r.Key) == len(b.rows[i].Key) && compareKeys(r.Key, b.rows[i].Key) == 0 {
			return []crdt.RowChange{*r}
		}
	}
	return nil
}
