package engine

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"unicode/utf16"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// Base rows have no clock rows. They stand in the feed as chunks: ranges of keys whose rows were inserted with one stamp.
// These are the rows that were there when their table was tracked (base.go), imports (foldinserts.go), and both as they
// come from elsewhere (adopt.go). A base row that changes gets a clock row, and with it a later position of its own.
//
// A chunk lists its keys, so that a row that has gone is missed, and a row that was written between them later is not
// taken for one of them. Chunks of one table do not overlap, and all between the keys of a chunk has clock rows.

// chunk is a range of base rows. A cursor can point between two chunks, whatever happens to their rows meanwhile.
type chunk struct {
	pos    int64
	stamp  crdt.Stamp   // of the insert of all its rows
	lo, hi []crdt.Value // the first and the last key when it was made
}

const chunkBytes = 48 << 10

var chunkRows int64 = 2048 // tests lower it

// clock is the clock of its rows.
func (c *chunk) clock() clock {
	return clock{pos: c.pos, birth: crdt.Write{Stamp: c.stamp, Pos: c.pos}}
}

// compare orders keys as SQLite does those of this table: by the collation of each column, and texts as they are stored.
func (t *table) compare(a, b []crdt.Value) int {
	for i := range a {
		if c := t.compareColumn(i, a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

func (t *table) compareColumn(i int, a, b crdt.Value) int {
	if a.Kind() != crdt.KindText || b.Kind() != crdt.KindText {
		return plainNumber(a).Compare(plainNumber(b))
	}
	x, y := a.Bytes(), b.Bytes()
	switch strings.ToUpper(t.schema.Key[i].Collation) {
	case "NOCASE": // SQLite converts texts to UTF-8 for this one and the next
		return bytes.Compare(asciiLower(x), asciiLower(y))
	case "RTRIM":
		return bytes.Compare(bytes.TrimRight(x, " "), bytes.TrimRight(y, " "))
	}
	return bytes.Compare(t.stored(x), t.stored(y))
}

// stored is a text in the encoding of the database. https://sqlite.org/pragma.html#pragma_encoding
func (t *table) stored(text []byte) []byte {
	if t.encoding == "" || t.encoding == "UTF-8" {
		return text
	}
	var out []byte
	for _, u := range utf16.Encode([]rune(string(text))) {
		if t.encoding == "UTF-16be" {
			out = append(out, byte(u>>8), byte(u))
		} else {
			out = append(out, byte(u), byte(u>>8))
		}
	}
	return out
}

// plainNumber is the integer for a real number that SQLite takes as equal to one.
func plainNumber(v crdt.Value) crdt.Value {
	if v.Kind() == crdt.KindReal {
		if f := v.Real(); f == math.Trunc(f) && f >= -1<<63 && f < 1<<63 {
			return crdt.Int(int64(f))
		}
	}
	return v
}

// chunkAround is the chunk whose range holds the key, nil if there is none.
func (t *table) chunkAround(key []crdt.Value) *chunk {
	i := t.chunkFrom(key)
	if i == len(t.chunks) || t.compare(t.chunks[i].lo, key) > 0 {
		return nil
	}
	return t.chunks[i]
}

// chunkFrom is the index of the first chunk that does not end before the key. Most work goes through a table in order, so the
// last answer is tried first.
func (t *table) chunkFrom(key []crdt.Value) int {
	ends := func(i int) bool { return t.compare(t.chunks[i].hi, key) >= 0 }
	if i := t.chunk; i > len(t.chunks) || i < len(t.chunks) && !ends(i) || i > 0 && ends(i-1) {
		t.chunk = sort.Search(len(t.chunks), ends)
	}
	return t.chunk
}

// overlaps says whether some chunk and the range have a key in common.
func (t *table) overlaps(lo, hi []crdt.Value) bool {
	i := t.chunkFrom(lo)
	return i < len(t.chunks) && t.compare(t.chunks[i].lo, hi) <= 0
}

// baseOf is the chunk that lists the key, nil if there is none. A row of the key that has no clock row is a base row.
func (e *Engine) baseOf(t *table, key []crdt.Value) (*chunk, error) {
	c := t.chunkAround(key)
	if c == nil {
		return nil, nil
	}
	var found bool
	if t.listedAt != c.pos { // a single row need not pay for all keys of its chunk
		b, err := e.one("SELECT keys FROM tributary_base WHERE pos = ?1", crdt.Int(c.pos))
		if err != nil {
			return nil, err
		}
		if found, err = findKey(b.Bytes(), t, key); err != nil {
			return nil, err
		}
		t.listed, t.listedAt = nil, c.pos
	} else {
		l, err := e.keysOf(t, c)
		if err != nil {
			return nil, err
		}
		found = l.has(t, key)
	}
	if !found {
		return nil, nil
	}
	return c, nil
}

// keysOf reads the keys of a chunk. The table keeps the list that was read last: most work goes through a table in order.
func (e *Engine) keysOf(t *table, c *chunk) (*keyList, error) {
	if t.listedAt == c.pos && t.listed != nil {
		return t.listed, nil
	}
	b, err := e.one("SELECT keys FROM tributary_base WHERE pos = ?1", crdt.Int(c.pos))
	if err != nil {
		return nil, err
	}
	l, err := decodeKeyList(b.Bytes(), len(t.schema.Key))
	if err != nil {
		return nil, err
	}
	t.listed, t.listedAt = l, c.pos
	return l, nil
}

// addChunk stores a chunk of the rows with these keys.
func (e *Engine) addChunk(t *table, pos int64, s crdt.Stamp, l *keyList) error {
	ord, err := e.ordinal(s.Site)
	if err != nil {
		return err
	}
	lo, hi := l.ends()
	c := &chunk{pos: pos, stamp: s, lo: cloneKey(lo), hi: cloneKey(hi)}
	at := sort.Search(len(t.chunks), func(i int) bool { return t.compare(t.chunks[i].lo, c.lo) >= 0 })
	t.chunks = slices.Insert(t.chunks, at, c)
	err = e.run("INSERT INTO tributary_base(pos, tbl, t, site, version, lo, hi, keys) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)", crdt.Int(pos), crdt.Int(t.id),
		crdt.Int(int64(s.Time)), crdt.Int(ord), crdt.Int(int64(s.Version)), crdt.Blob(appendKey(nil, lo)), crdt.Blob(appendKey(nil, hi)), crdt.Blob(l.append(nil)))
	if err != nil {
		return err
	}
	return e.chunksChanged()
}

// unlist takes keys off the lists of their chunks: rows that were deleted and are forgotten.
func (e *Engine) unlist(t *table, keys [][]crdt.Value) error {
	gone := map[*chunk]*keySet{}
	for _, k := range keys {
		c, err := e.baseOf(t, k)
		if err != nil {
			return err
		}
		if c == nil {
			continue
		}
		if gone[c] == nil {
			gone[c] = newKeySet(t)
		}
		gone[c].add(k)
	}
	for c, set := range gone {
		l, err := e.keysOf(t, c)
		if err != nil {
			return err
		}
		l = l.without(func(k []crdt.Value) bool { return set.has(k) })
		if err := e.run("UPDATE tributary_base SET keys = ?2 WHERE pos = ?1", crdt.Int(c.pos), crdt.Blob(l.append(nil))); err != nil {
			return err
		}
	}
	t.listed, t.listedAt = nil, 0
	if len(gone) == 0 {
		return nil
	}
	return e.chunksChanged()
}

// chunksChanged tells other connections, which have read the tables, to do so again: the schema, by which they would
// notice, has not changed.
func (e *Engine) chunksChanged() error {
	n, err := e.meta("bases")
	if err != nil {
		return err
	}
	e.bases = n.Int() + 1
	return e.setMeta("bases", crdt.Int(e.bases))
}

// loadChunks reads the chunks of all tables.
func (e *Engine) loadChunks() error {
	err := e.each("SELECT tbl, pos, t, site, version, lo, hi FROM tributary_base", 7, func(r []crdt.Value) (err error) {
		t := e.byID[r[0].Int()]
		if t == nil {
			return nil
		}
		c := &chunk{pos: r[1].Int(), stamp: crdt.Stamp{Time: crdt.Time(r[2].Int()), Site: e.siteOf(r[3].Int()), Version: crdt.Version(r[4].Int())}}
		if c.lo, err = decodeKey(r[5].Bytes()); err != nil {
			return err
		}
		if c.hi, err = decodeKey(r[6].Bytes()); err != nil {
			return err
		}
		t.chunks = append(t.chunks, c)
		return nil
	})
	if err != nil {
		return err
	}
	encoding, err := e.one("PRAGMA encoding")
	if err != nil {
		return err
	}
	for _, t := range e.tables {
		t.encoding = string(encoding.Bytes())
		if t.schema == nil {
			continue
		}
		n := len(t.schema.Key)
		t.chunks = slices.DeleteFunc(t.chunks, func(c *chunk) bool { return len(c.lo) != n || len(c.hi) != n })
		slices.SortFunc(t.chunks, func(a, b *chunk) int { return t.compare(a.lo, b.lo) })
	}
	return nil
}

// between is the condition that a key, in the columns with a prefix, lies in a range whose bounds are in the parameters from
// ?n on: first the columns of the lower, then those of the upper.
func between(columns []string, n int) string {
	k := len(columns)
	var lo, hi []string
	for i := range k {
		lo, hi = append(lo, fmt.Sprintf("?%d", n+i)), append(hi, fmt.Sprintf("?%d", n+k+i))
	}
	row := "(" + strings.Join(columns, ", ") + ")"
	return fmt.Sprintf("%s >= (%s) AND %s <= (%s)", row, strings.Join(lo, ", "), row, strings.Join(hi, ", "))
}

// within is the condition that a row of the table has a key in a range: see between. A key with NULL names no row.
func (t *table) within(prefix string, n int) string {
	where := between(t.keyNames(prefix), n)
	for i, k := range t.schema.Key {
		if !t.schema.RowidKey && !k.NotNull {
			where += " AND " + t.keyNames(prefix)[i] + " IS NOT NULL"
		}
	}
	return where
}

// clockKeys are the key columns of clock tables and of the feed.
func clockKeys(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("k%d", i))
	}
	return names
}

// keyNames are the quoted names of the table's key columns, each with the prefix.
func (t *table) keyNames(prefix string) (names []string) {
	for _, k := range t.schema.Key {
		names = append(names, prefix+sqltext.Ident(k.Name))
	}
	return names
}

// chunkAt is the chunk at a position, nil if there is none.
func (t *table) chunkAt(pos int64) *chunk {
	for _, c := range t.chunks {
		if c.pos == pos {
			return c
		}
	}
	return nil
}
