package main

import (
	"fmt"
	"strings"

	"github.com/tributary-db/tributary/bench/record"
)

// target is a figure that was promised, and what was measured.
type target struct {
	figure, want string
	got          []string
	met, missed  int
}

// state is the verdict in a word.
func (t *target) state() string {
	switch {
	case t.met+t.missed == 0:
		return "not measured"
	case t.missed == 0:
		return "met"
	case t.met == 0:
		return "**missed**"
	}
	return "**partly**"
}

// add takes in one measurement, if there is one.
func (t *target) add(name, format string, v float64, ok, met bool) {
	if !ok {
		return
	}
	t.got = append(t.got, strings.TrimSpace(name+" "+fmt.Sprintf(format, v)))
	if met {
		t.met++
	} else {
		t.missed++
	}
}

var hosts = []struct{ name, peer string }{{"C", "tributary-native"}, {"Go", "tributary-ncruces"}}

// targets compares a set of five columns with what the project has promised.
func targets(s *record.Set, g *goBench) (out []*target) {
	ratio := func(figure, want string, limit float64, phases ...string) *target {
		t := &target{figure: figure, want: want}
		for _, h := range hosts {
			sum, ok := 0.0, true
			for i, name := range phases {
				p := s.Peer(h.peer)
				if p == nil || p.Phases[name].CPU == 0 || s.Peer(p.Floor) == nil {
					ok = false
					break
				}
				if i == 0 {
					sum += p.Phases[name].Ratio
				} else { // what comes on top has no floor of its own
					sum += p.Phases[name].CPU / s.Peer(p.Floor).Phases[phases[0]].CPU
				}
			}
			t.add(h.name, "%.1fx", sum, ok, sum <= limit)
		}
		out = append(out, t)
		return t
	}
	ratio("local insert, capture", "≤ 2.5x bare", 2.5, "local insert")
	ratio("local update, capture", "≤ 3x bare", 3, "local update")
	ratio("local delete, capture", "≤ 3.5x bare", 3.5, "local delete")
	ratio("local insert, capture and fold", "≤ 4x bare", 4, "local insert", "seal insert")
	ratio("local update, capture and fold", "≤ 4.5x bare", 4.5, "local update", "seal update")
	ratio("local delete, capture and fold", "≤ 5x bare", 5, "local delete", "seal delete")
	ratio("apply fresh rows", "≤ 2.5x an upsert loop", 2.5, "apply insert")

	faster := func(figure, phase string, limit float64) {
		t := &target{figure: figure, want: fmt.Sprintf("C ≥ %gx cr-sqlite", limit)}
		o, c := s.Peer("tributary-native"), s.Peer("cr-sqlite")
		if o != nil && c != nil && o.Phases[phase].CPU > 0 {
			v := c.Phases[phase].CPU / o.Phases[phase].CPU
			t.add("C", "%.1fx", v, true, v >= limit)
		}
		out = append(out, t)
	}
	faster("apply fresh rows", "apply insert", 20)
	faster("apply one-column updates", "apply update", 5)
	faster("apply deletes", "apply delete", 5)
	faster("apply updates that lose", "apply losing", 5)
	faster("apply duplicates", "apply duplicate", 50)

	pull := &target{figure: "pull of fresh rows, per CPU second", want: "C ≥ 1 M, Go ≥ 0.5 M rows/s"}
	for i, h := range hosts {
		if p := s.Peer(h.peer); p != nil && p.Phases["pull insert"].CPU > 0 {
			v := 1e3 / p.Phases["pull insert"].CPU
			pull.add(h.name, "%.2f M", v, true, v >= []float64{1, 0.5}[i])
		}
	}
	out = append(out, pull)

	out = append(out, sizeTargets(g)...)
	return append(out, wireTargets(s, g)...)
}

// sizeTargets are of the Go benchmarks, which have rows enough that the pages of empty shadow tables, some 100 KB, are not all.
func sizeTargets(g *goBench) (out []*target) {
	for _, x := range []struct {
		figure, unit string
		limit        float64
	}{{"file after a bulk load", "folded-x", 1.5}, {"file once all have acknowledged, compacted", "stable-x", 1.1}} {
		t := &target{figure: x.figure, want: fmt.Sprintf("≤ %gx bare", x.limit)}
		for _, key := range []struct{ name, kind string }{{"integer keys", "int"}, {"text keys", "text"}, {"random keys", "blob16"}} {
			if g != nil {
				v, ok := g.get("Size/key="+key.kind+"/cols=5/indexes=0", x.unit)
				t.add(key.name, "%.2fx", v, ok, v <= x.limit)
			}
		}
		out = append(out, t)
	}
	return out
}

func wireTargets(s *record.Set, g *goBench) (out []*target) {
	rows := float64(s.Rows)
	fresh := &target{figure: "wire, fresh row, uncompressed", want: fmt.Sprintf("≤ %.1f (values) + 6 bytes", float64(s.ValueBytes)/rows)}
	below := &target{figure: "wire, fresh row, against every peer", want: "below, before and after zstd"}
	if p := s.Peer("tributary-ncruces"); p != nil {
		plain, sent := p.Wire["insert uncompressed"].Raw, p.Wire["insert"].Raw
		fresh.add("", "%.1f", float64(plain)/rows, plain > 0, float64(plain) <= float64(s.ValueBytes)+6*rows)
		for _, e := range s.Peers {
			if w, ok := e.Wire["insert"]; ok && !e.Ours && e.Floor != e.Name && plain > 0 {
				below.add(e.Name, fmt.Sprintf("%%.1f and %.1f", float64(w.Zstd)/rows), float64(w.Raw)/rows, true, plain < w.Raw && sent < w.Zstd)
			}
		}
	}
	boot := &target{figure: "filling an empty replica", want: "≤ 3x INSERT … SELECT"}
	if g != nil {
		floor, ok := g.get("Bootstrap/by=insert-select", "cpu-ns/row")
		for _, by := range []string{"packages", "clone"} {
			v, found := g.get("Bootstrap/by="+by, "cpu-ns/row")
			boot.add("by "+by, "%.1fx", v/floor, ok && found && floor > 0, v <= 3*floor)
		}
	}
	empty := &target{figure: "empty pull with 400 tables", want: "< 0.2 ms"}
	if g != nil {
		v, ok := g.get("Pull/kind=empty/tables=400", "µs/pull")
		empty.add("Go", "%.2f ms", v/1e3, ok, v < 200)
	}
	return []*target{fresh, below, boot, empty}
}
