package bench

import (
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// scaled is n rows, times TRIBUTARY_BENCH_SCALE. The defaults are small, so that all benchmarks together run once in well
// under a minute; figures to publish want 10 or more.
func scaled(n int) int { return max(1, int(float64(n)*scale)) }

var scale = func() float64 {
	text := os.Getenv("TRIBUTARY_BENCH_SCALE")
	if text == "" {
		return 1
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f <= 0 {
		panic("TRIBUTARY_BENCH_SCALE=" + text + ": want a positive number, 1 is the default")
	}
	return f
}()

// spent is the time of one kind of work, summed over its runs.
type spent struct {
	wall, cpu time.Duration
	rows      int
}

// time runs f, which works on so many rows.
func (s *spent) time(rows int, f func()) {
	w, c := time.Now(), cpuTime()
	f()
	s.cpu += cpuTime() - c
	s.wall += time.Since(w)
	s.rows += rows
}

// perRow is CPU time in nanoseconds: waiting for the disk is not in it, nor are other programs.
func (s *spent) perRow() float64 { return float64(s.cpu) / float64(s.rows) }

// report gives rows per second of wall time, which is what a user waits for, and CPU time per row.
func (s *spent) report(b *testing.B) {
	b.Helper()
	b.ReportMetric(float64(s.rows)/s.wall.Seconds(), "rows/s")
	b.ReportMetric(s.perRow(), "cpu-ns/row")
	b.ReportMetric(0, "ns/op") // time per iteration says nothing here
}

// over is the CPU time of a row of s as a multiple of that of a row of floor. It is 0 when the floor was too short for
// the clock.
func (s *spent) over(floor *spent) float64 {
	if floor.cpu == 0 {
		return 0
	}
	return s.perRow() / floor.perRow()
}

// percentile is the p-th percentile of d in microseconds, 0 <= p <= 100; d is sorted in place.
func percentile(d []time.Duration, p int) float64 {
	slices.Sort(d)
	return float64(d[(len(d)-1)*p/100].Nanoseconds()) / 1e3
}
