package engine_test

import (
	"fmt"
	"math"
	"testing"
)

// TestRemoveRuns deletes rows with keys that follow one another, with gaps, at the ends of what an integer can be, and around a row
// that the other replica has written anew meanwhile, or one whose key lies between two of them.
func TestRemoveRuns(t *testing.T) {
	const all = "SELECT id, v FROM t ORDER BY id"
	for _, c := range []struct{ name, key string }{
		{"rowid", "id INTEGER PRIMARY KEY"},
		{"numbers", "id NUMERIC NOT NULL PRIMARY KEY"}, // 22.5 is between 22 and 23
		{"triggers", "id INTEGER PRIMARY KEY"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReplicas(t, 2, fmt.Sprintf("CREATE TABLE t(%s, v); CREATE TABLE log(id INTEGER PRIMARY KEY, what)", c.key))
			if c.name == "triggers" {
				for _, x := range r {
					x.exec("CREATE TABLE gone(id); CREATE TRIGGER g AFTER DELETE ON t BEGIN INSERT INTO gone VALUES (OLD.id); END")
				}
			}
			r[0].exec(fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) INSERT INTO t SELECT i, 'v' || i FROM n;
				INSERT INTO t VALUES (%d, 'least'), (%d, 'next'), (%d, 'last but one'), (%d, 'greatest'), (100, 'alone')`,
				math.MinInt64, math.MinInt64+1, math.MaxInt64-1, math.MaxInt64))
			sync(t, r[0], r[1])
			r[0].exec("DELETE FROM t WHERE id < 10 OR id BETWEEN 15 AND 30 OR id IN (40, 42, 43, 100) OR id > 1000")
			r[1].exec("DELETE FROM t WHERE id = 20; INSERT INTO t VALUES (20, 'anew'); DELETE FROM t WHERE id = 41; UPDATE t SET v = 'edited' WHERE id = 25")
			if c.name == "numbers" {
				r[1].exec("INSERT INTO t VALUES (22.5, 'between')")
			}
			sync(t, r[0], r[1])
			same(t, r...)
			want := "10|v10\n11|v11\n12|v12\n13|v13\n14|v14\n20|anew\n"
			if c.name == "numbers" {
				want += "22.5|between\n"
			}
			for i := 31; i <= 60; i++ {
				if i < 40 || i > 43 {
					want += fmt.Sprintf("%d|v%d\n", i, i)
				}
			}
			for _, x := range r {
				x.expect(all, want[:len(want)-1])
				x.expect("SELECT count(*) FROM tributary_feed", "0") // what the engine writes is not captured
			}
			if c.name == "triggers" {
				r[1].expect("SELECT count(*), count(DISTINCT id) FROM gone", "34|34") // 20 and 41 by its own hand, each row once
			}
		})
	}
}
