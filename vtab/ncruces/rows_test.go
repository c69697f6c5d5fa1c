package ncruces

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

func someRows(n int) *engine.Rows {
	r := &engine.Rows{}
	for i := range n {
		r.Data = append(r.Data, []crdt.Value{crdt.Int(int64(i) * 10), crdt.TextString(fmt.Sprint("row ", i))})
	}
	return r
}

func TestRows(t *testing.T) {
	c := NewConn(open(t, ":memory:"))
	c.SetRows(someRows(5))
	for _, test := range []struct{ where, want string }{
		{"", "0 1 2 3 4"},
		{"WHERE rowid = 3", "3"},
		{"WHERE rowid = 5", ""},
		{"WHERE rowid = -1", ""},
		{"WHERE rowid IN (4, 9, 0)", "0 4"},
		{"WHERE rowid >= 1 AND rowid < 3", "1 2"},
		{"WHERE rowid > 1 AND rowid <= 3", "2 3"},
		{"WHERE rowid > 1.5", "2 3 4"},
		{"WHERE rowid < 2.5", "0 1 2"},
		{"WHERE rowid > '2'", "3 4"},
		{"WHERE rowid < NULL", ""},
		{"WHERE rowid < -9223372036854775807 - 1", ""},
		{"WHERE rowid <= 9223372036854775807", "0 1 2 3 4"},
		{"WHERE rowid > 9223372036854775807", ""},
		{"WHERE c0 = 20", "2"},
		{"ORDER BY rowid", "0 1 2 3 4"},
		{"ORDER BY rowid DESC", "4 3 2 1 0"},
	} {
		got := strings.Join(all(t, c, "SELECT rowid FROM tributary_rows "+test.where), " ")
		if got != test.want {
			t.Errorf("%s: got %s, want %s", test.where, got, test.want)
		}
	}
	want(t, all(t, c, "SELECT c0, c1, c2, c63 FROM tributary_rows WHERE rowid = 1"), "10 'row 1' NULL NULL")
	want(t, all(t, c, "SELECT c0, c1, c2, c1999 FROM tributary_rows_wide WHERE rowid = 1"), "10 'row 1' NULL NULL")
}

func TestRowsAreDirectOnly(t *testing.T) {
	c := NewConn(open(t, ":memory:"))
	if err := c.Exec("CREATE VIEW v AS SELECT c0 FROM tributary_rows"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Prepare("SELECT * FROM v"); err == nil || !strings.Contains(err.Error(), "unsafe") {
		t.Errorf("through a view: got %v", err)
	}
	if err := c.Exec("CREATE VIRTUAL TABLE x USING tributary_rows"); err == nil {
		t.Error("CREATE VIRTUAL TABLE: want an error")
	}
}

func TestPanicsBecomeErrors(t *testing.T) {
	c := NewConn(open(t, ":memory:"))
	rows := someRows(3)
	c.SetRows(rows)
	s := prepare(t, c, "SELECT c0 FROM tributary_rows")
	if err := s.Query(); err != nil {
		t.Fatal(err)
	}
	var row [1]crdt.Value
	if ok, err := s.Next(row[:]); !ok || err != nil {
		t.Fatal(ok, err)
	}
	clear(rows.Data[:3]) // against the rules, and harmless
	if ok, err := s.Next(row[:]); !ok || err != nil || !row[0].IsNull() {
		t.Fatal(ok, err)
	}

	err := func() (err error) {
		defer recovered(&err)
		panic("out of luck")
	}()
	if err == nil || err.Error() != "tributary: internal error: out of luck" {
		t.Errorf("got %v", err)
	}
}

func BenchmarkApplyRows(b *testing.B) {
	c := NewConn(open(b, ":memory:"))
	if err := c.Exec("CREATE TABLE t(k INTEGER PRIMARY KEY, a, b, c, d)"); err != nil {
		b.Fatal(err)
	}
	rows := &engine.Rows{}
	for i := range 1000 {
		rows.Data = append(rows.Data, []crdt.Value{crdt.Int(int64(i)), crdt.TextString("twenty-four bytes of text"),
			crdt.TextString("some"), crdt.Int(1), crdt.Int(2)})
	}
	c.SetRows(rows)
	s := prepare(b, c, `INSERT INTO t SELECT c0, c1, c2, c3, c4 FROM tributary_rows WHERE 1
		ON CONFLICT(k) DO UPDATE SET a = excluded.a, b = excluded.b, c = excluded.c, d = excluded.d`)
	one := prepare(b, c, `INSERT INTO t VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT(k) DO UPDATE SET a = excluded.a, b = excluded.b, c = excluded.c, d = excluded.d`)
	b.Run("by=set/rows=1000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := s.Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("by=row/rows=1000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for _, r := range rows.Data {
				if err := one.Run(r...); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
