package engine

import (
	"slices"

	"github.com/tributary-db/tributary/crdt"
)

// write stores what decide has queued: clocks, then deletes, inserts and updates of the user's rows.
func (b *batch) write() error {
	e := b.a.e
	if err := e.runRows(b.out, b.t.sql.upsert); err != nil {
		return err
	}
	return e.quietly(b.t, func() error {
		if err := e.runRows(b.deletes, b.t.sql.remove); err != nil {
			return err
		}
		for _, k := range b.deletes {
			b.a.touched.delete(b.t, k)
		}
		if err := b.writeRows(b.inserts, b.t.insertSQL); err != nil {
			return err
		}
		return b.writeRows(b.updates, b.t.updateSQL)
	})
}

// writeRows writes rows with one statement for each set of columns. If a constraint refuses any, the set is placed row
// by row instead, which finds out which row has to give way.
func (b *batch) writeRows(list []rowWrite, sql func([]int) string) error {
	e := b.a.e
	for len(list) > 0 {
		cols := list[0].cols
		var same, rest []rowWrite
		for _, w := range list {
			if w.cols.Equal(cols) {
				same = append(same, w)
			} else {
				rest = append(rest, w)
			}
		}
		list = rest
		ords := ordinals(cols)
		rows := make([][]crdt.Value, len(same))
		for i, w := range same {
			rows[i] = append(make([]crdt.Value, 0, len(w.key)+len(ords)), w.key...)
			for _, c := range ords {
				v, _ := w.vals.Value(c)
				rows[i] = append(rows[i], v)
			}
			b.a.touched.upsert(b.t, w.key, true)
		}
		err := e.runRows(rows, sql(ords))
		if isCode(err, codeConstraint) {
			err = b.carefully(same)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// carefully takes all rows of a refused statement out of the table, so that values which rows exchange are free, and
// places them one by one in the order of their births.
func (b *batch) carefully(list []rowWrite) error {
	e := b.a.e
	var all []*hidden
	for _, w := range list {
		h := &hidden{t: b.t, key: w.key, inc: w.inc}
		if err := e.loadValues(h); err != nil {
			return err
		}
		w.cols.Each(func(i int) {
			v, _ := w.vals.Value(i)
			h.inc.SetValue(i, v.Clone())
		})
		all = append(all, h)
	}
	for _, h := range all {
		if err := e.runRows([][]crdt.Value{h.key}, b.t.sql.remove); err != nil {
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

// loadValues reads a row's values from the user's table; a row that is not there has none.
func (e *Engine) loadValues(h *hidden) error {
	cols := ordinals(h.t.live())
	n := len(h.t.schema.Key)
	row := [][]crdt.Value{h.key}
	e.conn.SetRows(&Rows{Data: row})
	defer e.conn.SetRows(nil)
	sql := h.t.selectSQL(cols)
	return e.each(sql, 1+n+len(cols), func(r []crdt.Value) error {
		for i := range n {
			h.key[i] = r[1+i].Clone()
		}
		for i, c := range cols {
			h.inc.SetValue(c, r[1+n+i].Clone())
		}
		return nil
	})
}

// quietly runs f, which writes to the user's table, without capturing it as a local change. Triggers of the user run,
// so that full-text indexes and the like stay true, unless they write to tracked tables: those effects come with the
// changes of their origin, and would be made twice.
func (e *Engine) quietly(t *table, f func() error) (err error) {
	depth, err := e.one("SELECT applying FROM tributary_state")
	if err != nil {
		return err
	}
	set := func(n int64) error { return e.run("UPDATE tributary_state SET applying = ?1", crdt.Int(n)) }
	if err := set(depth.Int() + 1); err != nil {
		return err
	}
	defer func() {
		if rerr := set(depth.Int()); err == nil {
			err = rerr
		}
	}()
	if e.writesTracked(t) {
		was, err := e.conn.EnableTriggers(false)
		if err != nil {
			return err
		}
		defer e.conn.EnableTriggers(was)
	}
	return f()
}

func (e *Engine) writesTracked(t *table) bool {
	for _, g := range t.schema.Triggers {
		for _, w := range g.Writes {
			if e.tracked(w) != nil {
				return true
			}
		}
	}
	return false
}
