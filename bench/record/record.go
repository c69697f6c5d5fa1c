// Package record is the form in which measurements of the cross-engine harness are kept: bench/peers writes it as JSON,
// bench/report draws it.
package record

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Report is one call of the harness.
type Report struct {
	Machine string `json:"machine"`
	Commit  string `json:"commit"`
	Date    string `json:"date"`
	Command string `json:"command"`
	Runs    int    `json:"runs"` // of each engine, interleaved
	Sets    []*Set `json:"sets"`
}

// Set is what was measured with one data set.
type Set struct {
	Name       string  `json:"name"`
	Rows       int     `json:"rows"` // of all tables
	Tables     int     `json:"tables"`
	ValueBytes int64   `json:"value_bytes"` // the bare content of all rows
	Peers      []*Peer `json:"peers"`
}

// Peer is one engine. Phases has medians over all runs; Wire and Bytes are of all rows.
type Peer struct {
	Name    string           `json:"name"`
	Ours    bool             `json:"ours"`
	Floor   string           `json:"floor"` // the peer that Ratio compares with
	Version string           `json:"version,omitempty"`
	Missing string           `json:"missing,omitempty"` // why there are no figures
	Phases  map[string]Cost  `json:"phases,omitempty"`  // by phase, as bench/peers/worker.go lists them
	Wire    map[string]Size  `json:"wire,omitempty"`    // by operation; ours have "insert uncompressed" too
	Bytes   map[string]int64 `json:"bytes,omitempty"`   // loaded, received, settled, memory
}

// Cost is for one row. Ratio is its CPU time against the floor's in the same round; 0 if the floor has no such phase.
type Cost struct {
	CPU   float64 `json:"cpu_ns"`
	Wall  float64 `json:"wall_ns"`
	Ratio float64 `json:"ratio,omitempty"`
}

// Size is in bytes, as sent, and after compressing that as a whole with zstd.
type Size struct {
	Raw  int64 `json:"raw"`
	Zstd int64 `json:"zstd"`
}

// New is an empty report that says where, when and of what it is made.
func New(command string, runs int) *Report {
	return &Report{Machine: Machine(), Commit: commit(), Date: time.Now().UTC().Format(time.DateOnly), Command: command, Runs: runs}
}

// Set is the data set of this name, nil if it was not used.
func (r *Report) Set(name string) *Set {
	for _, s := range r.Sets {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Peer is the engine of this name, nil if there are no figures of it.
func (s *Set) Peer(name string) *Peer {
	for _, p := range s.Peers {
		if p.Name == name && p.Missing == "" {
			return p
		}
	}
	return nil
}

// Read reads what Write wrote.
func Read(path string) (*Report, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := new(Report)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// Write stores the report as JSON.
func (r *Report) Write(path string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// Machine is what a reader needs to judge times: processor, cores, system, compiler, and how busy it was.
func Machine() string {
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

// Median is the middle of list, or the mean of the two in the middle; 0 of none. It sorts list.
func Median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	n := len(list)
	return (list[(n-1)/2] + list[n/2]) / 2
}
