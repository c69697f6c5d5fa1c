package engine

import (
	"fmt"
	"math"
	"strings"

	"github.com/tributary-db/tributary/crdt"
)

// manyInserts is from how many feed positions on a fold looks whether a table has only got new rows. Looking costs a
// pass over the feed. Tests lower it, so that small histories go this way too.
var manyInserts int64 = 200

// insertChunk is how many feed positions one statement folds, so that progress is seen.
const insertChunk = 100_000

// inserts folds a table into which rows have only been inserted, as by an import: clocks are then a function of the
// feed alone, and SQL computes it. It reports whether it did; if not, nothing has changed.
func (f *folder) inserts(t *table) (done bool, err error) {
	e, n := f.e, len(t.schema.Key)
	if t.byValue && t.base.Version > 0 { // an insert may have replaced a row that others refer to by its old values
		return false, nil
	}
	span, err := e.list("SELECT min(pos), max(pos) FROM tributary_feed", 2)
	if err != nil || len(span) == 0 || span[0][1].Int()-span[0][0].Int() < manyInserts {
		return false, err
	}
	var odd []string
	for i := range n {
		odd = append(odd, fmt.Sprintf("k%d IS NULL", i))
	}
	other, err := e.one(fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM tributary_feed WHERE tbl = ?1 AND (mask IS NOT %d OR %s))", maskInsert, strings.Join(odd, " OR ")), crdt.Int(t.id))
	if err != nil || other.Int() != 0 { // mostly the first entry says so
		return false, err
	}
	feed, err := e.list("SELECT min(pos), max(pos), count(*), max(at) FROM tributary_feed WHERE tbl = ?1", 4, crdt.Int(t.id))
	if err != nil || feed[0][2].Int() < manyInserts {
		return false, err
	}
	first, last, rows := feed[0][0].Int(), feed[0][1].Int(), feed[0][2].Int()
	if t.upto != nil { // rows beyond the end of the base and before it differ
		var upto []string
		for i := range t.upto {
			upto = append(upto, fmt.Sprintf("?%d", i+2))
		}
		within, err := e.one(fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM tributary_feed WHERE tbl = ?1 AND (%s) <= (%s))", keyColumns(n, ""), strings.Join(upto, ", ")),
			append([]crdt.Value{crdt.Int(t.id)}, t.upto...)...)
		if err != nil || within.Int() != 0 {
			return false, err
		}
	}

	k := clock{pos: 1, birth: crdt.Write{Stamp: f.stamp(feed[0][3].Int()), Pos: 1}}
	if t.base.Version > 0 && t.upto == nil { // it may have replaced a base row
		k.deleted = withDeleted(nil, t.base.Dot())
	}
	like, err := e.appendClock(nil, &k) // pos and t differ by row
	if err != nil {
		return false, err
	}
	var shown, on []string
	for i, c := range t.schema.Key {
		shown = append(shown, "t."+ident(c.Name))
		on = append(on, fmt.Sprintf("t.%s = f.k%d", ident(c.Name), i))
	}
	sql := fmt.Sprintf("INSERT INTO %s(%s, %s) SELECT %s, f.pos + ?4, max(min(min(f.at, %d) * %d, ?5), ?6), ?7, ?8, ?9, ?10 FROM tributary_feed f CROSS JOIN %s t ON %s WHERE f.tbl = ?1 AND f.pos > ?2 AND f.pos <= ?3",
		t.sql.clock, keyColumns(n, ""), clockColumns, strings.Join(shown, ", "), crdt.TimeOf(math.MaxInt64).Millis(), crdt.TimeOf(1), ident(t.name), strings.Join(on, " AND "))
	made := int64(0)
	for at := first - 1; at < last; at += insertChunk {
		err := e.run(sql, crdt.Int(t.id), crdt.Int(at), crdt.Int(min(at+insertChunk, last)), crdt.Int(f.pos-first+1),
			crdt.Int(int64(f.now)), crdt.Int(int64(f.floor)), like[2], like[3], like[4], like[5])
		if isCode(err, codeConstraint) { // a row that was there before, or came twice: a REPLACE
			break
		} else if err != nil {
			return false, err
		}
		n, err := e.one("SELECT changes()")
		if err != nil {
			return false, err
		}
		made += n.Int()
		e.prog.report("folding", int64(f.rows)+made, 0)
	}
	if made != rows { // also if a row is gone again, or its key is spelled in several ways
		return false, e.run(fmt.Sprintf("DELETE FROM %s WHERE pos > ?1", t.sql.clock), crdt.Int(f.pos))
	}
	if w := f.touched.table(t); t.enforced() > 0 {
		w.imported = append(w.imported, f.pos)
	}
	f.rows += int(rows)
	f.pos += last - first + 1
	return true, nil
}
