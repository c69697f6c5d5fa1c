package bench

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/tributary-db/tributary/engine"
)

// BenchmarkSize is space: bytes in the file against a table that nobody tracks, after a bulk load and once every site has
// acknowledged it and both have compacted, and bytes on the wire for a fresh row.
func BenchmarkSize(b *testing.B) {
	for _, s := range []shape{five, {"text", 5, 0}, {"blob16", 5, 0}, {"composite", 5, 0}, {"int", 10, 0}} {
		rows := scaled(20000)
		b.Run(fmt.Sprintf("%s/rows=%d", s, rows), func(b *testing.B) {
			for b.Loop() {
				bare := openDatabase(b, b.TempDir()+"/bare.db", s.ddl("t"))
				bare.load(s, "t", 0, rows)
				from, to := pair(b, s.ddl("t"), nil)
				from.load(s, "t", 0, rows)
				captured := from.used()
				from.fold()
				folded := from.used()
				sent := from.pull(engine.PullOptions{})
				to.apply(sent.packages, engine.StateApplied)
				applied := to.used()
				stable := settle(b, from, to)
				floor := float64(bare.used())
				b.ReportMetric(floor/float64(rows), "bare-B/row")
				b.ReportMetric(float64(captured)/floor, "captured-x")
				b.ReportMetric(float64(folded)/floor, "folded-x")
				b.ReportMetric(float64(applied)/floor, "applied-x")
				b.ReportMetric(float64(stable)/floor, "stable-x")
				b.ReportMetric(float64(sent.bytes)/float64(rows), "wire-B/row")
				b.ReportMetric(float64(bare.valueBytes(s))/float64(rows), "values-B/row")
				from.detach()
				from.attach(compressed())
				b.ReportMetric(float64(from.pull(engine.PullOptions{}).bytes)/float64(rows), "zstd-B/row")
				bare.close()
				from.close()
				to.close()
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// settle lets both sites know that both have everything, lets both forget what they may, and returns the size of the first.
func settle(b *testing.B, x, y *replica) int64 {
	b.Helper()
	for range 2 {
		x.sync(y)
		for _, r := range []*replica{x, y} {
			if _, err := r.e.Compact(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	return x.used()
}

// valueBytes is the bare content of all rows: text and blobs by their length, integers as SQLite stores them, no headers.
func (d *database) valueBytes(s shape) (n int64) {
	names, _ := s.keys()
	for _, c := range append(names, s.values()...) {
		n += d.number(fmt.Sprintf(`SELECT sum(CASE typeof(%[1]s) WHEN 'integer' THEN CASE WHEN %[1]s IN (0, 1) THEN 0 WHEN abs(%[1]s) < 128 THEN 1
			WHEN abs(%[1]s) < 32768 THEN 2 WHEN abs(%[1]s) < 8388608 THEN 3 WHEN abs(%[1]s) < 2147483648 THEN 4 ELSE 8 END
			ELSE length(CAST(%[1]s AS BLOB)) END) FROM t`, c))
	}
	return n
}

// BenchmarkMemory is how much more memory the process held at its peak while many rows were pulled and applied than
// before. It needs Linux, whose peak of resident memory can be set back.
func BenchmarkMemory(b *testing.B) {
	for _, kind := range []string{"pull", "apply"} {
		rows := scaled(10000)
		b.Run(fmt.Sprintf("kind=%s/rows=%d", kind, rows), func(b *testing.B) {
			var grown int64
			from := newReplica(b, "from", five.ddl("t"), compressed())
			from.load(five, "t", 0, rows)
			from.fold()
			for b.Loop() {
				var to *replica
				var packages [][]byte
				if kind == "apply" {
					to, packages = newReplica(b, "to", five.ddl("t"), compressed()), from.pull(engine.PullOptions{}).packages
				}
				runtime.GC()
				before, ok := peakMemory()
				if !ok {
					b.Skip("this system does not tell the peak of resident memory: run it on Linux")
				}
				if kind == "apply" {
					to.apply(packages, engine.StateApplied)
				} else {
					for _, err := range from.e.Pull(b.Context(), engine.PullOptions{}) {
						if err != nil {
							b.Fatal(err)
						}
					}
				}
				after, _ := statusKB("VmHWM:")
				grown = max(grown, after-before)
				if to != nil {
					to.close()
				}
			}
			b.ReportMetric(float64(grown)/1024, "peak-MB")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// peakMemory sets the peak back to what is resident now and returns that, in KiB.
func peakMemory() (kb int64, ok bool) {
	// https://www.kernel.org/doc/html/latest/filesystems/proc.html, clear_refs
	if os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) != nil {
		return 0, false
	}
	return statusKB("VmRSS:")
}

func statusKB(field string) (kb int64, ok bool) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, false
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, found := strings.CutPrefix(s.Text(), field); found {
			_, err := fmt.Sscan(rest, &kb)
			return kb, err == nil
		}
	}
	return 0, false
}
