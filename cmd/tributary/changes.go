package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tributary-db/tributary/crdt"
)

func (a *app) changesCommand() *cobra.Command {
	var asJSON bool
	var since int64
	var limit int
	cmd := &cobra.Command{
		Use:   "changes FILE",
		Short: "List which rows changed, when, and by whom",
		Long: `List the feed of a replica: one line per row that has changed, in the order in which the changes arrived here, own and
received ones. A row stands where it changed last. The first column is the cursor; --since N goes on after it.

Columns: cursor, time, site (its first 8 digits) and version of the writer, what happened, table, key, changed columns.`,
		Example: `  tributary changes shop.db
  tributary changes shop.db --since 1200 --limit 50`,
		Args: needArgs(1, 1, "one database file"),
	}
	cmd.Flags().Int64Var(&since, "since", 0, "list what came after this cursor")
	cmd.Flags().IntVar(&limit, "limit", 0, "stop after this many lines, 0 for no bound")
	jsonFlag(cmd, &asJSON, `one line per row: {"cursor", "time", "site", "version", "kind", "table", "key", "columns"}; kind is insert,
update, delete, or base for the rows that a table had when it was tracked (time is then empty).`)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if since < 0 || limit < 0 {
			return fmt.Errorf("changes: --since and --limit count from 0")
		}
		ctx := cmd.Context()
		d, err := a.open(ctx, args[0], toRead)
		if err != nil {
			return err
		}
		defer d.Close()
		n := 0
		for c, err := range d.engine.Changes(ctx, since) {
			if err != nil {
				return d.fail(err)
			}
			if asJSON {
				err = printJSON(a.out, changeJSON{
					c.Cursor, timeText(c.Time), c.Site, c.Version, c.Kind, c.Table, jsonValues(append([]crdt.Value{}, c.Key...)), append([]string{}, c.Columns...),
				})
			} else {
				_, err = fmt.Fprintln(a.out, strings.TrimRight(fmt.Sprintf("%6d  %s  %s %4d  %-6s  %s  %s  %s", c.Cursor,
					cmp.Or(timeText(c.Time), "before it was tracked   "), short(c.Site), c.Version, c.Kind, c.Table, keyText(nil, c.Key), strings.Join(c.Columns, ", ")), " "))
			}
			if err != nil {
				return err
			}
			if n++; n == limit {
				break
			}
		}
		return nil
	}
	return cmd
}

// timeText is empty for rows that were there before anybody watched.
func timeText(t crdt.Time) string {
	if t == 0 {
		return ""
	}
	return t.String()
}

type changeJSON struct {
	Cursor  int64        `json:"cursor"`
	Time    string       `json:"time"`
	Site    crdt.Site    `json:"site"`
	Version crdt.Version `json:"version"`
	Kind    string       `json:"kind"`
	Table   string       `json:"table"`
	Key     []jsonValue  `json:"key"`
	Columns []string     `json:"columns"`
}
