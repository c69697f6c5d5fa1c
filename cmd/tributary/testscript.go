package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/tributary-db/tributary/conformance"
	"github.com/tributary-db/tributary/conformance/purehost"
)

func (a *app) testScriptCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test-script FILE...",
		Short: "Run scenarios: a few replicas, SQL, packages, and what must be there in the end",
		Long: `Run scenarios. A scenario names a few replicas, writes to them with plain SQL, moves packages between them in some
order and says what must be there in the end; conformance/README.md lists its commands. The replicas are fresh databases in a
temporary folder that is removed afterwards. Exit code 1 when a scenario does not end as it says.`,
		Example: `  tributary test-script my-tables.txt`,
		Args:    needArgs(1, -1, "at least one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			failed := false
			for _, name := range args {
				text, err := os.ReadFile(name)
				if err != nil {
					return err
				}
				switch err := a.runScript(cmd, name, string(text)); {
				case errors.Is(err, conformance.ErrSkip):
					fmt.Fprintf(a.out, "%s: skipped: %v\n", name, err)
				case err != nil:
					fmt.Fprintf(a.out, "%v\n", err)
					failed = true
				default:
					fmt.Fprintf(a.out, "%s: ok\n", name)
				}
			}
			if failed {
				return errNo
			}
			return nil
		},
	}
}

func (a *app) runScript(cmd *cobra.Command, name, text string) error {
	dir, err := os.MkdirTemp("", "tributary-script-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return conformance.RunScript(cmd.Context(), purehost.Host{}, dir, name, text)
}
