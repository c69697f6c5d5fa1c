package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tributary-db/tributary/engine"
)

// captureCases are scripts and the feed that they leave: table:mask key. Masks: -1 insert, -2 delete, else bits.
var captureCases = []struct {
	name, ddl, tables, script, want string
	anyOrder                        bool // SQLite does not define the order in which several triggers or actions run
}{
	{"plain", "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, c)", "t",
		`INSERT INTO t VALUES (1, 1, 2, 3)
		INSERT INTO t(a) VALUES (5)
		UPDATE t SET b = 9 WHERE id = 1
		UPDATE t SET c = 8, a = NULL WHERE id = 1
		DELETE FROM t WHERE id = 2`,
		"1:-1 1; 1:-1 2; 1:2 1; 1:5 1; 1:-2 2", false},
	{"without rowid, composite key", "CREATE TABLE t(a TEXT, x, b INTEGER, PRIMARY KEY (b, a)) WITHOUT ROWID", "t",
		`INSERT INTO t VALUES ('p', 1, 7)
		UPDATE t SET x = 2
		UPDATE t SET a = 'q'
		DELETE FROM t`,
		"1:-1 7,'p'; 1:1 7,'p'; 1:-2 7,'p'; 1:-1 7,'q'; 1:-2 7,'q'", false},
	{"composite key with rowid", "CREATE TABLE t(a NOT NULL, b NOT NULL, x, PRIMARY KEY (a, b))", "t",
		`INSERT INTO t VALUES (1, 2, 3)
		UPDATE t SET b = 5, x = 4`,
		"1:-1 1,2; 1:-2 1,2; 1:-1 1,5", false},
	{"storage classes in keys", "CREATE TABLE t(k NOT NULL PRIMARY KEY, x)", "t",
		`INSERT INTO t VALUES (1, 0), (2.5, 0), ('1', 0), (x'31', 0), ('', 0)
		UPDATE t SET k = 1.0 WHERE k = 1
		UPDATE t SET x = 1 WHERE k = x'31'`,
		"1:-1 1; 1:-1 2.5; 1:-1 '1'; 1:-1 X'31'; 1:-1 ''; 1:-2 1; 1:-1 1.0; 1:1 X'31'", false},
	{"NULL keys", "CREATE TABLE t(k TEXT PRIMARY KEY, x)", "t",
		`INSERT INTO t VALUES (NULL, 1)
		UPDATE t SET x = 2
		UPDATE t SET k = 'a'
		UPDATE t SET k = NULL
		DELETE FROM t`,
		"1:-1 'a'; 1:-2 'a'", false},
	{"collations", "CREATE TABLE t(k TEXT NOT NULL COLLATE NOCASE PRIMARY KEY, x TEXT COLLATE NOCASE, y TEXT COLLATE RTRIM)", "t",
		`INSERT INTO t VALUES ('a', 'b', 'c')
		UPDATE t SET x = 'B'
		UPDATE t SET y = 'c '
		UPDATE t SET k = 'A'`,
		"1:-1 'a'; 1:1 'a'; 1:2 'a'; 1:-2 'a'; 1:-1 'A'", false},
	{"values that are equal but not the same", "CREATE TABLE t(id INTEGER PRIMARY KEY, x BLOB, y)", "t",
		`INSERT INTO t VALUES (1, 1, '1')
		UPDATE t SET x = 1.0
		UPDATE t SET x = 1.0
		UPDATE t SET y = 1
		UPDATE t SET y = x'31'`,
		"1:-1 1; 1:1 1; 1:0 1; 1:2 1; 1:2 1", false},
	{"strict", "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, n INT, x ANY) STRICT", "t",
		`INSERT INTO t VALUES ('a', 1, 1)
		!INSERT INTO t VALUES ('b', 'no', 1)
		UPDATE t SET x = 1.0
		UPDATE t SET n = 2`,
		"1:-1 'a'; 1:2 'a'; 1:1 'a'", false},
	{"generated columns", "CREATE TABLE t(id INTEGER PRIMARY KEY, g AS (a + b), a, h AS (a * 2) STORED, b)", "t",
		`INSERT INTO t(id, a, b) VALUES (1, 1, 2)
		UPDATE t SET b = 3
		UPDATE t SET a = 3`,
		"1:-1 1; 1:2 1; 1:1 1", false},
	{"no-op update", "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)", "t",
		`INSERT INTO t VALUES (1, NULL, 2)
		UPDATE t SET a = a, b = 2, id = 1
		UPDATE t SET a = 1 WHERE id = 3`,
		"1:-1 1; 1:0 1", false},
	{"only a key", "CREATE TABLE t(id INTEGER PRIMARY KEY)", "t",
		`INSERT INTO t VALUES (1)
		UPDATE t SET id = 1
		UPDATE t SET id = 2`,
		"1:-1 1; 1:0 1; 1:-2 1; 1:-1 2", false},
	{"key change by the names of the rowid", "CREATE TABLE t(id INTEGER PRIMARY KEY, a)", "t",
		`INSERT INTO t VALUES (1, 1)
		UPDATE t SET rowid = 2
		UPDATE t SET _rowid_ = 3
		UPDATE t SET OID = 4, a = 2`,
		"1:-1 1; 1:-2 1; 1:-1 2; 1:-2 2; 1:-1 3; 1:-2 3; 1:-1 4", false},
	{"a column called rowid", "CREATE TABLE t(id INTEGER PRIMARY KEY, rowid)", "t",
		`INSERT INTO t VALUES (1, 1)
		UPDATE t SET rowid = 2
		UPDATE t SET oid = 2`,
		"1:-1 1; 1:1 1; 1:-2 1; 1:-1 2", false},
	{"upsert", "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)", "t",
		`INSERT INTO t VALUES (1, 1, 1) ON CONFLICT (id) DO UPDATE SET a = excluded.a
		INSERT INTO t VALUES (1, 2, 2) ON CONFLICT (id) DO UPDATE SET b = excluded.b
		INSERT INTO t VALUES (1, 3, 3) ON CONFLICT DO NOTHING`,
		"1:-1 1; 1:2 1", false},
	{"replace of the row itself", "CREATE TABLE t(id INTEGER PRIMARY KEY, a)", "t",
		`INSERT INTO t VALUES (1, 1)
		REPLACE INTO t VALUES (1, 2)
		PRAGMA recursive_triggers = on
		REPLACE INTO t VALUES (1, 3)`,
		"1:-1 1; 1:-1 1; 1:-2 1; 1:-1 1", false},
	{"update or replace onto another key", "CREATE TABLE t(id INTEGER PRIMARY KEY, a)", "t",
		`INSERT INTO t VALUES (1, 1), (2, 2)
		UPDATE OR REPLACE t SET id = 2 WHERE id = 1`,
		"1:-1 1; 1:-1 2; 1:-2 1; 1:-1 2", false},
	{"replace evicts by UNIQUE", "CREATE TABLE t(id INTEGER PRIMARY KEY, u INTEGER UNIQUE, x)", "t",
		`PRAGMA recursive_triggers = off
		INSERT INTO t VALUES (1, 5, 0), (2, NULL, 0), (3, NULL, 0), (-1, 8, 0)
		INSERT OR REPLACE INTO t(u) VALUES ('5')
		INSERT OR REPLACE INTO t(u) VALUES (8)
		UPDATE t SET x = 1 WHERE u = 8
		UPDATE OR REPLACE t SET u = 8 WHERE u = 5
		INSERT OR REPLACE INTO t VALUES (9, NULL, 1)`,
		"1:-1 1; 1:-1 2; 1:-1 3; 1:-1 -1; 1:0 1; 1:-1 4; 1:0 -1; 1:-1 5; 1:2 5; 1:0 5; 1:1 4; 1:-1 9", false},
	{"replace evicts by UNIQUE, recursive triggers", "CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE, x)", "t",
		`PRAGMA recursive_triggers = on
		INSERT INTO t VALUES (1, 5, 0)
		INSERT OR REPLACE INTO t VALUES (2, 5, 0)`,
		"1:-1 1; 1:0 1; 1:-2 1; 1:-1 2", false},
	{"the table's own REPLACE clause", "CREATE TABLE t(a, b, u NOT NULL DEFAULT 'd' UNIQUE ON CONFLICT REPLACE, PRIMARY KEY (a, b)) WITHOUT ROWID", "t",
		`INSERT INTO t VALUES (1, 1, 'u')
		INSERT INTO t VALUES (1, 2, 'u')
		INSERT INTO t VALUES (1, 3, 'd')
		INSERT OR REPLACE INTO t VALUES (1, 4, NULL)`,
		"1:-1 1,1; 1:0 1,1; 1:-1 1,2; 1:-1 1,3; 1:0 1,3; 1:-1 1,4", false},
	{"evicts by several indexes, two at once", "CREATE TABLE t(k TEXT NOT NULL PRIMARY KEY, a, b, c, UNIQUE (a, b), UNIQUE (c))", "t",
		`INSERT INTO t VALUES ('x', 1, 1, 1), ('y', 1, 2, 2), ('z', 2, 2, 3)
		REPLACE INTO t VALUES ('w', 1, 1, 3)
		UPDATE OR REPLACE t SET b = 1, c = 9 WHERE k = 'y'`,
		"1:-1 'x'; 1:-1 'y'; 1:-1 'z'; 1:0 'x'; 1:0 'z'; 1:-1 'w'; 1:0 'w'; 1:6 'y'", false},
	{"evicts by an expression", `CREATE TABLE t(id INTEGER PRIMARY KEY, "lower" TEXT, b); CREATE UNIQUE INDEX i ON t(lower("lower") DESC, b + 1)`, "t",
		`INSERT INTO t VALUES (1, 'ABC', 1), (2, 'abd', 1)
		REPLACE INTO t VALUES (3, 'Abc', 1.0)
		UPDATE OR REPLACE t SET lower = 'ABC' WHERE id = 2`,
		"1:-1 1; 1:-1 2; 1:0 1; 1:-1 3; 1:0 3; 1:1 2", false},
	{"evicts by an expression over columns called as other things are", `CREATE TABLE t(id INTEGER PRIMARY KEY, text TEXT, nocase TEXT, "glob" INT, x);
		CREATE UNIQUE INDEX i ON t(CAST(x AS text), (text COLLATE nocase) || nocase) WHERE text GLOB 'a*' AND glob > 1`, "t",
		`INSERT INTO t VALUES (1, 'ab', 'c', 2, 5), (2, 'ab', 'c', 1, 5)
		REPLACE INTO t VALUES (3, 'ab', 'c', 3, '5')
		UPDATE OR REPLACE t SET glob = 4 WHERE id = 2`,
		"1:-1 1; 1:0 1; 1:-1 2; 1:0 1; 1:-1 3; 1:0 3; 1:4 2", false},
	{"evicts by a partial index", "CREATE TABLE t(id INTEGER PRIMARY KEY, u, gone, x); CREATE UNIQUE INDEX i ON t(u) WHERE gone IS NULL", "t",
		`INSERT INTO t VALUES (1, 5, NULL, 0), (2, 5, 1, 0)
		INSERT OR REPLACE INTO t VALUES (3, 5, 2, 0)
		INSERT OR REPLACE INTO t VALUES (4, 5, NULL, 0)
		UPDATE OR REPLACE t SET gone = NULL WHERE id = 2`,
		"1:-1 1; 1:0 1; 1:-1 2; 1:0 1; 1:-1 3; 1:0 1; 1:-1 4; 1:0 4; 1:2 2", false},
	{"evicts by NOCASE", "CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT, v TEXT COLLATE NOCASE); CREATE UNIQUE INDEX i ON t(u COLLATE NOCASE); CREATE UNIQUE INDEX j ON t(v COLLATE BINARY)", "t",
		`INSERT INTO t VALUES (1, 'a', 'b')
		INSERT OR REPLACE INTO t VALUES (2, 'z', 'B')
		INSERT OR REPLACE INTO t VALUES (3, 'A', 'c')`,
		"1:-1 1; 1:-1 2; 1:0 1; 1:-1 3", false},
	{"evicts by a generated column", "CREATE TABLE t(id INTEGER PRIMARY KEY, a, g AS (a * 2) UNIQUE)", "t",
		`INSERT INTO t(id, a) VALUES (1, 1), (2, 2)
		REPLACE INTO t(id, a) VALUES (3, 1)
		UPDATE OR REPLACE t SET a = 2 WHERE id = 3`,
		"1:-1 1; 1:-1 2; 1:0 1; 1:-1 3; 1:0 2; 1:1 3", false},
	{"evicts by a generated column over a default", "CREATE TABLE t(id INTEGER PRIMARY KEY, a NOT NULL DEFAULT 7, b INT, g AS (a * 2), h AS (g + (b > '5')) UNIQUE)", "t",
		`INSERT INTO t(id, a, b) VALUES (1, 7, 6), (2, 7, 5)
		REPLACE INTO t(id, a, b) VALUES (3, NULL, 4)
		REPLACE INTO t(id, a, b) VALUES (4, 7, 9)`,
		"1:-1 1; 1:-1 2; 1:0 2; 1:-1 3; 1:0 1; 1:-1 4", false},
	{"evicts by an index that compares with another type", "CREATE TABLE t(id INTEGER PRIMARY KEY, u, n INT); CREATE UNIQUE INDEX i ON t(u) WHERE n > '5'", "t",
		`INSERT INTO t VALUES (1, 1, 6)
		REPLACE INTO t VALUES (2, 1, 7)`,
		"1:-1 1; 1:0 1; 1:-1 2", false},
	{"evicts by a rowid that is not the key", "CREATE TABLE t(k TEXT PRIMARY KEY, oid, x)", "t",
		`INSERT INTO t(rowid, k) VALUES (1, 'a'), (2, 'b'), (3, NULL), (4, 'c')
		UPDATE t SET rowid = 5, oid = 2 WHERE k = 'c'
		UPDATE OR REPLACE t SET rowid = 2 WHERE k = 'a'
		UPDATE OR REPLACE t SET _rowid_ = 3, k = 'd' WHERE k = 'a'
		UPDATE OR REPLACE t SET rowid = rowid, x = 1 WHERE k = 'd'`,
		"1:-1 'a'; 1:-1 'b'; 1:-1 'c'; 1:1 'c'; 1:0 'b'; 1:0 'a'; 1:-2 'a'; 1:-1 'd'; 1:2 'd'", false},
	{"foreign key actions", `CREATE TABLE p(id INTEGER PRIMARY KEY, x); CREATE TABLE c(id INTEGER PRIMARY KEY, a REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE);
		CREATE TABLE n(id INTEGER PRIMARY KEY, a REFERENCES p ON DELETE SET NULL)`, "p c n",
		`PRAGMA foreign_keys = on
		INSERT INTO p VALUES (1, 0), (2, 0)
		INSERT INTO c VALUES (10, 1), (11, 2)
		INSERT INTO n VALUES (20, 2)
		UPDATE p SET id = 3 WHERE id = 1
		DELETE FROM p WHERE id = 2
		!INSERT INTO c VALUES (12, 99)`,
		"1:-1 1; 1:-1 2; 2:-1 10; 2:-1 11; 3:-1 20; 2:1 10; 1:-2 1; 1:-1 3; 2:-2 11; 3:1 20; 1:-2 2", true},
	{"failed statements and rollbacks leave nothing", "CREATE TABLE t(id INTEGER PRIMARY KEY, a CHECK (a < 10), u UNIQUE)", "t",
		`INSERT INTO t VALUES (1, 1, 1)
		!INSERT INTO t VALUES (2, 2, 2), (3, 99, 3)
		!UPDATE t SET a = a + 9
		!INSERT INTO t VALUES (2, 2, 1)
		BEGIN
		UPDATE t SET a = 2
		SAVEPOINT s
		DELETE FROM t
		ROLLBACK TO s
		INSERT INTO t VALUES (4, 4, 4)
		COMMIT
		BEGIN
		DELETE FROM t
		ROLLBACK`,
		"1:-1 1; 1:1 1; 1:-1 4", false},
	{"truncating delete", "CREATE TABLE t(id INTEGER PRIMARY KEY, a)", "t",
		`INSERT INTO t VALUES (1, 1), (2, 2)
		DELETE FROM t`,
		"1:-1 1; 1:-1 2; 1:-2 1; 1:-2 2", false},
	{"user triggers", `CREATE TABLE t(id INTEGER PRIMARY KEY, a, n DEFAULT 0); CREATE TABLE l(id INTEGER PRIMARY KEY, what);
		CREATE TRIGGER count AFTER UPDATE OF a ON t BEGIN UPDATE t SET n = n + 1 WHERE id = NEW.id; INSERT INTO l(what) VALUES (NEW.a); END;
		CREATE TRIGGER refuse BEFORE INSERT ON t WHEN NEW.a = 'no' BEGIN SELECT RAISE(IGNORE); END`, "t l",
		`INSERT INTO t(id, a) VALUES (1, 1), (2, 'no')
		UPDATE t SET a = 2`,
		"1:-1 1; 1:1 1; 1:2 1; 2:-1 1", true},
	{"FTS5 with external content", "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT)", "t",
		`CREATE VIRTUAL TABLE f USING fts5(a, content='t', content_rowid='id')
		CREATE TRIGGER fi AFTER INSERT ON t BEGIN INSERT INTO f(rowid, a) VALUES (new.id, new.a); END
		CREATE TRIGGER fd AFTER DELETE ON t BEGIN INSERT INTO f(f, rowid, a) VALUES ('delete', old.id, old.a); END
		CREATE TRIGGER fu AFTER UPDATE ON t BEGIN INSERT INTO f(f, rowid, a) VALUES ('delete', old.id, old.a); INSERT INTO f(rowid, a) VALUES (new.id, new.a); END
		INSERT INTO t VALUES (1, 'one'), (2, 'two')
		UPDATE t SET a = 'three' WHERE id = 2
		DELETE FROM t WHERE id = 1
		CREATE TABLE found AS SELECT group_concat(rowid) AS ids FROM f WHERE f MATCH 'three'
		INSERT INTO f(f) VALUES ('integrity-check')`,
		"1:-1 1; 1:-1 2; 1:1 2; 1:-2 1", false},
	{"odd names", `CREATE TABLE "a ""b"(" select" TEXT NOT NULL, "x]y" INT, "NEW", "old", é UNIQUE, "it's" UNIQUE, PRIMARY KEY (" select"))`, `a "b`,
		`INSERT INTO "a ""b" VALUES ('k', 1, 1, 1, 1, 1)
		UPDATE "a ""b" SET "x]y" = 2, "old" = 2, "it's" = 2
		UPDATE "a ""b" SET "NEW" = 2, é = 2
		REPLACE INTO "a ""b" VALUES ('l', 1, 1, 1, 2, 3)
		UPDATE "a ""b" SET " select" = 'm'`,
		"1:-1 'k'; 1:21 'k'; 1:10 'k'; 1:0 'k'; 1:-1 'l'; 1:-2 'l'; 1:-1 'm'", false},
	{"tables called new and old", `CREATE TABLE new(id INTEGER PRIMARY KEY, u UNIQUE, x); CREATE TABLE old(id INTEGER PRIMARY KEY, u UNIQUE, x)`, "new old",
		`INSERT INTO new VALUES (1, 1, 1)
		INSERT INTO old VALUES (1, 1, 1)
		REPLACE INTO new VALUES (2, 1, 1)
		REPLACE INTO old VALUES (2, 1, 1)
		UPDATE new SET x = 2
		UPDATE old SET u = 2`,
		"1:-1 1; 2:-1 1; 1:0 1; 1:-1 2; 2:0 1; 2:-1 2; 1:2 2; 2:1 2", false},
	{"a careful connection", "CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE, x)", "t",
		`PRAGMA trusted_schema = off
		PRAGMA recursive_triggers = on
		PRAGMA foreign_keys = on
		PRAGMA cell_size_check = on
		INSERT INTO t VALUES (1, 1, 1)
		UPDATE t SET u = 2, x = 2
		DELETE FROM t`,
		"1:-1 1; 1:3 1; 1:-2 1", false},
}

func sorted(feed string) string {
	rows := strings.Split(feed, "; ")
	slices.Sort(rows)
	return strings.Join(rows, "; ")
}

func tableNames(s string) []string {
	if strings.Contains(s, `"`) {
		return []string{s}
	}
	return strings.Fields(s)
}

func TestCapture(t *testing.T) {
	for _, c := range captureCases {
		for _, host := range captureHosts {
			t.Run(c.name+"/host="+host, func(t *testing.T) {
				fts := strings.Contains(c.script, "fts5")
				if fts && host == "ncruces" {
					t.Skip("ncruces is built without FTS5")
				}
				d := newCaptured(t, host, c.ddl, tableNames(c.tables)...)
				d.run(c.script)
				got, want := d.feed(), c.want
				if c.anyOrder {
					got, want = sorted(got), sorted(want)
				}
				if got != want {
					t.Errorf("the feed has\n %s\nwant\n %s", got, want)
				}
				if fts {
					if ids := d.query("SELECT ids FROM found"); fmt.Sprint(ids) != "[2]" {
						t.Errorf("full-text search finds %v", ids)
					}
				}
			})
		}
	}
}

// TestWideMasks checks every ordinal of tables with more columns than an integer has bits.
func TestWideMasks(t *testing.T) {
	for _, n := range []int{60, 61, 121, 1999} {
		for _, host := range captureHosts {
			t.Run(fmt.Sprintf("columns=%d/host=%s", n, host), func(t *testing.T) {
				var cols, script, want []string
				for i := range n {
					cols = append(cols, fmt.Sprintf("c%d", i))
				}
				script = append(script, "INSERT INTO t(id) VALUES (1)")
				want = append(want, "1:-1 1")
				for _, i := range []int{0, 1, 59, 60, 61, 119, 120, n - 1} {
					if i >= n {
						continue
					}
					script = append(script, fmt.Sprintf("UPDATE t SET c%d = 7, id = id", i), "UPDATE t SET c"+fmt.Sprint(i)+" = NULL")
					words := make([]string, max(1, (n+59)/60))
					for w := range words {
						words[w] = "0"
					}
					words[i/60] = fmt.Sprint(int64(1) << (i % 60))
					want = append(want, "1:"+strings.Join(words, ",")+" 1", "1:"+strings.Join(words, ",")+" 1")
				}
				d := newCaptured(t, host, "CREATE TABLE t(id INTEGER PRIMARY KEY, "+strings.Join(cols, ", ")+")", "t")
				d.run(strings.Join(script, "\n"))
				d.want(strings.Join(want, "; "))
				back := engine.TriggerColumns(d.query("SELECT sql FROM sqlite_master WHERE name = 'tributary_1_update'")[0])
				for i := range n {
					if back[i] != fmt.Sprintf("c%d", i) {
						t.Fatalf("ordinal %d reads back as %q", i, back[i])
					}
				}
				if len(back) != n {
					t.Errorf("%d columns read back, want %d", len(back), n)
				}
			})
		}
	}
}

// TestSchemaChanges has a client without Tributary change a tracked table, and write after each change.
func TestSchemaChanges(t *testing.T) {
	steps := []struct{ script, want string }{
		{"INSERT INTO t VALUES (1, 'p', 'q', 'r', 's')", "1:-1 1"},
		{"ALTER TABLE t ADD COLUMN e\nUPDATE t SET e = 1\nUPDATE t SET d = 2, e = 2", "1:0 1; 1:8 1"},
		{"ALTER TABLE t RENAME COLUMN b TO bb\nUPDATE t SET bb = 2", "1:2 1"},
		{"ALTER TABLE t DROP COLUMN a\nUPDATE t SET bb = 3, d = 3\nUPDATE t SET bb = 3", "1:10 1; 1:0 1"},
		{"ALTER TABLE t ADD COLUMN a\nUPDATE t SET a = 3", "1:1 1"},
		{"ALTER TABLE t RENAME TO \"t 2\"\nUPDATE \"t 2\" SET c = 1\nREPLACE INTO \"t 2\"(id, d) VALUES (2, 3)", "1:4 1; 1:0 1; 1:-1 2"},
		{"ALTER TABLE \"t 2\" RENAME COLUMN id TO key\nUPDATE \"t 2\" SET key = 3", "1:-2 2; 1:-1 3"},
		{"!ALTER TABLE \"t 2\" DROP COLUMN d\nDROP INDEX i\nALTER TABLE \"t 2\" DROP COLUMN d\nREPLACE INTO \"t 2\"(key) VALUES (4)\nUPDATE \"t 2\" SET c = 2, bb = 2 WHERE key = 3", "1:-1 4; 1:6 3"},
		{"CREATE INDEX j ON \"t 2\"(c)\nCREATE UNIQUE INDEX k ON \"t 2\"(a, c)\nDROP INDEX j\nUPDATE \"t 2\" SET e = 5 WHERE key = 4", "1:0 4"},
		{"DROP INDEX k\nALTER TABLE \"t 2\" DROP COLUMN c\nALTER TABLE \"t 2\" DROP COLUMN e\nALTER TABLE \"t 2\" DROP COLUMN a\nUPDATE \"t 2\" SET bb = 'x' WHERE key = 4\nDELETE FROM \"t 2\" WHERE key = 4", "1:2 4; 1:-2 4"},
		// Known limit: see mask. The writer gets an error and nothing is harmed; DROP works after the engine has run.
		{"!ALTER TABLE \"t 2\" DROP COLUMN bb\nUPDATE \"t 2\" SET bb = 'y' WHERE key = 3", "1:2 3"},
		{"VACUUM\nUPDATE \"t 2\" SET key = 9 WHERE key = 3", "1:-2 3; 1:-1 9"},
		{"DROP TABLE \"t 2\"\nCREATE TABLE t(id INTEGER PRIMARY KEY)\nINSERT INTO t VALUES (1)", ""},
	}
	for _, host := range captureHosts {
		t.Run("host="+host, func(t *testing.T) {
			c := newCaptured(t, host, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, c, d); CREATE UNIQUE INDEX i ON t(abs(d)) WHERE d > 0", "t")
			for _, s := range steps {
				c.run(s.script)
				c.want(s.want)
				if c.t.Failed() {
					t.Fatalf("after %s", s.script)
				}
			}
		})
	}
}

func TestTriggerColumnsAfterRename(t *testing.T) {
	for _, host := range captureHosts {
		t.Run("host="+host, func(t *testing.T) {
			c := newCaptured(t, host, "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE, b BLOB, c, \"<< 7\")", "t")
			c.run("ALTER TABLE t RENAME COLUMN a TO x\nALTER TABLE t RENAME COLUMN b TO a\nALTER TABLE t RENAME COLUMN c TO \"OLD\"\nALTER TABLE t RENAME COLUMN id TO b")
			got := fmt.Sprint(engine.TriggerColumns(c.query("SELECT sql FROM sqlite_master WHERE name = 'tributary_1_update'")[0]))
			if want := "map[0:x 1:a 2:OLD 3:<< 7]"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// TestTriggerColumnsOfOneName has a column take the name of another that was dropped: the text then names it twice.
func TestTriggerColumnsOfOneName(t *testing.T) {
	c := newCaptured(t, "ncruces", "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b INT, c INT)", "t")
	c.run("ALTER TABLE t DROP COLUMN a\nALTER TABLE t RENAME COLUMN b TO a")
	got := fmt.Sprint(engine.TriggerColumns(c.query("SELECT sql FROM sqlite_master WHERE name = 'tributary_1_update'")[0]))
	if want := "map[0:a 1:a 2:c]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestMasks changes every set of five columns, of which two pairs and one over are compared: plainly, with their class too, or
// without their collation.
func TestMasks(t *testing.T) {
	const n = 5
	for _, host := range captureHosts {
		for _, declared := range []string{"INT", "", "TEXT COLLATE NOCASE"} {
			t.Run(fmt.Sprintf("type=%s/host=%s", declared, host), func(t *testing.T) {
				columns, script, want := "", []string{"INSERT INTO t(id) VALUES (1)"}, []string{"1:-1 1"}
				for i := range n {
					columns += fmt.Sprintf(", c%d %s", i, declared)
				}
				for set := range 1 << n {
					var assign []string
					for i := range n {
						value := "c%[1]d = c%[1]d"
						if set>>i&1 == 1 {
							value = "c%[1]d = CASE hex(c%[1]d) WHEN hex('a') THEN 'A' ELSE 'a' END"
						}
						assign = append(assign, fmt.Sprintf(value, i))
					}
					script, want = append(script, "UPDATE t SET "+strings.Join(assign, ", ")), append(want, fmt.Sprintf("1:%d 1", set))
				}
				d := newCaptured(t, host, "CREATE TABLE t(id INTEGER PRIMARY KEY"+columns+")", "t")
				d.run(strings.Join(script, "\n"))
				d.want(strings.Join(want, "; "))
			})
		}
	}
}

// TestMaskOrdinals has ordinals with gaps, as after a drop, and a column without one.
func TestMaskOrdinals(t *testing.T) {
	c := newCaptured(t, "ncruces", "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, c)")
	ord := map[string]int{"a": 65, "b": 2, "c": -1}
	for _, sql := range engine.TriggerSQL(c.table("t"), 1, func(n string) int { return ord[n] }, 66) {
		c.mustExec(sql)
	}
	c.run("INSERT INTO t VALUES (1, 1, 1, 1)\nUPDATE t SET a = 2\nUPDATE t SET b = 2\nUPDATE t SET c = 2")
	c.want("1:-1 1; 1:0,32 1; 1:4,0 1; 1:0,0 1")
	got := fmt.Sprint(engine.TriggerColumns(c.query("SELECT sql FROM sqlite_master WHERE name = 'tributary_1_update'")[0]))
	if got != "map[2:b 65:a]" {
		t.Errorf("read back: %s", got)
	}
}

// TestEvictionsUseTheIndex looks at the plans of the statements in the eviction triggers.
func TestEvictionsUseTheIndex(t *testing.T) {
	for _, c := range []struct{ ddl, index string }{
		{"CREATE TABLE t(id INTEGER PRIMARY KEY, u INTEGER, v); CREATE UNIQUE INDEX i ON t(u)", "i"},
		{"CREATE TABLE t(k TEXT NOT NULL, l, u, v, PRIMARY KEY (k, l)) WITHOUT ROWID; CREATE UNIQUE INDEX i ON t(u, v)", "i"},
		{"CREATE TABLE t(k TEXT NOT NULL, l NOT NULL, u, v, PRIMARY KEY (k, l)); CREATE UNIQUE INDEX i ON t(u, v)", "i"},
		{"CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT COLLATE NOCASE, v); CREATE UNIQUE INDEX i ON t(u COLLATE RTRIM)", "i"},
		{"CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT, v); CREATE UNIQUE INDEX i ON t(upper(u) COLLATE NOCASE, v)", "i"},
		{"CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT, v); CREATE UNIQUE INDEX i ON t(u) WHERE v IS NOT NULL AND u <> 'z'", "i"},
	} {
		d := newCaptured(t, "ncruces", c.ddl, "t")
		for _, kind := range []string{"evict_insert", "evict_update"} {
			statement := "INSERT INTO t(u, v) VALUES (1, 1)"
			if kind == "evict_update" {
				statement = "UPDATE t SET u = 1, v = 1"
			}
			joined := strings.Join(d.plan(statement), "; ")
			if strings.Contains(joined, "SCAN tributary_o") || strings.Contains(joined, "SCAN tributary_t") {
				t.Errorf("%s: %s scans: %s", c.ddl, kind, joined)
			}
			if !strings.Contains(joined, "SEARCH tributary_o") {
				t.Errorf("%s: %s does not look the key up: %s", c.ddl, kind, joined)
			}
			if !strings.Contains(joined, "SEARCH tributary_t USING COVERING INDEX "+c.index+" ") && !strings.Contains(joined, "SEARCH tributary_t USING INDEX "+c.index+" ") {
				t.Errorf("%s: %s does not use the index: %s", c.ddl, kind, joined)
			}
		}
	}
}
