package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// measurement is all runs of one peer on one data set.
type measurement struct {
	runs    []*result
	version string
	missing string
}

// report is the file that -json writes and bench/report reads.
type report struct {
	Machine string       `json:"machine"`
	Commit  string       `json:"commit"`
	Date    string       `json:"date"`
	Command string       `json:"command"`
	Runs    int          `json:"runs"`
	Sets    []*setReport `json:"sets"`
}

type setReport struct {
	Name       string        `json:"name"`
	Rows       int           `json:"rows"`
	Tables     int           `json:"tables"`
	ValueBytes int64         `json:"value_bytes"` // of all rows
	Peers      []*peerReport `json:"peers"`
}

// peerReport has medians over all runs. Wire and Bytes are of all rows.
type peerReport struct {
	Name    string               `json:"name"`
	Ours    bool                 `json:"ours"`
	Floor   string               `json:"floor"`
	Version string               `json:"version,omitempty"`
	Missing string               `json:"missing,omitempty"`
	Phases  map[string]phaseCost `json:"phases,omitempty"`
	Wire    map[string]wireSize  `json:"wire,omitempty"`
	Bytes   map[string]int64     `json:"bytes,omitempty"`
}

// phaseCost is for one row. Ratio is its CPU time against that of the floor in the same round; 0 if that has no such phase.
type phaseCost struct {
	CPU   float64 `json:"cpu_ns"`
	Wall  float64 `json:"wall_ns"`
	Ratio float64 `json:"ratio,omitempty"`
}

type wireSize struct {
	Raw  int64 `json:"raw"`
	Zstd int64 `json:"zstd"`
}

func newReport(runs int) *report {
	return &report{
		Machine: machine(), Commit: commit(), Date: time.Now().UTC().Format("2006-01-02"),
		Command: strings.Join(append([]string{"go run ./bench/peers"}, os.Args[1:]...), " "), Runs: runs,
	}
}

func machine() string {
	name := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(text), "model name\t: "); ok {
			name, _, _ = strings.Cut(rest, "\n")
		}
	}
	load := ""
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		load = ", load " + strings.Fields(string(text))[0] + " at the start"
	}
	return fmt.Sprintf("%s, %d cores, %s, %s%s", name, runtime.NumCPU(), runtime.GOOS, runtime.Version(), load)
}

func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	n := len(list)
	return (list[(n-1)/2] + list[n/2]) / 2
}

func summarize(set *dataset, peers []*peer, measured map[*peer]*measurement) *setReport {
	s := &setReport{Name: set.name, Rows: set.rows(), Tables: len(set.tables), ValueBytes: set.valueBytes()}
	floors := map[string]*measurement{}
	for _, p := range peers {
		floors[p.name] = measured[p]
	}
	for _, p := range peers {
		m := measured[p]
		r := &peerReport{Name: p.name, Ours: p.ours, Floor: p.floor, Version: m.version, Missing: m.missing,
			Phases: map[string]phaseCost{}, Wire: map[string]wireSize{}, Bytes: map[string]int64{}}
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
			r.Phases[name] = phaseCost{math.Round(median(cpu)), math.Round(median(wall)), math.Round(median(ratio)*100) / 100}
		}
		last := m.runs[len(m.runs)-1]
		for name, w := range last.wire {
			r.Wire[name] = wireSize{w.raw, w.zstd}
		}
		for what, n := range last.bytes {
			r.Bytes[what] = n
		}
	}
	return s
}

// columns of the printed table, in order.
var columns = []string{"local insert", "local update", "local delete", "seal insert", "pull insert", "apply insert", "apply update", "apply update-all", "apply losing", "apply duplicate", "apply delete"}

// print writes CPU time per row, and after it how many times that of the floor it is.
func (s *setReport) print(to io.Writer) {
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
	row := func(what string, f func(p *peerReport) (float64, bool)) {
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
		row("wire "+op+", bytes/row", func(p *peerReport) (float64, bool) { n, ok := p.Wire[op]; return float64(n.Raw) / rows, ok })
		row("  zstd", func(p *peerReport) (float64, bool) { n, ok := p.Wire[op]; return float64(n.Zstd) / rows, ok })
	}
	for _, what := range []string{"loaded", "settled"} {
		row(what+", bytes/row", func(p *peerReport) (float64, bool) { n, ok := p.Bytes[what]; return float64(n) / rows, ok })
	}
	row("memory, MB", func(p *peerReport) (float64, bool) { n, ok := p.Bytes["memory"]; return float64(n) / (1 << 20), ok })
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
