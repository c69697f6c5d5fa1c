package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/tributary-db/tributary/engine/replicator"
)

// linksOf is how the links of a database are doing. Nobody writes down that a server was killed, so the lock tells
// whether one is running.
func linksOf(ctx context.Context, d *database) ([]replicator.Status, error) {
	links, err := replicator.Recorded(ctx, d.engine)
	if err != nil {
		return nil, err
	}
	if links == nil {
		links = []replicator.Status{}
	}
	served := isServed(d.path)
	for i := range links {
		l := &links[i]
		if served {
			if l.Stopped() {
				l.Why = whyUnused
			}
		} else if l.State != replicator.StateOffline {
			l.Why = fmt.Sprintf("not being served; was %s", l.State)
			l.State, l.Since = replicator.StateOffline, l.At
		}
	}
	return links, nil
}

// whyUnused is what is said of a link of an earlier run beside those that run.
const whyUnused = "the server that is running does not use it"

func printLinks(w io.Writer, links []replicator.Status) error {
	if len(links) == 0 {
		return nil
	}
	fmt.Fprintf(w, "\nlinks\n")
	var rows [][]string
	for _, l := range links {
		why := l.Why
		if l.Site != "" {
			why = "site " + l.Site[:min(8, len(l.Site))] + ": " + why
		}
		rows = append(rows, []string{l.Link, "database " + l.DB, string(l.State), "since " + ago(l.Since), snapshotAge(l), cell(why, 100)})
	}
	return columns(w, "  ", rows)
}

// snapshotAge is how old the newest snapshot on a medium was known to be.
func snapshotAge(l replicator.Status) string {
	if l.SnapshotAt.IsZero() {
		return "no snapshot"
	}
	return "snapshot " + ago(l.SnapshotAt)
}

// ago is how long a time lies back, in one unit.
func ago(t time.Time) string {
	d := time.Since(t)
	switch {
	case t.IsZero():
		return "never"
	case d < 2*time.Second:
		return "now"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}
