package crdt

import "slices"

// body gives the rows, uncompressed: the number of rows of each table, then a block per table that has any.
func (w *writer) body() []byte {
	b := w.out[:0]
	rows := w.p.Rows
	counts := make([]int, len(w.p.Tables))
	for i := range rows {
		counts[rows[i].Table]++
	}
	for _, n := range counts {
		b = appendUvarint(b, uint64(n))
	}
	for i, n := range counts {
		if n > 0 {
			b = w.block(b, &w.p.Tables[i], rows[:n])
			rows = rows[n:]
		}
	}
	w.out = b
	return b
}

// block writes the rows of one table in columns: shapes first, which say how many of everything there are,
// then stamps and dots, then the values of the key columns and of the others.
func (w *writer) block(b []byte, t *Table, rows []RowChange) []byte {
	b = w.shapes(b, rows)
	births, groups, deleters := w.births[:0], w.groups[:0], w.deleters[:0]
	deleted, lives := w.deleted[:0], w.lives[:0]
	slots := 0
	for i := range rows {
		c := &rows[i]
		deleted = append(deleted, c.Deleted...)
		if !c.Deleter.IsZero() {
			deleters = append(deleters, c.Deleter)
		}
		for j := range c.Lives {
			l := &c.Lives[j]
			lives = append(lives, l)
			births = append(births, l.Birth.Stamp)
			slots += l.Has.Bound()
			for _, g := range l.Newer {
				groups = append(groups, g.Write.Stamp)
			}
		}
	}
	w.births, w.groups, w.deleters, w.deleted, w.lives = births, groups, deleters, deleted, lives
	w.weight += uint64(len(rows))*uint64(rowWeight+len(t.Key)) + weighParts(len(lives), len(groups), len(deleted), slots)
	b = w.stamps(b, births)
	b = w.stamps(b, groups)
	b = w.dots(b, deleted)
	b = w.stamps(b, deleters)

	column := slices.Grow(w.values[:0], len(rows))[:len(rows)]
	for k := range t.Key {
		for i := range rows {
			column[i] = &rows[i].Key[k]
		}
		b = w.column(b, column)
	}
	w.values = column
	for _, column := range w.liveColumns(lives, len(t.Columns)) {
		b = w.column(b, column)
	}
	return b
}

// liveColumns gives, per column, the values that lives have of it.
func (w *writer) liveColumns(lives []*LiveChange, columns int) [][]*Value {
	counts := make([]int, columns)
	total := 0
	for _, l := range lives {
		for c := range l.Has.Columns() {
			counts[c]++
			total++
		}
	}
	w.values = slices.Grow(w.values[:0], total)[:total]
	w.columns = slices.Grow(w.columns[:0], columns)[:columns]
	slab, lists := w.values, w.columns
	for c, n := range counts {
		lists[c], slab = slab[:0:n], slab[n:]
	}
	for _, l := range lives {
		for c := range l.Has.Columns() {
			v := &null
			if c < len(l.Values) {
				v = &l.Values[c]
			}
			lists[c] = append(lists[c], v)
		}
	}
	return lists
}

var null Value // a column that a change has and gives no value of

// shapes writes the shape of each row, as numbers in order of first appearance, and then the shapes.
func (w *writer) shapes(b []byte, rows []RowChange) []byte {
	known := map[string]uint64{}
	var definitions, shape []byte
	seq := w.seq[:0]
	for i := range rows {
		if i > 0 && sameShape(&rows[i-1], &rows[i]) {
			seq = append(seq, seq[i-1])
			continue
		}
		shape = appendShape(shape[:0], &rows[i])
		id, ok := known[string(shape)]
		if !ok {
			id = uint64(len(known))
			known[string(shape)] = id
			definitions = append(definitions, shape...)
		}
		seq = append(seq, id)
	}
	w.seq = seq
	return append(appendSequence(b, seq), definitions...)
}

func sameShape(a, b *RowChange) bool {
	if len(a.Deleted) != len(b.Deleted) || len(a.Lives) != len(b.Lives) || a.Deleter.IsZero() != b.Deleter.IsZero() {
		return false
	}
	for i := range a.Lives {
		l, m := &a.Lives[i], &b.Lives[i]
		if l.Full != m.Full || len(l.Newer) != len(m.Newer) {
			return false
		}
		for j := range l.Newer {
			if !l.Newer[j].Columns.Equal(m.Newer[j].Columns) {
				return false
			}
		}
	}
	return true
}

func appendShape(b []byte, c *RowChange) []byte {
	b = appendUvarint(b, countAndBit(len(c.Deleted), !c.Deleter.IsZero()))
	b = appendUvarint(b, uint64(len(c.Lives)))
	for i := range c.Lives {
		l := &c.Lives[i]
		b = appendUvarint(b, countAndBit(len(l.Newer), l.Full))
		for _, g := range l.Newer {
			b = g.Columns.AppendBinary(b)
		}
	}
	return b
}

func countAndBit(n int, bit bool) uint64 {
	if bit {
		return uint64(n)<<1 | 1
	}
	return uint64(n) << 1
}

// stamps writes sites, versions and times apart. Rows of one changeset share the first two, and their times are
// close together, so the differences from one to the next are mostly zero or small.
func (w *writer) stamps(b []byte, stamps []Stamp) []byte {
	b = sequenceOf(w, b, stamps, func(s *Stamp) uint64 { return w.index[s.Site] })
	b = sequenceOf(w, b, stamps, deltas(func(s *Stamp) int64 { return int64(s.Version) }))
	return sequenceOf(w, b, stamps, deltas(func(s *Stamp) int64 { return int64(s.Time) }))
}

func (w *writer) dots(b []byte, dots []Dot) []byte {
	b = sequenceOf(w, b, dots, func(d *Dot) uint64 { return w.index[d.Site] })
	return sequenceOf(w, b, dots, deltas(func(d *Dot) int64 { return int64(d.Version) }))
}

func sequenceOf[T any](w *writer, b []byte, list []T, number func(*T) uint64) []byte {
	seq := w.seq[:0]
	for i := range list {
		seq = append(seq, number(&list[i]))
	}
	w.seq = seq
	return appendSequence(b, seq)
}

func deltas[T any](number func(*T) int64) func(*T) uint64 {
	var last int64
	return func(t *T) uint64 {
		n := number(t)
		d := n - last
		last = n
		return zigzag(d)
	}
}

// column writes the kinds of the values and then what the kinds do not say.
func (w *writer) column(b []byte, values []*Value) []byte {
	seq := w.seq[:0]
	for _, v := range values {
		seq = append(seq, uint64(v.kind))
	}
	w.seq = seq
	b = appendSequence(b, seq)
	for _, v := range values {
		b = appendPayload(b, *v)
	}
	return b
}
