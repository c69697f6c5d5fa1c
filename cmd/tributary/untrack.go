package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) untrackCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "untrack FILE TABLE ...",
		Short: "Stop recording the changes of tables",
		Long: `Stop recording the changes of tables. The rows stay; the triggers and the history of the tables go, so changes made
before that have not been sent yet are not sent any more. Other replicas keep tracking them.`,
		Example:           `  tributary untrack shop.db note`,
		Args:              needArgs(2, -1, "a database file and at least one table"),
		ValidArgsFunction: completeTables(a, trackedTables),
	}
	jsonFlag(cmd, &asJSON, `{"untracked": [names]}`)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		d, err := a.open(ctx, args[0], toWrite)
		if err != nil {
			return err
		}
		defer d.Close()
		for _, t := range args[1:] {
			if err := d.engine.Untrack(ctx, t); err != nil {
				return d.fail(err)
			}
		}
		if err := d.Close(); err != nil {
			return err
		}
		if asJSON {
			return printJSON(a.out, map[string][]string{"untracked": args[1:]})
		}
		fmt.Fprintf(a.out, "%s: no longer tracking %s\n", args[0], strings.Join(args[1:], ", "))
		return nil
	}
	return cmd
}
