// Package purehost is vtab/ncruces as a conformance.Host: the driver without cgo for the engine, and bare connections of the
// same driver for the clients that know nothing of Tributary. The command's test-script and this project's own tests run
// scripts with it, and it shows what another host has to do.
package purehost

import (
	"cmp"
	"errors"
	"io"
	"net/url"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/fts5"

	"github.com/tributary-db/tributary/conformance"
	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/zstd"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

// Host has no state.
type Host struct{}

// Compressor is zstd.
func (Host) Compressor() crdt.Compressor { return zstd.New() }

// Conn opens a connection for an engine.
func (Host) Conn(path string) (engine.Conn, io.Closer, error) {
	db, err := Open(path)
	if err != nil {
		return nil, nil, err
	}
	return ncruces.NewConn(db), db, nil
}

// Writer opens a plain connection.
func (Host) Writer(path string) (conformance.Writer, error) {
	db, err := Open(path)
	if err != nil {
		return nil, err
	}
	return &Writer{db}, nil
}

// Open opens a database with full-text search and a busy timeout of 10 s, and nothing of Tributary.
func Open(path string) (*sqlite3.Conn, error) {
	db, err := sqlite3.Open("file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	if err := fts5.Register(db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// Writer is a plain connection, which it owns. Each Exec starts as a client does: with foreign_keys and recursive_triggers
// off and in no transaction.
type Writer struct{ db *sqlite3.Conn }

// Close closes the connection.
func (w *Writer) Close() error { return w.db.Close() }

// Exec runs statements. A transaction that they leave open is rolled back.
func (w *Writer) Exec(sql string) error {
	err := w.db.Exec(sql)
	if !w.db.GetAutocommit() {
		err = cmp.Or(err, w.db.Exec("ROLLBACK"))
	}
	return cmp.Or(err, w.db.Exec("PRAGMA foreign_keys = OFF; PRAGMA recursive_triggers = OFF"))
}

// Query calls f with each row of a statement. Slice and values are f's during the call.
func (w *Writer) Query(sql string, f func([]crdt.Value) error) error {
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
