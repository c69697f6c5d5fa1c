package engine

import (
	"fmt"
	"sort"
	"strings"

	"github.com/tributary-db/tributary/crdt"
)

// Base rows are the rows that were there when their table was tracked. They have no clock rows; in the feed they stand
// as chunks of the key range, so that a cursor can point between two chunks whatever happens to the rows meanwhile: a
// base row that changes gets a clock row, and with it a later position of its own.

const baseChunkBytes = 48 << 10

var baseChunkRows int64 = 2048 // tests lower it

// foldBases cuts the rows of newly tracked tables into chunks under one version of their own.
func (e *Engine) foldBases() error {
	var fresh []*table
	for _, t := range e.tables {
		if t.schema != nil && t.base.Version > 0 && t.basePos == 0 {
			fresh = append(fresh, t)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	parentsFirst(fresh)
	v, err := e.one("SELECT max(version) FROM tributary_changeset WHERE site = ?1", crdt.Int(e.self))
	if err != nil {
		return err
	}
	version := crdt.Version(v.Int() + 1)
	pos, err := e.pos()
	if err != nil {
		return err
	}
	for _, t := range fresh {
		if pos, err = e.chunk(t, pos); err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
		t.base.Version, t.basePos = version, pos
		if err := e.run("UPDATE tributary_table SET base_version = ?2, base_pos = ?3 WHERE id = ?1", crdt.Int(t.id), crdt.Int(int64(version)), crdt.Int(pos)); err != nil {
			return err
		}
	}
	if err := e.changeset(e.self, version, pos, 0); err != nil {
		return err
	}
	// Other connections have read these tables: nothing else tells them, since the schema has not changed.
	if err := e.setMeta("bases", crdt.Int(pos)); err != nil {
		return err
	}
	e.bases = pos
	return e.setMeta("pos", crdt.Int(pos))
}

// chunk gives positions after pos to the key ranges of a table's rows and returns the last. The last range is open.
func (e *Engine) chunk(t *table, pos int64) (int64, error) {
	n := len(t.schema.Key)
	size := []string{"16"}
	for _, c := range t.columns {
		if c != "" {
			size = append(size, fmt.Sprintf("ifnull(length(%s), 0)", ident(c)))
		}
	}
	// Sums in groups: SQLite limits the depth of an expression to 1000. https://sqlite.org/limits.html
	for len(size) > 1 {
		var next []string
		for i := 0; i < len(size); i += 200 {
			next = append(next, "("+strings.Join(size[i:min(i+200, len(size))], " + ")+")")
		}
		size = next
	}
	put := "INSERT INTO tributary_base(pos, tbl, upto) VALUES (?1, ?2, ?3)"
	var bytes, rows, done int64
	var key []byte
	err := e.each(fmt.Sprintf("SELECT %s, %s FROM %s ORDER BY %s", size[0], t.sql.keys, ident(t.name), t.sql.keys), n+1, func(r []crdt.Value) error {
		bytes, rows, done = bytes+r[0].Int(), rows+1, done+1
		if bytes < baseChunkBytes && rows < baseChunkRows {
			return nil
		}
		key = key[:0]
		for _, v := range r[1:] {
			if v.IsNull() {
				return nil
			}
			key = crdt.AppendValue(key, v)
		}
		bytes, rows, pos = 0, 0, pos+1
		e.prog.report("reading "+t.name, done, 0)
		return e.run(put, crdt.Int(pos), crdt.Int(t.id), crdt.Blob(key))
	})
	if err != nil {
		return 0, err
	}
	pos++
	return pos, e.run(put, crdt.Int(pos), crdt.Int(t.id), crdt.Null())
}

// parentsFirst orders tables so that rows come after the rows that they refer to, as far as references have no cycle.
func parentsFirst(list []*table) {
	depth := map[string]int{}
	for range list {
		for _, t := range list {
			for _, fk := range t.schema.ForeignKeys {
				if p := strings.ToLower(fk.Parent); p != strings.ToLower(t.name) {
					depth[strings.ToLower(t.name)] = max(depth[strings.ToLower(t.name)], min(depth[p]+1, len(list)))
				}
			}
		}
	}
	sort.SliceStable(list, func(i, j int) bool {
		return depth[strings.ToLower(list[i].name)] < depth[strings.ToLower(list[j].name)]
	})
}

// baseSQL reads the rows of one chunk that still have no clock: the key, then the live columns.
// Row values compare under the key columns' own collations, as the order of the chunks did.
func (t *table) baseSQL(lower, upper bool) string {
	n := len(t.schema.Key)
	var names, args []string
	for _, k := range t.schema.Key {
		names = append(names, "t."+ident(k.Name))
	}
	cols := append([]string(nil), names...)
	for _, c := range t.columns {
		if c != "" {
			cols = append(cols, "t."+ident(c))
		}
	}
	for i := range 2 * n {
		args = append(args, fmt.Sprintf("?%d", i+1))
	}
	where := []string{"c.pos IS NULL"}
	for i, k := range t.schema.Key {
		if !t.schema.RowidKey && !k.NotNull { // a key with NULL names no row
			where = append(where, names[i]+" IS NOT NULL")
		}
	}
	if lower {
		where = append(where, fmt.Sprintf("(%s) > (%s)", strings.Join(names, ", "), strings.Join(args[:n], ", ")))
	}
	if upper {
		where = append(where, fmt.Sprintf("(%s) <= (%s)", strings.Join(names, ", "), strings.Join(args[n:], ", ")))
	}
	return fmt.Sprintf("SELECT %s FROM %s t LEFT JOIN %s c ON %s WHERE %s ORDER BY %s", strings.Join(cols, ", "), ident(t.name), t.sql.clock, t.sql.onKey, strings.Join(where, " AND "), strings.Join(names, ", "))
}
