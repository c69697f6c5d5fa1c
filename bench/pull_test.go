package bench

import (
	"fmt"
	"testing"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// BenchmarkPull hands out packages: everything, what came since a cursor (one row in a hundred), and nothing.
func BenchmarkPull(b *testing.B) {
	rows := scaled(4000)
	for _, c := range []struct {
		name string
		z    crdt.Compressor
	}{{"off", nil}, {"on", compressed()}} {
		b.Run(fmt.Sprintf("kind=fresh/zstd=%s/rows=%d", c.name, rows), func(b *testing.B) {
			r := newReplica(b, "r", five.ddl("t"), c.z)
			r.load(five, "t", 0, rows)
			r.fold()
			pullAll(b, r, 0, rows)
		})
	}
	b.Run(fmt.Sprintf("kind=since/rows=%d/of=%d", rows/100, rows), func(b *testing.B) {
		r := newReplica(b, "r", five.ddl("t"), nil)
		r.load(five, "t", 0, rows)
		r.fold()
		since := r.pull(engine.PullOptions{}).cursor
		generation++
		r.write(five, "t", opUpdate, 0, rows/100, rows)
		r.fold()
		pullAll(b, r, since, rows/100)
	})
	for _, n := range []int{1, 400} {
		ddl := tables(n)
		r := newReplica(b, "r", ddl, nil)
		each := max(rows/n, 1)
		for i := range n {
			r.load(five, fmt.Sprint("t", i), 0, each)
		}
		r.fold()
		if n > 1 {
			b.Run(fmt.Sprintf("kind=fresh/zstd=off/rows=%d/tables=%d", each*n, n), func(b *testing.B) { pullAll(b, r, 0, each*n) })
		}
		b.Run(fmt.Sprintf("kind=empty/tables=%d", n), func(b *testing.B) {
			since := r.pull(engine.PullOptions{}).cursor
			r.pull(engine.PullOptions{Since: since})
			const pulls = 100 // one alone is too short for the clock
			var pull spent
			for b.Loop() {
				pull.time(pulls, func() {
					for range pulls {
						if got := r.pull(engine.PullOptions{Since: since}).rows; got != 0 {
							b.Fatalf("%d rows, want none", got)
						}
					}
				})
			}
			b.ReportMetric(pull.wall.Seconds()*1e6/float64(pull.rows), "µs/pull")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func pullAll(b *testing.B, r *replica, since int64, rows int) {
	b.Helper()
	var pull spent
	var bytes int
	b.ReportAllocs()
	for b.Loop() {
		pull.time(rows, func() {
			p := r.pull(engine.PullOptions{Since: since})
			if p.rows != rows {
				b.Fatalf("pulled %d rows, want %d", p.rows, rows)
			}
			bytes += p.bytes
		})
	}
	pull.report(b)
	b.ReportMetric(float64(bytes)/float64(pull.rows), "wire-B/row")
}

// BenchmarkCodec is the bytes of packages alone, without SQLite: those that a pull of fresh rows made.
func BenchmarkCodec(b *testing.B) {
	rows := scaled(2000)
	for _, c := range []struct {
		name string
		z    crdt.Compressor
	}{{"off", nil}, {"on", compressed()}} {
		b.Run(fmt.Sprintf("zstd=%s/rows=%d", c.name, rows), func(b *testing.B) {
			r := newReplica(b, "r", five.ddl("t"), c.z)
			r.load(five, "t", 0, rows)
			list := r.pull(engine.PullOptions{}).packages
			var decoded []*crdt.Package
			for _, p := range list {
				d, err := crdt.DecodePackage(p, c.z, crdt.DefaultLimits())
				if err != nil {
					b.Fatal(err)
				}
				decoded = append(decoded, d)
			}
			b.Run("dir=encode", func(b *testing.B) {
				var s spent
				var buf []byte
				b.ReportAllocs()
				for b.Loop() {
					s.time(rows, func() {
						for _, d := range decoded {
							var err error
							if buf, err = d.Append(buf[:0], c.z); err != nil {
								b.Fatal(err)
							}
						}
					})
				}
				s.report(b)
			})
			b.Run("dir=decode", func(b *testing.B) {
				var s spent
				b.ReportAllocs()
				for b.Loop() {
					s.time(rows, func() {
						for _, p := range list {
							if _, err := crdt.DecodePackage(p, c.z, crdt.DefaultLimits()); err != nil {
								b.Fatal(err)
							}
						}
					})
				}
				s.report(b)
			})
		})
	}
}
