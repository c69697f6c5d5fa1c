package engine

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tributary-db/tributary/crdt"
)

// manyInserts is from how many feed positions on a fold looks whether a table has only got new rows. Looking costs a
// pass over the feed. Tests lower it, so that small histories go this way too.
var manyInserts int64 = 64

// insertChunk is how many feed positions one statement folds, so that progress is seen.
const insertChunk = 100_000

// inserts folds a table into which rows have only been inserted, as by an import. It reports whether it did; if not, nothing
// has changed.
func (f *folder) inserts(t *table) (done bool, err error) {
	e := f.e
	span, err := e.list("SELECT min(pos), max(pos), (SELECT mask FROM tributary_feed WHERE tbl = ?1) FROM tributary_feed", 3, crdt.Int(t.id))
	if err != nil || len(span) == 0 || span[0][1].Int()-span[0][0].Int() < manyInserts || span[0][2].Int() != maskInsert {
		return false, err
	}
	all, err := f.stretches(t, "")
	if err != nil || len(all) != 1 || all[0].odd > 0 || all[0].rows < manyInserts {
		return false, err
	}
	if done, err = f.asBase(t, all[0]); err != nil || done {
		return done, err
	}
	return f.asClocks(t, all[0])
}

// stretch is an import, or the part of it that was written within some seconds.
type stretch struct {
	rows, odd   int64        // entries; how many of them are no insert of a row with a key
	first, last int64        // positions in the feed
	since, at   int64        // the oldest and the newest time
	ends        []crdt.Value // the first and the last key
}

// stretchMillis is for how long rows of an import may share the time of the last of them. They are new rows, so it only
// matters where another replica inserts one of the same keys meanwhile.
const stretchMillis = 10_000

// minStretch is how many rows the stretches of an import have on average, at least.
const minStretch = 100

// stretches measures what the feed has of a table, as a whole or in groups.
func (f *folder) stretches(t *table, group string) (out []stretch, err error) {
	n := len(t.schema.Key)
	odd := fmt.Sprintf("mask IS NOT %d", maskInsert)
	for _, k := range clockKeys(n) {
		odd += " OR " + k + " IS NULL"
	}
	ends := ""
	if n == 1 {
		ends = fmt.Sprintf(", min(%s), max(%[1]s)", t.feedOrder("", ""))
	}
	sql := fmt.Sprintf("SELECT count(*), sum(%s), min(pos), max(pos), min(at), max(at)%s FROM tributary_feed WHERE tbl = ?1%s", odd, ends, group)
	columns := 6
	if n == 1 {
		columns += 2
	}
	err = f.e.each(sql, columns, func(r []crdt.Value) error {
		s := stretch{r[0].Int(), r[1].Int(), r[2].Int(), r[3].Int(), r[4].Int(), r[5].Int(), cloneKey(r[6:])}
		out = append(out, s)
		return nil
	}, crdt.Int(t.id))
	return out, err
}

// asBase makes base rows of an import, if its keys have come in ranges of their own: then nothing has to be written for
// each row. The rows of a stretch share the time of the last of them.
func (f *folder) asBase(t *table, all stretch) (bool, error) {
	e := f.e
	list := []stretch{all}
	if all.at-all.since > stretchMillis {
		var err error
		if list, err = f.stretches(t, fmt.Sprintf(" GROUP BY at / %d", stretchMillis)); err != nil || all.rows/int64(len(list)) < min(minStretch, manyInserts) {
			return false, err
		}
	}
	for n := range list {
		if err := f.measure(t, &list[n]); err != nil {
			return false, err
		}
	}
	k := len(t.schema.Key)
	slices.SortFunc(list, func(a, b stretch) int { return t.compare(a.ends[:k], b.ends[:k]) })
	widest := make([]int64, len(list))
	for n := range list {
		s := &list[n]
		if n > 0 && t.compare(list[n-1].ends[k:], s.ends[:k]) >= 0 {
			return false, nil
		}
		// What is in the range has a clock, is a base row, or has just come. So if the numbers agree, each row there has come
		// once, and is there.
		alone, err := e.unclocked(t, s.ends)
		if err != nil || !alone {
			return false, err
		}
		there, err := e.list(fmt.Sprintf("SELECT count(*), max(%s) FROM %s WHERE %s", t.sizeSQL(), ident(t.name), t.within("", 1)), 2, s.ends...)
		if err != nil || there[0][0].Int() != s.rows {
			return false, err
		}
		widest[n] = there[0][1].Int()
	}
	w := f.touched.table(t)
	for n, s := range list {
		last, rows, err := f.cutStretch(t, s, widest[n])
		if err != nil {
			return false, err
		}
		if rows != s.rows {
			return false, fmt.Errorf("tributary: %s: counted %d rows and read %d", t.name, s.rows, rows)
		}
		f.pos = last
		f.rows += int(rows)
		if t.enforced() > 0 {
			w.imported = append(w.imported, candidates{t.rangeSQL(), [][]crdt.Value{s.ends}})
		}
	}
	return true, nil
}

// cutStretch makes chunks of a stretch. Consecutive integers need not be read for that, unless they are large rows.
func (f *folder) cutStretch(t *table, s stretch, widest int64) (last, rows int64, err error) {
	stamp, pos := f.stamp(s.at), f.pos
	if !oneInt(s.ends[:1]) || len(s.ends) != 2 || s.ends[1].Int()-s.ends[0].Int() != s.rows-1 || widest > chunkBytes/64 {
		return f.e.cut(t, stamp, pos, t.within("", 1), s.ends...)
	}
	each := min(chunkRows, chunkBytes/widest)
	for at := s.ends[0].Int(); rows < s.rows; at += each {
		n := min(each, s.rows-rows)
		rows, pos = rows+n, pos+1
		if err := f.e.addChunk(t, pos, stamp, &keyList{runs: []keyRun{{at, n}}}); err != nil {
			return pos, rows, err
		}
	}
	return pos, rows, nil
}

// measure finds the first and the last key of a stretch.
func (f *folder) measure(t *table, s *stretch) error {
	n := len(t.schema.Key)
	if len(s.ends) == 2*n {
		return nil
	}
	for _, direction := range []string{"", " DESC"} {
		r, err := f.e.list(fmt.Sprintf("SELECT %s FROM tributary_feed WHERE tbl = ?1 AND pos BETWEEN ?2 AND ?3 ORDER BY %s LIMIT 1",
			keyColumns(n, ""), t.feedOrder("", direction)), n, crdt.Int(t.id), crdt.Int(s.first), crdt.Int(s.last))
		if err != nil || len(r) == 0 {
			return cmp.Or(err, errClock)
		}
		s.ends = append(s.ends, r[0]...)
	}
	return nil
}

// unclocked says whether no row of a range has a clock and none is a base row: ends are its first and its last key.
func (e *Engine) unclocked(t *table, ends []crdt.Value) (bool, error) {
	k := len(t.schema.Key)
	if t.overlaps(ends[:k], ends[k:]) {
		return false, nil
	}
	clocked, err := e.anyClock(t, ends)
	return !clocked, err
}

// anyClock says whether some row of a range has a clock row.
func (e *Engine) anyClock(t *table, ends []crdt.Value) (bool, error) {
	v, err := e.one(fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM %s WHERE %s)", t.sql.clock, between(clockKeys(len(t.schema.Key)), 1)), ends...)
	return v.Int() != 0, err
}

// asClocks gives each row of an import a clock row. Clocks are a function of the feed alone then, and SQL computes it.
func (f *folder) asClocks(t *table, all stretch) (done bool, err error) {
	e, n := f.e, len(t.schema.Key)
	first, last, rows := all.first, all.last, all.rows
	if replaced, err := f.replacesBase(t); err != nil || replaced {
		return false, err
	}
	k := clock{pos: 1, birth: crdt.Write{Stamp: f.stamp(all.at), Pos: 1}}
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
		w.imported = append(w.imported, candidates{from: t.writtenAfter(f.pos)})
	}
	f.rows += int(rows)
	f.pos += last - first + 1
	return true, nil
}

// writtenAfter are the rows whose clocks have later positions.
func (t *table) writtenAfter(pos int64) string {
	return fmt.Sprintf("%s c INDEXED BY %[1]s_pos CROSS JOIN %s t ON %s AND c.pos > %d", t.sql.clock, ident(t.name), t.sql.onKey, pos)
}

// replacesBase says whether the feed has keys of base rows: they have been replaced.
func (f *folder) replacesBase(t *table) (found bool, err error) {
	if len(t.chunks) == 0 {
		return false, nil
	}
	n := len(t.schema.Key)
	err = f.e.each(fmt.Sprintf("SELECT %s FROM tributary_feed WHERE tbl = ?1 ORDER BY %s", keyColumns(n, ""), t.feedOrder("", "")), n, func(key []crdt.Value) error {
		if found {
			return nil
		}
		base, err := f.e.baseOf(t, key)
		found = base != nil
		return err
	}, crdt.Int(t.id))
	return found, err
}
