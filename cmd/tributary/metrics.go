package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	nethttp "net/http"
	"slices"
	"strings"

	"github.com/tributary-db/tributary/engine/replicator"
)

// exposition writes metrics in Prometheus' text format.
// https://prometheus.io/docs/instrumenting/exposition_formats/
type exposition struct {
	w    *bufio.Writer
	seen map[string]bool
}

// family begins a metric: HELP and TYPE come once, before its first sample.
func (e *exposition) family(name, kind, help string) {
	if !e.seen[name] {
		e.seen[name] = true
		fmt.Fprintf(e.w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	}
}

// sample writes one value; labels are pairs of name and value.
func (e *exposition) sample(name string, v float64, labels ...string) {
	var l []string
	for i := 0; i+1 < len(labels); i += 2 {
		l = append(l, fmt.Sprintf(`%s="%s"`, labels[i], labelText.Replace(labels[i+1])))
	}
	fmt.Fprintf(e.w, "%s{%s} %v\n", name, strings.Join(l, ","), v)
}

var labelText = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

func (s *server) serveMetrics(w nethttp.ResponseWriter, r *nethttp.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	s.writeMetrics(w, r)
}

// counters are the families of replicator.Counters.
var counters = []struct {
	name, help string
	value      func(replicator.Counters) int64
}{
	{"published_packages", "Packages published.", func(c replicator.Counters) int64 { return c.Published }},
	{"published_bytes", "Bytes of packages published.", func(c replicator.Counters) int64 { return c.PublishedBytes }},
	{"received_packages", "Packages received, from the log and from peers.", func(c replicator.Counters) int64 { return c.Received }},
	{"received_bytes", "Bytes of packages received.", func(c replicator.Counters) int64 { return c.ReceivedBytes }},
	{"applied_packages", "Packages received that were news.", func(c replicator.Counters) int64 { return c.Applied }},
	{"duplicate_packages", "Packages received that were not.", func(c replicator.Counters) int64 { return c.Duplicates }},
	{"own_packages", "Packages of this site that came back.", func(c replicator.Counters) int64 { return c.Own }},
	{"early_packages", "Packages that had to wait for others.", func(c replicator.Counters) int64 { return c.Waiting }},
	{"refused_packages", "Packages that could not be applied and are kept aside.", func(c replicator.Counters) int64 { return c.Refused }},
	{"corrupt_packages", "Packages that came damaged.", func(c replicator.Counters) int64 { return c.Corrupt }},
	{"forged_packages", "Packages that are not from whom they say.", func(c replicator.Counters) int64 { return c.Forged }},
	{"dropped_packages", "Packages for which there was no room to wait.", func(c replicator.Counters) int64 { return c.Dropped }},
	{"asked", "Requests to peers.", func(c replicator.Counters) int64 { return c.Asked }},
	{"answered", "Requests of peers.", func(c replicator.Counters) int64 { return c.Answered }},
	{"cursor_lost", "Times that the log had lost this replica's position.", func(c replicator.Counters) int64 { return c.CursorLost }},
	{"tail_lost", "Times that the log had lost what it had accepted.", func(c replicator.Counters) int64 { return c.TailLost }},
	{"snapshots_made", "Snapshots made.", func(c replicator.Counters) int64 { return c.SnapshotsMade }},
	{"snapshots_taken", "Snapshots merged into this replica.", func(c replicator.Counters) int64 { return c.SnapshotsTaken }},
	{"snapshots_refused", "Snapshots that could not be used.", func(c replicator.Counters) int64 { return c.SnapshotsRefused }},
	{"errors", "Failed calls of the transport.", func(c replicator.Counters) int64 { return c.Errors }},
}

func (s *server) writeMetrics(w io.Writer, r *nethttp.Request) {
	e := &exposition{w: bufio.NewWriter(w), seen: map[string]bool{}}
	defer e.w.Flush()
	status := map[*served][]replicator.Status{}
	for _, d := range s.databases {
		status[d] = d.loop.Status()
	}
	e.family("tributary_link_state", "gauge", "1 for the state that a link is in, 0 for the others.")
	for _, d := range s.databases {
		for _, l := range status[d] {
			for _, st := range replicator.States {
				v := 0.0
				if st == l.State {
					v = 1
				}
				e.sample("tributary_link_state", v, "db", d.name, "link", l.Link, "state", string(st))
			}
		}
	}
	for _, c := range counters {
		name := "tributary_" + c.name + "_total"
		e.family(name, "counter", c.help)
		for _, d := range s.databases {
			for _, l := range status[d] {
				e.sample(name, float64(c.value(l.Counters)), "db", d.name, "link", l.Link)
			}
		}
	}
	e.family("tributary_snapshot_timestamp_seconds", "gauge", "When the newest snapshot on the medium was stored.")
	for _, d := range s.databases {
		for _, l := range status[d] {
			if !l.SnapshotAt.IsZero() {
				e.sample("tributary_snapshot_timestamp_seconds", float64(l.SnapshotAt.UnixMilli())/1000, "db", d.name, "link", l.Link)
			}
		}
	}
	e.family("tributary_medium_events_total", "counter", "What a transport noticed itself.")
	for _, m := range s.media {
		c := counts(m.Transport)
		for _, k := range slices.Sorted(maps.Keys(c)) {
			e.sample("tributary_medium_events_total", float64(c[k]), "link", m.name, "event", k)
		}
	}
	s.writeGauges(e, r)
}

// writeGauges reads the databases.
func (s *server) writeGauges(e *exposition, r *nethttp.Request) {
	measures := map[*served]replicator.Measure{}
	for _, d := range s.databases {
		m, err := d.loop.Measure(r.Context())
		if err != nil {
			s.log.Warn("measuring", "db", d.name, "error", err)
			continue
		}
		measures[d] = m
	}
	for _, g := range []struct {
		name, help string
		value      func(replicator.Measure) int64
	}{
		{"site_version", "Own versions made.", func(m replicator.Measure) int64 { return int64(m.Version) }},
		{"versions", "Versions of all sites that are here.", func(m replicator.Measure) int64 { return int64(m.Total) }},
		{"sites", "Sites whose versions are here.", func(m replicator.Measure) int64 { return m.Sites }},
		{"unfolded_changes", "Changes that were captured and have no version yet.", func(m replicator.Measure) int64 { return m.Unfolded }},
		{"pending_packages", "Packages that wait for others.", func(m replicator.Measure) int64 { return m.Waiting }},
		{"parked_rows", "Rows that wait for a table or column.", func(m replicator.Measure) int64 { return m.Parked }},
		{"quarantined_rows", "Rows that a constraint sets aside.", func(m replicator.Measure) int64 { return m.Quarantined }},
		{"refused_kept", "Packages that are kept aside.", func(m replicator.Measure) int64 { return m.Refused }},
	} {
		e.family("tributary_"+g.name, "gauge", g.help)
		for _, d := range s.databases {
			if m, ok := measures[d]; ok {
				e.sample("tributary_"+g.name, float64(g.value(m)), "db", d.name)
			}
		}
	}
}
