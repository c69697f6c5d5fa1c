package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) compactCommand() *cobra.Command {
	var asJSON, vacuum bool
	cmd := &cobra.Command{
		Use:   "compact FILE",
		Short: "Forget history that every peer has",
		Long: `Forget tombstones and history that every known peer is known to have. A silent peer holds them back; take one that will
not come again off the list with forget-peer. Rows are never touched. The freed pages are used again; with --vacuum they
go back to the disk, which writes the whole file anew and takes as much room meanwhile.`,
		Example: `  tributary compact shop.db
  tributary compact --vacuum shop.db   # after a large import`,
		Args: needArgs(1, 1, "one database file"),
	}
	jsonFlag(cmd, &asJSON, `{"tombstones", "changesets", "blocked"}: the numbers removed, and what keeps the rest, empty for nothing.`)
	cmd.Flags().BoolVar(&vacuum, "vacuum", false, "give free pages back to the disk; nobody may use the file meanwhile")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		d, err := a.open(ctx, args[0], toWrite)
		if err != nil {
			return err
		}
		defer d.Close()
		r, err := d.engine.Compact(ctx)
		if err != nil {
			return d.fail(err)
		}
		if vacuum {
			if err := d.conn.Exec("VACUUM"); err != nil {
				return d.fail(err)
			}
		}
		if err := d.Close(); err != nil {
			return err
		}
		if asJSON {
			return printJSON(a.out, r)
		}
		if r.Blocked != "" {
			fmt.Fprintf(a.err, "note: %s: the rest has to stay: %s\n", args[0], r.Blocked)
		}
		fmt.Fprintf(a.out, "%s: removed %s, %s\n", args[0], plural(r.Tombstones, "tombstone"), plural(r.Changesets, "changeset"))
		return nil
	}
	return cmd
}
