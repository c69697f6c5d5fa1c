package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/tributary-db/tributary/engine"
)

// BenchmarkSync brings two replicas together that differ in a few of many rows: fold, pull, carry and apply, both ways.
func BenchmarkSync(b *testing.B) {
	rows := scaled(4000)
	for _, diff := range []int{1, 100, rows / 10} {
		b.Run(fmt.Sprintf("rows=%d/differences=%d", rows, diff), func(b *testing.B) {
			x, y := pair(b, five.ddl("t"), nil)
			known(x, y, rows)
			y.sync(x)
			var s spent
			for b.Loop() {
				for range max(1, min(10, 100/diff)) { // a short one alone says little
					generation++
					x.write(five, "t", opUpdate, 0, diff, diff)
					s.time(1, func() {
						if got := x.sync(y).AToB.Changed; got != diff {
							b.Fatalf("%d rows changed, want %d", got, diff)
						}
					})
				}
			}
			b.ReportMetric(s.wall.Seconds()*1e3/float64(s.rows), "ms/sync")
			b.ReportMetric(s.perRow()/1e6, "cpu-ms/sync")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkOneRow is the time until one row has reached another replica: committed there with a synced log (FULL), and
// before that named and synced where it was written. Percentiles are of wall time, so the disk is in them.
func BenchmarkOneRow(b *testing.B) {
	from, to := pair(b, five.ddl("t"), nil)
	n, cursor := scaled(50), int64(0)
	var send, apply []time.Duration
	lo := 0
	for b.Loop() {
		for range n {
			from.write(five, "t", opInsert, lo, lo+1, 1)
			t0 := time.Now()
			p := from.pull(engine.PullOptions{Since: cursor})
			t1 := time.Now()
			to.apply(p.packages, engine.StateApplied)
			send, apply = append(send, t1.Sub(t0)), append(apply, time.Since(t1))
			cursor = p.cursor
			lo++
		}
	}
	b.ReportMetric(percentile(send, 50), "send-p50-µs")
	b.ReportMetric(percentile(send, 99), "send-p99-µs")
	b.ReportMetric(percentile(apply, 50), "apply-p50-µs")
	b.ReportMetric(percentile(apply, 99), "apply-p99-µs")
	b.ReportMetric(0, "ns/op")
}

// bootstrapRows is how many rows a new replica gets; TRIBUTARY_BENCH_BOOTSTRAP=1000000 is the figure that counts.
func bootstrapRows(b *testing.B) int {
	text := os.Getenv("TRIBUTARY_BENCH_BOOTSTRAP")
	if text == "" {
		return scaled(10000)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		b.Fatalf("TRIBUTARY_BENCH_BOOTSTRAP=%s: want a number of rows", text)
	}
	return n
}

// BenchmarkBootstrap fills an empty replica: by packages, by a copy with an identity of its own (what the clone command
// does), and, as the floor, by INSERT ... SELECT from an attached database into a table that nobody tracks.
func BenchmarkBootstrap(b *testing.B) {
	rows := bootstrapRows(b)
	from := newReplica(b, "from", five.ddl("t"), compressed())
	from.load(five, "t", 0, rows)
	from.fold()
	run := func(by string, f func(to *spent, dir string)) {
		b.Run(fmt.Sprintf("by=%s/rows=%d", by, rows), func(b *testing.B) {
			var s spent
			for b.Loop() {
				f(&s, b.TempDir())
			}
			s.report(b)
		})
	}
	run("insert-select", func(s *spent, dir string) {
		bare := openDatabase(b, filepath.Join(dir, "bare.db"), five.ddl("t"))
		bare.exec("ATTACH '" + from.path + "' AS source")
		s.time(rows, func() { bare.exec("INSERT INTO t SELECT * FROM source.t") })
		bare.exec("DETACH source")
		bare.close()
	})
	run("packages", func(s *spent, dir string) {
		to := newReplica(b, "to", five.ddl("t"), compressed())
		s.time(rows, func() {
			for p, err := range from.e.Pull(b.Context(), engine.PullOptions{}) {
				if err != nil {
					b.Fatal(err)
				}
				to.apply([][]byte{p.Package}, map[bool]engine.ApplyState{true: engine.StateApplied, false: engine.StatePending}[p.Last || bulk(rows)])
			}
		})
		if got := to.number("SELECT count(*) FROM t"); got != int64(rows) {
			b.Fatalf("%d rows arrived, want %d", got, rows)
		}
		to.close()
	})
	run("clone", func(s *spent, dir string) {
		to := &replica{path: filepath.Join(dir, "to.db")}
		s.time(rows, func() {
			backup, err := from.conn.BackupInit("main", "file:"+to.path)
			if err == nil {
				_, err = backup.Step(-1)
			}
			if err != nil {
				b.Fatal(err)
			}
			if err := backup.Close(); err != nil {
				b.Fatal(err)
			}
			to.database = openDatabase(b, to.path, "")
			to.attach(compressed())
			if _, err := to.e.Remint(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
		if to.e.Site() == from.e.Site() {
			b.Fatal("the clone has the identity of its source")
		}
		to.close()
	})
}

// bulk says that a set is so large that its parts are applied as they come.
func bulk(rows int) bool { return rows > 100000 }
