package engine

import (
	"fmt"
	"strings"

	"github.com/tributary-db/tributary/crdt"
)

// alike is a part of the feed that says the same of rows of one table: the same columns updated, or a delete, at the same
// time. Their clocks differ in what they were before, and for base rows of one chunk not even in that. So SQL computes them
// from the feed, and no row is read into memory.
type alike struct {
	mask, at    int64
	first, last int64  // positions in the feed
	chunk       *chunk // in whose range the keys are; nil: in none
}

// minAlike is how many entries such parts have on average, at least: each takes some statements.
var minAlike int64 = 8

// alikes folds updates and deletes of a table to which nothing else has happened. What is left in the feed, because the
// clocks are not simple enough, has to be folded row by row. It reports whether nothing is.
func (f *folder) alikes(t *table) (done bool, err error) {
	e := f.e
	if t.encoding != "UTF-8" { // SQL puts blobs together as if they were texts
		return false, nil
	}
	for _, k := range t.schema.Key {
		if k.Collation != "" && !strings.EqualFold(k.Collation, "BINARY") { // the feed has no collations
			return false, nil
		}
	}
	list, err := f.findAlikes(t)
	if err != nil || len(list) == 0 {
		return false, err
	}
	before, offset, made := f.pos, f.pos-list[0].first+1, int64(0)
	for _, a := range list {
		n, err := f.foldAlike(t, a, offset, before)
		if err != nil {
			return false, err
		}
		made += n
		e.prog.report("folding", int64(f.rows)+made, 0)
	}
	f.pos = list[len(list)-1].last + offset
	f.rows += int(made)
	if err := f.touchAlikes(t, list, before); err != nil {
		return false, err
	}
	if made == list[len(list)-1].last-list[0].first+1 { // one for each, and no other table's
		return true, nil
	}
	entries, err := e.one("SELECT count(*) FROM tributary_feed WHERE tbl = ?1", crdt.Int(t.id))
	if err != nil || made == entries.Int() {
		return err == nil, err
	}
	return false, e.run(fmt.Sprintf("DELETE FROM tributary_feed WHERE tbl = ?1 AND EXISTS (SELECT 1 FROM %s c WHERE c.pos = tributary_feed.pos + ?2)", t.sql.clock),
		crdt.Int(t.id), crdt.Int(offset))
}

// findAlikes divides what the feed has of a table. It gives nothing if there are inserts or entries that only say to look at
// a row, for which one must look, or if the parts are too small.
func (f *folder) findAlikes(t *table) (list []alike, err error) {
	e, n := f.e, len(t.schema.Key)
	newest, err := e.one("SELECT max(pos) FROM tributary_feed")
	if err != nil {
		return nil, err
	}
	next := fmt.Sprintf("SELECT pos, mask, at, %s FROM tributary_feed WHERE tbl = ?1", keyColumns(n, ""))
	row, err := e.list(next+" ORDER BY pos LIMIT 1", 3+n, crdt.Int(t.id))
	if err != nil || len(row) == 0 || newest.Int()-row[0][0].Int() < manyInserts-1 {
		return nil, err
	}
	for len(row) > 0 {
		pos, mask, at, key := row[0][0].Int(), row[0][1], row[0][2], row[0][3:]
		if mask.Kind() != crdt.KindInt || mask.Int() != maskDelete && mask.Int() <= maskTouch || !t.names(key) {
			return nil, nil
		}
		a := alike{mask: mask.Int(), at: at.Int(), first: pos, last: newest.Int(), chunk: t.chunkAround(key)}
		cond, args := t.besides(key, 5)
		row, err = e.list(next+" AND pos > ?2 AND NOT (mask IS ?3 AND at IS ?4"+cond+") ORDER BY pos LIMIT 1", 3+n,
			append([]crdt.Value{crdt.Int(t.id), crdt.Int(pos), mask, at}, args...)...)
		if err != nil {
			return nil, err
		}
		if len(row) > 0 {
			a.last = row[0][0].Int() - 1
		}
		list = append(list, a)
		last := len(row) == 0
		if few := (a.last-list[0].first+1)/int64(len(list)) < minAlike; few && (last || len(list) > 32) {
			return nil, nil
		}
	}
	return list, nil
}

// besides is the condition that a key of the feed lies in the chunk in which another one does, or between the same two. Its
// parameters begin with ?n.
func (t *table) besides(key []crdt.Value, n int) (cond string, args []crdt.Value) {
	columns := clockKeys(len(key))
	side := func(op string, bound []crdt.Value) {
		var params []string
		for range bound {
			params = append(params, fmt.Sprintf("?%d", n+len(args)+len(params)))
		}
		cond += fmt.Sprintf(" AND (%s) %s (%s)", strings.Join(columns, ", "), op, strings.Join(params, ", "))
		args = append(args, bound...)
	}
	if c := t.chunkAround(key); c != nil {
		side(">=", c.lo)
		side("<=", c.hi)
		return cond, args
	}
	i := t.chunkFrom(key)
	if i > 0 {
		side(">", t.chunks[i-1].hi)
	}
	if i < len(t.chunks) {
		side("<", t.chunks[i].lo)
	}
	return cond, args
}

// foldAlike writes the clocks of one part: the entry at a position of the feed gets that and offset. Clocks at positions
// after before were written by this fold. It returns how many it wrote.
func (f *folder) foldAlike(t *table, a alike, offset, before int64) (int64, error) {
	if a.chunk != nil && a.mask == maskDelete && a.chunk.stamp.Time == 0 && a.chunk.stamp.Version+1 >= f.version {
		return 0, nil // perhaps the row went before this fold has made the chunk, and is not in it
	}
	e := f.e
	w := crdt.Write{Stamp: f.stamp(a.at), Pos: before + 1} // any position: where it stands for that of the row, it is not written
	var k clock
	if a.chunk != nil {
		k = a.chunk.clock()
	}
	k.pos = w.Pos
	sql, args := "", []crdt.Value(nil)
	if a.mask == maskDelete {
		sql, args = t.deleteAlike(a.chunk != nil), make([]crdt.Value, 2)
		if a.chunk != nil {
			site, err := e.ordinal(k.birth.Site)
			if err != nil {
				return 0, err
			}
			k.deleted = withDeleted(nil, k.birth.Dot())
			args = []crdt.Value{crdt.Int(site), crdt.Int(int64(k.birth.Version))}
		}
		k.birth, k.dead = w, true
	} else {
		var cols crdt.ColumnSet
		if err := addMask(&cols, crdt.Int(a.mask)); err != nil {
			return 0, err
		}
		if cols = cols.Intersect(t.live()); cols.IsEmpty() {
			return 0, nil
		}
		k.newer = []crdt.CellGroup{{Columns: cols, Write: w}}
		cells, err := e.appendCells(nil, 0, k.newer, w.Pos)
		if err != nil {
			return 0, err
		}
		groups, head, all := cells[1:], cols.AppendBinary([]byte{1}), int64(0) // without the position of the insert
		if cols.Len() == len(t.columns) {
			all = 1
		}
		sql, args = t.updateAlike(a.chunk != nil), []crdt.Value{crdt.Blob(groups), crdt.Blob(head), crdt.Int(int64(len(head))), crdt.Int(all)}
	}
	row := make([]crdt.Value, clockWidth)
	if a.chunk != nil || k.dead {
		var err error
		if row, err = e.appendClock(row[:0], &k); err != nil {
			return 0, err
		}
	}
	args = append([]crdt.Value{crdt.Int(t.id), crdt.Int(a.first), crdt.Int(a.last), crdt.Int(offset), crdt.Int(before), bytesInOrder}, append(row[1:], args...)...)
	if err := e.run(sql, args...); err != nil {
		return 0, err
	}
	n, err := e.one("SELECT changes()")
	return n.Int(), err
}

// Parameters of the two statements: 1 to 3 say which entries, 4 is added to their positions, 5 is the last position before
// this fold, 6 has the bytes in order. 7 to 11 are the clock of what was a base row, without its position.

// updateAlike makes or changes clocks of rows that were updated. 12 are the groups of cells, 13 how they begin, 14 in how
// many bytes, 15 whether all columns are in them. A clock with other groups, or of a row that is not shown as it is, is left.
func (t *table) updateAlike(base bool) string {
	// With the position of the insert, cells begin; it takes some bytes.
	var may, cells strings.Builder
	for n := 1; n <= 4; n++ {
		rest := "cells"
		if n > 1 {
			rest = fmt.Sprintf("substr(cells, %d)", n)
		}
		fmt.Fprintf(&may, " WHEN %s < X'80' THEN ?15 OR substr(cells, %d, ?14) = ?13", rest, n+1)
		fmt.Fprintf(&cells, " WHEN %s < X'80' THEN substr(cells, 1, %d)", rest, n)
	}
	return t.foldAlikeSQL(base, "c.t, c.site, c.version, NULL, NULL", fmt.Sprintf("CROSS JOIN %s t ON %s", ident(t.name), t.onFeed()), "true",
		"cells = CAST(CASE WHEN cells IS NULL THEN "+varintSQL("pos")+cells.String()+" END || ?12 AS BLOB)",
		"(presence IS NULL OR substr(presence, 1, 1) = X'00') AND CASE WHEN cells IS NULL THEN pos < "+varintLimit+may.String()+" END")
}

// deleteAlike makes tombstones of rows that are gone. 12 and 13 are site and version of what was a base row.
func (t *table) deleteAlike(base bool) string {
	return t.foldAlikeSQL(base, "?7, ?8, ?9, NULL, NULL", "", fmt.Sprintf("NOT EXISTS (SELECT 1 FROM %s t WHERE %s)", ident(t.name), t.onFeed()),
		"t = excluded.t, site = excluded.site, version = excluded.version, cells = NULL, presence = CASE WHEN version = ?13 AND site = ?12 THEN ?10 ELSE CAST(X'0101' || substr(?6, site + 1, 1) || "+varintSQL("version")+" AS BLOB) END",
		"presence IS NULL AND site < 128 AND version < "+varintLimit)
}

// onFeed joins rows t with entries f of the feed.
func (t *table) onFeed() string {
	var on []string
	for i, name := range t.keyNames("t.") {
		on = append(on, fmt.Sprintf("%s = f.k%d", name, i))
	}
	return strings.Join(on, " AND ")
}

// foldAlikeSQL is the statement of a part, which joins the feed and filters it. A row that is in no chunk must have a clock,
// which the statement then reads; known are columns of it.
func (t *table) foldAlikeSQL(base bool, known, join, filter, set, where string) string {
	n := len(t.schema.Key)
	for i, k := range t.schema.Key {
		if !t.schema.RowidKey && !k.NotNull {
			filter += fmt.Sprintf(" AND f.k%d IS NOT NULL", i)
		}
	}
	values := "?7, ?8, ?9, ?10, ?11"
	if !base {
		var on []string
		for _, k := range clockKeys(n) {
			on = append(on, fmt.Sprintf("c.%s = f.%[1]s", k))
		}
		join += fmt.Sprintf(" CROSS JOIN %s c ON %s", t.sql.clock, strings.Join(on, " AND "))
		values = known
	}
	return fmt.Sprintf("INSERT INTO %s(%s, %s) SELECT %s, f.pos + ?4, %s FROM tributary_feed f %s WHERE f.tbl = ?1 AND f.pos >= ?2 AND f.pos <= ?3 AND %s ON CONFLICT (%s) DO UPDATE SET pos = excluded.pos, %s WHERE pos <= ?5 AND %s",
		t.sql.clock, keyColumns(n, ""), clockColumns, keyColumns(n, "f."), values, join, filter, keyColumns(n, ""), set, where)
}

// varintLimit is what varintSQL can write.
const varintLimit = "268435456"

// varintSQL is a number as the bytes of a varint. SQL has no function that makes a byte, but can cut one out.
func varintSQL(x string) string {
	var b strings.Builder
	b.WriteString("CASE")
	done := ""
	for n := range 4 {
		septet := fmt.Sprintf("(%s >> %d)", x, 7*n)
		fmt.Fprintf(&b, " WHEN %s < %d THEN %ssubstr(?6, %s + 1, 1)", x, 1<<(7*(n+1)), done, septet)
		done += "substr(?6, (" + septet + " & 127) + 129, 1) || "
	}
	return b.String() + " END"
}

var bytesInOrder = func() crdt.Value {
	var b [256]byte
	for i := range b {
		b[i] = byte(i)
	}
	return crdt.Blob(b[:])
}()

// touchAlikes notes what a constraint may ask for: rows at positions after before, and keys of the feed.
func (f *folder) touchAlikes(t *table, list []alike, before int64) error {
	w := f.touched.table(t)
	deletes, updates := false, false
	for _, a := range list {
		deletes, updates = deletes || a.mask == maskDelete, updates || a.mask != maskDelete
	}
	if updates && t.enforced() > 0 {
		w.imported = append(w.imported, candidates{from: t.writtenAfter(before)})
	}
	if !(deletes && t.parent || updates && t.byValue) {
		return nil
	}
	n := len(t.schema.Key)
	return f.e.each(fmt.Sprintf("SELECT %s FROM tributary_feed WHERE tbl = ?1", keyColumns(n, "")), n, func(key []crdt.Value) error {
		w.deletes = append(w.deletes, cloneKey(key))
		return nil
	}, crdt.Int(t.id))
}
