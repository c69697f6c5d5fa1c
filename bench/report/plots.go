package main

import (
	"fmt"

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

// plots draws what a set shows, by file name. A figure that was not measured has no bar.
func plots(s *record.Set) map[string]*chart {
	where := fmt.Sprintf("%d rows of five columns; CPU time, median of interleaved runs. ", s.Rows)
	return map[string]*chart{
		"merge.svg": {"Merging changes from another replica", where + "Thousands of rows per CPU second: longer is better. " + inMemory,
			[]panel{throughput(s, "new rows", "apply insert"), throughput(s, "one column updated", "apply update"), throughput(s, "deletes", "apply delete")}, nil},
		"local.svg": {"What replication adds to a local write", where + "µs per row: shorter is better. " + inMemory,
			[]panel{local(s, "insert"), local(s, "update"), local(s, "delete")},
			[]entry{{colors[ours][0], "when the program writes"}, {colors[ours][1], "later, once: naming the changes (fold)"}}},
		"size.svg": {"Size of a replica", fmt.Sprintf("%d rows of five columns. Bytes per row: shorter is better. * a saved document, compressed or not as the library does", s.Rows),
			[]panel{size(s, "after a bulk load", "loaded"), size(s, "once every replica has it, compacted", "settled")}, nil},
		"wire.svg": {"Bytes on the wire", fmt.Sprintf("%d rows of five columns. Bytes per row: shorter is better. zstd: the whole as one stream, but Tributary's packages each by itself", s.Rows),
			[]panel{wire(s, "new rows", "insert", false), wire(s, "new rows, zstd", "insert", true), wire(s, "one column updated", "update", false), wire(s, "one column updated, zstd", "update", true)}, nil},
	}
}

// each calls f for every engine that there are figures of: ours and the peers, then the floors.
func each(s *record.Set, f func(p *record.Peer, label string, k kind)) {
	for _, n := range names {
		if p := s.Peer(n.peer); p != nil {
			f(p, n.label, map[bool]kind{true: ours, false: peer}[p.Ours])
		}
	}
	for _, n := range floors {
		if p := s.Peer(n.peer); p != nil {
			f(p, n.label, floor)
		}
	}
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
	each(s, func(e *record.Peer, label string, k kind) {
		if n := e.Bytes[when]; n > 0 && label != "bare SQLite, Go" {
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
	each(s, func(e *record.Peer, label string, k kind) {
		n := e.Wire[op]
		sent := n.Raw
		switch plain, ok := e.Wire[op+" uncompressed"]; {
		case e.Ours && !compressed && ok:
			sent = plain.Raw
		case e.Ours && !compressed:
			return // the C host is not asked for it: both send the same bytes
		case !e.Ours && compressed:
			sent = n.Zstd
		}
		if _, ok := e.Wire[op]; ok {
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
