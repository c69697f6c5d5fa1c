package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) checkCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Test every invariant of a replica's bookkeeping",
		Long: `Test every invariant of the tables and triggers in which Tributary keeps its books, and say what to do about each that
does not hold. Nothing is changed. Exit code 1 when something is wrong.`,
		Example: `  tributary check shop.db`,
		Args:    needArgs(1, 1, "one database file"),
	}
	jsonFlag(cmd, &asJSON, `{"ok", "violations": [{"code", "message", "remedy"}]}`)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		d, err := a.open(ctx, args[0], toRead)
		if err != nil {
			return err
		}
		defer d.Close()
		found, err := d.engine.Check(ctx)
		if err != nil {
			return d.fail(err)
		}
		type violation struct {
			Code    string `json:"code"`
			Message string `json:"message"`
			Remedy  string `json:"remedy"`
		}
		out := struct {
			OK         bool        `json:"ok"`
			Violations []violation `json:"violations"`
		}{len(found) == 0, []violation{}}
		for _, v := range found {
			out.Violations = append(out.Violations, violation{v.Code, v.Message, v.Remedy})
		}
		if asJSON {
			if err := printJSON(a.out, out); err != nil {
				return err
			}
		} else {
			for _, v := range out.Violations {
				fmt.Fprintf(a.out, "%s: %s\n    what to do: %s\n", v.Code, v.Message, v.Remedy)
			}
			if out.OK {
				fmt.Fprintf(a.out, "%s: ok\n", args[0])
			} else {
				fmt.Fprintf(a.out, "%s: %s\n", args[0], plural(len(found), "violation"))
			}
		}
		if !out.OK {
			return errNo
		}
		return nil
	}
	return cmd
}
