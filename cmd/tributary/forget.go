package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tributary-db/tributary/crdt"
)

func (a *app) forgetPeerCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "forget-peer FILE SITE",
		Short: "Retire a peer that will not come again",
		Long: `Retire a peer that will not come again, so that compact need not keep history for it. What it has written stays. If it
does come again, it must take a new copy with clone: its packages are refused, so that deleted rows cannot come back.`,
		Example: `  tributary status shop.db                                          # shows the sites
  tributary forget-peer shop.db 0f8a3c5be2d14c1f9a77c1d2e3f40516`,
		Args:              needArgs(2, 2, "a database file and a site id of 32 hex digits"),
		ValidArgsFunction: a.completeSites,
	}
	jsonFlag(cmd, &asJSON, `{"forgotten": site}`)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		site, err := crdt.ParseSite(args[1])
		if err != nil {
			return fmt.Errorf("forget-peer: %q is not a site id of 32 hex digits; tributary status %s shows them", args[1], args[0])
		}
		d, err := a.open(ctx, args[0], toWrite)
		if err != nil {
			return err
		}
		defer d.Close()
		if err := d.engine.ForgetPeer(ctx, site); err != nil {
			return d.fail(err)
		}
		if err := d.Close(); err != nil {
			return err
		}
		if asJSON {
			return printJSON(a.out, map[string]string{"forgotten": site.String()})
		}
		fmt.Fprintf(a.out, "%s: site %s is retired\n", args[0], site)
		return nil
	}
	return cmd
}
