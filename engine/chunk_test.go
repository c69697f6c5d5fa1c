package engine_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tributary-db/tributary/engine"
)

const hundreds = "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM g WHERE i < 3000) "

// TestImportIsBase: rows that come in a range of keys of their own get no clock rows, here and where they go, and behave
// like any others afterwards.
func TestImportIsBase(t *testing.T) {
	defer engine.SetChunkRows(100)()
	for name, c := range map[string]struct{ key, value, one, two string }{
		"integers":   {"k INTEGER PRIMARY KEY)", "i", "7", "250"},
		"backwards":  {"k INTEGER PRIMARY KEY)", "5000 - i", "4750", "4999"},
		"texts":      {"k TEXT NOT NULL PRIMARY KEY)", "printf('%05d', i * 7919 % 10007)", "(SELECT min(k) FROM t)", "(SELECT k FROM t ORDER BY k LIMIT 1 OFFSET 210)"},
		"any case":   {"k TEXT PRIMARY KEY COLLATE NOCASE)", "char(65 + i % 26, 97 + i % 2 * 32 + i % 25) || i", "(SELECT min(k) FROM t)", "(SELECT max(k) FROM t)"},
		"pairs":      {"k TEXT, j INTEGER DEFAULT 1, PRIMARY KEY (k, j))", "'k' || (i / 2) || 'x' || (i % 2)", "'k3x1'", "(SELECT max(k) FROM t)"},
		"no type":    {"k PRIMARY KEY)", "CASE i % 3 WHEN 0 THEN i WHEN 1 THEN i || 'x' ELSE CAST(i AS BLOB) END", "6", "'7x'"},
		"real":       {"k REAL PRIMARY KEY)", "i / 8.0", "1.0", "30.5"},
		"no rowid":   {"k BLOB PRIMARY KEY) WITHOUT ROWID", "randomblob(8)", "(SELECT min(k) FROM t)", "(SELECT max(k) FROM t)"},
		"no rowid 2": {"k TEXT, j TEXT DEFAULT 'z', PRIMARY KEY (j, k)) WITHOUT ROWID", "i", "'17'", "'299'"},
	} {
		for _, encoding := range []string{"UTF-8", "UTF-16le"} {
			t.Run(name+" "+encoding, func(t *testing.T) {
				dir := t.TempDir()
				var r []*replica
				for i := range 4 {
					x := openReplica(t, filepath.Join(dir, fmt.Sprint(i)))
					x.exec(fmt.Sprintf("PRAGMA encoding = '%s'; CREATE TABLE t(a, b, %s; PRAGMA journal_mode = WAL", encoding, c.key))
					x.expect("PRAGMA encoding", encoding)
					if _, _, err := x.e.TrackAll(t.Context()); err != nil {
						t.Fatal(err)
					}
					r = append(r, x)
				}
				a, b := r[0], r[1]
				a.exec(hundreds + fmt.Sprintf("INSERT INTO t(a, b, k) SELECT 'x' || i, 0, %s FROM g LIMIT 300", c.value))
				sync(t, a, b)
				same(t, a, b)
				for _, x := range r[:2] {
					x.expect("SELECT (SELECT count(*) FROM tributary_clock_1), (SELECT count(*) > 0 FROM tributary_base), (SELECT count(*) FROM t)", "0|1|300")
				}
				n := 0
				for i, err := range a.e.Changes(t.Context(), 0) {
					if err != nil || i.Kind != "insert" || i.Time == 0 || len(i.Key) == 0 {
						t.Fatalf("%+v %v", i, err)
					}
					n++
				}
				if n != 300 {
					t.Errorf("changes lists %d rows", n)
				}
				b.exec(fmt.Sprintf("UPDATE t SET a = 'of b' WHERE k = %s", c.one))
				a.exec(fmt.Sprintf("UPDATE t SET b = 'of a' WHERE k = %s; DELETE FROM t WHERE k = %s", c.one, c.two))
				sync(t, b, r[2])
				sync(t, a, r[3])
				for i := range r {
					sync(t, r[i], r[(i+1)%4])
				}
				sync(t, r[0], r[1])
				sync(t, r[1], r[2])
				same(t, r...)
				r[2].expect("SELECT count(*), sum(a = 'of b' AND b = 'of a') FROM t", "299|1")
			})
		}
	}
}

// TestImportKeepsItsTimes: an import that took long does not make its first rows as new as its last.
func TestImportKeepsItsTimes(t *testing.T) {
	r := newReplicas(t, 2, "CREATE TABLE t(k INTEGER PRIMARY KEY, a)")
	r[0].exec(hundreds + "INSERT INTO t SELECT i, i FROM g")
	r[0].exec("UPDATE tributary_feed SET at = at - 100000 WHERE k0 <= 1000")
	sync(t, r[0], r[1])
	for _, x := range r {
		x.expect("SELECT count(*) FROM tributary_clock_1", "0")
	}
	times := map[string]int{}
	for i, err := range r[1].e.Changes(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		times[fmt.Sprint(i.Time.Millis()/60000)]++
	}
	if len(times) != 2 {
		t.Errorf("minutes: %v", times)
	}
}

// TestInsertBetween: a key between those of a chunk that is not one of them is not taken for a base row.
func TestInsertBetween(t *testing.T) {
	r := filledReplicas(t, 3, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)", "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM g WHERE i < 120000) INSERT INTO t SELECT i, 'x' FROM g")
	a, b, c := r[0], r[1], r[2]
	if _, err := a.e.Fold(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.exec("UPDATE t SET a = 'of a' WHERE id = 500")
	n := 0
	for p, err := range a.e.Pull(t.Context(), engine.PullOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		b.apply(p)
		if n++; n == 2 {
			b.expect("SELECT count(*) FROM t WHERE id = 500", "0")
			b.skew = time.Hour
			b.exec("INSERT INTO t VALUES (500, 'of b')") // it has not seen a's
		}
	}
	sync(t, a, b)
	sync(t, b, c)
	same(t, a, b, c)
	for _, x := range r {
		x.expect("SELECT a FROM t WHERE id = 500", "of b")
		if q := x.quarantined(); len(q) != 1 || q[0].Reason != "key" {
			t.Errorf("a's row is not set aside: %+v", q)
		}
	}
}

// TestRebuiltBase makes a table anew while nobody captures: the base rows that are gone are missed, the others may have
// changed.
func TestRebuiltBase(t *testing.T) {
	for name, fill := range map[string]func(r *replica){
		"tracked":  func(r *replica) {},
		"imported": func(r *replica) { r.exec(hundreds + "INSERT INTO t SELECT i + 10000, 'x' FROM g") },
	} {
		t.Run(name, func(t *testing.T) {
			r := filledReplicas(t, 3, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)", hundreds+"INSERT INTO t SELECT i, 'x' FROM g")
			a, b, c := r[0], r[1], r[2]
			fill(a)
			sync(t, a, b)
			b.exec("UPDATE t SET a = 'of b' WHERE id % 1000 = 9")
			a.exec(`DELETE FROM t WHERE id % 1000 = 8; CREATE TABLE n(id INTEGER PRIMARY KEY, a); INSERT INTO n SELECT id, CASE id % 1000 WHEN 7 THEN 'new' ELSE a END FROM t WHERE id % 1000 <> 6;
				DROP TABLE t; ALTER TABLE n RENAME TO t; INSERT INTO t VALUES (50000, 'late')`)
			sync(t, a, b)
			same(t, a, b)
			sync(t, b, c)
			same(t, b, c)
			c.expect("SELECT sum(id % 1000 = 6), sum(id % 1000 = 8), sum(a = 'new') > 0, sum(a = 'late') FROM t", "0|0|1|1")
		})
	}
}

// TestCheckMissesBaseRows: a base row that went away behind our back is found.
func TestCheckMissesBaseRows(t *testing.T) {
	r := filledReplicas(t, 1, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)", hundreds+"INSERT INTO t SELECT i, 'x' FROM g")[0]
	if _, err := r.e.Fold(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.exec("DELETE FROM t WHERE id = 5; INSERT INTO t VALUES (4000, 'y'); DELETE FROM tributary_feed")
	v, err := r.e.Check(t.Context())
	if err != nil || len(v) != 2 || !strings.Contains(v[0].Message, "1 rows of t have no clock") || !strings.Contains(v[1].Message, "1 rows of t are gone") {
		t.Errorf("%+v %v", v, err)
	}
	r.exec("INSERT INTO t VALUES (5, 'x'); DELETE FROM t WHERE id = 4000; DELETE FROM tributary_feed")
}

// TestCompactForgetsBaseRows: once a delete is forgotten, its key is no base row any more.
func TestCompactForgetsBaseRows(t *testing.T) {
	r := filledReplicas(t, 2, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)", hundreds+"INSERT INTO t SELECT i, 'x' FROM g")
	a, b := r[0], r[1]
	sync(t, a, b)
	a.exec("DELETE FROM t WHERE id BETWEEN 5 AND 9 OR id > 2990")
	for range 3 {
		sync(t, a, b)
	}
	for _, x := range r {
		res, err := x.e.Compact(t.Context())
		if err != nil || res.Tombstones != 15 {
			t.Errorf("%+v %v", res, err)
		}
		x.check()
	}
	a.exec("INSERT INTO t VALUES (7, 'again'); INSERT OR REPLACE INTO t VALUES (10, 'replaced')")
	b.exec("INSERT INTO t VALUES (8, 'again')")
	sync(t, a, b)
	same(t, a, b)
	for _, x := range r {
		x.expect("SELECT group_concat(id || a) FROM (SELECT * FROM t WHERE id < 12 ORDER BY id)", "1x,2x,3x,4x,7again,8again,10replaced,11x")
	}
}

// TestImportsMeet: imports whose keys lie between each other's, or where rows were before, on replicas apart.
func TestImportsMeet(t *testing.T) {
	r := newReplicas(t, 4, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
	r[2].exec(hundreds + "INSERT INTO t SELECT 3 * i, 'c' FROM g WHERE i < 900; DELETE FROM t WHERE id % 30 = 0")
	for i := range 3 {
		if i < 2 {
			r[i].exec(hundreds + fmt.Sprintf("INSERT INTO t SELECT 3 * i + %d, '%c' FROM g", i+1, 'a'+i))
		}
		sync(t, r[2], r[3]) // the rows that are gone stay as tombstones
	}
	r[2].exec(hundreds + "INSERT INTO t SELECT 3 * i, 'again' FROM g WHERE i % 10 = 0 OR i >= 900")
	for range 2 {
		for i := range r {
			sync(t, r[i], r[(i+1)%4])
		}
	}
	same(t, r...)
	for i, x := range r {
		x.check()
		x.exec(fmt.Sprintf("UPDATE t SET a = a || '%d' WHERE id %% 50 BETWEEN %d AND %d; DELETE FROM t WHERE id %% 70 = %d", i, 10*i, 10*i+9, i))
	}
	for range 2 {
		for i := range r {
			sync(t, r[i], r[(i+1)%4])
		}
	}
	same(t, r...)
	r[0].expect("SELECT count(*), sum(a LIKE 'again%') > 1000 FROM t", "8487|1")
}

// TestImportAgain: rows that were deleted come back in another import.
func TestImportAgain(t *testing.T) {
	r := newReplicas(t, 3, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
	a, b, c := r[0], r[1], r[2]
	a.exec("INSERT INTO t VALUES (150, 'x')")
	sync(t, a, b)
	a.exec(hundreds + "INSERT INTO t SELECT i, 'x' FROM g WHERE i > 2000")
	sync(t, a, b)
	a.exec("DELETE FROM t")
	sync(t, a, b)
	a.exec(hundreds + "INSERT INTO t SELECT i, 'again' FROM g WHERE i > 100 AND i < 1500")
	sync(t, a, b)
	a.exec(hundreds + "INSERT INTO t SELECT i, 'again' FROM g WHERE i >= 1500")
	sync(t, a, b)
	sync(t, b, c)
	same(t, a, b, c)
	c.expect("SELECT count(*), min(id), min(a) FROM t", "2900|101|again")
}

// TestImportReplacesBase: many rows that replace base rows, and nothing else, are no import: who has the base rows must hear that
// they are gone, or they come back with the delete of what replaced them.
func TestImportReplacesBase(t *testing.T) {
	r := filledReplicas(t, 2, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)", hundreds+"INSERT INTO t SELECT 2 * i, 'x' FROM g")
	a, b := r[0], r[1]
	sync(t, a, b)
	b.exec(hundreds + "INSERT OR REPLACE INTO t SELECT 2 * i, 'replaced' FROM g WHERE i BETWEEN 100 AND 400")
	sync(t, a, b)
	b.exec("DELETE FROM t WHERE a = 'replaced'")
	sync(t, a, b)
	same(t, a, b)
	a.expect("SELECT count(*) FROM t WHERE id BETWEEN 200 AND 800", "0")
}
