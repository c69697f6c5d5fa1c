package conformance_test

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/fts5"

	"github.com/tributary-db/tributary/conformance"
	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/zstd"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

// host is vtab/ncruces as the engine's side, and a bare connection of the same driver as the plain writer.
type host struct{}

func (host) Compressor() crdt.Compressor { return zstd.New() }

func (host) Conn(path string) (engine.Conn, io.Closer, error) {
	db, err := open(path)
	if err != nil {
		return nil, nil, err
	}
	return ncruces.NewConn(db), db, nil
}

func (host) Writer(path string) (conformance.Writer, error) {
	db, err := open(path)
	return &writer{db}, err
}

func open(path string) (*sqlite3.Conn, error) {
	db, err := sqlite3.Open("file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	return db, fts5.Register(db)
}

// writer is a plain connection: nothing of Tributary is registered on it.
type writer struct{ db *sqlite3.Conn }

func (w *writer) Close() error { return w.db.Close() }

func (w *writer) Exec(sql string) error {
	err := w.db.Exec(sql)
	if !w.db.GetAutocommit() {
		err = firstError(err, w.db.Exec("ROLLBACK"))
	}
	return firstError(err, w.db.Exec("PRAGMA foreign_keys = OFF; PRAGMA recursive_triggers = OFF")) // as a client starts
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func (w *writer) Query(sql string, f func([]crdt.Value) error) error {
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

// shell is host with the sqlite3 program as the plain writer: another library version, another process.
type shell struct{ host }

type shellWriter struct {
	*writer
	path string
}

func (h shell) Writer(path string) (conformance.Writer, error) {
	w, err := h.host.Writer(path)
	if err != nil {
		return nil, err
	}
	return &shellWriter{w.(*writer), path}, nil
}

func (w *shellWriter) Exec(sql string) error {
	cmd := exec.Command("sqlite3", "-batch", "-bail", "-cmd", ".timeout 10000", w.path)
	cmd.Stdin = strings.NewReader(sql + "\n;\n")
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("sqlite3: %s", strings.TrimSpace(out.String()))
	}
	return nil
}

func TestScenarios(t *testing.T) { conformance.RunAll(t, host{}) }

// TestScenariosShell writes with the sqlite3 program.
func TestScenariosShell(t *testing.T) {
	if testing.Short() {
		t.Skip("short: TestScenarios runs the same scenarios with the driver's own connection")
	}
	if _, err := exec.LookPath("sqlite3"); err != nil {
		t.Skip("the sqlite3 program is not installed (Debian package sqlite3)")
	}
	conformance.RunAll(t, shell{})
}
