package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/fts5"
	"github.com/spf13/cobra"

	"github.com/tributary-db/tributary/conformance"
	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/zstd"
	"github.com/tributary-db/tributary/vtab/ncruces"
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
	return conformance.RunScript(cmd.Context(), scriptHost{}, dir, name, text)
}

// scriptHost is the command's own driver, and a bare connection of it as the plain writer.
type scriptHost struct{}

func (scriptHost) Compressor() crdt.Compressor { return zstd.New() }

func (scriptHost) Conn(path string) (engine.Conn, io.Closer, error) {
	db, err := openForScript(path)
	if err != nil {
		return nil, nil, err
	}
	return ncruces.NewConn(db), db, nil
}

func (scriptHost) Writer(path string) (conformance.Writer, error) {
	db, err := openForScript(path)
	if err != nil {
		return nil, err
	}
	return &scriptWriter{db}, nil
}

func openForScript(path string) (*sqlite3.Conn, error) {
	db, err := sqlite3.Open("file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	if err := fts5.Register(db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// scriptWriter is a plain connection: nothing of Tributary is registered on it.
type scriptWriter struct{ db *sqlite3.Conn }

func (w *scriptWriter) Close() error { return w.db.Close() }

func (w *scriptWriter) Exec(sql string) error {
	err := w.db.Exec(sql)
	if !w.db.GetAutocommit() {
		err = cmp.Or(err, w.db.Exec("ROLLBACK"))
	}
	return cmp.Or(err, w.db.Exec("PRAGMA foreign_keys = OFF; PRAGMA recursive_triggers = OFF")) // as a client starts
}

func (w *scriptWriter) Query(sql string, f func([]crdt.Value) error) error {
	s, _, err := w.db.Prepare(sql)
	if err != nil {
		return err
	}
	defer s.Close()
	row := make([]crdt.Value, s.ColumnCount())
	for s.Step() {
		for i := range row {
			switch s.ColumnType(i) {
			case sqlite3.INTEGER:
				row[i] = crdt.Int(s.ColumnInt64(i))
			case sqlite3.FLOAT:
				row[i] = crdt.Real(s.ColumnFloat(i))
			case sqlite3.TEXT:
				row[i] = crdt.Text(s.ColumnRawText(i))
			case sqlite3.BLOB:
				row[i] = crdt.Blob(s.ColumnRawBlob(i))
			default:
				row[i] = crdt.Null()
			}
		}
		if err := f(row); err != nil {
			return err
		}
	}
	return s.Err()
}
