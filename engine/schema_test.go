package engine_test

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

func schemaConn(t *testing.T, ddl string) engine.Conn {
	t.Helper()
	db, err := sqlite3.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Exec(ddl); err != nil {
		t.Fatalf("%s: %v", ddl, err)
	}
	return ncruces.NewConn(db)
}

// describe renders a schema but for its SQL.
func describe(s *engine.TableSchema) string {
	var b strings.Builder
	fmt.Fprint(&b, s.Name)
	for _, flag := range []struct {
		on   bool
		name string
	}{{s.WithoutRowid, "withoutrowid"}, {s.Strict, "strict"}, {s.RowidKey, "rowidkey"}, {s.Autoincrement, "autoincrement"}} {
		if flag.on {
			fmt.Fprint(&b, " ", flag.name)
		}
	}
	for _, c := range s.Key {
		fmt.Fprintf(&b, " key[%s %s %c %s %v %s]", c.Name, c.Type, c.Affinity, c.Collation, c.NotNull, c.Default)
	}
	for _, c := range s.Columns {
		fmt.Fprintf(&b, " [%s %s %c %s %v %s]", c.Name, c.Type, c.Affinity, c.Collation, c.NotNull, c.Default)
	}
	if len(s.Generated) > 0 {
		fmt.Fprint(&b, " generated", s.Generated)
	}
	for _, u := range s.Unique {
		fmt.Fprintf(&b, " unique%q%q%v", u.Columns, u.Exprs, u.Collations)
		if u.Where != "" {
			fmt.Fprintf(&b, "where(%s)", u.Where)
		}
	}
	for _, f := range s.ForeignKeys {
		fmt.Fprintf(&b, " fk%d%v->%s%v/%s/%s", f.ID, f.Columns, f.Parent, f.ParentColumns, f.OnDelete, f.OnUpdate)
	}
	for _, tr := range s.Triggers {
		fmt.Fprintf(&b, " trigger %s%q", tr.Name, tr.Writes)
	}
	return b.String()
}

func TestReadTable(t *testing.T) {
	for _, c := range []struct{ ddl, name, want string }{
		{"CREATE TABLE T(id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT DEFAULT 'x' NOT NULL, b)", "t",
			"T rowidkey autoincrement key[id INTEGER I BINARY false ] [a TEXT T BINARY true 'x'] [b  B BINARY false ]"},
		{"CREATE TABLE t(id INTEGER PRIMARY KEY DESC, a ANY)", "t", "t key[id INTEGER I BINARY false ] [a ANY N BINARY false ]"},
		{"CREATE TABLE t(id INT PRIMARY KEY)", "t", "t key[id INT I BINARY false ]"},
		{"CREATE TABLE t(a ANY, b TEXT, PRIMARY KEY (b, a)) STRICT, WITHOUT ROWID", "t",
			"t withoutrowid strict key[b TEXT T BINARY true ] key[a ANY B BINARY true ]"},
		{"CREATE TABLE t(a VARCHAR(10), c CHARINT, d FLOATING POINT, e DOUBLE, f DECIMAL(10,5), g BLOB, h STRING, PRIMARY KEY (a COLLATE NOCASE))", "t",
			"t key[a VARCHAR(10) T NOCASE false ] [c CHARINT I BINARY false ] [d FLOATING POINT I BINARY false ] [e DOUBLE R BINARY false ] [f DECIMAL(10,5) N BINARY false ] [g BLOB B BINARY false ] [h STRING N BINARY false ]"},
		{"CREATE TABLE t(k PRIMARY KEY, a /* COLLATE RTRIM */ TEXT CHECK (a <> 'x' COLLATE RTRIM) COLLATE NOCASE, g AS (a || k), b TEXT COLLATE \"rtrim\", h INT AS (1) STORED)", "t",
			"t key[k  B BINARY false ] [a TEXT T NOCASE false ] [b TEXT T rtrim false ] generated[g h]"},
		{"CREATE TABLE t(id INTEGER PRIMARY KEY, a UNIQUE, b, UNIQUE (b, a)); CREATE UNIQUE INDEX x ON t(lower(a) COLLATE NOCASE DESC, \"b\" COLLATE RTRIM, id) WHERE b > 1 AND a <> ')'; CREATE INDEX y ON t(b)", "t",
			`t rowidkey key[id INTEGER I BINARY false ] [a  B BINARY false ] [b  B BINARY false ] unique["a"]["\"a\""][BINARY] unique["b" "a"]["\"b\"" "\"a\""][BINARY BINARY]` +
				` unique["" "b" "id"]["lower(a)" "\"b\"" "\"id\""][NOCASE RTRIM BINARY]where(b > 1 AND a <> ')')`},
		{"CREATE TABLE p(x, y, PRIMARY KEY (y, x)); CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, FOREIGN KEY (a, b) REFERENCES p ON DELETE CASCADE, FOREIGN KEY (a) REFERENCES none(z) ON UPDATE SET NULL)", "t",
			"t rowidkey key[id INTEGER I BINARY false ] [a  B BINARY false ] [b  B BINARY false ] fk1[a]->none[z]/NO ACTION/SET NULL fk0[a b]->p[y x]/CASCADE/NO ACTION"},
		{`CREATE TABLE "a ""b"("x ]" PRIMARY KEY); CREATE TABLE l("update", y UNIQUE); CREATE TABLE m(x);
			CREATE TRIGGER tr AFTER INSERT ON "a ""b" BEGIN
			INSERT OR IGNORE INTO l VALUES (new."x ]", 'DELETE FROM zzz') ON CONFLICT (y) DO UPDATE SET y = 2; UPDATE OR FAIL "a ""b" SET "x ]" = (SELECT "update" FROM l); DELETE FROM m; REPLACE INTO L VALUES (1, 2); END;
			CREATE TRIGGER tributary_1_insert AFTER INSERT ON "a ""b" BEGIN SELECT 1; END`, `a "b`,
			`a "b key[x ]  B BINARY false ] trigger tr["l" "a \"b" "m"]`},
	} {
		s, err := engine.ReadTable(schemaConn(t, c.ddl), c.name)
		if err != nil {
			t.Errorf("%s: %v", c.ddl, err)
			continue
		}
		if got := describe(s); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.ddl, got, c.want)
		}
		if !strings.HasPrefix(s.SQL, "CREATE TABLE") {
			t.Errorf("SQL: %s", s.SQL)
		}
	}
}

const manyTables = `CREATE TABLE b(x PRIMARY KEY); CREATE TABLE A(x PRIMARY KEY); CREATE VIEW v AS SELECT 1; CREATE TABLE seq(id INTEGER PRIMARY KEY AUTOINCREMENT);
	CREATE TABLE f_notes(id INTEGER PRIMARY KEY); CREATE TABLE f_node(id INTEGER PRIMARY KEY); CREATE TABLE tributary_meta(key);
	CREATE TEMP TABLE b(y, z); CREATE TEMP TABLE temporary(x PRIMARY KEY);`

// manyTablesConn also has virtual tables, made by a client that has the modules: this host does not.
func manyTablesConn(t *testing.T) engine.Conn {
	t.Helper()
	if _, err := exec.LookPath("sqlite3"); err != nil {
		t.Skip("the sqlite3 program, which makes the virtual tables, is not installed")
	}
	file := filepath.Join(t.TempDir(), "db")
	cmd := exec.Command("sqlite3", "-batch", "-bail", "-init", "/dev/null", file, "CREATE VIRTUAL TABLE F USING fts5(a); CREATE VIRTUAL TABLE r USING \"rtree\"(id, x0, x1)")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	db, err := sqlite3.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Exec(manyTables); err != nil {
		t.Fatal(err)
	}
	return ncruces.NewConn(db)
}

func TestListTables(t *testing.T) {
	got, err := engine.ListTables(manyTablesConn(t))
	if err != nil {
		t.Fatal(err)
	}
	if want := "[A b f_node f_notes seq]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestReadTableRefuses(t *testing.T) {
	c := manyTablesConn(t)
	for _, name := range []string{"v", "r", "r_node", "f", "f_data", "F_CONFIG", "sqlite_sequence", "sqlite_schema", "tributary_meta", "none", "temporary"} {
		_, err := engine.ReadTable(c, name)
		if err == nil {
			t.Errorf("%s can be read", name)
		}
		missing := name == "none" || name == "temporary" || name == "sqlite_schema"
		if errors.Is(err, engine.ErrNoTable) != missing {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s, err := engine.ReadTable(c, "B"); err != nil || s.Name != "b" || len(s.Key) != 1 || s.Key[0].Name != "x" {
		t.Errorf("a temporary table of the same name hides the table: %+v, %v", s, err)
	}
}

func TestTrackable(t *testing.T) {
	wide := make([]string, 101)
	for i := range wide {
		wide[i] = fmt.Sprintf("c%d", i)
	}
	keys := strings.Join(wide, ", ")
	for _, c := range []struct{ ddl, want string }{
		{"CREATE TABLE t(id INTEGER PRIMARY KEY)", ""},
		{"CREATE TABLE t(k TEXT COLLATE nocase, l TEXT COLLATE RTRIM, PRIMARY KEY (k, l))", ""},
		{"CREATE TABLE t(" + keys + ", PRIMARY KEY (" + keys + "))", "101 key columns"},
		{"CREATE TABLE t(a, b)", "CREATE TABLE new"},
	} {
		s, err := engine.ReadTable(schemaConn(t, c.ddl), "t")
		if err != nil {
			t.Fatal(err)
		}
		switch err := engine.Trackable(s); {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.ddl, err, c.want)
		case strings.Contains(c.want, "CREATE") != errors.Is(err, engine.ErrNoKey):
			t.Errorf("%s: %v", c.ddl, err)
		}
	}
	s, err := engine.ReadTable(schemaConn(t, "CREATE TABLE t(k TEXT PRIMARY KEY)"), "t")
	if err != nil {
		t.Fatal(err)
	}
	s.Key[0].Collation = "german"
	if err := engine.Trackable(s); err == nil || !strings.Contains(err.Error(), "german") {
		t.Errorf("a key with a collation of the user's: %v", err)
	}
}

func TestTrackWarnings(t *testing.T) {
	for _, c := range []struct {
		ddl  string
		want []string
	}{
		{"CREATE TABLE t(k TEXT NOT NULL PRIMARY KEY, a)", nil},
		{"CREATE TABLE t(k TEXT PRIMARY KEY) WITHOUT ROWID", nil},
		{"CREATE TABLE t(id INTEGER PRIMARY KEY)", []string{"next id"}},
		{"CREATE TABLE t(k TEXT PRIMARY KEY, u UNIQUE)", []string{"k is NULL", `UNIQUE ("u")`}},
		{"CREATE TABLE t(k TEXT NOT NULL PRIMARY KEY); CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM t WHERE k = 1; END; CREATE TRIGGER y AFTER INSERT ON t BEGIN SELECT 1; END", []string{"trigger x writes t"}},
	} {
		s, err := engine.ReadTable(schemaConn(t, c.ddl), "t")
		if err != nil {
			t.Fatal(err)
		}
		got := engine.TrackWarnings(s)
		if len(got) != len(c.want) {
			t.Errorf("%s: %q, want %q", c.ddl, got, c.want)
			continue
		}
		for i, w := range c.want {
			if !strings.Contains(got[i], w) {
				t.Errorf("%s: %q, want %q", c.ddl, got[i], w)
			}
		}
	}
}
