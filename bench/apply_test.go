package bench

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tributary-db/tributary/engine"
)

// applyCase makes two replicas and the packages that the first has for the second.
type applyCase struct {
	kind    string
	prepare func(from, to *replica, rows int) pulled
	want    engine.ApplyState
}

// known loads rows at one replica and syncs both, so that what follows is news about rows that both have.
func known(from, to *replica, rows int) (cursor int64) {
	from.load(five, "t", 0, rows)
	from.sync(to)
	return from.pull(engine.PullOptions{}).cursor
}

// changed is what one kind of statement on all rows sends.
func changed(o op) func(from, to *replica, rows int) pulled {
	return func(from, to *replica, rows int) pulled {
		since := known(from, to, rows)
		generation++
		from.write(five, "t", o, 0, rows, rows)
		return from.pull(engine.PullOptions{Since: since})
	}
}

var applyCases = []applyCase{
	{"fresh", func(from, to *replica, rows int) pulled {
		from.load(five, "t", 0, rows)
		return from.pull(engine.PullOptions{})
	}, engine.StateApplied},
	{"update-one-column", changed(opUpdate), engine.StateApplied},
	{"update-all-columns", changed(opAll), engine.StateApplied},
	{"delete", changed(opDelete), engine.StateApplied},
	{"losing", func(from, to *replica, rows int) pulled { // the receiver wrote the same column later
		p := changed(opUpdate)(from, to, rows)
		generation++
		to.write(five, "t", opUpdate, 0, rows, rows)
		to.fold()
		return p
	}, engine.StateApplied},
	{"conflict-update", func(from, to *replica, rows int) pulled { // half of the updates win, half lose
		since := known(from, to, rows)
		generation++
		to.write(five, "t", opUpdate, 0, rows/2, rows)
		to.fold()
		from.write(five, "t", opUpdate, 0, rows, rows)
		p := from.pull(engine.PullOptions{Since: since})
		generation++
		to.write(five, "t", opUpdate, rows/2, rows, rows)
		to.fold()
		return p
	}, engine.StateApplied},
	{"conflict-insert", func(from, to *replica, rows int) pulled { // both inserted the same keys
		generation++
		to.write(five, "t", opAll, 0, rows, rows)
		to.fold()
		from.load(five, "t", 0, rows)
		return from.pull(engine.PullOptions{})
	}, engine.StateApplied},
	{"duplicate", func(from, to *replica, rows int) pulled {
		known(from, to, rows)
		return from.pull(engine.PullOptions{})
	}, engine.StateDuplicate},
	{"pending", func(from, to *replica, rows int) pulled { // ten pulls, delivered last first: nine wait
		var out pulled
		for i := range 10 {
			from.load(five, "t", i*rows/10, (i+1)*rows/10)
			p := from.pull(engine.PullOptions{Since: out.cursor})
			out.packages = append(out.packages, p.packages...)
			out.bytes, out.cursor = out.bytes+p.bytes, p.cursor
		}
		slices.Reverse(out.packages)
		return out
	}, engine.StateApplied},
}

// BenchmarkApply merges packages that a second replica made. bare-x, for fresh rows, is the CPU time against a loop that
// upserts the same rows one by one into a table that nobody tracks.
func BenchmarkApply(b *testing.B) {
	for _, c := range applyCases {
		rows := scaled(2000)
		b.Run(fmt.Sprintf("kind=%s/rows=%d", c.kind, rows), func(b *testing.B) {
			var apply, floor spent
			var bytes int
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				from, to := pair(b, five.ddl("t"), nil)
				p := c.prepare(from, to, rows)
				bytes += p.bytes
				if c.kind == "fresh" {
					bare := openDatabase(b, b.TempDir()+"/bare.db", five.ddl("t")+"PRAGMA synchronous = FULL")
					bare.prepare(five.upsertSQL("t"))
					floor.time(rows, func() { bare.write(five, "t", opUpsert, 0, rows, rows) })
					bare.close()
				}
				b.StartTimer()
				apply.time(rows, func() { to.apply(p.packages, c.want) })
				b.StopTimer()
				from.close()
				to.close()
				b.StartTimer()
			}
			apply.report(b)
			b.ReportMetric(float64(bytes)/float64(apply.rows), "wire-B/row")
			if floor.rows > 0 {
				b.ReportMetric(apply.over(&floor), "bare-x")
			}
		})
	}
}
