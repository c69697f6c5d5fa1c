package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func figures(list map[string]float64) *counts { return &counts{Go: "go1", SQLite: "3", Figures: list} }

func TestCompare(t *testing.T) {
	then := figures(map[string]float64{"a": 10, "b": 10, "c": 10, "tiny": 0.02, "gone": 1})
	report, failed := compare(then, figures(map[string]float64{"a": 11, "b": 11.2, "c": 5, "tiny": 0.06, "new": 1}))
	want := []string{
		"WORSE  b: was 10, is 11.2 (+12 %)",
		"better c: was 10, is 5 (-50 %): keep it with make guard UPDATE=1",
		"WORSE  gone: was 1, is counted no more",
		"new    new: 1: keep it with make guard UPDATE=1",
	}
	if got := strings.Join(report, "\n"); got != strings.Join(want, "\n") || failed != 2 {
		t.Errorf("%d failed:\n%s", failed, got)
	}
	if report, failed := compare(then, then); len(report) != 0 || failed != 0 {
		t.Errorf("compared with itself: %d failed, %q", failed, report)
	}
	other := figures(map[string]float64{"a": 20, "b": 10, "c": 10, "tiny": 0, "gone": 1})
	other.Go = "go2"
	if report, _ := compare(then, other); !strings.Contains(strings.Join(report, "\n"), "recorded with Go go1, this is go2") {
		t.Errorf("the other Go is not named: %q", report)
	}
}

// TestCounts counts twice: what differs between two runs of one program would be a false alarm one day.
func TestCounts(t *testing.T) {
	if testing.Short() {
		t.Skip("counts everything twice")
	}
	var runs [2]*counts
	for i := range runs {
		runs[i] = newCounts()
		if err := countEngine(t.Context(), t.TempDir(), runs[i]); err != nil {
			t.Fatal(err)
		}
	}
	if len(runs[0].Figures) < 50 {
		t.Errorf("only %d figures", len(runs[0].Figures))
	}
	if report, _ := compare(runs[0], runs[1]); len(report) > 0 {
		t.Errorf("two runs differ:\n%s", strings.Join(report, "\n"))
	}
	for name, v := range runs[0].Figures {
		if v <= 0 && !strings.HasPrefix(name, "apply duplicate") {
			t.Errorf("%s is %g: nothing was counted", name, v)
		}
	}
}

func TestFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "guard.json")
	if _, err := readCounts(file); err == nil {
		t.Error("a missing file is no error")
	}
	c := newCounts()
	c.set("x "+instructions, 1.23456)
	c.set("y", 2)
	if err := c.write(file); err != nil {
		t.Fatal(err)
	}
	back, err := readCounts(file)
	if err != nil {
		t.Fatal(err)
	}
	if back.Figures["x "+instructions] != 1.23 || back.Figures["y"] != 2 || back.Go != c.Go {
		t.Errorf("read back %+v", back)
	}
	fresh := newCounts()
	fresh.keep(back, instructions)
	if len(fresh.Figures) != 1 {
		t.Errorf("kept %v, want the instructions alone", fresh.Figures)
	}
	back.drop(instructions)
	if len(back.Figures) != 1 {
		t.Errorf("left %v, want all but the instructions", back.Figures)
	}
}
