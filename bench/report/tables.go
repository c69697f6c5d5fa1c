package main

import (
	"fmt"
	"strings"

	"github.com/tributary-db/tributary/bench/record"
)

// results is RESULTS.md. r or g may be nil.
func results(r *record.Report, g *goBench, command string) string {
	var s strings.Builder
	s.WriteString("# Results\n\nMade by `make bench-report`; do not edit. What the figures mean is in [README.md](README.md).\n")
	if r == nil || len(r.Sets) == 0 {
		s.WriteString("\nThe cross-engine harness was not run.\n")
	} else {
		fmt.Fprintf(&s, "\n| | |\n| --- | --- |\n| machine | %s |\n| commit | %s |\n| date | %s |\n| command | `%s` |\n| runs | %d of each engine, interleaved; medians |\n",
			r.Machine, r.Commit, r.Date, r.Command, r.Runs)
		for _, p := range []struct{ file, about string }{
			{"merge.svg", "Rows merged per CPU second"}, {"local.svg", "CPU time of local writes"},
			{"size.svg", "Bytes per row in the file"}, {"wire.svg", "Bytes per row on the wire"},
		} {
			fmt.Fprintf(&s, "\n![%s](plots/%s)\n", p.about, p.file)
		}
		targetTable(&s, targets(r.Sets[0], g))
		for _, set := range r.Sets {
			setTable(&s, set)
		}
	}
	if g == nil {
		s.WriteString("\n## Go benchmarks\n\nThey were not run.\n")
		return s.String()
	}
	goTable(&s, g, command)
	return s.String()
}

func targetTable(s *strings.Builder, list []*target) {
	s.WriteString("\n## Targets\n\n| figure | target | measured | |\n| --- | --- | --- | --- |\n")
	for _, t := range list {
		fmt.Fprintf(s, "| %s | %s | %s | %s |\n", t.figure, t.want, strings.Join(t.got, ", "), t.state())
	}
}

var phases = []string{
	"local insert", "local update", "local update-all", "local delete",
	"seal insert", "seal update", "seal update-all", "seal delete",
	"pull insert", "pull update", "pull update-all", "pull delete",
	"apply insert", "apply update", "apply update-all", "apply losing", "apply duplicate", "apply delete",
}

func setTable(s *strings.Builder, set *record.Set) {
	fmt.Fprintf(s, "\n## %s: %d rows in %d tables\n\nCPU µs per row, and as a multiple of the bare tables of the same host. Bare values: %.1f bytes per row.\n\n| |",
		set.Name, set.Rows, set.Tables, float64(set.ValueBytes)/float64(set.Rows))
	var there []*record.Peer
	for _, p := range set.Peers {
		if p.Missing == "" {
			there = append(there, p)
			fmt.Fprintf(s, " %s |", p.Name)
		}
	}
	s.WriteString("\n|" + strings.Repeat(" --- |", len(there)+1) + "\n")
	row := func(name string, cell func(p *record.Peer) string) {
		line, any := "| "+name+" |", false
		for _, p := range there {
			c := cell(p)
			any = any || c != ""
			line += " " + c + " |"
		}
		if any {
			s.WriteString(line + "\n")
		}
	}
	for _, name := range phases {
		row(name, func(p *record.Peer) string {
			c, ok := p.Phases[name]
			switch {
			case !ok:
				return ""
			case c.Ratio > 0 && p.Floor != p.Name:
				return fmt.Sprintf("%.2f (%.1fx)", c.CPU/1000, c.Ratio)
			}
			return fmt.Sprintf("%.2f", c.CPU/1000)
		})
	}
	perRow := func(n int64, ok bool) string {
		if !ok {
			return ""
		}
		return figure(float64(n) / float64(set.Rows))
	}
	for _, op := range []string{"insert", "insert uncompressed", "update", "update uncompressed", "update-all", "delete"} {
		row("wire "+op+", B", func(p *record.Peer) string { w, ok := p.Wire[op]; return perRow(w.Raw, ok) })
		if !strings.Contains(op, "uncompressed") {
			row("the same after zstd, B", func(p *record.Peer) string { w, ok := p.Wire[op]; return perRow(w.Zstd, ok) })
		}
	}
	for _, what := range []string{"loaded", "received", "settled"} {
		row("size "+what+", B", func(p *record.Peer) string { n, ok := p.Bytes[what]; return perRow(n, ok) })
	}
	row("peak memory, MB", func(p *record.Peer) string { return figure(float64(p.Bytes["memory"]) / (1 << 20)) })
	s.WriteString("\n")
	for _, p := range set.Peers {
		about := p.Version
		if p.Missing != "" {
			about = "missing: " + p.Missing
		}
		fmt.Fprintf(s, "- %s: %s\n", p.Name, about)
	}
}

func goTable(s *strings.Builder, g *goBench, command string) {
	fmt.Fprintf(s, "\n## Go benchmarks\n\n`%s`; medians of %d. Both sides run over ncruces.\n\n| benchmark | figures |\n| --- | --- |\n", command, g.runs)
	for _, name := range g.order {
		var list []string
		for _, u := range g.unit[name] {
			list = append(list, figure(g.value[name][u])+" "+u)
		}
		fmt.Fprintf(s, "| %s | %s |\n", name, strings.Join(list, ", "))
	}
}
