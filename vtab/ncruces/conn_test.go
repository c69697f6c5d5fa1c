package ncruces

import (
	"bytes"
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"
	_ "github.com/ncruces/go-sqlite3/vfs/memdb"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// open opens a database that is closed at the end of the test, which fails if anything was left unfinalized.
func open(t testing.TB, name string) *sqlite3.Conn {
	t.Helper()
	db, err := sqlite3.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

func prepare(t testing.TB, c engine.Conn, sql string) engine.Stmt {
	t.Helper()
	s, err := c.Prepare(sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	})
	return s
}

// all runs a query and renders its rows.
func all(t testing.TB, c engine.Conn, sql string, args ...crdt.Value) []string {
	t.Helper()
	s, err := c.Prepare(sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	defer s.Close()
	if err := s.Query(args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	var rows []string
	columns := 0
	switch s := s.(type) {
	case *stmt:
		columns = s.s.ColumnCount()
	case *extensionStmt:
		columns = s.s.Columns
	}
	dst := make([]crdt.Value, columns)
	for {
		ok, err := s.Next(dst)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if !ok {
			return rows
		}
		row := ""
		for i, v := range dst {
			if i > 0 {
				row += " "
			}
			row += v.String()
		}
		rows = append(rows, row)
	}
}

func want(t testing.TB, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

var values = []crdt.Value{
	crdt.Null(), crdt.Int(0), crdt.Int(math.MinInt64), crdt.Int(math.MaxInt64),
	crdt.Real(0), crdt.Real(-2.5), crdt.Real(math.Inf(1)), crdt.Real(math.SmallestNonzeroFloat64), crdt.Real(1),
	crdt.Text(nil), crdt.TextString("x"), crdt.TextString("a\x00b"), crdt.Text([]byte{0xff, 0xfe, 0, 0x80}), crdt.TextString("1"),
	crdt.Blob(nil), crdt.Blob([]byte{0}), crdt.Blob([]byte("text")), crdt.Blob(bytes.Repeat([]byte{7}, 1<<20)),
	crdt.Text(bytes.Repeat([]byte("é"), 1<<19)),
}

func TestValuesSurviveBindAndColumn(t *testing.T) {
	c := NewConn(open(t, ":memory:"))
	s := prepare(t, c, "SELECT ?1, typeof(?1)")
	for _, v := range values {
		if err := s.Query(v); err != nil {
			t.Fatal(err)
		}
		var got [2]crdt.Value
		if ok, err := s.Next(got[:]); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if !got[0].Equal(v) || string(got[1].Bytes()) != v.Kind().String() {
			t.Errorf("got %.40v (%s), want %.40v (%s)", got[0], got[1].Bytes(), v, v.Kind())
		}
	}
}

func TestValuesSurviveStorageAndRows(t *testing.T) {
	for _, table := range []string{"tributary_rows", "tributary_rows_wide"} {
		c := NewConn(open(t, ":memory:"))
		if err := c.Exec("CREATE TABLE t(k INTEGER PRIMARY KEY, v)"); err != nil {
			t.Fatal(err)
		}
		rows := engine.Rows{}
		for i, v := range values {
			rows.Data = append(rows.Data, []crdt.Value{crdt.Int(int64(i)), v})
		}
		c.SetRows(&rows)
		s := prepare(t, c, "INSERT INTO t(k, v) SELECT c0, c1 FROM "+table)
		if err := s.Run(); err != nil {
			t.Fatal(err)
		}
		q := prepare(t, c, "SELECT v FROM t ORDER BY k")
		if err := q.Query(); err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			var got [1]crdt.Value
			if ok, err := q.Next(got[:]); !ok || err != nil {
				t.Fatal(ok, err)
			}
			if !got[0].Equal(v) {
				t.Errorf("%s: got %.40v, want %.40v", table, got[0], v)
			}
		}
		c.SetRows(nil)
		want(t, all(t, c, "SELECT count(*) FROM "+table), "0")
	}
}

func TestTransactionAndFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a b.db")
	c := NewConn(open(t, file))
	if c.InTransaction() || c.ReadOnly() || c.Filename() != file {
		t.Errorf("got %v %v %q", c.InTransaction(), c.ReadOnly(), c.Filename())
	}
	if err := c.Exec("CREATE TABLE t(a); SAVEPOINT x"); err != nil {
		t.Fatal(err)
	}
	if !c.InTransaction() {
		t.Error("in a savepoint: want InTransaction")
	}
	if err := c.Exec("RELEASE x"); err != nil || c.InTransaction() {
		t.Error(err)
	}
	if c := NewConn(open(t, "file:"+file+"?mode=ro")); !c.ReadOnly() {
		t.Error("mode=ro: want ReadOnly")
	}
	for _, name := range []string{":memory:", "", "file:/x.db?vfs=memdb"} {
		if c := NewConn(open(t, name)); c.Filename() != "" {
			t.Errorf("%q: got file name %q", name, c.Filename())
		}
	}
}

func TestEnableTriggers(t *testing.T) {
	c := NewConn(open(t, ":memory:"))
	if err := c.Exec("CREATE TABLE t(a); CREATE TABLE l(a); CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO l VALUES (new.a); END"); err != nil {
		t.Fatal(err)
	}
	insert := prepare(t, c, "INSERT INTO t VALUES (?1)")
	for i, step := range []struct{ on, was bool }{{false, true}, {false, false}, {true, false}, {true, true}} {
		was, err := c.EnableTriggers(step.on)
		if err != nil || was != step.was {
			t.Errorf("step %d: was %v %v", i, was, err)
		}
		if err := insert.Run(crdt.Int(int64(i))); err != nil {
			t.Fatal(err)
		}
	}
	want(t, all(t, c, "SELECT a FROM l"), "2", "3")
}

func TestOneHostPerConnection(t *testing.T) {
	db := open(t, ":memory:")
	first := NewConn(db)
	s := prepare(t, first, "SELECT c0 FROM tributary_rows")
	second := NewConn(db)
	if first != second {
		t.Fatal("want the same port")
	}
	// A change of the schema has the statement prepared again; it must still find the same rows.
	if err := second.Exec("CREATE TABLE t(a)"); err != nil {
		t.Fatal(err)
	}
	first.SetRows(&engine.Rows{Data: [][]crdt.Value{{crdt.Int(7)}}})
	if err := s.Query(); err != nil {
		t.Fatal(err)
	}
	var row [1]crdt.Value
	if ok, err := s.Next(row[:]); !ok || err != nil || row[0].Int() != 7 {
		t.Fatal(ok, err, row)
	}
	if NewConn(open(t, ":memory:")) == first {
		t.Error("another connection: want another port")
	}
}
