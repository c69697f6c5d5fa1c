package engine

import (
	"fmt"

	"github.com/tributary-db/tributary/crdt"
)

// stmt returns the kept statement for sql. A statement must not be used again while a query on it is being read.
func (e *Engine) stmt(sql string) (Stmt, error) {
	if s, ok := e.stmts[sql]; ok {
		return s, nil
	}
	if len(e.stmts) > 2000 { // many tables with many shapes of update: start anew rather than grow
		e.Close()
	}
	s, err := e.conn.Prepare(sql)
	if err != nil {
		return nil, fmt.Errorf("%w in %s", err, sql)
	}
	e.stmts[sql] = s
	return s, nil
}

// run executes a kept statement to its end.
func (e *Engine) run(sql string, args ...crdt.Value) error {
	s, err := e.stmt(sql)
	if err != nil {
		return err
	}
	return s.Run(args...)
}

// one returns the first column of the first row, NULL if there is none. The value is the caller's.
func (e *Engine) one(sql string, args ...crdt.Value) (crdt.Value, error) {
	var row [1]crdt.Value
	s, err := e.stmt(sql)
	if err != nil {
		return crdt.Value{}, err
	}
	if err := s.Query(args...); err != nil {
		return crdt.Value{}, err
	}
	ok, err := s.Next(row[:])
	if err != nil || !ok {
		return crdt.Value{}, err
	}
	v := row[0].Clone()
	return v, s.Reset()
}

// each calls f with every row; the values are borrowed until f returns.
func (e *Engine) each(sql string, columns int, f func([]crdt.Value) error, args ...crdt.Value) error {
	s, err := e.stmt(sql)
	if err != nil {
		return err
	}
	if err := s.Query(args...); err != nil {
		return err
	}
	row := make([]crdt.Value, columns)
	for {
		ok, err := s.Next(row)
		if err != nil || !ok {
			return err
		}
		if err := f(row); err != nil {
			s.Reset()
			return err
		}
	}
}

// list is each with all rows copied first, for callers that write while they go through them.
func (e *Engine) list(sql string, columns int, args ...crdt.Value) ([][]crdt.Value, error) {
	var out [][]crdt.Value
	err := e.each(sql, columns, func(r []crdt.Value) error {
		row := make([]crdt.Value, columns)
		for i := range r {
			row[i] = r[i].Clone()
		}
		out = append(out, row)
		return nil
	}, args...)
	return out, err
}

// runRows executes a kept statement that reads rows from tributary_rows.
func (e *Engine) runRows(rows [][]crdt.Value, sql string, args ...crdt.Value) error {
	if len(rows) == 0 {
		return nil
	}
	e.conn.SetRows(&Rows{Data: rows})
	defer e.conn.SetRows(nil)
	return e.run(sql, args...)
}

// rowsTable is the row table wide enough for n columns.
func rowsTable(n int) string {
	if n <= NarrowColumns {
		return "tributary_rows"
	}
	return "tributary_rows_wide"
}

func (e *Engine) meta(key string) (crdt.Value, error) {
	return e.one("SELECT value FROM tributary_meta WHERE key = ?1", crdt.TextString(key))
}

func (e *Engine) setMeta(key string, v crdt.Value) error {
	return e.run("INSERT INTO tributary_meta(key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value", crdt.TextString(key), v)
}

// nest runs f inside a savepoint, or plainly where the host's statement already is the transaction (inUpdate: SQLite
// refuses savepoints inside xUpdate). The outermost savepoint is a transaction: https://sqlite.org/lang_savepoint.html
func (e *Engine) nest(inUpdate bool, f func() error) error {
	if inUpdate {
		return f()
	}
	begin, commit, undo := "SAVEPOINT tributary", "RELEASE tributary", "ROLLBACK TO tributary; RELEASE tributary"
	if !e.conn.InTransaction() {
		begin, commit, undo = "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"
	}
	if err := e.conn.Exec(begin); err != nil {
		return err
	}
	err := f()
	if err == nil {
		if err = e.conn.Exec(commit); err == nil {
			return nil
		}
	}
	if e.conn.InTransaction() { // a failure such as a full disk may have rolled back already
		if uerr := e.conn.Exec(undo); uerr != nil {
			return &PartialError{fmt.Errorf("%w; and the rollback failed: %w", err, uerr)}
		}
	}
	e.forget()
	return err
}

// forget drops what was read inside a transaction that has been rolled back.
func (e *Engine) forget() { e.ready, e.reconciled = false, e.committed }
