package main

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/tributary-db/tributary/bench/record"
)

// measurement is all runs of one peer on one data set.
type measurement struct {
	runs    []*result
	version string
	missing string
}

func summarize(set *dataset, peers []*peer, measured map[*peer]*measurement) *record.Set {
	s := &record.Set{Name: set.name, Rows: set.rows(), Tables: len(set.tables), ValueBytes: set.valueBytes()}
	floors := map[string]*measurement{}
	for _, p := range peers {
		floors[p.name] = measured[p]
	}
	for _, p := range peers {
		m := measured[p]
		r := &record.Peer{Name: p.name, Ours: p.ours, Floor: p.floor, Version: m.version, Missing: m.missing,
			Phases: map[string]record.Cost{}, Wire: map[string]record.Size{}, Bytes: map[string]int64{}}
		s.Peers = append(s.Peers, r)
		if len(m.runs) == 0 || m.missing != "" {
			continue
		}
		for name := range m.runs[0].phases {
			var cpu, wall, ratio []float64
			for i, run := range m.runs {
				c := run.phases[name]
				cpu, wall = append(cpu, c.cpu), append(wall, c.wall)
				if floor := floors[p.floor]; floor != nil && i < len(floor.runs) && floor.runs[i].phases[name].cpu > 0 {
					ratio = append(ratio, c.cpu/floor.runs[i].phases[name].cpu)
				}
			}
			r.Phases[name] = record.Cost{CPU: math.Round(record.Median(cpu)), Wall: math.Round(record.Median(wall)), Ratio: math.Round(record.Median(ratio)*100) / 100}
		}
		last := m.runs[len(m.runs)-1]
		for name, w := range last.wire {
			r.Wire[name] = record.Size{Raw: w.raw, Zstd: w.zstd}
		}
		for what, n := range last.bytes {
			r.Bytes[what] = n
		}
	}
	return s
}

// columns of the printed table, in order.
var columns = []string{"local insert", "local update", "local delete", "seal insert", "pull insert", "apply insert", "apply update", "apply update-all", "apply losing", "apply duplicate", "apply delete"}

// printSet writes CPU time per row, and after it how many times that of the floor it is.
func printSet(to io.Writer, s *record.Set) {
	fmt.Fprintf(to, "\n%s: %d rows in %d tables; CPU µs per row (and times the floor)\n", s.Name, s.Rows, s.Tables)
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "phase")
	for _, p := range s.Peers {
		fmt.Fprintf(w, "\t%s", p.Name)
	}
	for _, c := range columns {
		fmt.Fprintf(w, "\n%s", c)
		for _, p := range s.Peers {
			cell := "-"
			if x, ok := p.Phases[c]; ok {
				cell = fmt.Sprintf("%.2f", x.CPU/1000)
				if x.Ratio > 0 && p.Floor != p.Name {
					cell += fmt.Sprintf(" (%.1fx)", x.Ratio)
				}
			}
			fmt.Fprintf(w, "\t%s", cell)
		}
	}
	row := func(what string, f func(p *record.Peer) (float64, bool)) {
		fmt.Fprintf(w, "\n%s", what)
		for _, p := range s.Peers {
			if n, ok := f(p); ok && p.Missing == "" {
				fmt.Fprintf(w, "\t%.1f", n)
			} else {
				fmt.Fprint(w, "\t-")
			}
		}
	}
	rows := float64(s.Rows)
	for _, op := range []string{"insert", "update", "delete"} {
		row("wire "+op+", bytes/row", func(p *record.Peer) (float64, bool) { n, ok := p.Wire[op]; return float64(n.Raw) / rows, ok })
		row("  zstd", func(p *record.Peer) (float64, bool) { n, ok := p.Wire[op]; return float64(n.Zstd) / rows, ok })
	}
	for _, what := range []string{"loaded", "settled"} {
		row(what+", bytes/row", func(p *record.Peer) (float64, bool) { n, ok := p.Bytes[what]; return float64(n) / rows, ok })
	}
	row("memory, MB", func(p *record.Peer) (float64, bool) { n, ok := p.Bytes["memory"]; return float64(n) / (1 << 20), ok })
	fmt.Fprintf(w, "\n\nbare values: %.1f bytes/row\n", float64(s.ValueBytes)/rows)
	w.Flush()
	for _, p := range s.Peers {
		if p.Missing != "" {
			fmt.Fprintf(to, "%s: missing: %s\n", p.Name, p.Missing)
		} else {
			fmt.Fprintf(to, "%s: %s\n", p.Name, p.Version)
		}
	}
}
