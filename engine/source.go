package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tributary-db/tributary/crdt"
)

// source yields, in order of feed position, one kind of what a pull hands out: the rows of a table that have clocks,
// the base rows of a table chunk by chunk, or parked changes.
type source struct {
	e       *Engine
	t       *table // nil: parked changes
	base    bool
	chunks  []*chunk   // of base rows, still to be read
	stamp   crdt.Stamp // of the chunk that is being read
	cols    []int      // live ordinals, in the order of the package's dictionary
	dict    crdt.Table
	dictKey string
	stmt    Stmt
	kept    [2]Stmt // of a base source: for chunks whose rows are all base rows, and for others
	row     []crdt.Value
	pos     int64
	done    bool
}

// wideJoin is the number of columns beyond which the clock, the keys and the columns do not fit one result row.
const wideJoin = 1900

// open prepares a source for every table that changed since the cursor.
func (p *pull) open() error {
	only := map[string]bool{}
	for _, n := range p.o.Tables {
		t := p.e.tracked(n)
		if t == nil {
			return fmt.Errorf("%w: %s", ErrNotTracked, n)
		}
		only[strings.ToLower(t.name)] = true
	}
	chunks := 0
	for _, t := range p.e.tables {
		if t.schema == nil || len(only) > 0 && !only[strings.ToLower(t.name)] {
			continue
		}
		if s := p.openBase(t, ordinals(t.live())); len(s.chunks) > 0 {
			chunks += len(s.chunks)
			if err := p.add(s); err != nil {
				return err
			}
		}
		newest, err := p.e.one("SELECT max(pos) FROM " + t.sql.clock)
		if err != nil {
			return err
		}
		if newest.Int() <= p.cursor {
			continue
		}
		s, err := p.openClock(t)
		if err != nil {
			return err
		}
		if err := p.add(s); err != nil {
			return err
		}
	}
	p.bulk = p.until-p.since > bulkRows || int64(chunks) > bulkRows/chunkRows
	if len(only) == 0 && !(len(p.only) == 1 && p.only[p.e.site]) { // what is parked here was written elsewhere
		stmt, err := p.e.conn.Prepare("SELECT pos, body FROM tributary_unknown WHERE pos > ?1 ORDER BY pos")
		if err != nil {
			return err
		}
		if err := stmt.Query(crdt.Int(p.cursor)); err != nil {
			stmt.Close()
			return err
		}
		return p.add(&source{e: p.e, stmt: stmt, row: make([]crdt.Value, 2)})
	}
	return nil
}

// bulkRows is about how many rows may arrive as one atomic set; a receiver applies a larger one part by part.
const bulkRows = 100_000

func (p *pull) add(s *source) error {
	p.sources = append(p.sources, s)
	return s.step()
}

func (p *pull) openClock(t *table) (*source, error) {
	s := &source{e: p.e, t: t, cols: ordinals(t.live())}
	n := len(t.schema.Key)
	names := []string{"c." + strings.ReplaceAll(clockColumns, ", ", ", c."), keyColumns(n, "c.")}
	for _, k := range t.schema.Key {
		names = append(names, "t."+ident(k.Name))
	}
	s.row = make([]crdt.Value, clockWidth+2*n)
	if len(s.cols) <= wideJoin {
		for _, c := range s.cols {
			names = append(names, "t."+ident(t.columns[c]))
		}
		s.row = make([]crdt.Value, len(s.row)+len(s.cols))
	}
	var err error
	s.stmt, err = p.e.conn.Prepare(fmt.Sprintf("SELECT %s FROM %s c INDEXED BY %s_pos LEFT JOIN %s t ON %s WHERE c.pos > ?1 ORDER BY c.pos",
		strings.Join(names, ", "), t.sql.clock, t.sql.clock, ident(t.name), t.sql.onKey))
	if err != nil {
		return nil, err
	}
	return s, s.stmt.Query(crdt.Int(p.cursor))
}

// openBase reads the chunks of a table that came after the cursor, with the columns of these ordinals.
func (p *pull) openBase(t *table, cols []int) *source {
	s := &source{e: p.e, t: t, base: true, cols: cols}
	for _, c := range t.chunks {
		if c.pos > p.cursor && p.wants(c.stamp.Site) {
			s.chunks = append(s.chunks, c)
		}
	}
	slices.SortFunc(s.chunks, func(a, b *chunk) int { return cmp.Compare(a.pos, b.pos) })
	s.row = make([]crdt.Value, len(t.schema.Key)+len(s.cols))
	return s
}

// step moves to the next row; a base source goes on to its next chunk.
func (s *source) step() error {
	for {
		if s.stmt != nil {
			ok, err := s.stmt.Next(s.row)
			if err != nil {
				return err
			}
			if ok && !s.base {
				s.pos = s.row[0].Int()
			}
			if ok {
				return nil
			}
		}
		if !s.base || len(s.chunks) == 0 {
			s.done = true
			return nil
		}
		if err := s.openChunk(s.chunks[0]); err != nil {
			return err
		}
		s.chunks = s.chunks[1:]
	}
}

// openChunk reads the rows of a chunk. Where none of them has a clock, none is looked up.
func (s *source) openChunk(c *chunk) error {
	ends := append(append(make([]crdt.Value, 0, 2*len(c.lo)), c.lo...), c.hi...)
	clocked, err := s.e.anyClock(s.t, ends)
	if err != nil {
		return err
	}
	i := 0
	if clocked {
		i = 1
	}
	if s.kept[i] == nil {
		if s.kept[i], err = s.e.conn.Prepare(s.t.baseSQL(s.cols, clocked)); err != nil {
			return err
		}
	}
	s.pos, s.stamp, s.stmt = c.pos, c.stamp, s.kept[i]
	return s.stmt.Query(ends...)
}

func (s *source) close() {
	for _, q := range append(s.kept[:], s.stmt) {
		if q != nil {
			q.Close()
		}
	}
}

// emit adds the row that the source stands on to a package.
func (s *source) emit(p *pull, b *builder) error {
	switch {
	case s.t == nil:
		return s.emitParked(b)
	case s.base:
		return s.emitBase(p, b)
	}
	return s.emitClocked(p, b)
}

// emitBase adds a whole row under its chunk's stamp.
func (s *source) emitBase(p *pull, b *builder) error {
	n := len(s.t.schema.Key)
	i := crdt.Incarnation{Birth: crdt.Write{Stamp: s.stamp}, Has: crdt.FirstColumns(len(s.cols)), Values: b.arena.clone(s.row[n:])}
	b.add(s, crdt.RowChange{Key: b.arena.clone(s.row[:n]), Lives: b.arena.live(crdt.LiveChange{Full: true, Incarnation: i})})
	return nil
}

// emitClocked adds what changed of a row since the cursor.
func (s *source) emitClocked(p *pull, b *builder) error {
	n := len(s.t.schema.Key)
	var c clock
	if err := p.e.decodeClock(s.row, &c); err != nil {
		return err
	}
	key := s.row[clockWidth : clockWidth+n]
	if shown := s.row[clockWidth+n : clockWidth+2*n]; !shown[0].IsNull() {
		key = shown // the user's own spelling, where the collation allows several
	}
	r := crdt.RowChange{Key: b.arena.clone(key), Deleted: c.deleted}
	if c.dead {
		r.Deleter = c.birth.Stamp
		// A tombstone that joins several deletes goes out whoever made the newest: one of the others may be among what goes.
		if p.wants(c.birth.Site) || len(c.deleted) > 1 || c.birth.Time == 0 {
			b.add(s, r)
		}
		return nil
	}
	if !c.hidden {
		i := c.incarnation()
		values := s.row[clockWidth+2*n:]
		if len(s.cols) > wideJoin {
			var err error
			if values, err = s.wideValues(r.Key); err != nil {
				return err
			}
		}
		if s.row[clockWidth+n].IsNull() {
			return fmt.Errorf("tributary: %s %v has a clock but no row: run check", s.t.name, key)
		}
		if l, ok := p.life(&i, s.cols, values); ok {
			r.Lives = b.arena.live(l)
		}
	}
	if c.hidden || c.siblings {
		list, err := p.e.hiddenOf(s.t, r.Key)
		if err != nil {
			return err
		}
		hidden := make([]crdt.Value, len(s.cols))
		for _, h := range list {
			for j, c := range s.cols {
				hidden[j], _ = h.inc.Value(c)
			}
			l, ok := p.life(&h.inc, s.cols, hidden)
			if !ok {
				continue
			}
			if compareKeys(h.key, r.Key) != 0 { // an equal key in another spelling belongs to this incarnation alone
				b.add(s, crdt.RowChange{Key: h.key, Lives: []crdt.LiveChange{l}})
				continue
			}
			r.Lives = append(r.Lives, l)
		}
		sortLives(r.Lives)
	}
	if len(r.Lives) > 0 || len(r.Deleted) > 0 {
		b.add(s, r)
	}
	return nil
}

// life is what goes out of one incarnation: all of it if it came after the cursor, else the columns that did. The
// package numbers columns by their place in cols, and so does values.
func (p *pull) life(i *crdt.Incarnation, cols []int, values []crdt.Value) (crdt.LiveChange, bool) {
	l := crdt.LiveChange{Full: i.Birth.Pos > p.since && p.wants(i.Birth.Site)}
	l.Birth.Stamp = i.Birth.Stamp
	for _, g := range i.Newer {
		if !l.Full && (g.Write.Pos <= p.since || !p.wants(g.Write.Site)) {
			continue
		}
		out := crdt.CellGroup{Write: crdt.Write{Stamp: g.Write.Stamp}}
		for j, c := range cols {
			if g.Columns.Has(c) {
				out.Columns.Add(j)
			}
		}
		if !out.Columns.IsEmpty() {
			l.Newer = append(l.Newer, out)
			l.Has = l.Has.Union(out.Columns)
		}
	}
	if l.Full {
		l.Has = crdt.FirstColumns(len(cols))
		l.Values = p.b.arena.clone(values)
		return l, true
	}
	l.Values = p.b.arena.row(l.Has.Bound())
	for j := range l.Has.Columns() {
		l.Values[j] = p.b.arena.value(values[j])
	}
	return l, !l.Has.IsEmpty()
}

// wants says whether a site's changes go out.
func (p *pull) wants(s crdt.Site) bool {
	return !p.exclude[s] && (p.only == nil || p.only[s])
}

// wideValues reads the columns of one row by its key.
func (s *source) wideValues(key []crdt.Value) ([]crdt.Value, error) {
	var names, on []string
	for _, c := range s.cols {
		names = append(names, ident(s.t.columns[c]))
	}
	for i, k := range s.t.schema.Key {
		on = append(on, fmt.Sprintf("%s = ?%d", ident(k.Name), i+1))
	}
	rows, err := s.e.list(fmt.Sprintf("SELECT %s FROM %s WHERE %s", strings.Join(names, ", "), ident(s.t.name), strings.Join(on, " AND ")), len(s.cols), key...)
	if err != nil || len(rows) == 0 {
		return make([]crdt.Value, len(s.cols)), err
	}
	return rows[0], nil
}

// emitParked passes on changes that this replica could not place.
func (s *source) emitParked(b *builder) error {
	body := append([]byte(nil), s.row[1].Bytes()...)
	pkg, err := crdt.DecodePackage(body, s.e.opt.Compressor, crdt.DefaultLimits())
	if err != nil {
		return fmt.Errorf("tributary: parked changes at %d: %w", s.pos, err)
	}
	for _, r := range pkg.Rows {
		b.addTo(pkg.Tables[r.Table], r)
	}
	return nil
}
