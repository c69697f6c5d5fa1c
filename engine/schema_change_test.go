package engine_test

import (
	"fmt"
	"testing"
)

// Each step changes the schema as a stranger would, writes at once, and must reach the other side.
func TestColumnsAndTablesChange(t *testing.T) {
	r := newReplicas(t, 2, "CREATE TABLE t(id TEXT PRIMARY KEY, a, b)")
	a, b := r[0], r[1]
	a.exec("INSERT INTO t VALUES ('1', 'x', 'y')")
	sync(t, a, b)
	both := func(sql string) { a.exec(sql); b.exec(sql) }

	both("ALTER TABLE t ADD COLUMN c DEFAULT 'd'")
	a.exec("UPDATE t SET c = 'new'")
	b.exec("UPDATE t SET b = 'B'")
	sync(t, a, b)
	same(t, a, b)
	b.expect("SELECT * FROM t", "1|x|B|new")

	both("ALTER TABLE t RENAME COLUMN b TO bb")
	a.exec("UPDATE t SET bb = 'renamed'")
	sync(t, a, b)
	same(t, a, b)
	b.expect("SELECT bb FROM t", "renamed")

	both("ALTER TABLE t DROP COLUMN bb")
	a.exec("UPDATE t SET a = 'dropped'")
	sync(t, a, b)
	same(t, a, b)

	both("ALTER TABLE t RENAME TO u")
	a.exec("INSERT INTO u VALUES ('2', 'after', 'rename')")
	sync(t, a, b)
	same(t, a, b)
	b.expect("SELECT count(*) FROM u", "2")

	both("CREATE UNIQUE INDEX one ON u(a)")
	a.exec("INSERT OR REPLACE INTO u VALUES ('3', 'after', 'evicts 2')")
	sync(t, a, b)
	same(t, a, b)
	b.expect("SELECT id FROM u ORDER BY id", "1\n3")
}

// A table made anew has no triggers; what was written before the next fold is taken from the table itself.
func TestRebuiltTable(t *testing.T) {
	r := newReplicas(t, 2, "CREATE TABLE t(id TEXT PRIMARY KEY, a, b); INSERT INTO t VALUES ('base', 1, 1)")
	a, b := r[0], r[1]
	a.exec("INSERT INTO t VALUES ('1', 'x', 'y'), ('2', 'x', 'y')")
	sync(t, a, b)
	rebuild := "BEGIN; CREATE TABLE n(id TEXT PRIMARY KEY, a NOT NULL, b); INSERT INTO n SELECT * FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t; COMMIT;"
	a.exec(rebuild + "UPDATE t SET a = 'unseen' WHERE id = '1'; DELETE FROM t WHERE id = '2'; INSERT INTO t VALUES ('3', 'new', 0); UPDATE t SET b = 7 WHERE id = 'base'")
	sync(t, a, b)
	same(t, a, b)
	b.expect("SELECT * FROM t ORDER BY id", "1|unseen|y\n3|new|0\nbase|1|7")
	b.exec(rebuild)
	sync(t, a, b)
	same(t, a, b)
}

// A dropped table stops being replicated here; the other side keeps its rows, and what it sends waits.
func TestDroppedTable(t *testing.T) {
	r := newReplicas(t, 2, "CREATE TABLE t(id TEXT PRIMARY KEY, a); CREATE TABLE u(id TEXT PRIMARY KEY, a)")
	a, b := r[0], r[1]
	a.exec("INSERT INTO t VALUES ('1', 'x'); INSERT INTO u VALUES ('1', 'x')")
	sync(t, a, b)
	a.exec("DROP TABLE t")
	b.exec("UPDATE t SET a = 'y'; UPDATE u SET a = 'y'")
	sync(t, a, b)
	a.expect("SELECT a FROM u", "y")
	b.expect("SELECT a FROM t", "y")
	if p, err := a.e.Parked(t.Context()); err != nil || len(p) != 1 || p[0].Table != "t" {
		t.Errorf("parked %+v, %v", p, err)
	}
}

// TestSchemaCookieComesAgain: a new column is noticed in a transaction that is rolled back. SQLite gives the number of the schema that was
// seen there to another one later, in which the column is still to be noticed.
func TestSchemaCookieComesAgain(t *testing.T) {
	r := newReplicas(t, 2, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
	a, b := r[0], r[1]
	for _, x := range r {
		x.exec("INSERT INTO t VALUES (1, 'x') ON CONFLICT DO NOTHING; ALTER TABLE t ADD COLUMN c DEFAULT 7")
	}
	if err := a.db.Exec("BEGIN"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.e.Fold(t.Context()); err != nil {
		t.Fatal(err)
	}
	number := func() int64 {
		s, _, err := a.db.Prepare("PRAGMA schema_version")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		s.Step()
		return s.ColumnInt64(0)
	}
	seen := number()
	if err := a.db.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	for i := 0; number() != seen; i++ {
		if i == 100 {
			t.Fatalf("no schema gets number %d", seen)
		}
		a.exec(fmt.Sprintf("CREATE TABLE other%d(x)", i))
	}
	a.exec("INSERT INTO t VALUES (2, 'y', 8)")
	sync(t, a, b)
	same(t, a, b)
	b.expect("SELECT c FROM t WHERE id = 2", "8")
}
