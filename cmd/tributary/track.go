package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) trackCommand() *cobra.Command {
	var all, asJSON bool
	cmd := &cobra.Command{
		Use:   "track FILE [TABLE ...|--all]",
		Short: "Begin to record the changes of tables",
		Long: `Begin to record the changes of tables. From then on any SQLite client may write to them: triggers in plain SQL note which
rows changed. The rows that are there already belong to the replica too; tracking costs nothing for them.

Tracking a table twice changes nothing. Tables without a PRIMARY KEY cannot be tracked: a row needs a name that is the
same everywhere. Warnings about keys that two replicas may give out twice go to stderr.`,
		Example: `  tributary track shop.db --all
  tributary track shop.db task note`,
		Args:              needArgs(1, -1, "a database file, and tables or --all"),
		ValidArgsFunction: completeTables(a, untrackedTables),
	}
	cmd.Flags().BoolVar(&all, "all", false, "track every table that can be tracked; say why others cannot")
	jsonFlag(cmd, &asJSON, `{"site", "tracked": [names], "warnings": [texts]}`)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		path, tables := args[0], args[1:]
		switch {
		case all && len(tables) > 0:
			return errors.New("track: name tables or say --all, not both")
		case !all && len(tables) == 0:
			return errors.New("track: which tables? name them, or say --all")
		}
		return a.track(cmd, path, tables, asJSON)
	}
	return cmd
}

// track records the named tables, or all when none is named.
func (a *app) track(cmd *cobra.Command, path string, tables []string, asJSON bool) error {
	ctx := cmd.Context()
	d, err := a.open(ctx, path, toWrite)
	if err != nil {
		return err
	}
	defer d.Close()
	out := struct {
		Site     string   `json:"site"`
		Tracked  []string `json:"tracked"`
		Warnings []string `json:"warnings"`
	}{Tracked: []string{}, Warnings: []string{}}
	if len(tables) == 0 {
		tracked, warnings, err := d.engine.TrackAll(ctx)
		if err != nil {
			return d.fail(err)
		}
		out.Tracked, out.Warnings = append(out.Tracked, tracked...), append(out.Warnings, warnings...)
	}
	for _, t := range tables {
		warnings, err := d.engine.Track(ctx, t)
		if err != nil {
			return d.fail(err)
		}
		out.Tracked, out.Warnings = append(out.Tracked, t), append(out.Warnings, warnings...)
	}
	out.Site = d.engine.Site().String()
	if err := d.Close(); err != nil {
		return err
	}
	if asJSON {
		return printJSON(a.out, out)
	}
	for _, w := range out.Warnings {
		fmt.Fprintln(a.err, "warning: "+unsigned(w))
	}
	if len(out.Tracked) == 0 {
		return fmt.Errorf("%s: no table that can be tracked; create one with a PRIMARY KEY", path)
	}
	fmt.Fprintf(a.out, "%s: tracking %s: %s\n", path, plural(len(out.Tracked), "table"), strings.Join(out.Tracked, ", "))
	fmt.Fprintf(a.out, "site %s\n", out.Site)
	return nil
}
