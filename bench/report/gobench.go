package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tributary-db/tributary/bench/record"
)

// goBench is the output of go test -bench: by benchmark the medians of its metrics.
type goBench struct {
	order []string
	unit  map[string][]string // in the order of the output
	value map[string]map[string]float64
	rows  map[string]int
	runs  int // of each benchmark
}

var (
	lineOf = regexp.MustCompile(`^Benchmark(\S+?)(-\d+)?\s+\d+\s+(.*)$`)
	// rowsOf are parts of a name that a scale changes; without them a name finds its benchmark whatever the scale was.
	rowsOf = regexp.MustCompile(`/(rows|of|differences)=\d+`)
)

func readGoBench(path string) (*goBench, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	g := &goBench{unit: map[string][]string{}, value: map[string]map[string]float64{}, rows: map[string]int{}}
	all := map[string]map[string][]float64{}
	for _, line := range strings.Split(string(text), "\n") {
		m := lineOf.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		name, fields := m[1], strings.Fields(m[3])
		if all[name] == nil {
			all[name] = map[string][]float64{}
			g.order = append(g.order, name)
		}
		for pair := range slices.Chunk(fields, 2) {
			v, err := strconv.ParseFloat(pair[0], 64)
			if err != nil || len(pair) != 2 {
				return nil, fmt.Errorf("%s: cannot read %q", path, line)
			}
			if all[name][pair[1]] == nil {
				g.unit[name] = append(g.unit[name], pair[1])
			}
			all[name][pair[1]] = append(all[name][pair[1]], v)
			g.runs = max(g.runs, len(all[name][pair[1]]))
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: no benchmark in it", path)
	}
	for name, units := range all {
		g.value[name] = map[string]float64{}
		for unit, list := range units {
			g.value[name][unit] = record.Median(list)
		}
	}
	return g, nil
}

// get is a metric of the first benchmark of this name, whatever its numbers of rows were.
func (g *goBench) get(name, unit string) (float64, bool) {
	for _, n := range g.order {
		if rowsOf.ReplaceAllString(n, "") == name {
			v, ok := g.value[n][unit]
			return v, ok
		}
	}
	return 0, false
}
