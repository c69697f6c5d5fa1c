package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/tributary-db/tributary/crdt"
)

// builder collects the rows of one package, table by table.
type builder struct {
	tables []*block
	byName map[string]*block
	bytes  int
	cursor int64
}

// block is the part of a package that speaks of one table.
type block struct {
	table crdt.Table
	rows  []crdt.RowChange
}

func newBuilder(p *pull) *builder {
	return &builder{byName: map[string]*block{}, cursor: p.cursor}
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
		k = &block{table: t}
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
	for i, k := range b.tables {
		p.Tables = append(p.Tables, k.table)
		sort.SliceStable(k.rows, func(x, y int) bool { return compareKeys(k.rows[x].Key, k.rows[y].Key) < 0 })
		for _, r := range k.rows {
			r.Table = i
			p.Rows = append(p.Rows, r)
		}
	}
	return p
}

func compareKeys(a, b []crdt.Value) int {
	return slices.CompareFunc(a, b, crdt.Value.Compare)
}

func sortLives(l []crdt.LiveChange) {
	sort.Slice(l, func(i, j int) bool { return l[i].Birth.Stamp.Compare(l[j].Birth.Stamp) < 0 })
}

// scope is a hash of what a stream leaves out, 0 for nothing, so that a receiver can tell two filters apart.
func scope(o PullOptions) uint64 {
	if len(o.Tables) == 0 {
		return 0
	}
	names := make([]string, len(o.Tables))
	for i, n := range o.Tables {
		names[i] = strings.ToLower(n)
	}
	slices.Sort(names)
	h := sha256.Sum256([]byte(strings.Join(names, "\x00")))
	return binary.BigEndian.Uint64(h[:]) | 1
}

// arena holds copies of the values of one package in few allocations.
type arena struct {
	bytes  []byte
	values []crdt.Value
}

// row returns n NULLs.
func (a *arena) row(n int) []crdt.Value {
	if len(a.values) < n {
		a.values = make([]crdt.Value, max(n, 4096))
	}
	r := a.values[:n:n]
	a.values = a.values[n:]
	return r
}

// value copies a borrowed value.
func (a *arena) value(v crdt.Value) crdt.Value {
	src := v.Bytes()
	if len(src) == 0 {
		return v
	}
	if len(a.bytes) < len(src) {
		a.bytes = make([]byte, max(len(src), 64<<10))
	}
	dst := a.bytes[:len(src):len(src)]
	a.bytes = a.bytes[len(src):]
	copy(dst, src)
	if v.Kind() == crdt.KindText {
		return crdt.Text(dst)
	}
	return crdt.Blob(dst)
}

func (a *arena) clone(src []crdt.Value) []crdt.Value {
	r := a.row(len(src))
	for i, v := range src {
		r[i] = a.value(v)
	}
	return r
}
