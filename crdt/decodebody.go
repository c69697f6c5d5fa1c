package crdt

import "slices"

// A decoder reads a body into its package.
type decoder struct {
	reader
	p      *Package
	sites  []Site
	used   []bool // which sites were named, as the dictionary has no others
	most   uint64 // that the rows may weigh
	weight uint64
}

func markHeaderSites(p *Package, sites []Site, used []bool) {
	mark := func(s Site) {
		i, _ := slices.BinarySearchFunc(sites, s, Site.Compare)
		used[i] = true
	}
	for _, c := range p.Covers {
		mark(c.Site)
	}
	for _, v := range []VersionVector{p.Needs, p.Before} {
		for s := range v {
			mark(s)
		}
	}
}

// bear adds weight, before the memory that it stands for is allocated.
func (d *decoder) bear(weight uint64) bool {
	d.weight += weight
	if d.weight > d.most && d.err == nil {
		d.fail(ErrLimit, "weighs %d cells, %d bytes may have %d", d.weight, len(d.b), d.most)
	}
	return d.err == nil
}

func (d *decoder) rows() {
	counts := make([]int, len(d.p.Tables))
	total := 0
	for i := range counts {
		n := d.uvarint()
		if n > uint64(d.limits.Rows-total) {
			d.fail(ErrLimit, "more than %d rows", d.limits.Rows)
			return
		}
		if !d.bear(n * uint64(rowWeight+len(d.p.Tables[i].Key))) {
			return
		}
		counts[i] = int(n)
		total += int(n)
	}
	if total > 0 {
		d.p.Rows = make([]RowChange, total)
	}
	rows := d.p.Rows
	for i, n := range counts {
		if n > 0 {
			d.block(i, rows[:n:n])
			rows = rows[n:]
		}
		if d.err != nil {
			return
		}
	}
	d.section = "end of body"
	if d.off != len(d.b) {
		d.fail(ErrCorrupt, "%d bytes too many", len(d.b)-d.off)
	}
	if i := slices.Index(d.used, false); i >= 0 {
		d.fail(ErrCorrupt, "site %v is in the dictionary but not used", d.sites[i])
	}
}

// shape is what the rows of a run have in common.
type shape struct {
	deleted int
	deleter bool
	lives   []lifeShape
	groups  int // over all lives
	slots   int // values over all lives
	plain   bool
}

type lifeShape struct {
	full   bool
	has    ColumnSet
	groups []ColumnSet
}

// block is what the parts of one table's rows share while they are read.
type block struct {
	table    int
	keyCount int
	rows     []RowChange
	runs     []run // of shapes
	shapes   []shape

	// Over all rows, in their order:
	keys     []Value
	lives    []LiveChange
	groups   []CellGroup
	dots     []Dot
	values   []Value
	deleters int

	uniform bool // all lives have the same columns
	plain   bool // all shapes are plain
}

func (d *decoder) block(table int, rows []RowChange) {
	t := &d.p.Tables[table]
	d.section = "shapes of table " + t.Name
	all := FirstColumns(len(t.Columns))
	k := block{table: table, keyCount: len(t.Key), rows: rows}
	k.runs = slices.Clone(d.sequence(len(rows), uint64(len(rows))))
	d.shapes(&k, all)
	if d.err != nil || !d.allocate(&k) {
		return
	}
	k.lay()

	d.section = "stamps of table " + t.Name
	d.stamps(len(k.lives), func(i int) *Stamp { return &k.lives[i].Birth.Stamp })
	d.stamps(len(k.groups), func(i int) *Stamp { return &k.groups[i].Write.Stamp })
	d.dots(k.dots)
	d.deleters(&k)
	if d.err != nil {
		return
	}

	for i := range t.Key {
		d.section = "key of table " + t.Name
		d.column(k.keys, i, len(t.Key), len(rows), nil)
	}
	d.section = "columns of table " + t.Name
	d.liveColumns(&k, len(t.Columns))
	if d.err != nil || k.plain {
		return
	}
	d.section = "rows of table " + t.Name
	for i := range rows {
		if err := rows[i].validate(len(t.Key), all); err != nil {
			d.fail(ErrCorrupt, "row %d of the table: %v", i, err)
			return
		}
	}
}

// shapes reads the definitions of the shapes that the runs name.
func (d *decoder) shapes(k *block, all ColumnSet) {
	known := map[string]bool{}
	most := uint64(0) // shapes are numbered in order of first appearance, so the next new one is this
	for _, r := range k.runs {
		if r.value > most {
			d.fail(ErrCorrupt, "shape %d before shape %d", r.value, most)
			return
		}
		if r.value == most {
			most++
		}
	}
	for range most {
		start := d.off
		s := d.shape(all)
		if d.err != nil {
			return
		}
		if bytes := string(d.b[start:d.off]); known[bytes] {
			d.fail(ErrCorrupt, "a shape twice")
		} else {
			known[bytes] = true
		}
		k.shapes = append(k.shapes, s)
	}
}

func (d *decoder) shape(all ColumnSet) shape {
	var s shape
	bits := d.uvarint()
	lives := d.count("lives", d.limits.Rows, 1)
	s.deleted, s.deleter = int(min(bits>>1, uint64(len(d.b)))), bits&1 != 0
	if bits>>1 > uint64(len(d.sites)) {
		d.fail(ErrCorrupt, "deletes of %d sites of %d", bits>>1, len(d.sites))
	}
	if s.deleted == 0 && (s.deleter || lives == 0) {
		d.fail(ErrCorrupt, "shape with neither lives nor deletes, or a deleter alone")
	}
	for range lives {
		bits := d.uvarint()
		if bits>>1 > uint64(all.Len()) {
			d.fail(ErrCorrupt, "%d groups of %d columns", bits>>1, all.Len())
		}
		if d.err != nil {
			return s
		}
		l := lifeShape{full: bits&1 != 0}
		for range bits >> 1 {
			g := d.columnSet(all.Bound())
			l.groups = append(l.groups, g)
			l.has = l.has.Union(g)
		}
		if l.full {
			l.has = all
		}
		s.groups += len(l.groups)
		if s.slots += l.has.Bound(); s.slots > hardBytes {
			d.fail(ErrLimit, "row of %d values", s.slots)
			return s
		}
		s.lives = append(s.lives, l)
	}
	// Such rows cannot break a rule that is not judged while they are read.
	s.plain = s.deleted == 0 && len(s.lives) == 1 && s.lives[0].full && s.groups == 0 ||
		s.deleted == 1 && len(s.lives) == 0
	return s
}

// allocate weighs what the shapes ask for, then makes one piece of memory for each kind of part.
func (d *decoder) allocate(k *block) bool {
	var lives, groups, dots, slots int
	k.uniform, k.plain = true, true
	var first *ColumnSet
	for _, r := range k.runs {
		s := &k.shapes[r.value]
		if !d.bear(uint64(r.count) * weighParts(len(s.lives), s.groups, s.deleted, s.slots)) {
			return false
		}
		lives += r.count * len(s.lives)
		groups += r.count * s.groups
		dots += r.count * s.deleted
		slots += r.count * s.slots
		if s.deleter {
			k.deleters += r.count
		}
		k.plain = k.plain && s.plain
		if !k.uniform {
			continue
		}
		for i := range s.lives {
			if first == nil {
				first = &s.lives[i].has
			} else if !first.Equal(s.lives[i].has) {
				k.uniform = false
			}
		}
	}
	k.keys = make([]Value, len(k.rows)*k.keyCount)
	k.lives = make([]LiveChange, lives)
	k.groups = make([]CellGroup, groups)
	k.dots = make([]Dot, dots)
	k.values = make([]Value, slots)
	return true
}

// lay hands the memory out to the rows, as their shapes say.
func (k *block) lay() {
	keys, lives, groups, dots, values := k.keys, k.lives, k.groups, k.dots, k.values
	row := 0
	for _, r := range k.runs {
		s := &k.shapes[r.value]
		for range r.count {
			c := &k.rows[row]
			row++
			c.Table = k.table
			c.Key, keys = keys[:k.keyCount:k.keyCount], keys[k.keyCount:]
			if n := s.deleted; n > 0 {
				c.Deleted, dots = dots[:n:n], dots[n:]
			}
			n := len(s.lives)
			if n == 0 {
				continue
			}
			c.Lives, lives = lives[:n:n], lives[n:]
			for i := range s.lives {
				l, shape := &c.Lives[i], &s.lives[i]
				l.Full, l.Has = shape.full, shape.has
				if n := shape.has.Bound(); n > 0 {
					l.Values, values = values[:n:n], values[n:]
				}
				if n := len(shape.groups); n > 0 {
					l.Newer, groups = groups[:n:n], groups[n:]
					for j := range l.Newer {
						l.Newer[j].Columns = shape.groups[j]
					}
				}
			}
		}
	}
}
