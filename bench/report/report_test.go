package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tributary-db/tributary/bench/record"
)

// measured is a harness run with round figures: the floor takes 1 µs for everything, ours 2 µs, cr-sqlite 100 µs.
func measured() *record.Report {
	costs := func(ns, ratio float64) map[string]record.Cost {
		out := map[string]record.Cost{}
		for _, p := range phases {
			out[p] = record.Cost{CPU: ns, Wall: ns, Ratio: ratio}
		}
		return out
	}
	return &record.Report{Machine: "a machine", Commit: "abc", Date: "a day", Command: "a command", Runs: 3, Sets: []*record.Set{{
		Name: "five-columns", Rows: 1000, Tables: 1, ValueBytes: 30000,
		Peers: []*record.Peer{
			{Name: "sqlite-native", Floor: "sqlite-native", Phases: costs(1000, 1), Bytes: map[string]int64{"loaded": 40000, "settled": 40000}},
			{Name: "tributary-native", Floor: "sqlite-native", Ours: true, Phases: costs(2000, 2), Bytes: map[string]int64{"loaded": 80000, "settled": 42000}},
			{Name: "tributary-ncruces", Floor: "sqlite-ncruces", Ours: true, Missing: "no <reason> & none"},
			{Name: "cr-sqlite", Floor: "sqlite-native", Phases: costs(100000, 100), Wire: map[string]record.Size{"insert": {Raw: 170000, Zstd: 20000}}, Bytes: map[string]int64{"loaded": 160000}},
		},
	}}}
}

func TestPlots(t *testing.T) {
	for name, c := range plots(measured().Sets[0]) {
		svg := c.svg()
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if !strings.Contains(svg, "cr-sqlite") {
			t.Errorf("%s does not show cr-sqlite", name)
		}
	}
}

// TestBars wants bars as long as their values say, on one scale.
func TestBars(t *testing.T) {
	c := chart{columns: 1, panels: []panel{{bars: []bar{{"x", peer, []float64{10}, "10"}, {"y", ours, []float64{2, 3}, "5"}}}}}
	for _, want := range []string{`width="126.0"`, `width="25.2"`, `width="37.8"`} {
		if svg := c.svg(); !strings.Contains(svg, want) {
			t.Errorf("no bar of %s in\n%s", want, svg)
		}
	}
}

func TestTargets(t *testing.T) {
	got := map[string]string{}
	for _, x := range targets(measured().Sets[0], nil) {
		got[x.figure+": "+x.want] = strings.Join(append(x.got, x.state()), ", ")
	}
	for name, want := range map[string]string{
		"local insert, capture: ≤ 2.5x bare":                             "C 2.0x, met",
		"local update, capture and fold: ≤ 4.5x bare":                    "C 4.0x, met",
		"apply fresh rows: C ≥ 20x cr-sqlite":                            "C 50.0x, met",
		"apply duplicates: C ≥ 50x cr-sqlite":                            "C 50.0x, met",
		"pull of fresh rows, per CPU second: C ≥ 1 M, Go ≥ 0.5 M rows/s": "C 0.50 M, **missed**",
		"file after a bulk load: ≤ 1.5x bare":                            "not measured",
		"empty pull with 400 tables: < 0.2 ms":                           "not measured",
	} {
		if got[name] != want {
			t.Errorf("%s: got %q, want %q", name, got[name], want)
		}
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir, "c"); err == nil {
		t.Error("a report of nothing is no error")
	}
	if err := os.Mkdir(filepath.Join(dir, "results"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := "goos: linux\nBenchmarkPull/kind=empty/tables=400-2 1 100 µs/pull 36 allocs/op\nBenchmarkPull/kind=empty/tables=400-2 1 300 µs/pull 36 allocs/op\n" +
		"BenchmarkSize/key=int/cols=5/indexes=0/rows=7-2 1 1.25 folded-x 1.05 stable-x\nBenchmarkSize/key=blob16/cols=5/indexes=0/rows=7-2 1 1.25 folded-x 1.15 stable-x\nPASS\n"
	if err := os.WriteFile(filepath.Join(dir, "results", "go.txt"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := measured().Write(filepath.Join(dir, "results", "peers.json")); err != nil {
		t.Fatal(err)
	}
	if err := write(dir, "the command"); err != nil {
		t.Fatal(err)
	}
	out, err := os.ReadFile(filepath.Join(dir, "RESULTS.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"a machine", "abc", "a day", "`a command`", "`the command`; medians of 2", "missing: no <reason> & none",
		"| Pull/kind=empty/tables=400 | 200 µs/pull, 36.0 allocs/op |", "| apply insert | 1.00 | 2.00 (2.0x) | 100.00 (100.0x) |",
		"Go 0.20 ms | **missed** |",
		"file after a bulk load | ≤ 1.5x bare | integer keys 1.25x, random keys 1.25x | met |",
		"file once all have acknowledged, compacted | ≤ 1.1x bare | integer keys 1.05x, random keys 1.15x | **partly** |",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("RESULTS.md lacks %q:\n%s", want, out)
		}
	}
	for _, p := range []string{"merge", "local", "size", "wire"} {
		if _, err := os.Stat(filepath.Join(dir, "plots", p+".svg")); err != nil || !strings.Contains(string(out), "plots/"+p+".svg") {
			t.Errorf("%s.svg is not drawn or not shown (%v)", p, err)
		}
	}
}

func TestFigure(t *testing.T) {
	for v, want := range map[float64]string{0.123: "0.12", 9.876: "9.88", 12.34: "12.3", 123.4: "123", 12345: "12,345", 1234567: "1,234,567"} {
		if got := figure(v); got != want {
			t.Errorf("figure(%v) = %s, want %s", v, got, want)
		}
	}
}
