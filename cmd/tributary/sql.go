package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/ncruces/go-sqlite3"
	"github.com/spf13/cobra"

	"github.com/tributary-db/tributary/vtab/ncruces"
)

func (a *app) sqlCommand() *cobra.Command {
	var create, readOnly, headers bool
	mode := "list"
	cmd := &cobra.Command{
		Use:   "sql FILE [SQL ...]",
		Short: "Run SQL with Tributary's functions and tables at hand",
		Long: `Run SQL with Tributary's functions and virtual tables at hand: stream_out and stream_in, tributary_status,
tributary_changes and the others. Without SQL, statements and dot commands are read from stdin; on a terminal with line
editing, history and completion.

Output is as in the sqlite3 program: by default values are joined by |, without a header, NULL as nothing, blobs as their
bytes. The first statement that fails ends a script (.bail off goes on); the exit code is then 1.

` + shellHelp,
		Example: `  tributary sql shop.db "SELECT tributary_version()"
  tributary sql --mode box shop.db "SELECT * FROM tributary_status"
  tributary sql shop.db < script.sql
  tributary sql shop.db`,
		Args: needArgs(1, -1, "a database file"),
	}
	flags := cmd.Flags()
	flags.BoolVar(&create, "create", false, "create the file when it does not exist")
	flags.BoolVar(&readOnly, "readonly", false, "refuse to write")
	flags.StringVar(&mode, "mode", mode, "output mode: "+strings.Join(modeNames(), ", "))
	flags.BoolVar(&headers, "headers", false, "print column names")
	cmd.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions(modeNames(), cobra.ShellCompDirectiveNoFileComp))
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveDefault
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		conn, err := a.openShell(ctx, args[0], create, readOnly)
		if err != nil {
			return inFile(args[0], err)
		}
		defer conn.Close()
		sh := newShell(a, args[0], conn)
		if err := sh.setMode(mode); err != nil {
			return err
		}
		if flags.Changed("headers") {
			sh.headers = &headers
		}
		return sh.main(ctx, args[1:])
	}
	return cmd
}

// openShell opens a connection with everything registered. Creating a file must be asked for: a typing error in a name
// would otherwise be answered by an empty database.
func (a *app) openShell(ctx context.Context, path string, create, readOnly bool) (conn *sqlite3.Conn, err error) {
	_, statErr := os.Stat(path)
	missing := errors.Is(statErr, fs.ErrNotExist)
	switch {
	case create && missing:
		conn, err = a.connect(ctx, path, sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE)
	case missing:
		return nil, errors.New("no such file; look at the name, or create it with --create")
	case readOnly:
		if err := looksLikeDatabase(path); err != nil {
			return nil, err
		}
		conn, err = a.connect(ctx, path, sqlite3.OPEN_READONLY)
	default:
		conn, err = a.openConn(ctx, path, toRead)
	}
	if err != nil {
		return nil, err
	}
	if err := ncruces.Register(conn, a.engineOptions()); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}
