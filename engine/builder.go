package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/tributary-db/tributary/crdt"
)

// builder collects the rows of one package, table by table. What it holds is good until it is emptied for the next.
type builder struct {
	tables []*block
	byName map[string]*block
	spare  []*block // of former packages, for their memory
	rows   []crdt.RowChange
	arena  arena
	enc    crdt.Encoder
	bytes  int
	cursor int64
}

// block is the part of a package that speaks of one table.
type block struct {
	table crdt.Table
	rows  []crdt.RowChange
}

// builders are empty ones to be used again: a package takes a megabyte of small parts, and getting that anew for each takes
// longer than filling it.
var builders = sync.Pool{New: func() any { return &builder{byName: map[string]*block{}} }}

// maxKept is how many values a builder may keep room for that is used again, so that one huge row does not stay.
const maxKept = 1 << 16

// free gives a builder back.
func (b *builder) free() {
	b.empty(0)
	if len(b.arena.values.last) <= maxKept && len(b.arena.bytes.last) <= 64*maxKept && cap(b.rows) <= maxKept {
		builders.Put(b)
	}
}

// empty begins a package after the cursor.
func (b *builder) empty(cursor int64) {
	for _, k := range b.tables {
		clear(k.rows)
		k.rows, k.table = k.rows[:0], crdt.Table{}
	}
	b.spare = append(b.spare, b.tables...)
	clear(b.byName)
	clear(b.rows)
	b.tables, b.rows, b.bytes, b.cursor = b.tables[:0], b.rows[:0], 0, cursor
	b.arena.empty()
}

func (b *builder) add(s *source, r crdt.RowChange) {
	if s.dict.Name == "" {
		s.dict = crdt.Table{Name: s.t.name}
		for _, k := range s.t.schema.Key {
			s.dict.Key = append(s.dict.Key, k.Name)
		}
		for _, c := range s.cols {
			s.dict.Columns = append(s.dict.Columns, s.t.columns[c])
		}
		s.dictKey = dictKey(s.dict)
	}
	b.put(s.dictKey, s.dict, r)
}

// addTo adds a row under a dictionary that is not this database's own. Such rows come first in the package: what they say of a
// column that is missing here must be there before this database's own rows of the same keys, which are silent on it.
func (b *builder) addTo(t crdt.Table, r crdt.RowChange) {
	known := len(b.tables)
	b.put(dictKey(t), t, r)
	if n := len(b.tables); n > known {
		b.tables = slices.Insert(b.tables[:known], 0, b.tables[known])
	}
}

func dictKey(t crdt.Table) string { return fmt.Sprintf("%q%q%q", t.Name, t.Key, t.Columns) }

func (b *builder) put(key string, t crdt.Table, r crdt.RowChange) {
	k := b.byName[key]
	if k == nil {
		if n := len(b.spare); n > 0 {
			k, b.spare = b.spare[n-1], b.spare[:n-1]
		} else {
			k = new(block)
		}
		k.table = t
		b.byName[key], b.tables = k, append(b.tables, k)
		b.bytes += len(key)
	}
	k.rows = append(k.rows, r)
	b.bytes += size(&r)
}

// size estimates what a row takes in a package.
func size(r *crdt.RowChange) int {
	n := 8 + 20*len(r.Deleted)
	for _, v := range r.Key {
		n += 4 + len(v.Bytes())
	}
	for i := range r.Lives {
		n += 16 * len(r.Lives[i].Newer)
		for _, v := range r.Lives[i].Values {
			n += 4 + len(v.Bytes())
		}
	}
	return n
}

// build orders the rows of each table by key, which makes packages smaller and applies them in the order of the table.
func (b *builder) build() *crdt.Package {
	p := &crdt.Package{}
	byKey := func(x, y crdt.RowChange) int { return compareKeys(x.Key, y.Key) }
	for i, k := range b.tables {
		p.Tables = append(p.Tables, k.table)
		if !slices.IsSortedFunc(k.rows, byKey) {
			slices.SortStableFunc(k.rows, byKey)
		}
		for j := range k.rows {
			k.rows[j].Table = i
		}
	}
	if len(b.tables) == 1 {
		p.Rows = b.tables[0].rows
		return p
	}
	for _, k := range b.tables {
		b.rows = append(b.rows, k.rows...)
	}
	p.Rows = b.rows
	return p
}

func compareKeys(a, b []crdt.Value) int {
	return slices.CompareFunc(a, b, crdt.Value.Compare)
}

func sortLives(l []crdt.LiveChange) {
	sort.Slice(l, func(i, j int) bool { return l[i].Birth.Stamp.Compare(l[j].Birth.Stamp) < 0 })
}

// scope is a hash of the tables or, if not nil, of the sites that a set is about, 0 for all: so a receiver can tell apart what
// leaves out different things.
func scope(tables []string, only map[crdt.Site]bool) uint64 {
	var names []string
	for _, n := range tables {
		names = append(names, strings.ToLower(n))
	}
	if len(tables) == 0 {
		for s := range only {
			names = append(names, string(s[:]))
		}
	}
	if len(names) == 0 {
		return 0
	}
	slices.Sort(names)
	h := sha256.Sum256([]byte(strings.Join(names, "\x00")))
	return binary.BigEndian.Uint64(h[:]) | 1
}

// arena holds copies of the values of one package in few allocations.
type arena struct {
	bytes  slab[byte]
	values slab[crdt.Value]
	lives  slab[crdt.LiveChange]
}

// empty makes room by giving up all that was handed out.
func (a *arena) empty() {
	a.bytes.empty()
	a.values.empty()
	a.lives.empty()
}

// slab cuts slices off one piece of memory after the other. It keeps the last and largest to be used again.
type slab[T any] struct {
	last []T
	free []T // what is left of last
}

// least is how many elements the first piece has.
const least = 256

// cut returns n elements, which may hold what was there before.
func (s *slab[T]) cut(n int) []T {
	if len(s.free) < n {
		s.last = make([]T, max(n, least, 2*len(s.last)))
		s.free = s.last
	}
	out := s.free[:n:n]
	s.free = s.free[n:]
	return out
}

func (s *slab[T]) empty() { s.free = s.last }

// row returns n NULLs.
func (a *arena) row(n int) []crdt.Value {
	r := a.values.cut(n)
	clear(r)
	return r
}

// value copies a borrowed value.
func (a *arena) value(v crdt.Value) crdt.Value {
	src := v.Bytes()
	if len(src) == 0 {
		return v
	}
	dst := a.bytes.cut(len(src))
	copy(dst, src)
	if v.Kind() == crdt.KindText {
		return crdt.Text(dst)
	}
	return crdt.Blob(dst)
}

func (a *arena) clone(src []crdt.Value) []crdt.Value {
	r := a.values.cut(len(src))
	for i, v := range src {
		r[i] = a.value(v)
	}
	return r
}

// live is a list of one incarnation.
func (a *arena) live(l crdt.LiveChange) []crdt.LiveChange {
	list := a.lives.cut(1)
	list[0] = l
	return list
}
