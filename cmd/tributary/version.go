package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/ncruces/go-sqlite3"
	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version of the program and of what is in it",
		Long:    `Print the version of the program, and of the Go and SQLite that are in it.`,
		Example: `  tributary version --json`,
		Args:    usageArgs(cobra.NoArgs),
	}
	jsonFlag(cmd, &asJSON, `{"version", "revision", "go", "platform", "sqlite"}; revision is empty when it is not known.`)
	cmd.RunE = func(*cobra.Command, []string) error {
		v := struct {
			Version  string `json:"version"`
			Revision string `json:"revision"`
			Go       string `json:"go"`
			Platform string `json:"platform"`
			SQLite   string `json:"sqlite"`
		}{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
		if info, ok := debug.ReadBuildInfo(); ok {
			v.Version = programVersion()
			for _, s := range info.Settings {
				if s.Key == "vcs.revision" {
					v.Revision = s.Value
				}
			}
		}
		var err error
		if v.SQLite, err = sqliteVersion(); err != nil {
			return err
		}
		if asJSON {
			return printJSON(a.out, v)
		}
		fmt.Fprintf(a.out, "tributary %s", v.Version)
		if v.Revision != "" {
			fmt.Fprintf(a.out, " (%s)", v.Revision)
		}
		_, err = fmt.Fprintf(a.out, ", %s %s, SQLite %s\n", v.Go, v.Platform, v.SQLite)
		return err
	}
	return cmd
}

// programVersion is the module's version, "(devel)" for a build from a working copy.
func programVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

func sqliteVersion() (string, error) {
	conn, err := sqlite3.Open(":memory:")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	stmt, _, err := conn.Prepare("SELECT sqlite_version()")
	if err != nil {
		return "", err
	}
	defer stmt.Close()
	stmt.Step()
	return stmt.ColumnText(0), stmt.Err()
}
