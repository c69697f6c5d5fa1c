package sim

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/crdt"
)

// What the application did stands in its database too, in a table that is not tracked, and in the same transaction: so it
// is lost in a power cut, put away and copied together with what it speaks of.
const (
	toldTable = "CREATE TABLE told(n INT, what TEXT);"
	atBase    = -1 // of rows that were there before the table was tracked
)

// ear is what the model has heard of one file.
type ear struct {
	folded  int64 // number of the last statement that has been folded
	self    crdt.Site
	version crdt.Version // of self
	has     crdt.VersionSet
	level   int       // version of the schema that the engine has noticed
	clock   crdt.Time // the last that was given or seen
	pos     int64
	twins   map[rowID]map[crdt.Dot]bool // see world.twins; only where edits are alike
}

// has is what a site has of all others, without and with what came beyond a gap.
func (s *site) has() (v crdt.VersionVector, ahead crdt.VersionSet, err error) {
	defer s.spared()()
	if v, err = s.e.Vector(context.Background()); err != nil {
		return nil, ahead, err
	}
	for site, n := range v {
		ahead.Add(crdt.Range{Site: site, From: 1, To: n})
	}
	return v, ahead, s.each("SELECT s.site, lo, hi FROM tributary_ahead a JOIN tributary_site s ON s.ord = a.site", func(q *sqlite3.Stmt) error {
		ahead.Add(crdt.Range{Site: crdt.Site(q.ColumnRawBlob(0)), From: crdt.Version(q.ColumnInt64(1)), To: crdt.Version(q.ColumnInt64(2))})
		return nil
	})
}

func (s *site) state() (e ear, err error) {
	defer s.spared()()
	v, has, err := s.has()
	if err != nil {
		return e, err
	}
	e.has = has
	e.folded, e.self = s.ear.folded, s.e.Site()
	e.version = v[e.self]
	if e.level, err = s.noticed(); err != nil {
		return e, err
	}
	clock, err := s.int("SELECT value FROM tributary_meta WHERE key = 'clock'")
	if err != nil {
		return e, err
	}
	e.clock = crdt.Time(clock)
	e.pos, err = s.int("SELECT value FROM tributary_meta WHERE key = 'pos'")
	return e, err
}

// noticed is the version of the schema that the engine has taken in. Until then changes of what is new stay parked, though the
// application writes there already, and until it has merged them, too.
func (s *site) noticed() (level int, err error) {
	if due, err := s.int("SELECT EXISTS (SELECT 1 FROM tributary_meta JOIN tributary_unknown WHERE key = 'replay' AND value <> 0)"); err != nil || due != 0 {
		return s.ear.level, err
	}
	names := map[string]bool{}
	err = s.each("SELECT t.name || '.' || c.name FROM tributary_column c JOIN tributary_table t ON t.id = c.tbl WHERE c.name NOT NULL", func(q *sqlite3.Stmt) error {
		names[q.ColumnText(0)] = true
		return nil
	})
	for level = s.level; err == nil && level > 0; level-- {
		missing := false
		for i := range model {
			t := &model[i]
			for _, c := range t.columns {
				is := t.from <= level && c.from <= level && level <= c.upto
				missing = missing || is != names[t.name+"."+c.name] && (is || level > c.upto)
			}
		}
		if !missing {
			break
		}
	}
	return level, err
}

// learn tells the model what was folded since it was asked last. It is asked before and after every event: so there is at
// most one fold of what the application did between, and nothing was merged there before it.
func (w *world) learn() error {
	var named []*site
	was := map[*site]ear{}
	for _, s := range w.sites {
		if s.e == nil || s.disk.Off() || w.history.forked {
			continue
		}
		was[s] = s.ear
		if err := w.learnFrom(s); err != nil {
			return err
		}
		if was[s].self != s.ear.self || was[s].version < s.ear.version {
			named = append(named, s)
		}
	}
	for s, was := range was { // now that all is known that was said
		if was.level != s.ear.level {
			was.twins = nil // a column that is new may tell them apart
		}
		if w.o.Focus == Alike {
			s.ear.twins = w.twins(s.ear, was.twins)
		}
	}
	var err error
	for range 2 { // what one has dropped another may have heard of by now
		err = nil
		for _, s := range named {
			err = cmp.Or(err, w.absorbed(s, was[s]))
		}
		if err == nil {
			break
		}
	}
	return err
}

func (w *world) learnFrom(s *site) error {
	now, err := s.state()
	if err != nil {
		return err
	}
	was := s.ear
	first, last := crdt.Dot{Site: now.self, Version: was.version + 1}, now.version
	if now.self != was.self {
		if _, known := w.history.said[crdt.Dot{Site: was.self, Version: first.Version}]; !known && now.has.Has(crdt.Dot{Site: was.self, Version: first.Version}) {
			first.Site, last = was.self, first.Version // it folded before it took another name
			for v := crdt.Version(1); v <= now.version; v++ {
				w.history.add(crdt.Dot{Site: now.self, Version: v}, nil)
			}
		} else {
			first.Version = 1
		}
		was.version = first.Version - 1
	}
	if last < was.version {
		w.history.forked = true // only a file that went back under its identity
		return nil
	}
	if last > was.version && now.pos < w.given[now.self] && !w.o.Images {
		return violation("fork", "site %d makes a version at position %d of its feed, and packages of it up to %d are with others", s.index, now.pos, w.given[now.self])
	}
	list, err := s.toldAfter(was.folded)
	if err != nil {
		return err
	}
	left, err := s.int("SELECT EXISTS (SELECT 1 FROM tributary_feed WHERE mask IS NOT -3)") // which the engine adds itself
	if err != nil {
		return err
	}
	if last == was.version && len(list) > 0 && left != 0 { // not folded yet
		s.ear.self, s.ear.version = now.self, now.version
		return nil
	}
	if len(list) > 0 {
		now.folded = list[len(list)-1].N
	}
	stamp := func(at int64) crdt.Stamp {
		return crdt.Stamp{Time: max(min(crdt.TimeOf(at), crdt.TimeOf(s.now().UnixMilli())), was.clock+1), Site: first.Site, Version: first.Version}
	}
	if len(list) > 0 && list[0].At == atBase {
		stamp = func(int64) crdt.Stamp { return crdt.Stamp{Site: first.Site, Version: first.Version} }
	}
	var said []effect
	if len(list) > 0 {
		if said, err = fold(list, w.history.shown(was.has, was.level), was.level, now.level, stamp); err != nil {
			return violation("model", "site %d: %v", s.index, err)
		}
	}
	if len(said) > 0 && last == was.version {
		return violation("model", "site %d has folded without naming it: %v", s.index, list)
	}
	for v := first.Version; v <= last; v++ {
		w.history.add(crdt.Dot{Site: first.Site, Version: v}, said)
		said = nil
	}
	s.ear = now
	return nil
}

func (s *site) toldAfter(n int64) (list []told, err error) {
	err = s.each(fmt.Sprintf("SELECT n, what FROM told WHERE n > %d ORDER BY n", n), func(q *sqlite3.Stmt) error {
		var t told
		err := json.Unmarshal([]byte(q.ColumnText(1)), &t)
		t.N = q.ColumnInt64(0)
		list = append(list, t)
		return err
	})
	return list, err
}

// agree compares what a site shows with the model. Nothing may be waiting to be folded.
func (w *world) agree(s *site) error {
	if w.history.forked {
		return nil
	}
	want := lines(w.history.shown(s.ear.has, s.level), w.uncertain)
	rows, err := s.rows()
	if err != nil {
		return err
	}
	shown := map[rowID]seen{}
	for id, image := range rows {
		shown[id] = seen{image: image}
	}
	got := lines(shown, w.uncertain)
	w.stats.Models++
	if slices.Equal(got, want) {
		return nil
	}
	var out strings.Builder
	for _, l := range got {
		if !slices.Contains(want, l) {
			fmt.Fprintf(&out, "\n  shown:     %s", l)
		}
	}
	for _, l := range want {
		if !slices.Contains(got, l) {
			fmt.Fprintf(&out, "\n  not shown: %s", l)
		}
	}
	return violation("model", "site %d, that has %v, at version %d of the schema, does not show what the model says:%s", s.index, s.ear.has, s.level, out.String())
}

// uncertain says that the model does not know a column: it is dropped on one replica before another.
func (w *world) uncertain(table, column string) bool {
	return w.o.Schema && table == "t" && column == "b"
}

// rows reads the tables that the model knows.
func (s *site) rows() (map[rowID]map[string]string, error) {
	out := map[rowID]map[string]string{}
	for i := range model {
		t := &model[i]
		if t.from > s.level {
			continue
		}
		names := slices.Clone(t.key)
		for _, c := range t.at(s.level) {
			names = append(names, c.name)
		}
		err := s.each("SELECT quote("+strings.Join(names, "), quote(")+") FROM "+t.name, func(q *sqlite3.Stmt) error {
			image := map[string]string{}
			for j, n := range names {
				image[n] = q.ColumnText(j)
			}
			out[t.id(image)] = image
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

var (
	writes   = regexp.MustCompile(`^(?:INSERT|UPDATE)(?: OR REPLACE| OR IGNORE)?(?: INTO)? (\w+)[^;]*$`)
	replaces = regexp.MustCompile(`^INSERT OR REPLACE INTO (\w+)`)
	updates  = regexp.MustCompile(`^UPDATE OR REPLACE (\w+)`)
)

// tell runs one statement inside a transaction and writes down what it did.
func (s *site) tell(sql string) error {
	before, err := s.rows()
	if err != nil {
		return err
	}
	base, err := s.baseRows(before, sql)
	if err != nil {
		return err
	}
	looked, err := s.exec(sql)
	if err != nil {
		return err
	}
	after, err := s.rows()
	if err != nil {
		return err
	}
	var evicts string
	replaced := map[rowID]bool{}
	if m := replaces.FindStringSubmatch(sql); m != nil {
		evicts, replaced = m[1], looked
	} else if m := updates.FindStringSubmatch(sql); m != nil {
		evicts = m[1]
	}
	ids := maps.Clone(before)
	maps.Copy(ids, after)
	for _, id := range slices.SortedFunc(maps.Keys(ids), func(a, b rowID) int { return strings.Compare(a.Table+a.Key, b.Table+b.Key) }) {
		x, was := before[id]
		y, is := after[id]
		t := told{Row: id, Image: y, Kind: toldUpdate}
		respelled := was && is && slices.ContainsFunc(modelOf(id.Table).key, func(k string) bool { return x[k] != y[k] })
		switch {
		case was && !is && evicts == id.Table:
			t.Kind = toldEvict
		case was && !is:
			t.Kind = toldDelete
		case !was:
			t.Kind = toldInsert
		case respelled:
			if err := s.say(told{Row: id, Kind: toldDelete}); err != nil {
				return err
			}
			t.Kind = toldInsert
		case replaced[id]:
			t.Kind, t.Base = toldReplace, base[id]
			if m := modelOf(id.Table); m.unique != nil && slices.ContainsFunc(m.unique(x), func(v string) bool { return slices.Contains(m.unique(y), v) }) {
				t.Kind, t.Base = toldReplaceSame, false // pushed out by itself, which is seen
			}
		default:
			for _, c := range slices.Sorted(maps.Keys(y)) {
				if x[c] != y[c] {
					t.Changed = append(t.Changed, c)
				}
			}
			if t.Changed == nil && !looked[id] {
				continue
			} else if t.Changed == nil {
				t.Kind = toldLook
			}
		}
		if err := s.say(t); err != nil {
			return err
		}
	}
	return nil
}

// baseRows are the rows of the table that a REPLACE is about to write to of which the replica keeps nothing of their own: it can
// not tell that one was there when another is put in its place.
func (s *site) baseRows(rows map[rowID]map[string]string, sql string) (map[rowID]bool, error) {
	m := replaces.FindStringSubmatch(sql)
	if m == nil || s.e == nil {
		return nil, nil
	}
	t, base := modelOf(m[1]), map[rowID]bool{}
	for id := range rows {
		base[id] = id.Table == t.name
	}
	n, err := s.int("SELECT ifnull(max(id), 0) FROM tributary_table WHERE name = '" + t.name + "'")
	if err != nil || n == 0 {
		return base, err
	}
	return base, s.each(fmt.Sprintf("SELECT %s FROM tributary_clock_%d", t.clockKey(), n), func(q *sqlite3.Stmt) error {
		delete(base, t.idOf(q))
		return nil
	})
}

// clockKey lists the columns that have the key in the table's clocks.
func (t *modelTable) clockKey() string {
	var key []string
	for j := range t.key {
		key = append(key, fmt.Sprintf("quote(k%d)", j))
	}
	return strings.Join(key, ", ")
}

// idOf names a row by the key in the first columns of a result, quoted.
func (t *modelTable) idOf(q *sqlite3.Stmt) rowID {
	image := map[string]string{}
	for j, k := range t.key {
		image[k] = q.ColumnText(j)
	}
	return t.id(image)
}

// exec runs a statement and says which rows it wrote, be it what they had before.
func (s *site) exec(sql string) (rows map[rowID]bool, err error) {
	m := writes.FindStringSubmatch(sql)
	if m == nil {
		return nil, s.app.Exec(sql)
	}
	t, rows := modelOf(m[1]), map[rowID]bool{}
	q, _, err := s.app.Prepare(sql + " RETURNING quote(" + strings.Join(t.key, "), quote(") + ")")
	if err != nil {
		return nil, err
	}
	defer q.Close()
	for q.Step() {
		rows[t.idOf(q)] = true
	}
	return rows, q.Err()
}

// say writes one thing down.
func (s *site) say(t told) error {
	s.w.told++
	t.At = s.now().UnixMilli()
	if s.e == nil {
		t.At = atBase
	}
	return s.app.Exec(fmt.Sprintf("INSERT INTO told VALUES (%d, '%s')", s.w.told, strings.ReplaceAll(t.String(), "'", "''")))
}
