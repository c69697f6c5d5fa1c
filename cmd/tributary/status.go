package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/replicator"
)

// statusLines bounds how many packages and rows are listed one by one.
const statusLines = 10

func (a *app) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status FILE",
		Short: "Show the state of a replica",
		Long: `Show the state of a replica: its site, tracked tables, changes that have not been given a version yet (unfolded), which
versions of which site it has, its streams, packages that wait for others, rows that wait for a table or column (parked),
rows that a constraint sets aside (quarantine), sizes. Nothing is changed.`,
		Example: `  tributary status shop.db
  tributary status --json shop.db`,
		Args: needArgs(1, 1, "one database file"),
	}
	jsonFlag(cmd, &asJSON, `{"database", "tracking", "site", "version", "cursor", "tables": [{"name", "key", "columns", "rows"}], "untracked": [name], "unfolded",
"vector": {site: version}, "streams": [{"name", "kind", "peer", "options", "since", "last_retrieved", "last_sent",
"last_acked", "last_error"}], "pending", "parked", "quarantined", "file_bytes", "free_bytes", "last_time", "links": [{"link", "db", "state", "why", "site", "since",
"at", "durability", and counters}]}. A link's state is CLONE, OFFLINE, CURSOR_LOST, NEEDS_SNAPSHOT, STALLED, CATCHING_UP or LIVE.`)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		d, err := a.open(ctx, args[0], toRead)
		if err != nil {
			return err
		}
		defer d.Close()
		s, err := d.engine.Status(ctx)
		if err != nil {
			return d.fail(err)
		}
		links, err := linksOf(ctx, d)
		if err != nil {
			return d.fail(err)
		}
		if asJSON {
			return printJSON(a.out, struct {
				*engine.Status
				Links []replicator.Status `json:"links"`
			}{s, links})
		}
		if !s.Tracking {
			_, err := fmt.Fprintf(a.out, "%s: nothing is tracked yet; run: tributary track %[1]s --all\n", args[0])
			return err
		}
		if err := printStatus(ctx, a.out, d, s); err != nil {
			return d.fail(err)
		}
		return printLinks(a.out, links)
	}
	return cmd
}

func printStatus(ctx context.Context, w io.Writer, d *database, s *engine.Status) error {
	if err := columns(w, "", [][]string{
		{"database", d.path},
		{"size", fmt.Sprintf("%s bytes, %s of them free", count(s.FileBytes), count(s.FreeBytes))},
		{"site", s.Site.String()},
		{"version", fmt.Sprintf("%d, cursor %d", s.Version, s.Cursor)},
		{"unfolded", plural(s.Unfolded, "change") + ifAny(s.Unfolded, "; they get a version with the next sync or pull")},
	}); err != nil {
		return err
	}
	printTables(w, s.Tables)
	if len(s.Untracked) > 0 {
		fmt.Fprintf(w, "not tracked: %s\n", strings.Join(s.Untracked, ", "))
	}
	printVector(w, s)
	printStreams(w, s.Streams)
	if s.Pending > 0 {
		if err := printPending(ctx, w, d); err != nil {
			return err
		}
	}
	if s.Parked > 0 {
		if err := printParked(ctx, w, d); err != nil {
			return err
		}
	}
	if s.Quarantined > 0 {
		return printQuarantine(ctx, w, d)
	}
	return nil
}

func ifAny(n int64, text string) string {
	if n == 0 {
		return ""
	}
	return text
}

func printTables(w io.Writer, tables []engine.TableInfo) {
	fmt.Fprintf(w, "\ntables\n")
	var rows [][]string
	for _, t := range tables {
		rows = append(rows, []string{t.Name, plural(t.Rows, "row")})
	}
	columns(w, "  ", rows)
}

func printVector(w io.Writer, s *engine.Status) {
	fmt.Fprintf(w, "\nvector (how many versions of each site are here)\n")
	var rows [][]string
	for _, site := range s.Vector.Sites() {
		note := ""
		if site == s.Site {
			note = "this one"
		}
		rows = append(rows, []string{site.String(), fmt.Sprint(s.Vector[site]), note})
	}
	columns(w, "  ", rows)
}

func printStreams(w io.Writer, streams []engine.StreamInfo) {
	if !slices.ContainsFunc(streams, func(s engine.StreamInfo) bool { return s.Kind != "transport" }) {
		return
	}
	fmt.Fprintf(w, "\nstreams\n")
	var rows [][]string
	for _, s := range streams {
		if s.Kind == "transport" {
			continue // printLinks
		}
		state := ""
		if s.Kind == "out" {
			state = fmt.Sprintf("retrieved up to %d, acknowledged up to %d", s.LastRetrieved, s.LastAcked)
		}
		if s.LastError != "" {
			state = "error: " + cell(s.LastError, 80)
		}
		rows = append(rows, []string{s.Name, s.Kind, "peer " + s.Peer, state})
	}
	columns(w, "  ", rows)
}

func printPending(ctx context.Context, w io.Writer, d *database) error {
	list, err := d.engine.Pending(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\npending: %s that wait for others\n", plural(len(list), "package"))
	var rows [][]string
	for i, p := range list {
		if i == statusLines {
			break
		}
		rows = append(rows, []string{
			"from " + short(p.Sender), fmt.Sprintf("after %d, up to %d", p.Since, p.Until), count(p.Bytes) + " bytes", cell(p.Reason, 100),
		})
	}
	return listing(w, rows, len(list), "tributary_pending")
}

func printParked(ctx context.Context, w io.Writer, d *database) error {
	list, err := d.engine.Parked(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nparked: changes that wait for a table or column\n")
	var rows [][]string
	for i, p := range list {
		if i == statusLines {
			break
		}
		rows = append(rows, []string{p.Table, plural(p.Rows, "row"), cell(p.Reason, 100)})
	}
	return listing(w, rows, len(list), "tributary_parked")
}

func printQuarantine(ctx context.Context, w io.Writer, d *database) error {
	list, err := d.engine.Quarantine(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nquarantine: %s that a constraint refuses\n", plural(len(list), "row"))
	var rows [][]string
	for i, q := range list {
		if i == statusLines {
			break
		}
		rows = append(rows, []string{q.Table, keyText(keyNames(q.Columns, q.Key), q.Key), q.Reason, cell(q.Detail, 100)})
	}
	return listing(w, rows, len(list), "tributary_quarantine")
}

// keyNames are the names of the key columns, which stand first.
func keyNames(names []string, key []crdt.Value) []string { return names[:min(len(names), len(key))] }

// listing prints the first rows of a list and says where the rest is.
func listing(w io.Writer, rows [][]string, total int, table string) error {
	err := columns(w, "  ", rows)
	if rest := total - len(rows); rest > 0 {
		fmt.Fprintf(w, "  ... and %s more: tributary sql FILE \"SELECT * FROM %s\"\n", count(rest), table)
	}
	return err
}
