package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
)

// tolerance is how much more is allowed, in per cent.
const tolerance = 10

// slack is added to what is allowed, so that 0.01 allocations more than 0.02 are no alarm.
const slack = 0.05

// counts are figures by name. A smaller figure is better. What they were counted with explains a jump.
type counts struct {
	Go      string             `json:"go"`
	SQLite  string             `json:"sqlite"` // the library that capture's instructions were counted in
	Figures map[string]float64 `json:"figures"`
}

func newCounts() *counts { return &counts{Go: runtime.Version(), Figures: map[string]float64{}} }

// set takes in a figure, rounded so that the file does not change with every run.
func (c *counts) set(name string, v float64) { c.Figures[name] = math.Round(v*100) / 100 }

// keep takes over the figures of a kind.
func (c *counts) keep(from *counts, kind string) {
	c.SQLite = from.SQLite
	for name, v := range from.Figures {
		if strings.HasSuffix(name, kind) {
			c.Figures[name] = v
		}
	}
}

// drop forgets the figures of a kind.
func (c *counts) drop(kind string) {
	maps.DeleteFunc(c.Figures, func(name string, _ float64) bool { return strings.HasSuffix(name, kind) })
}

func readCounts(file string) (*counts, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	c := new(counts)
	if err := json.Unmarshal(text, c); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

func (c *counts) write(file string) error {
	text, err := json.MarshalIndent(c, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// compare lists every figure that has moved by more than the tolerance, and counts those that have become worse. A figure
// that is counted no more is worse: it would guard nothing.
func compare(then, now *counts) (report []string, failed int) {
	for _, name := range slices.Sorted(maps.Keys(then.Figures)) {
		old := then.Figures[name]
		v, ok := now.Figures[name]
		change := math.Round((v/old - 1) * 100)
		switch {
		case !ok:
			report = append(report, fmt.Sprintf("WORSE  %s: was %g, is counted no more", name, old))
			failed++
		case v > old*(1+tolerance/100.0)+slack:
			report = append(report, fmt.Sprintf("WORSE  %s: was %g, is %g (%+.0f %%)", name, old, v, change))
			failed++
		case v < old*(1-tolerance/100.0)-slack:
			report = append(report, fmt.Sprintf("better %s: was %g, is %g (%+.0f %%): keep it with make guard UPDATE=1", name, old, v, change))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now.Figures)) {
		if _, ok := then.Figures[name]; !ok {
			report = append(report, fmt.Sprintf("new    %s: %g: keep it with make guard UPDATE=1", name, now.Figures[name]))
		}
	}
	for _, x := range []struct{ what, then, now string }{{"Go", then.Go, now.Go}, {"SQLite", then.SQLite, now.SQLite}} {
		if x.now != "" && x.then != x.now && len(report) > 0 {
			report = append(report, fmt.Sprintf("the figures were recorded with %s %s, this is %s: that may be why", x.what, x.then, x.now))
		}
	}
	return report, failed
}
