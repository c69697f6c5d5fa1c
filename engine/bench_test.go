package engine_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/tributary-db/tributary/engine"
)

const five = "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b TEXT, c INT, d INT)"

// fill inserts rows from lo on in one transaction.
func fill(r *replica, lo, n int) {
	r.exec(fmt.Sprintf("WITH RECURSIVE g(i) AS (SELECT %d UNION ALL SELECT i+1 FROM g WHERE i < %d) INSERT INTO t SELECT i, 'name of '||i, 'some text '||(i*7), i*3, i%%100 FROM g", lo, lo+n-1))
}

// BenchmarkLocalInsert compares captured inserts, and the fold after them, with a bare table in the same run.
func BenchmarkLocalInsert(b *testing.B) {
	for _, rows := range []int{1000, 100000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			bare := openReplica(b, b.TempDir()+"/bare.db")
			bare.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + five)
			r := newReplicas(b, 1, five)[0]
			r.exec("PRAGMA synchronous=NORMAL")
			var tBare, tCapture, tFold time.Duration
			at := 1
			for b.Loop() {
				t0 := time.Now()
				fill(bare, at, rows)
				t1 := time.Now()
				fill(r, at, rows)
				t2 := time.Now()
				if _, err := r.e.Fold(context.Background()); err != nil {
					b.Fatal(err)
				}
				tBare, tCapture, tFold = tBare+t1.Sub(t0), tCapture+t2.Sub(t1), tFold+time.Since(t2)
				at += rows
			}
			n := float64(at - 1)
			b.ReportMetric(float64(tBare.Nanoseconds())/n, "bare-ns/row")
			b.ReportMetric(float64(tCapture)/float64(tBare), "capture-x")
			b.ReportMetric(float64(tFold)/float64(tBare), "fold-x")
		})
	}
}

// BenchmarkApply compares the merge of packages with upserting the same rows into a bare table.
func BenchmarkApply(b *testing.B) {
	for _, kind := range []string{"fresh", "update-one-column", "delete", "duplicate"} {
		b.Run("kind="+kind, func(b *testing.B) {
			const rows = 20000
			var spent time.Duration
			var bytes, n int
			for b.Loop() {
				b.StopTimer()
				rs := newReplicas(b, 2, five)
				from, to := rs[0], rs[1]
				fill(from, 1, rows)
				sql := map[string]string{"update-one-column": "UPDATE t SET c = c + 1", "delete": "DELETE FROM t"}[kind]
				if sql != "" || kind == "duplicate" {
					sync(b, from, to)
					if sql != "" {
						from.exec(sql)
					}
				}
				var list [][]byte
				since := int64(0)
				if sql != "" {
					since, _ = to.e.PeerCursor(context.Background(), from.e)
				}
				for p, err := range from.e.Pull(context.Background(), engine.PullOptions{Since: since}) {
					if err != nil {
						b.Fatal(err)
					}
					list = append(list, p.Package)
					bytes += len(p.Package)
				}
				b.StartTimer()
				t0 := time.Now()
				for _, p := range list {
					if _, err := to.e.Apply(context.Background(), p, engine.ApplyOptions{}); err != nil {
						b.Fatal(err)
					}
				}
				spent += time.Since(t0)
				n += rows
			}
			b.ReportMetric(float64(n)/spent.Seconds(), "rows/s")
			b.ReportMetric(float64(bytes)/float64(n), "bytes/row")
		})
	}
}

// BenchmarkPull measures handing out fresh rows, and an empty pull with many tables.
func BenchmarkPull(b *testing.B) {
	b.Run("kind=fresh", func(b *testing.B) {
		r := newReplicas(b, 1, five)[0]
		fill(r, 1, 50000)
		r.e.Fold(context.Background())
		n := 0
		for b.Loop() {
			for p, err := range r.e.Pull(context.Background(), engine.PullOptions{}) {
				if err != nil {
					b.Fatal(err)
				}
				n += p.Rows
			}
		}
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
	})
	b.Run("kind=empty/tables=400", func(b *testing.B) {
		schema := ""
		for i := range 400 {
			schema += fmt.Sprintf("CREATE TABLE t%d(id INTEGER PRIMARY KEY, v); INSERT INTO t%d VALUES (1, 1);", i, i)
		}
		r := newReplicas(b, 1, schema)[0]
		cursor := int64(0)
		pull := func(since int64) (n int) {
			for p, err := range r.e.Pull(context.Background(), engine.PullOptions{Since: since}) {
				if err != nil {
					b.Fatal(err)
				}
				cursor = p.Cursor
				n++
			}
			return n
		}
		pull(0)
		for b.Loop() {
			if pull(cursor) != 0 {
				b.Fatal("not empty")
			}
		}
	})
}
