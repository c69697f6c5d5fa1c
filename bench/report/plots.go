package main

import (
	"fmt"
	"strings"

	"github.com/tributary-db/tributary/bench/record"
)

// names are how the pictures call the engines, in the order in which they show them.
var names = []struct{ peer, label string }{
	{"tributary-native", "Tributary, C host"},
	{"tributary-ncruces", "Tributary, Go host"},
	{"cr-sqlite", "cr-sqlite"},
	{"automerge", "Automerge*"},
	{"yjs", "Yjs*"},
	{"loro", "Loro*"},
}

var floors = []struct{ peer, label string }{
	{"sqlite-native", "bare SQLite, C"},
	{"sqlite-ncruces", "bare SQLite, Go"},
}

const inMemory = "* a document in memory, nothing on a disk"

var (
	whose  = []entry{{colors[ours][0], "Tributary"}, {colors[peer][0], "others"}, {colors[floor][0], "the same statements on tables that nobody replicates"}}
	writes = []entry{{colors[ours][0], "Tributary, when the program writes"}, {colors[ours][1], "and later, once: naming the changes (fold)"},
		{colors[peer][0], "others"}, {colors[floor][0], "not replicated"}}
)

// plots draws what a set shows, by file name. A figure that was not measured has no bar.
func plots(s *record.Set) map[string]*chart {
	rows := figure(float64(s.Rows)) + " rows of five columns. "
	const cpu = "CPU time, median of interleaved runs."
	return map[string]*chart{
		"merge.svg": {"Merging changes from another replica", rows + "Thousands of rows per second: longer is better. " + cpu, 3,
			[]panel{throughput(s, "new rows", "apply insert"), throughput(s, "one column updated", "apply update"), throughput(s, "deletes", "apply delete")},
			whose, inMemory},
		"local.svg": {"What replication adds to a local write", rows + "µs per row: shorter is better. " + cpu, 3,
			[]panel{local(s, "insert"), local(s, "update"), local(s, "delete")}, writes, inMemory},
		"size.svg": {"Size of a replica", rows + "Bytes per row: shorter is better.", 2,
			[]panel{size(s, "after a bulk load", "loaded"), size(s, "once all have it, compacted", "settled")},
			nil, "* a saved document, in the library's own form, which Automerge compresses"},
		"wire.svg": {"Bytes on the wire", rows + "Bytes per row: shorter is better.", 2,
			[]panel{wire(s, "new rows", "insert", false), wire(s, "new rows, zstd", "insert", true),
				wire(s, "one column updated", "update", false), wire(s, "one column updated, zstd", "update", true)},
			nil, "zstd: all as one stream, but each of Tributary's packages by itself, as it is sent"},
	}
}

// each calls f for every engine that there are figures of: ours and the peers, then the floors.
func each(s *record.Set, f func(p *record.Peer, label string, k kind)) {
	show := func(name, label string, k kind) {
		if p := s.Peer(name); p != nil {
			f(p, label, k)
		}
	}
	for _, n := range names {
		k := peer
		if strings.HasPrefix(n.peer, "tributary-") {
			k = ours
		}
		show(n.peer, n.label, k)
	}
	for _, n := range floors {
		show(n.peer, n.label, floor)
	}
}

// once has one Tributary and one bare SQLite, for figures that do not depend on the host.
func once(s *record.Set) *record.Set {
	out := *s
	out.Peers = nil
	for _, p := range s.Peers {
		if p.Name != "tributary-native" && p.Name != "sqlite-ncruces" {
			one := *p
			out.Peers = append(out.Peers, &one)
		}
	}
	return &out
}

func throughput(s *record.Set, title, phase string) panel {
	p := panel{title: title}
	each(s, func(e *record.Peer, label string, k kind) {
		if c := e.Phases[phase]; c.CPU > 0 {
			v := 1e6 / c.CPU
			p.bars = append(p.bars, bar{label, k, []float64{v}, figure(v) + " k/s"})
		}
	})
	return p
}

func local(s *record.Set, op string) panel {
	p := panel{title: op}
	each(s, func(e *record.Peer, label string, k kind) {
		write, seal := e.Phases["local "+op].CPU/1000, e.Phases["seal "+op].CPU/1000
		if write == 0 {
			return
		}
		b := bar{label, k, []float64{write}, figure(write)}
		if seal > 0 {
			b.parts, b.text = append(b.parts, seal), figure(write)+" + "+figure(seal)
		}
		p.bars = append(p.bars, b)
	})
	return p
}

func size(s *record.Set, title, when string) panel {
	p := panel{title: title}
	if f := s.Peer("sqlite-native"); f != nil {
		p.line, p.mark = float64(f.Bytes[when])/float64(s.Rows), "bare tables"
	}
	each(once(s), func(e *record.Peer, label string, k kind) {
		label, _, _ = strings.Cut(label, ",")
		if n := e.Bytes[when]; n > 0 {
			v := float64(n) / float64(s.Rows)
			p.bars = append(p.bars, bar{label, k, []float64{v}, figure(v)})
		}
	})
	return p
}

func wire(s *record.Set, title, op string, compressed bool) panel {
	p := panel{title: title}
	if op == "insert" && !compressed {
		p.line, p.mark = float64(s.ValueBytes)/float64(s.Rows), "the values alone"
	}
	each(once(s), func(e *record.Peer, label string, k kind) {
		label, _, _ = strings.Cut(label, ",")
		n, ok := e.Wire[op]
		sent := n.Raw
		switch {
		case e.Ours && !compressed:
			n, ok = e.Wire[op+" uncompressed"]
			sent = n.Raw
		case !e.Ours && compressed:
			sent = n.Zstd
		}
		if ok {
			v := float64(sent) / float64(s.Rows)
			p.bars = append(p.bars, bar{label, k, []float64{v}, figure(v)})
		}
	})
	return p
}

// figure writes as many digits as count.
func figure(v float64) string {
	switch {
	case v >= 10000:
		digits := fmt.Sprintf("%.0f", v)
		for i := len(digits) - 3; i > 0; i -= 3 {
			digits = digits[:i] + "," + digits[i:]
		}
		return digits
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
