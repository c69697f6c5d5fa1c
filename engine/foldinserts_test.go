package engine_test

import (
	"fmt"
	"testing"
)

// TestFoldInserts imports rows in the ways that look like an import and are not quite one.
func TestFoldInserts(t *testing.T) {
	const many = "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM g WHERE i < 500) "
	for name, c := range map[string]struct{ before, after, want string }{
		"plain":                 {"", many + "INSERT INTO t SELECT i, 'x' || i, NULL FROM g", "500|0"},
		"beside base rows":      {"INSERT INTO t VALUES (1000, 'base', NULL)", many + "INSERT INTO t SELECT i, 'x' || i, NULL FROM g", "501|0"},
		"replaces a base row":   {"INSERT INTO t VALUES (7, 'base', NULL), (8, 'kept', NULL), (1000, 'last', NULL)", many + "INSERT OR REPLACE INTO t SELECT i, 'x' || i, NULL FROM g WHERE i <> 8", "501|1"}, // every replica has a 7 of its own
		"replaces its own row":  {"", many + "INSERT INTO t SELECT i, 'x' || i, NULL FROM g; INSERT OR REPLACE INTO t VALUES (7, 'again', NULL)", "500|0"},
		"takes one back":        {"", many + "INSERT INTO t SELECT i, 'x' || i, NULL FROM g; DELETE FROM t WHERE id = 7", "499|0"},
		"changes one":           {"", many + "INSERT INTO t SELECT i, 'x' || i, NULL FROM g; UPDATE t SET a = 'y' WHERE id = 7", "500|0"},
		"a child has no parent": {"", many + "INSERT INTO t SELECT i, 'x' || i, CASE i WHEN 7 THEN 777 ELSE i END FROM g", "499|1"},
		"unique values move":    {"", many + "INSERT INTO t SELECT i, 'x' || i, NULL FROM g; INSERT OR REPLACE INTO t VALUES (501, 'x7', NULL)", "500|0"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplicas(t, 3, "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT UNIQUE, p REFERENCES t(id));"+c.before)
			a, b := r[0], r[1]
			a.exec("PRAGMA foreign_keys = OFF;" + c.after)
			sync(t, a, b)
			same(t, a, b)
			for _, x := range r[:2] {
				x.expect("SELECT count(*), (SELECT count(*) FROM tributary_hidden WHERE detail NOT LIKE '%says the same') FROM t", c.want)
				x.check()
			}
			// A tombstone in the way, and rows that are deleted where they were not made.
			b.exec("DELETE FROM t WHERE id IN (20, 21)")
			sync(t, a, b)
			a.exec("INSERT INTO t VALUES (20, 'new', NULL);" + many + "INSERT INTO t SELECT i + 2000, 'z' || i, NULL FROM g")
			b.exec("UPDATE t SET a = 'of b' WHERE id = 30")
			sync(t, a, b)
			sync(t, b, r[2])
			sync(t, a, r[2])
			same(t, r...)
			a.expect("SELECT group_concat(id || a, ' ') FROM (SELECT * FROM t WHERE id IN (20, 21, 30, 2001) ORDER BY id)", "20new 30of b 2001z1")
		})
	}
}

// TestFoldInsertsKeys imports rows whose keys are not plain numbers.
func TestFoldInsertsKeys(t *testing.T) {
	for _, key := range []string{"k TEXT NOT NULL PRIMARY KEY", "k TEXT PRIMARY KEY COLLATE NOCASE", "k REAL PRIMARY KEY", "k PRIMARY KEY", "k INT PRIMARY KEY, UNIQUE (a)"} {
		t.Run(key, func(t *testing.T) {
			schema := fmt.Sprintf("CREATE TABLE t(a, %s); CREATE TABLE w(a, k BLOB, j TEXT, PRIMARY KEY (k, j)) WITHOUT ROWID;", key)
			r := newReplicas(t, 2, schema)
			r[0].exec("WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM g WHERE i < 300) INSERT INTO t(a, k) SELECT i, i FROM g; INSERT INTO w SELECT a, randomblob(8), k FROM t")
			r[0].exec("INSERT OR IGNORE INTO t(a, k) VALUES (1000, NULL)")
			sync(t, r[0], r[1])
			r[0].exec("DELETE FROM t WHERE k IS NULL")
			same(t, r...)
			r[1].expect("SELECT count(*), (SELECT count(*) FROM w) FROM t", "300|300")
		})
	}
}
