package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/tributary-db/tributary/conformance/vectors"
	"github.com/tributary-db/tributary/crdt"
)

// base is the time of most writes: 2026-09-21T14:13:20Z.
var base = crdt.TimeOf(1_790_000_000_000)

// site gives a site of one repeated byte.
func site(b byte) (s crdt.Site) {
	for i := range s {
		s[i] = b
	}
	return s
}

func at(t crdt.Time, s byte, v crdt.Version) crdt.Stamp {
	return crdt.Stamp{Time: base + t, Site: site(s), Version: v}
}

func dot(s byte, v crdt.Version) crdt.Dot { return crdt.Dot{Site: site(s), Version: v} }

// life makes the state of an incarnation: full when it is given all columns and no groups leave some out.
func life(full bool, birth crdt.Stamp, columns map[int]crdt.Value, newer ...crdt.CellGroup) crdt.LiveChange {
	l := crdt.LiveChange{Full: full, Incarnation: crdt.Incarnation{Birth: crdt.Write{Stamp: birth}, Newer: newer}}
	for c := range crdt.MaxColumns {
		if v, ok := columns[c]; ok {
			l.SetValue(c, v)
		}
	}
	return l
}

func fresh(birth crdt.Stamp, values ...crdt.Value) crdt.LiveChange {
	m := map[int]crdt.Value{}
	for c, v := range values {
		m[c] = v
	}
	return life(true, birth, m)
}

func group(s crdt.Stamp, columns ...int) crdt.CellGroup {
	return crdt.CellGroup{Columns: crdt.Columns(columns...), Write: crdt.Write{Stamp: s}}
}

func encode(p *crdt.Package) []byte {
	b, err := p.Append(nil, nil)
	if err != nil {
		panic(err) // a package that is made wrong here
	}
	return b
}

var task = crdt.Table{Name: "task", Key: []string{"id"}, Columns: []string{"title", "done"}}

func txt(s string) crdt.Value { return crdt.TextString(s) }

func (a *all) packages() {
	ok := func(name, comment string, p *crdt.Package) {
		if p.Sender.IsZero() {
			p.Sender = site(0xaa)
		}
		a.add(vectors.KindPackage, name, vectors.Accept, comment, bin(encode(p)))
	}
	ok("empty", "the smallest package says nothing", &crdt.Package{})
	ok("flags", "the flags that ask for nothing else, and every number of the header", &crdt.Package{Starts: true, Ends: true, Bulk: true, LocalOnly: true,
		Scope: math.MaxUint64, Since: 1 << 40, Until: 1<<40 + 300, Part: 7, Sent: base + 5})
	ok("greatest_header", "the ends of the ranges", &crdt.Package{Since: 0, Until: math.MaxInt64, Part: math.MaxInt32, Sent: math.MaxInt64,
		Covers: []crdt.Cover{{Site: site(0), From: 1, To: crdt.MaxVersion}}, Needs: crdt.VersionVector{site(0xff): crdt.MaxVersion}})
	ok("covers", "two ranges of one site with a gap, chain hashes known and not", &crdt.Package{Ends: true, Covers: []crdt.Cover{
		{Site: site(1), From: 1, To: 3, ID: crdt.ChainID{1, 2, 3, 4, 5, 6, 7, 8}},
		{Site: site(1), From: 5, To: 5, Prev: crdt.ChainID{9}, ID: crdt.ChainID{10}},
		{Site: site(2), From: 1 << 40, To: 1 << 41}},
		Needs: crdt.VersionVector{site(1): 7, site(3): 1}})
	ok("covers_forgotten", "deletes of versions 1 and 2 may be missing, and of no version of the other site", &crdt.Package{Ends: true, Covers: []crdt.Cover{
		{Site: site(1), From: 1, To: 3, Forgotten: 2}, {Site: site(2), From: 4, To: 4}}})
	ok("before", "a part that does not begin its set, and the versions of which something lies before it", &crdt.Package{Since: 3, Until: 5, Part: 1,
		Needs: crdt.VersionVector{site(1): 7}, Before: crdt.VersionVector{site(1): 9, site(2): 1 << 40}})
	ok("tables", "one name with two sets of columns, odd names, a table without other columns", &crdt.Package{Tables: []crdt.Table{
		{Name: "t", Key: []string{"k"}, Columns: []string{"a"}}, {Name: "t", Key: []string{"k"}, Columns: []string{"a", "b"}},
		{Name: "", Key: []string{"", "naïve"}}, {Name: `a "quoted" 'name'`, Key: []string{"x\x00y"}}}})

	four := &crdt.Package{Starts: true, Ends: true, Until: 7, Sent: base, Tables: []crdt.Table{task},
		Covers: []crdt.Cover{{Site: site(0xaa), From: 1, To: 3}}, Needs: crdt.VersionVector{site(0xbb): 2}}
	for i := range 4 {
		four.Rows = append(four.Rows, crdt.RowChange{Key: []crdt.Value{crdt.Int(int64(i + 1))},
			Lives: []crdt.LiveChange{fresh(at(crdt.Time(i), 0xaa, 1), txt(string(rune('a'+i))), crdt.Int(0))}})
	}
	four.Rows = append(four.Rows,
		crdt.RowChange{Key: []crdt.Value{crdt.Int(5)}, Lives: []crdt.LiveChange{life(false, at(-65536, 0xbb, 2), map[int]crdt.Value{1: crdt.Real(0.5)}, group(at(4, 0xaa, 2), 1))}},
		crdt.RowChange{Key: []crdt.Value{crdt.Int(6)}, Deleted: []crdt.Dot{dot(0xbb, 1)}, Deleter: at(5, 0xaa, 3)})
	ok("rows", "inserts of one changeset, an update of one column, a delete: as in FORMAT.md", four)

	runs := &crdt.Package{Tables: []crdt.Table{task}}
	for i := range 13 { // runs of 4, 3, 1 and 5 in every sequence: repeats, lists, and where one ends
		step := []int{0, 0, 0, 0, 1, 1, 1, 2, 3, 3, 3, 3, 3}[i]
		runs.Rows = append(runs.Rows, crdt.RowChange{Key: []crdt.Value{crdt.Int(int64(step))},
			Lives: []crdt.LiveChange{fresh(at(crdt.Time(step), byte(step+1), crdt.Version(step+1)), []crdt.Value{crdt.Null(), crdt.Int(1), txt("x"), crdt.Real(1)}[step], crdt.Null())}})
	}
	ok("runs", "repeats of 4 and 5, lists of 3 and 1", runs)

	var kinds []crdt.RowChange
	for i, v := range []crdt.Value{crdt.Null(), crdt.Int(math.MinInt64), crdt.Real(math.Copysign(0, -1)), crdt.Text([]byte{0xff, 0}), crdt.Blob([]byte{0, 1, 2}), crdt.Real(math.NaN()), txt(""), crdt.Blob(nil)} {
		kinds = append(kinds, crdt.RowChange{Key: []crdt.Value{v}, Lives: []crdt.LiveChange{fresh(at(crdt.Time(i), 1, 1), v, crdt.Null())}})
	}
	ok("kinds", "every storage class as key and as column", &crdt.Package{Tables: []crdt.Table{task}, Rows: kinds})

	ok("groups", "columns of an insert that were written later, in three groups; two deletes without a deleter beside a life", &crdt.Package{
		Tables: []crdt.Table{{Name: "t", Key: []string{"a", "b"}, Columns: []string{"c0", "c1", "c2", "c3", "c4"}}},
		Rows: []crdt.RowChange{{Key: []crdt.Value{crdt.Int(1), txt("k")}, Deleted: []crdt.Dot{dot(1, 4), dot(2, 9)},
			Lives: []crdt.LiveChange{life(true, at(0, 1, 5), map[int]crdt.Value{0: crdt.Int(0), 1: crdt.Int(1), 2: crdt.Int(2), 3: crdt.Int(3), 4: crdt.Int(4)},
				group(at(1, 2, 1), 1, 3), group(at(1, 3, 1), 0), group(at(900, 1, 6), 4))}}}})
	ok("lives", "two inserts of one key, one of them whole, of the other two columns", &crdt.Package{Tables: []crdt.Table{task},
		Rows: []crdt.RowChange{{Key: []crdt.Value{txt("k")}, Lives: []crdt.LiveChange{fresh(at(1, 2, 1), txt("b"), crdt.Int(2)),
			life(false, at(2, 1, 1), map[int]crdt.Value{0: txt("a"), 1: crdt.Int(1)}, group(at(3, 2, 2), 0, 1))}}}})
	ok("key_only", "a table whose columns are all in the key", &crdt.Package{Tables: []crdt.Table{{Name: "t", Key: []string{"a"}}},
		Rows: []crdt.RowChange{{Key: []crdt.Value{crdt.Int(1)}, Lives: []crdt.LiveChange{fresh(at(0, 1, 1))}}}})
	ok("columns_differ", "rows of one block with different columns", &crdt.Package{Tables: []crdt.Table{task}, Rows: []crdt.RowChange{
		{Key: []crdt.Value{crdt.Int(1)}, Lives: []crdt.LiveChange{life(false, at(0, 1, 1), map[int]crdt.Value{0: txt("x")}, group(at(1, 1, 2), 0))}},
		{Key: []crdt.Value{crdt.Int(2)}, Lives: []crdt.LiveChange{life(false, at(0, 1, 1), map[int]crdt.Value{1: crdt.Int(9)}, group(at(1, 1, 2), 1))}},
		{Key: []crdt.Value{crdt.Int(3)}, Lives: []crdt.LiveChange{fresh(at(0, 1, 1), txt("y"), crdt.Null())}}}})
	ok("two_tables", "a table without rows between two that have some; a key twice", &crdt.Package{Tables: []crdt.Table{task, {Name: "none", Key: []string{"k"}}, {Name: "t", Key: []string{"a"}}},
		Rows: []crdt.RowChange{{Key: []crdt.Value{crdt.Int(1)}, Deleted: []crdt.Dot{dot(1, 1)}}, {Key: []crdt.Value{crdt.Int(1)}, Deleted: []crdt.Dot{dot(1, 1)}},
			{Table: 2, Key: []crdt.Value{crdt.Int(1)}, Lives: []crdt.LiveChange{fresh(at(0, 1, 1))}}}})
	ok("times", "the first time and the last, versions far apart: differences of all sizes", &crdt.Package{Tables: []crdt.Table{task}, Rows: []crdt.RowChange{
		{Key: []crdt.Value{crdt.Int(1)}, Deleted: []crdt.Dot{dot(1, 1)}, Deleter: crdt.Stamp{Time: math.MaxInt64, Site: site(1), Version: crdt.MaxVersion}},
		{Key: []crdt.Value{crdt.Int(2)}, Deleted: []crdt.Dot{dot(1, crdt.MaxVersion)}, Deleter: crdt.Stamp{Time: 0, Site: site(1), Version: 1}},
		{Key: []crdt.Value{crdt.Int(3)}, Deleted: []crdt.Dot{dot(1, 1)}, Deleter: crdt.Stamp{Time: math.MaxInt64, Site: site(2), Version: 1 << 31}}}})

	wide := crdt.Table{Name: "wide", Key: []string{"k"}}
	values := map[int]crdt.Value{}
	for c := range 130 {
		wide.Columns = append(wide.Columns, fmt.Sprint("c", c))
		values[c] = crdt.Int(int64(c % 3))
	}
	ok("wide", "130 columns, one of which was written later", &crdt.Package{Tables: []crdt.Table{wide},
		Rows: []crdt.RowChange{{Key: []crdt.Value{crdt.Int(1)}, Lives: []crdt.LiveChange{life(true, at(0, 1, 1), values, group(at(1, 1, 2), 64, 129))}}}})
	ok("long_name", "a name of 4096 bytes", &crdt.Package{Tables: []crdt.Table{{Name: strings.Repeat("n", 4096), Key: []string{"k"}}}})
}
