package engine

import (
	"fmt"
	"sort"
	"strings"

	"github.com/tributary-db/tributary/crdt"
)

// foldBases makes chunks of the rows that were there when their tables were tracked, under one version of their own. Their
// time is 0: any write is later than that.
func (e *Engine) foldBases() error {
	var fresh []*table
	for _, t := range e.tables {
		if t.schema != nil && t.fresh {
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
	before, err := e.pos()
	if err != nil {
		return err
	}
	pos := before
	for _, t := range fresh {
		if pos, _, err = e.cut(t, crdt.Stamp{Site: e.site, Version: version}, pos, "true"); err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
		t.fresh = false
		if err := e.run("UPDATE tributary_table SET fresh = 0 WHERE id = ?1", crdt.Int(t.id)); err != nil {
			return err
		}
	}
	if pos == before { // all of them have gone: every changeset ends at a position of its own
		pos++
	}
	if err := e.changeset(e.self, version, pos, 0); err != nil {
		return err
	}
	if err := e.chunksChanged(); err != nil {
		return err
	}
	return e.setPos(pos)
}

// cut makes chunks of the rows that meet a condition, at positions after pos. It returns the last one and the number of rows.
func (e *Engine) cut(t *table, s crdt.Stamp, pos int64, where string, args ...crdt.Value) (last, done int64, err error) {
	n := len(t.schema.Key)
	var bytes, rows int64
	l := &keyList{}
	flush := func() error {
		if rows == 0 {
			return nil
		}
		pos++
		err := e.addChunk(t, pos, s, l)
		bytes, rows, l = 0, 0, &keyList{}
		return err
	}
	sql := fmt.Sprintf("SELECT %s, %s FROM %s WHERE %s ORDER BY %s", t.sizeSQL(), t.sql.keys, ident(t.name), where, t.sql.keys)
	err = e.each(sql, n+1, func(r []crdt.Value) error {
		for _, v := range r[1:] {
			if v.IsNull() { // names no row: see README, limits
				return nil
			}
		}
		key := r[1:]
		if !oneInt(key) {
			key = cloneKey(key)
		}
		l.add(key)
		bytes, rows, done = bytes+r[0].Int(), rows+1, done+1
		e.prog.report("reading "+t.name, done, 0)
		if bytes < chunkBytes && rows < chunkRows {
			return nil
		}
		return flush()
	}, args...)
	if err == nil {
		err = flush()
	}
	return pos, done, err
}

// sizeSQL is about how many bytes a row takes in a package.
func (t *table) sizeSQL() string {
	size := []string{"16"}
	for _, k := range t.keyNames("") {
		size = append(size, "length("+k+")")
	}
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
	return size[0]
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

// baseSQL reads the rows of a chunk that still have no clock: the key, then the columns of the ordinals given. The
// parameters are the bounds of the chunk; clocked says that some of its rows have one.
func (t *table) baseSQL(ords []int, clocked bool) string {
	names := t.keyNames("t.")
	cols := append([]string(nil), names...)
	for _, c := range ords {
		cols = append(cols, "t."+ident(t.columns[c]))
	}
	join := ""
	if clocked {
		join = fmt.Sprintf(" LEFT JOIN %s c ON %s", t.sql.clock, t.sql.onKey)
	}
	sql := fmt.Sprintf("SELECT %s FROM %s t%s WHERE %s", strings.Join(cols, ", "), ident(t.name), join, t.within("t.", 1))
	if clocked {
		sql += " AND c.pos IS NULL"
	}
	return sql + " ORDER BY " + strings.Join(names, ", ")
}

// unclockedRows calls f with the keys of the rows that have no clock row, and whether a chunk lists them. Others have been
// written by a table without triggers, or stand in the feed that is still to be folded.
func (e *Engine) unclockedRows(t *table, f func(key []crdt.Value, base bool) error) error {
	n := len(t.schema.Key)
	names := t.keyNames("t.")
	return e.each(fmt.Sprintf("SELECT %s FROM %s t LEFT JOIN %s c ON %s WHERE c.pos IS NULL ORDER BY %s", strings.Join(names, ", "), ident(t.name), t.sql.clock, t.sql.onKey, strings.Join(names, ", ")), n, func(key []crdt.Value) error {
		for _, v := range key {
			if v.IsNull() {
				return nil
			}
		}
		c, err := e.baseOf(t, key)
		if err != nil {
			return err
		}
		return f(key, c != nil)
	})
}

// missingRows calls f with the keys that a chunk lists and that have neither a row nor a clock row.
func (e *Engine) missingRows(t *table, f func(key []crdt.Value) error) error {
	n := len(t.schema.Key)
	var names, user, clock []string
	for i, k := range t.schema.Key {
		names = append(names, fmt.Sprintf("r.c%d", i))
		user = append(user, fmt.Sprintf("t.%s = r.c%d", ident(k.Name), i))
		clock = append(clock, fmt.Sprintf("c.k%d = r.c%d", i, i))
	}
	sql := fmt.Sprintf("SELECT %s FROM tributary_rows r WHERE NOT EXISTS (SELECT 1 FROM %s t WHERE %s) AND NOT EXISTS (SELECT 1 FROM %s c WHERE %s)",
		strings.Join(names, ", "), ident(t.name), strings.Join(user, " AND "), t.sql.clock, strings.Join(clock, " AND "))
	for _, c := range t.chunks {
		l, err := e.keysOf(t, c)
		if err != nil {
			return err
		}
		var keys [][]crdt.Value
		l.each(func(k []crdt.Value) { keys = append(keys, k) })
		e.conn.SetRows(&Rows{Data: keys})
		gone, err := e.list(sql, n)
		e.conn.SetRows(nil)
		if err != nil {
			return err
		}
		for _, key := range gone {
			if err := f(key); err != nil {
				return err
			}
		}
	}
	return nil
}
