package crdt

import (
	"fmt"
	"testing"
)

func BenchmarkEncode(b *testing.B) {
	for _, n := range []int{1000} {
		b.Run(fmt.Sprint("rows=", n), func(b *testing.B) {
			p := freshRows(n)
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf, _ = p.Append(buf[:0], nil)
			}
			b.SetBytes(int64(len(buf)))
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, n := range []int{1000} {
		for name, p := range map[string]*Package{"": freshRows(n), "/times=shuffled": shuffled(freshRows(n))} {
			b.Run(fmt.Sprint("rows=", n, name), func(b *testing.B) {
				buf := encode(b, p, nil)
				b.ReportAllocs()
				b.SetBytes(int64(len(buf)))
				for b.Loop() {
					if _, err := DecodePackage(buf, nil, Limits{}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}

func BenchmarkMerge(b *testing.B) {
	insert := freshRows(1).Rows[0]
	update := RowChange{Lives: []LiveChange{{Incarnation: Incarnation{
		Birth:  insert.Lives[0].Birth,
		Newer:  []CellGroup{{Columns(1), Write{Stamp: Stamp{TimeOf(1_800_000_000_000), site(2), 9}}}},
		Has:    Columns(1),
		Values: []Value{Null(), Int(5)},
	}}}}
	for name, changes := range map[string][]RowChange{
		"insert": {insert}, "duplicate": {insert, insert}, "update": {insert, update},
	} {
		b.Run("change="+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var r Row
				for i := range changes {
					if _, err := r.MergeChange(&changes[i]); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
