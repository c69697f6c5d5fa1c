package ncruces

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

func TestStatementLife(t *testing.T) {
	c := NewConn(open(t, ":memory:"))
	s := prepare(t, c, "SELECT ?1, ?2 UNION ALL SELECT 3, 4")
	var row [2]crdt.Value
	if _, err := s.Next(row[:]); err == nil {
		t.Error("Next before Query: want an error")
	}
	if err := s.Query(crdt.Int(1), crdt.Int(2)); err != nil {
		t.Fatal(err)
	}
	if ok, err := s.Next(row[:]); !ok || err != nil || row[1].Int() != 2 {
		t.Fatal(ok, err, row)
	}
	// Still running: Query starts again, and an argument that is not given is NULL.
	if err := s.Query(crdt.Int(5)); err != nil {
		t.Fatal(err)
	}
	if ok, err := s.Next(row[:]); !ok || err != nil || row[0].Int() != 5 || !row[1].IsNull() {
		t.Fatal(ok, err, row)
	}
	if ok, err := s.Next(row[:1]); !ok || err != nil || row[0].Int() != 3 {
		t.Fatal(ok, err, row)
	}
	if ok, err := s.Next(nil); ok || err != nil {
		t.Fatal(ok, err)
	}
	if s.(*stmt).s.Busy() {
		t.Error("at the end: still busy")
	}
	for range 2 {
		if err := s.Reset(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Query(); err == nil {
		t.Error("Query after Close: want an error")
	}
	if err := s.Query(crdt.Int(1), crdt.Int(2), crdt.Int(3)); err == nil {
		t.Error("too many arguments: want an error")
	}
}

func TestPrepareTakesOneStatement(t *testing.T) {
	c := NewConn(open(t, ":memory:"))
	for sql, good := range map[string]bool{
		"SELECT 1":                  true,
		"SELECT 1; \n":              true,
		"":                          false,
		"-- nothing":                false,
		"SELECT 1; SELECT 2":        false,
		"SELECT * FROM nonexistent": false,
	} {
		s, err := c.Prepare(sql)
		if good != (err == nil) {
			t.Errorf("%q: got %v", sql, err)
		}
		var code engine.ErrorCode
		if err != nil && !errors.As(err, &code) {
			t.Errorf("%q: %v carries no code", sql, err)
		}
		if s != nil {
			s.Close()
		}
	}
}

func TestErrorsCarryExtendedCodes(t *testing.T) {
	c := NewConn(open(t, ":memory:"))
	if err := c.Exec("CREATE TABLE t(a UNIQUE, b NOT NULL, CHECK (a < 9)); INSERT INTO t VALUES (1, 1)"); err != nil {
		t.Fatal(err)
	}
	for sql, want := range map[string]int{
		"INSERT INTO t VALUES (1, 1)":                2067,
		"INSERT INTO t VALUES (2, NULL)":             1299,
		"INSERT INTO t VALUES (9, 1)":                275,
		"SELECT abs(-9223372036854775808), * FROM t": 1,
	} {
		s := prepare(t, c, sql)
		errs := []error{s.Run(), c.Exec(sql)}
		if err := s.Query(); err != nil {
			t.Fatal(err)
		}
		_, err := s.Next(nil)
		for _, err := range append(errs, err) {
			var code engine.ErrorCode
			if !errors.As(err, &code) || code.SQLiteCode() != want {
				t.Errorf("%s: got %v, want code %d", sql, err, want)
			}
		}
		// The failure is over: the statement has been reset.
		if s.(*stmt).s.Busy() {
			t.Errorf("%s: still busy", sql)
		}
	}
}

func TestOutOfMemoryIsAnError(t *testing.T) {
	db, err := sqlite3.OpenContext(sqlite3.WithMaxMemory(t.Context(), 16<<20), ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c := NewConn(db)
	if err := c.Exec("CREATE TABLE t(v)"); err != nil {
		t.Fatal(err)
	}
	const big = 7 << 20
	isNoMemory := func(what string, err error) {
		t.Helper()
		var code engine.ErrorCode
		if !errors.As(err, &code) || code.SQLiteCode()&0xff != int(sqlite3.NOMEM) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	isNoMemory("Exec", c.Exec(fmt.Sprintf("INSERT INTO t SELECT randomblob(%d) || zeroblob(%d)", big, 2*big)))
	s := prepare(t, c, "INSERT INTO t SELECT ?1 || ?1 || ?1")
	isNoMemory("Run", s.Run(crdt.Blob(make([]byte, big))))
	isNoMemory("Query", s.Query(crdt.Blob(make([]byte, 4*big))))
	q := prepare(t, c, "SELECT ?1 || ?1 || ?1")
	if err := q.Query(crdt.Blob(make([]byte, big))); err != nil {
		t.Fatal(err)
	}
	_, err = q.Next(make([]crdt.Value, 1))
	isNoMemory("Next", err)
	c.SetRows(&engine.Rows{Data: [][]crdt.Value{{crdt.Blob(make([]byte, 4*big))}}})
	isNoMemory("rows", c.Exec("INSERT INTO t SELECT c0 FROM tributary_rows"))
	// Nothing of all that is left in the heap: the bound values are gone.
	for range 20 {
		one := prepare(t, c, "SELECT length(?1)")
		if err := one.Run(crdt.Blob(make([]byte, big))); err != nil {
			t.Fatal(err)
		}
	}
}
