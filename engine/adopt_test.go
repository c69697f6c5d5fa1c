package engine_test

import (
	"fmt"
	"testing"

	"github.com/tributary-db/tributary/engine"
)

const thousand = "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM g WHERE i < 5000) "

// TestAdopt fills an empty replica by packages: it needs no clock rows, passes the rows on, and they are changed,
// deleted and replaced there as at home.
func TestAdopt(t *testing.T) {
	r := filledReplicas(t, 4, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b); CREATE TABLE w(k TEXT, j INT, v, PRIMARY KEY (k, j)) WITHOUT ROWID",
		thousand+"INSERT INTO t SELECT 2 * i, 'x' || i, i FROM g; INSERT INTO w SELECT 'k' || a, b, a FROM t")
	a, b, c, d := r[0], r[1], r[2], r[3]
	sync(t, a, b)
	same(t, a, b)
	for _, clock := range []string{"tributary_clock_1", "tributary_clock_2"} {
		b.expect("SELECT count(*) FROM "+clock, "0")
	}
	b.exec(`UPDATE t SET a = 'new' WHERE id = 10; DELETE FROM t WHERE id = 12; INSERT OR REPLACE INTO t VALUES (14, 'replaced', 0);
		INSERT INTO t VALUES (15, 'between', 0), (20001, 'behind', 0); DELETE FROM t WHERE id = 16; INSERT INTO t VALUES (16, 'again', 0)`)
	sync(t, b, c) // c adopts from one who has adopted
	same(t, b, c)
	c.expect("SELECT count(*) FROM tributary_clock_2", "0")
	c.exec("DELETE FROM w WHERE j = 7; UPDATE w SET v = 'of c' WHERE j = 8")
	a.exec("UPDATE t SET b = 'of a' WHERE id IN (10, 12, 14, 16, 18)")
	sync(t, c, a)
	sync(t, a, b)
	sync(t, c, a)
	same(t, a, b, c)
	for _, from := range []*replica{a, b, c} {
		sync(t, from, d)
		same(t, from, d)
	}
	for _, x := range r {
		if q := x.quarantined(); len(q) > 0 {
			t.Errorf("quarantine: %+v", q)
		}
		x.expect("SELECT group_concat(id || ':' || a || ':' || b, ' ') FROM (SELECT * FROM t WHERE id BETWEEN 10 AND 18 OR id > 20000 ORDER BY id)",
			"10:new:of a 14:replaced:0 15:between:0 16:again:0 18:x9:of a 20001:behind:0")
	}
}

// TestAdoptInParts writes to a replica while a base is on its way: rows that the writer has not seen stay apart from
// those that come, and rows that have come are its own.
func TestAdoptInParts(t *testing.T) {
	r := filledReplicas(t, 3, "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT UNIQUE, p REFERENCES t(id))", "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM g WHERE i < 120000) INSERT INTO t SELECT i, 'x' || i, CASE WHEN i % 2 THEN i - 1 END FROM g WHERE i > 1")
	a, b, c := r[0], r[1], r[2]
	n := 0
	for p, err := range a.e.Pull(t.Context(), engine.PullOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		for range 1 + n%2 { // some come twice
			if _, err := b.e.Apply(t.Context(), p.Package, engine.ApplyOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if n++; n == 3 {
			b.exec(`INSERT INTO t VALUES (119000, 'of b', NULL), (200000, 'x119500', NULL);
				UPDATE t SET a = 'changed' WHERE id = 5; DELETE FROM t WHERE id = 7; INSERT OR REPLACE INTO t VALUES (9, 'replaced', NULL)`)
			b.check()
		}
	}
	if n < 6 {
		t.Fatalf("%d packages are too few for this test", n)
	}
	sync(t, a, b)
	sync(t, b, c)
	sync(t, c, a)
	same(t, a, b, c)
	for _, x := range r {
		x.expect("SELECT group_concat(a, ' ') FROM (SELECT a FROM t WHERE id IN (4, 5, 7, 9, 119500, 200000) ORDER BY id)", "x4 changed replaced x119500")
		reasons := map[string]int{}
		for _, q := range x.quarantined() {
			reasons[q.Reason]++
		}
		if fmt.Sprint(reasons) != "map[key:1 unique:1]" {
			t.Errorf("quarantine: %v", reasons)
		}
	}
	b.expect("SELECT count(*) < 100 FROM tributary_clock_1", "1")
}

// TestAdoptBetween: rows whose keys lie between those of base rows get clock rows, so that chunks do not overlap and each base row
// is found: an edit of one is none of a new row, and a delete that did not see it beats it.
func TestAdoptBetween(t *testing.T) {
	r := newReplicas(t, 3, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
	a, b, c := r[0], r[1], r[2]
	a.exec(hundreds + "INSERT INTO t SELECT 2 * i, 'a' FROM g")
	b.exec(hundreds + "INSERT INTO t SELECT 2 * i + 1, 'b' FROM g")
	sync(t, a, c)
	sync(t, b, c)
	a.exec("DELETE FROM t WHERE id IN (20, 200, 400)")
	b.exec("DELETE FROM t WHERE id IN (21, 201, 401)")
	c.exec("UPDATE t SET a = 'c' WHERE id IN (20, 21, 200, 201, 400, 401)")
	for range 2 {
		sync(t, a, c)
		sync(t, b, c)
	}
	same(t, a, b, c)
	c.expect("SELECT count(*) FROM t WHERE a = 'c'", "0")
}
