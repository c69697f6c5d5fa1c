package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/vtab/ncruces"
)

// replica is one of the demo's databases. conn has Tributary's tables and functions; the shop's own program, which knows
// nothing of them, opens connections of its own.
type replica struct {
	name, path string
	conn       *sqlite3.Conn
	cursors    map[string]int64 // receiver -> how far it has been sent
}

func (d *demo) path(name string) string { return filepath.Join(d.folder, name+".db") }

// plainly runs SQL on a connection without Tributary, as any program would. The library enforces foreign keys.
func plainly(path, sql string) error {
	conn, err := sqlite3.Open(path)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.BusyTimeout(5 * time.Second); err != nil {
		return err
	}
	return conn.Exec("BEGIN; " + sql + "; COMMIT")
}

// connect opens a replica with the streams registered.
func (d *demo) connect(ctx context.Context, name string) (*replica, error) {
	conn, err := d.app.openConn(ctx, d.path(name), toWrite)
	if err != nil {
		return nil, err
	}
	if err := ncruces.Register(conn, d.app.engineOptions()); err != nil {
		conn.Close()
		return nil, err
	}
	return &replica{name: name, path: d.path(name), conn: conn, cursors: map[string]int64{}}, nil
}

func (d *demo) close() {
	for _, r := range d.replicas {
		r.conn.Close()
	}
	d.replicas = nil
}

func (d *demo) replica(name string) *replica {
	for _, r := range d.replicas {
		if r.name == name {
			return r
		}
	}
	panic("no replica " + name)
}

// query returns the rows of a query as texts; NULL is shown as NULL.
func (r *replica) query(sql string, args ...any) (rows [][]string, err error) {
	stmt, _, err := r.conn.Prepare(sql)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.name, err)
	}
	defer stmt.Close()
	for i, a := range args {
		switch a := a.(type) {
		case []byte:
			err = stmt.BindBlob(i+1, a)
		case int64:
			err = stmt.BindInt64(i+1, a)
		}
		if err != nil {
			return nil, err
		}
	}
	for stmt.Step() {
		row := make([]string, stmt.ColumnCount())
		for i := range row {
			row[i] = "NULL"
			if f := fieldOf(stmt, i); f.kind != sqlite3.NULL {
				row[i] = f.text
			}
		}
		rows = append(rows, row)
	}
	if err := stmt.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", r.name, err)
	}
	return rows, nil
}

// value returns the only value of a query.
func (r *replica) value(sql string) (string, error) {
	rows, err := r.query(sql)
	if err != nil || len(rows) == 0 {
		return "", err
	}
	return rows[0][0], nil
}

// fingerprint is a hash over all rows of all tables, made without Tributary's help.
func (r *replica) fingerprint() (string, error) {
	h := sha256.New()
	for _, t := range demoTables {
		rows, err := r.query("SELECT * FROM " + t.name + " ORDER BY " + t.key)
		if err != nil {
			return "", err
		}
		for _, row := range rows {
			fmt.Fprintf(h, "%s %q\n", t.name, row)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), nil
}
