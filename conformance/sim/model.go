package sim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tributary-db/tributary/crdt"
)

// The model says what every replica has to show, from what the application did and from which versions the replica has, and
// from nothing else: it knows no packages, no clocks of rows, no tombstones and no order of arrival. Merging is union. What
// it takes from the engine is which own version a fold made, and how late the stamps were that the replica had seen before.
//
// It knows last writer wins by column, incarnations, which of several is shown, UNIQUE, foreign keys and columns that come.
// It does not know what replicas do that were restored under one identity and made one version twice (the world is then
// forked and the model silent), nor a column that is dropped: column b of t is not compared in worlds where the schema changes.

// told is what one statement of the application did to one row, as seen by comparing the table before and after it.
type told struct {
	N       int64
	At      int64 // wall clock, milliseconds
	Kind    toldKind
	Row     rowID
	Image   map[string]string // the row afterwards, by column
	Changed []string          // by an update
	Base    bool              // by a REPLACE: nothing tells that the row was there
}

type toldKind string

const (
	toldInsert      toldKind = "insert"
	toldUpdate      toldKind = "update"
	toldLook        toldKind = "look"         // an update that changed nothing: the row was there
	toldReplace     toldKind = "replace"      // a REPLACE of the row with the same key: all columns were written
	toldReplaceSame toldKind = "replace same" // its unique values stay as well
	toldDelete      toldKind = "delete"
	toldEvict       toldKind = "evict" // a REPLACE of another row pushed it out
)

// rowID names a row of a table; keys that SQLite takes as equal are one.
type rowID struct{ Table, Key string }

// modelTable says of a table what the model has to know.
type modelTable struct {
	name    string
	key     []string
	columns []modelColumn
	from    int                                    // version of the schema that has it first
	unique  func(image map[string]string) []string // what no other row may have
	parent  func(image map[string]string) rowID    // the zero row: refers to nothing
}

type modelColumn struct {
	name, preset string
	from, upto   int // versions of the schema that have it
}

func always(names ...string) (out []modelColumn) {
	for _, n := range names {
		out = append(out, modelColumn{name: n, preset: "NULL", upto: len(migrations)})
	}
	return out
}

// uniqueIn says that columns are unique, each for itself.
func uniqueIn(columns ...string) func(map[string]string) []string {
	return func(image map[string]string) (out []string) {
		for _, c := range columns {
			if image[c] != "NULL" {
				out = append(out, c+" = "+image[c])
			}
		}
		return out
	}
}

// model lists the tables of schema and migrations, parents first.
var model = []modelTable{
	{name: "t", key: []string{"id"}, columns: append(always("a", "c"), modelColumn{"b", "NULL", 0, dropsAt - 1}, modelColumn{"d", "7", 1, len(migrations)}, modelColumn{"e", "NULL", 3, len(migrations)})},
	{name: "extra", key: []string{"k"}, columns: always("v"), from: 2},
	{name: "note", key: []string{"id"}, columns: always("body", "pinned"), unique: func(r map[string]string) []string {
		if r["pinned"] != "1" || r["body"] == "NULL" {
			return nil
		}
		return []string{strings.ToLower(r["body"])}
	}},
	{name: "customer", key: []string{"id"}, columns: always("email", "name"), unique: uniqueIn("email")},
	{name: "orders", key: []string{"id"}, columns: always("customer", "total"), parent: func(r map[string]string) rowID {
		if r["customer"] == "NULL" {
			return rowID{}
		}
		return rowID{"customer", r["customer"]}
	}},
	{name: "link", key: []string{"id"}, columns: always("next", "v"), unique: uniqueIn("next", "v"), parent: func(r map[string]string) rowID {
		if r["next"] == "NULL" {
			return rowID{}
		}
		return rowID{"link", r["next"]}
	}},
	{name: "line", key: []string{"o", "n"}, columns: always("what"), parent: func(r map[string]string) rowID { return rowID{"orders", r["o"]} }},
}

func modelOf(name string) *modelTable {
	return &model[slices.IndexFunc(model, func(t modelTable) bool { return t.name == name })]
}

// at are the columns that a table has at a version of the schema, apart from its key.
func (t *modelTable) at(level int) (out []modelColumn) {
	for _, c := range t.columns {
		if c.from <= level && level <= c.upto {
			out = append(out, c)
		}
	}
	return out
}

// id names a row by its key. Only note's key has a collation: NOCASE.
func (t *modelTable) id(image map[string]string) rowID {
	var key []string
	for _, k := range t.key {
		key = append(key, image[k])
	}
	id := rowID{t.name, strings.Join(key, ",")}
	if t.name == "note" {
		id.Key = strings.ToLower(id.Key)
	}
	return id
}

// effect is what one version says of one row.
type effect struct {
	row    rowID
	birth  bool     // it inserted the row; else it wrote columns of life
	life   crdt.Dot // or, if dead, deleted it
	dead   bool
	stamp  crdt.Stamp
	values map[string]string
}

// history is what all versions of all sites say.
type history struct {
	said   map[crdt.Dot][]effect
	forked bool
}

// add notes a version. Two contents under one version end what the model can say.
func (h *history) add(d crdt.Dot, said []effect) {
	if _, twice := h.said[d]; twice {
		h.forked = true
	}
	h.said[d] = said
}

// life is one incarnation of a row.
type life struct {
	row    rowID
	birth  crdt.Stamp
	dead   bool
	born   map[string]string          // values when it was inserted
	had    map[string]map[string]bool // all values ever
	values map[string]string
	writes map[string]crdt.Stamp
}

// byStamp is the order of stamps: by time, site and version.
func byStamp(a, b crdt.Stamp) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), bytes.Compare(a.Site[:], b.Site[:]), cmp.Compare(a.Version, b.Version))
}

func byDot(a, b crdt.Dot) int {
	return cmp.Or(bytes.Compare(a.Site[:], b.Site[:]), cmp.Compare(a.Version, b.Version))
}

// lives is union: all incarnations of which one knows who has these versions, dead ones included.
func (h *history) lives(has func(crdt.Dot) bool) map[rowID]map[crdt.Dot]*life {
	out := map[rowID]map[crdt.Dot]*life{}
	pass := func(f func(rowID, map[crdt.Dot]*life, *effect)) {
		for d, said := range h.said {
			if !has(d) {
				continue
			}
			for i := range said {
				e := &said[i]
				if out[e.row] == nil {
					out[e.row] = map[crdt.Dot]*life{}
				}
				f(e.row, out[e.row], e)
			}
		}
	}
	pass(func(_ rowID, row map[crdt.Dot]*life, e *effect) {
		if e.birth {
			l := &life{row: e.row, birth: e.stamp, born: e.values, values: maps.Clone(e.values), writes: map[string]crdt.Stamp{}, had: map[string]map[string]bool{}}
			for c, value := range e.values {
				l.writes[c], l.had[c] = e.stamp, map[string]bool{value: true}
			}
			row[e.stamp.Dot()] = l
		}
	})
	pass(func(_ rowID, row map[crdt.Dot]*life, e *effect) {
		l := row[e.life]
		switch {
		case e.birth:
		case e.dead: // it had seen all that the site had inserted there before, too
			for d, l := range row {
				if d.Site == e.life.Site && d.Version <= e.life.Version {
					l.dead = true
				}
			}
		case l != nil:
			for c, value := range e.values {
				if l.had[c] == nil {
					l.had[c] = map[string]bool{}
				}
				l.had[c][value] = true
				if byStamp(l.writes[c], e.stamp) < 0 {
					l.values[c], l.writes[c] = value, e.stamp
				}
			}
		}
	})
	return out
}

// same says that two lives have equal values in these columns, or that the second once may have had what the
// first has, or had when it was inserted: a replica that knew them as twins goes on doing so.
func same(columns []modelColumn, a, b *life, uncertain func(column string) bool) bool {
	return !slices.ContainsFunc(columns, func(c modelColumn) bool {
		once := func(l *life, value string) bool {
			return l.had[c.name][value] || l.born[c.name] == "" && value == c.preset
		}
		return !once(b, cmp.Or(a.values[c.name], c.preset)) && !once(b, cmp.Or(a.born[c.name], c.preset)) && !uncertain(c.name)
	})
}

// newest is the last write of a life, as a replica knows it that has these columns.
func (l *life) newest(columns []modelColumn) crdt.Stamp {
	s := l.birth
	for _, c := range columns {
		if byStamp(l.writes[c.name], s) > 0 {
			s = l.writes[c.name]
		}
	}
	return s
}

// seen is a row as it is shown.
type seen struct {
	dot       crdt.Dot
	life      *life
	image     map[string]string
	untouched bool // it was there before the table was tracked, and nothing else is known of its key
}

// visible is the life of a row that a replica shows which has these columns: the one written last.
func visible(row map[crdt.Dot]*life, columns []modelColumn) (best seen) {
	for d, l := range row {
		if l.dead {
			continue
		}
		c := -1
		if best.life != nil {
			c = cmp.Or(byStamp(best.life.newest(columns), l.newest(columns)), byStamp(best.life.birth, l.birth))
		}
		if c < 0 {
			best = seen{dot: d, life: l}
		}
	}
	return best
}

// shown is what a replica shows that has these versions and this version of the schema.
func (h *history) shown(has crdt.VersionSet, level int) map[rowID]seen {
	byTable := map[string][]rowID{}
	primary := map[rowID]seen{}
	for id, row := range h.lives(has.Has) {
		t := modelOf(id.Table)
		if t.from > level {
			continue
		}
		columns := t.at(level)
		best := visible(row, columns)
		if best.life == nil {
			continue
		}
		best.untouched = best.life.birth.Time == 0 && len(row) == 1
		for _, c := range t.columns {
			best.untouched = best.untouched && (c.from > level || byStamp(best.life.writes[c.name], best.life.birth) <= 0)
		}
		best.image = map[string]string{}
		for _, k := range t.key {
			best.image[k] = best.life.values[k]
		}
		for _, c := range columns {
			best.image[c.name] = c.preset
			if value, ok := best.life.values[c.name]; ok {
				best.image[c.name] = value
			}
		}
		primary[id] = best
		byTable[id.Table] = append(byTable[id.Table], id)
	}
	out := map[rowID]seen{}
	for i := range model {
		t := &model[i]
		rows := byTable[t.name]
		// Of rows with one unique value the one inserted first stays; of one version's, the one with the smaller key.
		slices.SortFunc(rows, func(a, b rowID) int {
			x, y := primary[a], primary[b]
			return cmp.Or(byStamp(x.life.birth, y.life.birth), strings.Compare(x.image[t.key[0]], y.image[t.key[0]]))
		})
		if t.name == "link" {
			for i, in := range knotOf(t, rows, primary).choose() {
				if in {
					out[rows[i]] = primary[rows[i]]
				}
			}
			continue
		}
		held := map[string]bool{}
		for _, id := range rows {
			r := primary[id]
			if t.parent != nil {
				if p := t.parent(r.image); p != (rowID{}) {
					if _, ok := out[p]; !ok {
						continue
					}
				}
			}
			if t.unique != nil {
				values := t.unique(r.image)
				if slices.ContainsFunc(values, func(v string) bool { return held[v] }) {
					continue
				}
				for _, v := range values {
					held[v] = true
				}
			}
			out[id] = r
		}
	}
	return out
}

// late are the columns of a row that its replica had not noticed while it was written: what stands there in the end was written, if
// it is not the default, by the last statement that wrote to the row at all.
func late(t *modelTable, noticed, level int, image map[string]string) (columns, written []string) {
	for _, c := range t.at(level) {
		if c.from > noticed && t.from <= noticed {
			columns = append(columns, c.name)
			if value, ok := image[c.name]; ok && value != c.preset {
				written = append(written, c.name)
			}
		}
	}
	return columns, written
}

// fold says what one version is made of: the statements that a replica folded under it, on top of what it showed. The replica had
// noticed one version of the schema while they were done, and now it is at another.
func fold(list []told, before map[rowID]seen, noticed, level int, stamp func(at int64) crdt.Stamp) (out []effect, err error) {
	rows, order := map[rowID][]told{}, []rowID(nil)
	for _, t := range list {
		if rows[t.Row] == nil {
			order = append(order, t.Row)
		}
		rows[t.Row] = append(rows[t.Row], t)
	}
	for _, id := range order {
		var deleted, reinserted, replaced, wrote bool
		var at, looked int64
		changed := map[string]bool{}
		var last told
		unnoticed, written := late(modelOf(id.Table), noticed, level, rows[id][len(rows[id])-1].Image)
		for _, t := range rows[id] {
			if t.Kind == toldUpdate || t.Kind == toldLook {
				t.Changed = slices.DeleteFunc(slices.Clone(t.Changed), func(c string) bool { return slices.Contains(unnoticed, c) })
				if t.Changed = append(t.Changed, written...); len(t.Changed) == 0 {
					last.Image = t.Image // a column that was not noticed may be the default again
					looked = max(looked, t.At)
					continue
				}
				t.Kind = toldUpdate
			}
			switch t.Kind {
			case toldInsert, toldReplace, toldReplaceSame:
				reinserted, replaced, wrote = reinserted || deleted, true, true
			case toldUpdate:
				wrote = true
				for _, c := range t.Changed {
					changed[c] = true
				}
			case toldDelete:
				deleted = true
			}
			if last = t; t.Kind == toldEvict {
				looked = max(looked, t.At)
			} else {
				at = max(at, t.At)
			}
		}
		if last.Kind == "" {
			continue
		}
		if last.Kind == toldEvict && !deleted { // else what came after it says when
			at = max(at, looked)
		}
		was, alive := before[id]
		if first := rows[id][0].Kind; alive && (rows[id][0].Base || was.untouched && first == toldInsert) {
			reinserted = true // nothing tells an insert from a REPLACE of such a row
		}
		present := last.Kind != toldDelete && last.Kind != toldEvict
		for _, k := range modelOf(id.Table).key { // pushed out and inserted with its key spelled in another way: another row
			reinserted = reinserted || alive && present && last.Image[k] != was.image[k]
		}
		e := effect{row: id, life: was.dot, stamp: stamp(at), values: map[string]string{}}
		if alive && byStamp(e.stamp, was.life.newest(modelOf(id.Table).at(level))) <= 0 {
			return nil, fmt.Errorf("%v is written at %s, which is not after what its writer saw, %s", id, e.stamp.Time, was.life.newest(modelOf(id.Table).at(level)).Time)
		}
		gone := effect{row: id, life: was.dot, dead: true, stamp: e.stamp}
		full := func() {
			for _, c := range modelOf(id.Table).at(level) {
				e.values[c.name] = c.preset
				if value, ok := last.Image[c.name]; ok {
					e.values[c.name] = value
				}
			}
		}
		switch {
		case alive && present && !reinserted:
			if replaced {
				full()
			}
			for _, c := range modelOf(id.Table).at(level) { // what was dropped since is not said
				if changed[c.name] {
					e.values[c.name] = last.Image[c.name]
				}
			}
			if len(e.values) > 0 {
				out = append(out, e)
			}
		case alive && !present:
			out = append(out, gone)
		case present && (replaced || wrote):
			if alive {
				out = append(out, gone)
			}
			full()
			for _, k := range modelOf(id.Table).key {
				e.values[k] = last.Image[k]
			}
			e.birth, e.life = true, crdt.Dot{}
			out = append(out, e)
		}
	}
	return out, nil
}

// lines writes rows as site.dump does; columns that are not compared are left out.
func lines(rows map[rowID]seen, without func(table, column string) bool) (out []string) {
	for id, r := range rows {
		var values []string
		for _, c := range slices.Sorted(maps.Keys(r.image)) {
			if !without(id.Table, c) {
				values = append(values, r.image[c])
			}
		}
		out = append(out, id.Table+": "+strings.Join(values, ","))
	}
	slices.Sort(out)
	return out
}

func (t told) String() string { b, _ := json.Marshal(t); return string(b) }
