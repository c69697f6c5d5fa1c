package engine

import (
	"math"
	"slices"

	"github.com/tributary-db/tributary/crdt"
)

// write stores what decide has queued: clocks, then deletes, inserts and updates of the user's rows.
func (b *batch) write() error {
	e := b.a.e
	if err := e.runRows(b.out, b.t.sql.upsert); err != nil {
		return err
	}
	return e.quietly(b.t, len(b.deletes)+len(b.inserts)+len(b.updates), func() error {
		if err := b.removeRows(); err != nil {
			return err
		}
		for _, k := range b.deletes {
			b.a.touched.delete(b.t, k)
		}
		return b.writeRows()
	})
}

// minRemoved is from how many rows on it pays to remove them by their bounds. Tests lower it.
var minRemoved = 16

// removeRows deletes rows of the user. Integers without a gap, such as those of old rows that are cleared away, go by the first
// and the last: whatever has a key between them goes too, so none has to be looked up.
func (b *batch) removeRows() error {
	e, t, rest := b.a.e, b.t, b.deletes
	if t.schema.RowidKey && len(t.schema.Triggers) == 0 {
		rest = emptied(b.shown)
		for left := b.deletes; len(left) > 0; {
			n := integersOf(left)
			if n < minRemoved {
				rest = append(rest, left[:n]...)
			} else if err := e.run(t.sql.removeRun, left[0][0], left[n-1][0]); err != nil {
				return err
			}
			left = left[n:]
		}
		b.shown = rest
	}
	return e.writeUser(t, rest, t.sql.remove)
}

// integersOf is how many keys at the beginning of a list are integers each one more than the one before.
func integersOf(keys [][]crdt.Value) int {
	n := 1
	for oneInt(keys[n-1]) && n < len(keys) && oneInt(keys[n]) && keys[n-1][0].Int() < math.MaxInt64 && keys[n][0].Int() == keys[n-1][0].Int()+1 {
		n++
	}
	return n
}

// writeRows inserts and updates rows with one statement for each set of columns. Once a constraint or a trigger refuses any, all
// that are left are placed row by row, which finds out which row has to give way: the statements that follow could
// otherwise meet rows that have just been set aside.
func (b *batch) writeRows() error {
	inserts := len(b.inserts)
	b.inserts = append(b.inserts, b.updates...)
	left := b.inserts
	for i := range left {
		b.a.touched.upsert(b.t, left[i].key, true)
	}
	for len(left) > 0 {
		sql, cols := b.t.updateSQL, left[0].cols
		n := len(left)
		if inserts > 0 {
			sql, n = b.t.insertSQL, inserts
		}
		same := stablePartition(left[:n], func(w *rowWrite) bool { return w.cols.Equal(cols) })
		ords := ordinals(cols)
		b.shown = sized(emptied(b.shown), same)
		for i := range b.shown {
			w := &left[i]
			row := append(b.row(len(w.key)+len(ords)), w.key...)
			for _, c := range ords {
				v, _ := w.vals.Value(c)
				row = append(row, v)
			}
			b.shown[i] = row
		}
		err := b.a.e.runRows(b.shown, sql(ords))
		if isCode(err, codeConstraint) || b.t.triggersMayFail(err) {
			return b.carefully(left)
		} else if err != nil {
			return err
		}
		left = left[same:]
		inserts = max(0, inserts-same)
	}
	return nil
}

// stablePartition moves the rows that match to the front and returns their number.
func stablePartition(list []rowWrite, match func(*rowWrite) bool) int {
	first := 0
	for first < len(list) && match(&list[first]) {
		first++
	}
	yes, no := first, []rowWrite(nil)
	for i := first; i < len(list); i++ {
		if match(&list[i]) {
			list[yes] = list[i]
			yes++
		} else {
			no = append(no, list[i])
		}
	}
	copy(list[yes:], no)
	return yes
}

// carefully takes all rows of a refused statement out of the table, so that values which rows exchange are free, and
// places them one by one in the order of their births.
func (b *batch) carefully(list []rowWrite) error {
	e := b.a.e
	var all []*hidden
	for _, w := range list {
		h := &hidden{t: b.t, key: w.key, inc: crdt.Incarnation{Birth: w.birth, Newer: w.newer}}
		if _, err := e.loadValues(h); err != nil { // an insert is not there yet
			return err
		}
		w.cols.Each(func(i int) {
			v, _ := w.vals.Value(i)
			h.inc.SetValue(i, v.Clone())
		})
		all = append(all, h)
	}
	for _, h := range all {
		if err := e.writeUser(b.t, [][]crdt.Value{h.key}, b.t.sql.remove); err != nil {
			return err
		}
	}
	slices.SortFunc(all, byBirth)
	for _, h := range all {
		if err := e.show(h, b.a.touched); err != nil {
			return err
		}
	}
	return nil
}

// loadValues reads a row's values from the user's table and says whether it is there.
func (e *Engine) loadValues(h *hidden) (found bool, err error) {
	cols := ordinals(h.t.live())
	n := len(h.t.schema.Key)
	row := [][]crdt.Value{h.key}
	e.conn.SetRows(&Rows{Data: row})
	defer e.conn.SetRows(nil)
	sql := h.t.selectSQL(cols)
	err = e.each(sql, 1+n+len(cols), func(r []crdt.Value) error {
		found = true
		for i := range n {
			h.key[i] = r[1+i].Clone()
		}
		for i, c := range cols {
			h.inc.SetValue(c, r[1+n+i].Clone())
		}
		return nil
	})
	return found, err
}
