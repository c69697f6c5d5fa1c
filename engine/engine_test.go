package engine_test

import "testing"

func TestSyncBothWays(t *testing.T) {
	r := newReplicas(t, 2, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)")
	a, b := r[0], r[1]
	a.exec("INSERT INTO t VALUES (1, 'x', 1), (2, 'y', 2)")
	b.exec("INSERT INTO t VALUES (3, 'z', 3)")
	sync(t, a, b)
	same(t, a, b)
	a.expect("SELECT * FROM t", "1|x|1\n2|y|2\n3|z|3")
	a.exec("UPDATE t SET a = 'A' WHERE id = 1")
	b.exec("UPDATE t SET b = 'B' WHERE id = 1; DELETE FROM t WHERE id = 2")
	sync(t, a, b)
	same(t, a, b)
	b.expect("SELECT * FROM t", "1|A|B\n3|z|3")
	if again := sync(t, a, b); again.AToB.Packages+again.BToA.Packages > 2 || again.AToB.Changed+again.BToA.Changed > 0 {
		t.Errorf("a second sync moved %+v", again)
	}
}

func TestBaseRows(t *testing.T) {
	r := newReplicas(t, 2, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b); INSERT INTO t VALUES (1, 'same', 1)")
	a, b := r[0], r[1]
	sync(t, a, b)
	same(t, a, b)
	if n := len(a.quarantined()) + len(b.quarantined()); n != 0 {
		t.Errorf("equal rows: %d in quarantine", n)
	}
	a.exec("UPDATE t SET a = 'new'")
	sync(t, a, b)
	same(t, a, b)
	b.expect("SELECT * FROM t", "1|new|1")
	b.exec("DELETE FROM t")
	sync(t, a, b)
	a.expect("SELECT count(*) FROM t", "0")
}

func TestConcurrentInsertsOfOneKey(t *testing.T) {
	r := newReplicas(t, 3, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)")
	a, b, c := r[0], r[1], r[2]
	a.exec("INSERT INTO t VALUES (1, 'alice', 1)")
	b.skew = 0
	b.exec("INSERT INTO t VALUES (1, 'bob', 2)")
	sync(t, a, b)
	sync(t, b, c)
	sync(t, a, c)
	same(t, a, b, c)
	for _, x := range r {
		q := x.quarantined()
		if len(q) != 1 || q[0].Reason != "key" {
			t.Fatalf("quarantine: %+v", q)
		}
	}
	a.exec("DELETE FROM t")
	sync(t, a, b)
	sync(t, b, c)
	same(t, a, b, c)
	for _, x := range r {
		if n := x.rows("SELECT count(*) FROM t"); n != "1" || len(x.quarantined()) != 0 {
			t.Errorf("%s rows shown, %d set aside", n, len(x.quarantined()))
		}
	}
}

func TestUniqueCollision(t *testing.T) {
	r := newReplicas(t, 3, "CREATE TABLE t(id TEXT PRIMARY KEY, email TEXT UNIQUE, n)")
	a, b, c := r[0], r[1], r[2]
	a.exec("INSERT INTO t VALUES ('a', 'x@y', 1)")
	if _, err := a.e.Fold(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.exec("INSERT INTO t VALUES ('b', 'x@y', 2)")
	sync(t, b, c)
	sync(t, a, b)
	sync(t, b, c)
	same(t, a, b, c)
	for _, x := range r {
		x.expect("SELECT * FROM t", "a|x@y|1")
		if q := x.quarantined(); len(q) != 1 || q[0].Reason != "unique" {
			t.Errorf("quarantine %+v", q)
		}
	}
	c.exec("UPDATE t SET email = 'other' WHERE id = 'a'")
	sync(t, b, c)
	sync(t, a, b)
	same(t, a, b, c)
	for _, x := range r {
		x.expect("SELECT id, email FROM t ORDER BY id", "a|other\nb|x@y")
	}
	a.exec("BEGIN; UPDATE t SET email = 'tmp' WHERE id = 'a'; UPDATE t SET email = 'other' WHERE id = 'b'; UPDATE t SET email = 'x@y' WHERE id = 'a'; COMMIT")
	sync(t, a, b)
	sync(t, b, c)
	same(t, a, b, c)
	c.expect("SELECT id, email FROM t ORDER BY id", "a|x@y\nb|other")
}

func TestParentDeletedChildAdded(t *testing.T) {
	r := newReplicas(t, 3, "CREATE TABLE p(id TEXT PRIMARY KEY, n); CREATE TABLE c(id TEXT PRIMARY KEY, p TEXT REFERENCES p(id) ON DELETE CASCADE, n)")
	a, b, c := r[0], r[1], r[2]
	a.exec("PRAGMA foreign_keys=ON")
	a.exec("INSERT INTO p VALUES ('p', 1); INSERT INTO c VALUES ('old', 'p', 1)")
	sync(t, a, b)
	sync(t, a, c)
	a.exec("DELETE FROM p")
	b.exec("INSERT INTO c VALUES ('new', 'p', 2)")
	sync(t, a, b)
	sync(t, b, c)
	sync(t, a, c)
	same(t, a, b, c)
	for _, x := range r {
		x.expect("SELECT count(*) FROM c", "0")
		if q := x.quarantined(); len(q) != 1 || q[0].Reason != "foreign key" {
			t.Errorf("quarantine %+v", q)
		}
		x.expect("PRAGMA foreign_key_check", "")
	}
	c.exec("INSERT INTO p VALUES ('p', 9)")
	sync(t, b, c)
	sync(t, a, b)
	same(t, a, b, c)
	for _, x := range r {
		x.expect("SELECT * FROM c", "new|p|2")
	}
}

// Two rows that come to refer to each other, while the row that one of them referred to before is deleted elsewhere.
func TestForeignKeyCycle(t *testing.T) {
	r := newReplicas(t, 2, "CREATE TABLE s(id TEXT PRIMARY KEY NOT NULL, parent TEXT REFERENCES s(id))")
	a, b := r[0], r[1]
	for _, x := range r {
		x.exec("PRAGMA foreign_keys = OFF")
	}
	a.exec("INSERT INTO s VALUES ('six', NULL), ('four', 'six')")
	sync(t, a, b)
	a.exec("INSERT INTO s VALUES ('five', 'four')")
	b.exec("DELETE FROM s WHERE id = 'six'")
	sync(t, a, b)
	same(t, a, b)
	a.expect("SELECT count(*) FROM s", "0")
	a.exec("INSERT INTO s VALUES ('six', NULL)")
	sync(t, a, b)
	a.exec("UPDATE s SET parent = 'five' WHERE id = 'four'")
	b.exec("DELETE FROM s WHERE id = 'six'")
	sync(t, a, b)
	same(t, a, b)
	b.expect("SELECT id, parent FROM s ORDER BY id", "five|four\nfour|five")
}
