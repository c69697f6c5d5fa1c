package crdt

import "slices"

// CellGroup says that these columns were last written by Write.
type CellGroup struct {
	Columns ColumnSet
	Write   Write
}

// Incarnation is one life of a row: from an insert until a delete that saw it. Columns that no group names have
// Birth's stamp, so a row that was inserted once costs one stamp whatever its width.
type Incarnation struct {
	// Birth is the insert. Its dot names the incarnation.
	Birth Write

	// Newer are the columns written since: not empty, disjoint, each stamp above Birth's, ascending, no two equal.
	// So equal states have equal groups.
	Newer []CellGroup

	// Has are the columns whose values are in Values. It may be empty where the values are kept elsewhere,
	// such as in the user's table.
	Has ColumnSet

	// Values are indexed by column ordinal. An index that is not in Has means nothing; one that is in Has but
	// beyond the end is NULL.
	Values []Value
}

// Value gives the value of a column, and whether it is at hand.
func (i *Incarnation) Value(col int) (Value, bool) {
	if !i.Has.Has(col) {
		return Value{}, false
	}
	if col >= len(i.Values) {
		return Value{}, true
	}
	return i.Values[col], true
}

// SetValue puts a value at hand, without touching stamps.
func (i *Incarnation) SetValue(col int, v Value) {
	i.Has.Add(col)
	if col >= len(i.Values) {
		i.Values = append(i.Values, make([]Value, col+1-len(i.Values))...)
	}
	i.Values[col] = v
}

// Write gives the write that a column has.
func (i *Incarnation) Write(col int) Write {
	for _, g := range i.Newer {
		if g.Columns.Has(col) {
			return g.Write
		}
	}
	return i.Birth
}

// Newest gives the greatest write of the incarnation.
func (i *Incarnation) Newest() Write {
	if n := len(i.Newer); n > 0 {
		return i.Newer[n-1].Write
	}
	return i.Birth
}

// Since gives the columns with a group whose write came after pos.
func (i *Incarnation) Since(pos int64) ColumnSet {
	var s ColumnSet
	for _, g := range i.Newer {
		if g.Write.Pos > pos {
			s = s.Union(g.Columns)
		}
	}
	return s
}

// Set says that a local write w, greater than any that the row has, wrote these columns.
func (i *Incarnation) Set(cols ColumnSet, w Write) {
	if cols.IsEmpty() {
		return
	}
	keep := i.Newer[:0]
	for _, g := range i.Newer {
		if g.Columns.Overlaps(cols) {
			if g.Columns = g.Columns.Minus(cols); g.Columns.IsEmpty() {
				continue
			}
		}
		keep = append(keep, g)
	}
	clear(i.Newer[len(keep):])
	i.Newer = keep
	if w.Stamp.Compare(i.Birth.Stamp) <= 0 {
		return // the insert itself says it already
	}
	at, found := slices.BinarySearchFunc(i.Newer, w.Stamp, func(g CellGroup, s Stamp) int { return g.Write.Stamp.Compare(s) })
	if found {
		// One write that came in two parts: the later position, so that a peer between the two is sent both.
		g := &i.Newer[at]
		g.Columns, g.Write.Pos = g.Columns.Union(cols), max(g.Write.Pos, w.Pos)
		return
	}
	i.Newer = slices.Insert(i.Newer, at, CellGroup{cols, w})
}

// Merge takes in d, a state or delta of the same incarnation (the same Birth.Dot). When full is set, d speaks for
// all columns in d.Has, with those of no group at Birth; else only for the columns of its groups.
// It gives the columns in which d's write wins, whose values the caller replaces by d's wherever it keeps them;
// columns whose values are at hand on both sides are replaced here. Nothing of d is kept but its values' bytes.
func (i *Incarnation) Merge(d *Incarnation, full bool) ColumnSet {
	return i.merge(d, full, LWW{})
}

func (i *Incarnation) merge(d *Incarnation, full bool, p Policy) ColumnSet {
	var won, grouped ColumnSet
	newest := i.Newest().Stamp
	for _, g := range d.Newer {
		grouped = grouped.Union(g.Columns)
		w := g.Columns // above all that we have: the usual case, an update that saw our state
		if g.Write.Stamp.Compare(newest) <= 0 {
			w = i.beaten(d, g.Columns, g.Write, p)
		}
		if !w.IsEmpty() {
			i.Set(w, g.Write)
			won = won.Union(w)
		}
	}
	if full {
		if rest := d.Has.Minus(grouped); !rest.IsEmpty() && i.mayLoseTo(d) {
			won = won.Union(i.beaten(d, rest, d.Birth, p))
		}
		if d.Birth.Stamp.Compare(i.Birth.Stamp) > 0 {
			i.rebirth(d.Birth)
		}
	}
	i.takeValues(d, won)
	return won
}

// mayLoseTo says whether d's insert can win a column at all: it is our insert too, so only when values can differ
// under one stamp, or when a site gave two times to one insert.
func (i *Incarnation) mayLoseTo(d *Incarnation) bool {
	return !i.Has.IsEmpty() || d.Birth.Stamp != i.Birth.Stamp
}

// beaten gives those of cols, written by w in d, in which d wins.
func (i *Incarnation) beaten(d *Incarnation, cols ColumnSet, w Write, p Policy) ColumnSet {
	var won ColumnSet
	for c := range cols.Columns() {
		write := i.Write(c)
		a, ok := i.Value(c)
		b, theirsOK := d.Value(c)
		if write.Stamp == w.Stamp && (!ok || !theirsOK || a.Equal(b)) {
			continue // one cell: the usual case, a duplicate
		}
		if p.Wins(Cell{write, a, ok}, Cell{w, b, theirsOK}) {
			won.Add(c)
		}
	}
	return won
}

// rebirth raises the insert's stamp, which only happens when a site gave two times to one insert.
func (i *Incarnation) rebirth(w Write) {
	w.Pos = max(w.Pos, i.Birth.Pos)
	i.Birth = w
	i.Newer = slices.DeleteFunc(i.Newer, func(g CellGroup) bool { return g.Write.Stamp.Compare(w.Stamp) <= 0 })
}

// takeValues replaces the values at hand in the columns that d won. A value that d does not bring is not at hand
// any more: a stale one under a new stamp would be a lie.
func (i *Incarnation) takeValues(d *Incarnation, won ColumnSet) {
	if i.Has.IsEmpty() || won.IsEmpty() {
		return
	}
	for c := range i.Has.Intersect(won).Columns() {
		if v, ok := d.Value(c); ok {
			i.SetValue(c, v)
		} else {
			i.Has = i.Has.Minus(Columns(c))
		}
	}
}

// clone gives a copy that shares only the bytes of values.
func (i *Incarnation) clone() Incarnation {
	c := *i
	c.Newer, c.Values = slices.Clone(i.Newer), slices.Clone(i.Values)
	return c
}
