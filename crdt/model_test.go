package crdt

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The model states what rows mean without any lattice: a replica is the set of statements that it knows, merging is
// union, and what a row is follows from the whole set. It keeps each deleted birth by itself, so it also shows
// that one version per site is enough.
type (
	model struct {
		inserts map[Dot]modelInsert
		updates map[modelUpdate]Value // one per column
		deletes map[Dot]bool          // births that some delete saw
	}
	modelInsert struct {
		stamp  Stamp
		values [modelColumns]Value
	}
	modelUpdate struct {
		birth  Dot
		column int
		stamp  Stamp
	}
)

const modelColumns = 2

func newModel() *model {
	return &model{map[Dot]modelInsert{}, map[modelUpdate]Value{}, map[Dot]bool{}}
}

func (m *model) merge(o *model) {
	maps.Copy(m.inserts, o.inserts)
	maps.Copy(m.updates, o.updates)
	maps.Copy(m.deletes, o.deletes)
}

func (m *model) clone() *model {
	return &model{maps.Clone(m.inserts), maps.Clone(m.updates), maps.Clone(m.deletes)}
}

// cell is the last write of a column of one insert's row.
func (m *model) cell(birth Dot, column int) (Stamp, Value) {
	in := m.inserts[birth]
	stamp, value := in.stamp, in.values[column]
	for u, v := range m.updates {
		if u.birth == birth && u.column == column && u.stamp.Compare(stamp) > 0 {
			stamp, value = u.stamp, v
		}
	}
	return stamp, value
}

// alive are the births that no delete saw, and visible is the one that was written last.
func (m *model) alive() (births []Dot, visible Dot) {
	var best Stamp
	for birth, in := range m.inserts {
		if m.deletes[birth] {
			continue
		}
		births = append(births, birth)
		newest := in.stamp
		for c := range modelColumns {
			if s, _ := m.cell(birth, c); s.Compare(newest) > 0 {
				newest = s
			}
		}
		if newest.Compare(best) > 0 {
			best, visible = newest, birth
		}
	}
	slices.SortFunc(births, func(a, b Dot) int { return m.inserts[a].stamp.Compare(m.inserts[b].stamp) })
	return births, visible
}

// state writes all that can be asked about the row.
func (m *model) state() string {
	var b strings.Builder
	births, visible := m.alive()
	for _, birth := range births {
		fmt.Fprintf(&b, "%v born %d:", birth, m.inserts[birth].stamp.Time)
		for c := range modelColumns {
			stamp, value := m.cell(birth, c)
			fmt.Fprintf(&b, " %v=%v", stamp, value)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "visible %v", visible)
	return b.String()
}

// stateOf writes the same about a Row.
func stateOf(r *Row) string {
	var b strings.Builder
	for k := range r.Lives {
		i := &r.Lives[k]
		fmt.Fprintf(&b, "%v born %d:", i.Birth.Dot(), i.Birth.Time)
		for c := range modelColumns {
			value, _ := i.Value(c)
			fmt.Fprintf(&b, " %v=%v", i.Write(c).Stamp, value)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "visible %v", r.visibleDot())
	return b.String()
}

// A replica runs each statement on a Row and on the model.
type replica struct {
	site    Site
	clock   Clock
	version Version
	now     int64 // wall clock
	pos     int64 // feed position
	row     Row
	model   *model
}

func newReplica(s byte, now int64) *replica {
	return &replica{site: site(s), now: now, model: newModel()}
}

func (r *replica) clone() *replica {
	c := *r
	c.row, c.model = cloneRow(&r.row), r.model.clone()
	return &c
}

func cloneRow(r *Row) Row {
	c := Row{Deleted: slices.Clone(r.Deleted), Lives: slices.Clone(r.Lives)}
	for i := range c.Lives {
		c.Lives[i] = c.Lives[i].clone()
	}
	return c
}

func (r *replica) write() Write {
	r.version++
	r.pos++
	return Write{Stamp{r.clock.Tick(r.now), r.site, r.version}, r.pos}
}

func (r *replica) insert() {
	w := r.write()
	in := modelInsert{stamp: w.Stamp}
	for c := range in.values {
		in.values[c] = TextString(fmt.Sprintf("%v.%d", w.Dot(), c))
	}
	r.model.inserts[w.Dot()] = in
	r.row.Insert(Incarnation{Birth: w, Has: FirstColumns(modelColumns), Values: slices.Clone(in.values[:])})
}

func (r *replica) update(columns ...int) {
	w := r.write()
	life := &r.row.Lives[r.row.Visible()]
	_, birth := r.model.alive()
	for _, c := range columns {
		v := TextString(fmt.Sprintf("%v.%d", w.Dot(), c))
		r.model.updates[modelUpdate{birth, c, w.Stamp}] = v
		life.SetValue(c, v)
	}
	life.Set(Columns(columns...), w)
}

func (r *replica) delete() {
	r.write()
	_, birth := r.model.alive()
	r.model.deletes[birth] = true
	r.row.Delete(r.row.visibleDot())
}

// observe takes what else comes with a package: the clock of the sender.
func (r *replica) observe(o *replica) {
	r.clock.Observe(o.clock.Last)
	r.pos++
	r.model.merge(o.model)
}

// step runs one of the statements that make sense on the row as it is here; it says whether kind is one.
func (r *replica) step(kind int) bool {
	switch {
	case kind == 0 && !r.row.Alive():
		r.insert()
	case kind == 0:
		r.update(0)
	case kind == 1 && r.row.Alive():
		r.update(1)
	case kind == 2 && r.row.Alive():
		r.delete()
	case kind == 3 && r.row.Alive():
		r.update(0, 1)
	default:
		return false
	}
	return true
}

// check says what is wrong with a row: its form, or that it is not what the model says.
func (r *replica) check() error {
	if err := wellFormed(&r.row); err != nil {
		return err
	}
	if !r.agrees() {
		return fmt.Errorf("site %v\n got %s\nwant %s", r.site, stateOf(&r.row), r.model.state())
	}
	return nil
}

// agrees says whether the row is what the model says, without the cost of writing both out.
func (r *replica) agrees() bool {
	births, visible := r.model.alive()
	if len(births) != len(r.row.Lives) || visible != r.row.visibleDot() {
		return false
	}
	for k, birth := range births {
		i := &r.row.Lives[k]
		if i.Birth.Stamp != r.model.inserts[birth].stamp {
			return false
		}
		for c := range modelColumns {
			stamp, want := r.model.cell(birth, c)
			if got, ok := i.Value(c); !ok || !got.Equal(want) || i.Write(c).Stamp != stamp {
				return false
			}
		}
	}
	return true
}

func wellFormed(r *Row) error {
	for i := range r.Lives {
		if l := (LiveChange{Full: true, Incarnation: r.Lives[i]}); l.validate(FirstColumns(modelColumns)) != nil {
			return fmt.Errorf("life %d: %w", i, l.validate(FirstColumns(modelColumns)))
		}
	}
	c := RowChange{Deleted: r.Deleted}
	for i := range r.Lives {
		c.Lives = append(c.Lives, LiveChange{Full: true, Incarnation: r.Lives[i]})
	}
	if len(c.Deleted)+len(c.Lives) == 0 {
		return nil
	}
	return c.validate(0, FirstColumns(modelColumns))
}

func sameRow(a, b *Row) bool {
	return slices.Equal(a.Deleted, b.Deleted) && slices.EqualFunc(a.Lives, b.Lives, func(x, y Incarnation) bool { return sameLife(&x, &y) })
}
