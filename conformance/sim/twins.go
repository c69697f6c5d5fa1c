package sim

// Twins are inserts of one key that say the same: see engine/twins.go. What the model has to know of them is when a replica may drop
// one, and when it must.

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/crdt"
)

// absorbed finds which lives a replica dropped by itself, as it may where another says the same, and notes them as said by its
// last version. It reads the clocks by SCHEMA.md.
func (w *world) absorbed(s *site, was ear) error {
	lives := w.history.lives(s.ear.has.Has)
	last := crdt.Dot{Site: s.ear.self, Version: s.ear.version}
	if last.Version == 0 || w.history.forked {
		return nil
	}
	must := w.leftTwins(s, was)
	deletes := map[rowID]bool{} // what was told: who deletes a row means all that look like it there
	for _, e := range w.history.said[crdt.Dot{Site: last.Site, Version: was.version + 1}] {
		deletes[e.row] = deletes[e.row] || e.dead
	}
	sites := map[int64]crdt.Site{}
	tables, err := s.clockTables()
	if err == nil {
		err = s.each("SELECT ord, site FROM tributary_site", func(q *sqlite3.Stmt) error {
			sites[q.ColumnInt64(0)] = crdt.Site(q.ColumnRawBlob(1))
			return nil
		})
	}
	if err != nil {
		return err
	}
	for i := range model {
		t := &model[i]
		n, tracked := tables[t.name]
		if !tracked {
			continue
		}
		err := s.each(fmt.Sprintf("SELECT %s, presence FROM tributary_clock_%d WHERE pos > %d AND presence IS NOT NULL", t.clockKey(), n, was.pos), func(q *sqlite3.Stmt) error {
			id := t.idOf(q)
			row, columns := lives[id], t.columns
			if deletes[id] {
				columns = t.at(was.level)
			}
			twin := func(d crdt.Dot) bool {
				for o, other := range row {
					if o != d && same(columns, row[d], other, func(c string) bool { return w.uncertain(t.name, c) }) {
						return true
					}
				}
				return false
			}
			r := bytes.NewReader(q.ColumnRawBlob(len(t.key))[1:])
			number := func() int64 { n, _ := binary.ReadUvarint(r); return int64(n) }
			for count := number(); count > 0; count-- {
				site, upto := sites[number()], crdt.Version(number())
				for _, d := range slices.SortedFunc(maps.Keys(row), byDot) { // the older first: a delete that is noted ends them too
					l := row[d]
					if d.Site == site && d.Version <= upto {
						delete(must, d)
					}
					if l.dead || d.Site != site || d.Version > upto {
						continue
					}
					alone, covered := true, false // with a twin of what was deleted go the older inserts of its site
					for o, other := range row {
						alone = alone && !other.dead
						covered = covered || deletes[id] && o.Site == d.Site && o.Version > d.Version && o.Version <= upto && twin(o)
					}
					if !twin(d) && !covered {
						return violation("model", "site %d drops the insert %s of %v, which no statement did: %v", s.index, d, id, l.values)
					}
					if m := w.lacks(s, row); m != nil && alone {
						return violation("model", "site %d drops the insert %s of %v, and site %d may yet change it: it has only %v", s.index, d, id, m.index, m.ear.has)
					}
					w.history.said[last] = append(w.history.said[last], effect{row: id, life: d, dead: true})
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for d, id := range must {
		return violation("model", "site %d has deleted %v, and not the insert %s, which said the same", s.index, id, d)
	}
	return nil
}

// clockTables are the numbers of the clock tables, by the tables of the model that they are of.
func (s *site) clockTables() (map[string]int64, error) {
	out := map[string]int64{}
	return out, s.each("SELECT name, id FROM tributary_table WHERE name <> 'log'", func(q *sqlite3.Stmt) error { out[q.ColumnText(0)] = q.ColumnInt64(1); return nil })
}

// leftTwins are the inserts that were taken for one with a row that the site has deleted: who deletes a row means them all.
func (w *world) leftTwins(s *site, was ear) map[crdt.Dot]rowID {
	must := map[crdt.Dot]rowID{}
	if was.self != s.ear.self || was.level != s.ear.level {
		return must
	}
	for _, e := range w.history.said[crdt.Dot{Site: was.self, Version: was.version + 1}] {
		if twins := was.twins[e.row]; e.dead && twins[e.life] {
			for d := range twins {
				if d != e.life {
					must[d] = e.row
				}
			}
		}
	}
	return must
}

// twins are the inserts that a site takes for one: the one that is shown, those that say the same, and those that did when they
// were seen last and were not edited.
func (w *world) twins(now ear, before map[rowID]map[crdt.Dot]bool) map[rowID]map[crdt.Dot]bool {
	out := map[rowID]map[crdt.Dot]bool{}
	for id, row := range w.history.lives(now.has.Has) {
		t := modelOf(id.Table)
		columns := t.at(now.level)
		v := visible(row, columns)
		if t.from > now.level || v.life == nil {
			continue
		}
		out[id] = map[crdt.Dot]bool{v.dot: true}
		for d, l := range row {
			equal := !slices.ContainsFunc(columns, func(c modelColumn) bool {
				x, y := cmp.Or(l.values[c.name], c.preset), cmp.Or(v.life.values[c.name], c.preset)
				return x != y || x != c.preset && w.uncertain(t.name, c.name)
			})
			equal = equal && v.life.newest(columns).Site != now.self // its own edits make twins of none
			if !l.dead && (equal || l.newest(columns) == l.birth && before[id][d] && before[id][v.dot]) {
				out[id][d] = true
			}
		}
	}
	return out
}

// lacks finds a member that does not know all that the site knows of a row. Files that went back, and copies that none has heard
// of, are no members.
func (w *world) lacks(s *site, row map[crdt.Dot]*life) *site {
	for _, m := range w.sites {
		if w.stats.Restores > 0 || w.strangers || m == s || !s.ear.has.Has(crdt.Dot{Site: m.ear.self, Version: 1}) || w.retired[m.ear.self] {
			continue
		}
		for d, l := range row {
			has := m.ear.has.Has(d)
			for _, stamp := range l.writes {
				has = has && m.ear.has.Has(stamp.Dot())
			}
			if !has {
				return m
			}
		}
	}
	return nil
}
