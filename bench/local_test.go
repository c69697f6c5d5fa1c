package bench

import (
	"fmt"
	"testing"
)

// BenchmarkLocal is what a tracked table costs the program that writes to it, against a table that nobody tracks, with
// the same prepared statements in the same run. capture-x is the triggers alone, total-x with the fold that follows.
func BenchmarkLocal(b *testing.B) {
	type variant struct {
		shape
		tx int
	}
	variants := []variant{
		{five, 1000},
		{five, 1},
		{shape{"text", 5, 0}, 1000},
		{shape{"blob16", 5, 0}, 1000},
		{shape{"composite", 5, 0}, 1000},
		{shape{"int", 10, 0}, 1000},
		{shape{"int", 5, 2}, 1000},
	}
	for _, o := range []op{opInsert, opUpdate, opDelete} {
		for _, v := range variants {
			b.Run(fmt.Sprintf("op=%s/%s/tx=%d", o, v.shape, v.tx), func(b *testing.B) { local(b, o, v.shape, v.tx) })
		}
	}
}

func local(b *testing.B, o op, s shape, tx int) {
	rows := scaled(1000)
	if tx == 1 {
		rows = scaled(100)
	}
	bare := openDatabase(b, b.TempDir()+"/bare.db", s.ddl("t"))
	r := newReplica(b, "tracked", s.ddl("t"), nil)
	if o != opInsert { // a table with some rows, all of which one iteration changes
		bare.load(s, "t", 0, rows)
		r.load(s, "t", 0, rows)
		r.fold()
	}
	bare.write(s, "t", opDelete, -1, 0, 1) // prepares nothing that is measured, but warms the files
	r.write(s, "t", opDelete, -1, 0, 1)
	var floor, capture, fold spent
	lo := 0
	for b.Loop() {
		if o == opUpdate {
			generation++
		}
		floor.time(rows, func() { bare.write(s, "t", o, lo, lo+rows, tx) })
		capture.time(rows, func() { r.write(s, "t", o, lo, lo+rows, tx) })
		fold.time(rows, func() {
			if got := r.fold().Rows; got != rows {
				b.Fatalf("folded %d rows, want %d", got, rows)
			}
		})
		switch o {
		case opInsert:
			lo += rows
		case opDelete:
			bare.load(s, "t", lo, lo+rows)
			r.load(s, "t", lo, lo+rows)
			r.fold()
		}
	}
	b.ReportMetric(floor.perRow(), "bare-cpu-ns/row")
	b.ReportMetric(capture.over(&floor), "capture-x")
	b.ReportMetric(fold.over(&floor), "fold-x")
	b.ReportMetric(capture.over(&floor)+fold.over(&floor), "total-x")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkFold is the fold alone: many captured rows become one version.
func BenchmarkFold(b *testing.B) {
	for _, o := range []op{opInsert, opUpdate, opDelete} {
		b.Run(fmt.Sprintf("op=%s/rows=%d", o, scaled(2000)), func(b *testing.B) {
			rows := scaled(2000)
			var fold spent
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				r := newReplica(b, "r", five.ddl("t"), nil)
				if o != opInsert {
					r.load(five, "t", 0, rows)
					r.fold()
				}
				generation++
				r.write(five, "t", o, 0, rows, rows)
				b.StartTimer()
				fold.time(rows, func() { r.fold() })
				b.StopTimer()
				r.close()
				b.StartTimer()
			}
			fold.report(b)
		})
	}
}
