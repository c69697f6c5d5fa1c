package conformance_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tributary-db/tributary/conformance/native"
	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// application is a program with a native SQLite that loads the extension.
type application struct {
	t       *testing.T
	p       *native.Process
	library string
}

// newApplication starts one, which ends with the test.
func newApplication(t *testing.T) *application {
	t.Helper()
	library := built(t, "tributary.so")
	p, err := native.Start(built(t, "driver"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return &application{t, p, library}
}

// open opens a database and loads the extension.
func (a *application) open(name string) *native.Conn {
	a.t.Helper()
	c, err := a.p.Open(name)
	if err != nil {
		a.t.Fatal(err)
	}
	if err := errors.Join(c.Exec("PRAGMA busy_timeout = 10000"), c.Load(a.library, "")); err != nil {
		a.t.Fatal(err)
	}
	return c
}

func (a *application) close(list ...*native.Conn) {
	a.t.Helper()
	for _, c := range list {
		if err := c.Close(); err != nil {
			a.t.Error(err)
		}
	}
}

func (a *application) exec(c *native.Conn, sql string, args ...crdt.Value) string {
	a.t.Helper()
	text := ""
	for s := range strings.SplitSeq(sql, ";;") {
		rows, err := c.Rows(s, args...)
		if err != nil {
			a.t.Fatalf("%s: %v", s, err)
		}
		text = ""
		for _, row := range rows {
			for i, v := range row {
				if i > 0 {
					text += " "
				}
				text += v.String()
			}
			text += "\n"
		}
	}
	return strings.TrimSuffix(text, "\n")
}

func (a *application) want(c *native.Conn, sql, want string) {
	a.t.Helper()
	if got := a.exec(c, sql); got != want {
		a.t.Errorf("%s: got %s, want %s", sql, got, want)
	}
}

const someSchema = "PRAGMA journal_mode = wal;; CREATE TABLE t(k TEXT PRIMARY KEY NOT NULL, v);; SELECT tributary_track('t');; " +
	"CREATE VIRTUAL TABLE o USING stream_out(peer='hub');; CREATE VIRTUAL TABLE i USING stream_in(peer='hub')"

// TestExtensionOneRuntimeForAllConnections: threads do not grow with connections.
func TestExtensionOneRuntimeForAllConnections(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	if _, threads, err := a.p.Usage(); err != nil || threads != 1 {
		t.Fatalf("%d threads before loading, %v", threads, err)
	}
	first := a.open(":memory:")
	a.want(first, "SELECT tributary_version()", "0")
	_, one, err := a.p.Usage()
	if err != nil {
		t.Fatal(err)
	}
	var others []*native.Conn
	for range 20 {
		c := a.open(":memory:")
		a.want(c, "SELECT tributary_version()", "0")
		others = append(others, c)
	}
	if _, many, err := a.p.Usage(); err != nil || many > one+3 {
		t.Errorf("%d threads with one connection and %d with 21, %v", one, many, err)
	}
	a.close(append(others, first)...)
}

// TestExtensionForked opens the extension before a fork, in the child, in the child's child, and in the parent again. What was
// opened before the fork must say so instead of waiting for ever for a runtime that the child has not got.
func TestExtensionForked(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	path := filepath.Join(t.TempDir(), "a.db")
	c := a.open(path)
	a.exec(c, someSchema+";; INSERT INTO t VALUES ('parent', 1);; SELECT package FROM o")
	for range 3 { // one after the other
		if err := a.p.Fork(); err != nil {
			t.Fatal(err)
		}
		for _, sql := range []string{"SELECT tributary_site()", "SELECT peer FROM o", "INSERT INTO i(package) VALUES (x'00')", "UPDATE o SET acked = 0",
			"SELECT * FROM tributary_status", "CREATE VIRTUAL TABLE temp.x USING stream_out()", "DROP TABLE o"} {
			err := c.Exec(sql)
			var code engine.ErrorCode // while a statement is prepared, SQLite makes SQLITE_ERROR of every code
			if !errors.As(err, &code) || code.SQLiteCode() != 21 && code.SQLiteCode() != 1 || !strings.Contains(err.Error(), "forked") {
				t.Errorf("%s in a child: got %v, want SQLITE_MISUSE", sql, err)
			}
		}
		own := a.open(path)
		a.exec(own, "INSERT INTO t SELECT 'child ' || count(*), 1 FROM t")
		a.want(own, "SELECT count(package) > 0 FROM o", "1")
		a.exec(own, "UPDATE o SET acked = tributary_cursor()")
		if err := a.p.Fork(); err != nil { // and the child forks too
			t.Fatal(err)
		}
		if err := own.Exec("SELECT tributary_site()"); err == nil || !strings.Contains(err.Error(), "forked") {
			t.Errorf("in the child's child: got %v", err)
		}
		third := a.open(path)
		a.exec(third, "INSERT INTO t SELECT 'grandchild ' || count(*), 1 FROM t;; SELECT package FROM o")
		a.close(third)
		if err := errors.Join(a.p.Join(), a.p.Join()); err != nil { // the children that Fork made, innermost first
			t.Fatal(err)
		}
	}
	a.want(c, "SELECT count(*) FROM t", "7")
	a.want(c, "SELECT tributary_check()", "'[]'")
	a.close(c)
}

// TestExtensionForkedBeforeLoading forks first; the child starts the runtime of the copy that it inherits nothing of.
func TestExtensionForkedBeforeLoading(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	if err := a.p.Fork(); err != nil {
		t.Fatal(err)
	}
	c := a.open(":memory:")
	a.exec(c, "CREATE TABLE t(k INTEGER PRIMARY KEY);; SELECT tributary_track('t')")
	a.close(c)
	if err := a.p.Join(); err != nil {
		t.Fatal(err)
	}
}

func TestExtensionThreads(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	path := filepath.Join(t.TempDir(), "a.db")
	c := a.open(path)
	a.exec(c, someSchema)
	if err := a.p.Threads(path, a.library, 8, 8, 50); err != nil {
		t.Fatal(err)
	}
	short := 1000
	if env("TRIBUTARY_LONG") != "" {
		short = 12000
	}
	if err := a.p.Threads(path, a.library, 200, 8, 1); err != nil {
		t.Fatal(err)
	}
	_, before, err := a.p.Usage()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.p.Threads(path, a.library, short, 8, 1); err != nil {
		t.Fatal(err)
	}
	if _, threads, err := a.p.Usage(); err != nil || threads > before+4 {
		t.Errorf("%d threads after 200 short ones and %d after %d more, %v", before, threads, short, err)
	}
	a.close(c)
}

// TestExtensionOpenAndClose opens and closes until a leak of some hundred bytes for each connection would show.
func TestExtensionOpenAndClose(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	path := filepath.Join(t.TempDir(), "a.db")
	c := a.open(path)
	a.exec(c, someSchema+";; INSERT INTO t VALUES ('a', 1)")
	round := func(n int) {
		for range n {
			c := a.open(path)
			a.exec(c, "SELECT count(package) FROM o")
			a.close(c)
		}
	}
	count, settle := 1000, 500
	if env("TRIBUTARY_LONG") != "" {
		count, settle = 10000, 1500
	}
	round(settle) // caches and the heap reach their size
	before, _, err := a.p.Usage()
	if err != nil {
		t.Fatal(err)
	}
	round(count)
	after, _, err := a.p.Usage()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d connections: %d kB before, %d kB after", count, before>>10, after>>10)
	if grown := after - before; grown > int64(count)*100+1<<20 {
		t.Errorf("%d connections have left %d kB, %d bytes each", count, grown>>10, grown/int64(count))
	}
	a.close(c)
}

// TestExtensionLoadedTwice loads on one connection again, then by every later connection of the process by itself.
func TestExtensionLoadedTwice(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	c := a.open(":memory:")
	a.exec(c, "CREATE TABLE t(k INTEGER PRIMARY KEY);; SELECT tributary_track('t');; INSERT INTO t VALUES (1)")
	if err := errors.Join(c.Load(a.library, ""), c.Load(a.library, "sqlite3_tributary_auto_init")); err != nil {
		t.Fatal(err)
	}
	a.exec(c, "SELECT tributary_fold()")
	a.want(c, "SELECT tributary_version()", "1")
	plain, err := a.p.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	a.want(plain, "SELECT tributary_version()", "0")
	a.close(plain, c)

	// A second copy takes the tables of the first from under it. It must not go unnoticed.
	other := filepath.Join(t.TempDir(), "tributary.so")
	b, err := os.ReadFile(a.library)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, b, 0o755); err != nil {
		t.Fatal(err)
	}
	c = a.open(filepath.Join(t.TempDir(), "a.db"))
	a.exec(c, someSchema+";; SELECT package FROM o")
	if err := c.Load(other, ""); err != nil {
		t.Fatal(err)
	}
	if err := c.Exec("SELECT package FROM o"); err == nil || !strings.Contains(err.Error(), "two different files") {
		t.Errorf("a stream of the first copy after the second was loaded: got %v", err)
	}
	a.close(c)
}

// TestExtensionTwoLibraries is one process with two SQLite libraries, which each load the extension from the same file.
func TestExtensionTwoLibraries(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	b, err := os.ReadFile(built(t, "lib/libsqlite3.so"))
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other.so")
	if err := os.WriteFile(other, b, 0o755); err != nil {
		t.Fatal(err)
	}
	c := a.open(":memory:")
	const sql = "CREATE TABLE t(k INTEGER PRIMARY KEY); SELECT tributary_track('t'); INSERT INTO t VALUES (1); SELECT tributary_fold()"
	for range 2 {
		if err := a.p.SecondLibrary(other, a.library, sql); err != nil {
			t.Fatal(err)
		}
		if err := c.Exec("SELECT tributary_version()"); err != nil {
			t.Fatal(err)
		}
	}
	a.close(c)
}

// TestExtensionCloseWithStatementsLeft closes while the application has a statement: SQLite refuses, and the connection works on.
func TestExtensionCloseWithStatementsLeft(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	c := a.open(filepath.Join(t.TempDir(), "a.db"))
	a.exec(c, someSchema+";; INSERT INTO t VALUES ('a', 1)")
	left, err := c.Prepare("SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	var code engine.ErrorCode
	if err := c.Close(); !errors.As(err, &code) || code.SQLiteCode() != 5 {
		t.Fatalf("a statement is left: got %v", err)
	}
	a.exec(c, "INSERT INTO t VALUES ('b', 1)")
	a.want(c, "SELECT rows FROM o", "2")
	if err := left.Close(); err != nil {
		t.Fatal(err)
	}
	a.close(c)
}

// TestExtensionSchemaToolsWithStreams is what people do to databases: check, dump, vacuum, and use the other tables without the
// extension.
func TestExtensionSchemaToolsWithStreams(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	path := filepath.Join(t.TempDir(), "a.db")
	c := a.open(path)
	a.exec(c, someSchema+";; INSERT INTO t VALUES ('a', 1);; SELECT package FROM o")
	a.want(c, "PRAGMA integrity_check", "'ok'")
	a.want(c, "PRAGMA quick_check", "'ok'")
	a.exec(c, "VACUUM")
	a.exec(c, "VACUUM INTO '"+filepath.Join(t.TempDir(), "copy.db")+"'")
	a.exec(c, "ANALYZE")
	a.want(c, "SELECT tributary_check()", "'[]'")

	plain, err := a.p.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	a.exec(plain, "INSERT INTO t VALUES ('b', 2);; UPDATE t SET v = 3 WHERE k = 'a';; CREATE INDEX tv ON t(v)")
	a.want(plain, "SELECT count(*) FROM t", "2")
	if err := plain.Exec("SELECT * FROM o"); err == nil || !strings.Contains(err.Error(), "no such module: stream_out") {
		t.Errorf("a stream without the extension: got %v", err)
	}
	a.exec(plain, "VACUUM")
	a.close(plain)
	a.want(c, "SELECT rows FROM o", "2")
	a.close(c)
}

// TestExtensionDump is the sqlite3 program's way of copying a database: its streams come with it.
func TestExtensionDump(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	if _, err := exec.LookPath("sqlite3"); err != nil {
		t.Skip("the sqlite3 program is not installed (Debian package sqlite3)")
	}
	path := filepath.Join(t.TempDir(), "a.db")
	c := a.open(path)
	a.exec(c, someSchema+";; INSERT INTO t VALUES ('a', 1);; SELECT package FROM o")
	a.close(c)
	shell := func(file, input string, words ...string) string {
		t.Helper()
		cmd := exec.Command("sqlite3", append([]string{"-batch", "-bail", "-cmd", ".load " + strings.TrimSuffix(a.library, ".so"), file}, words...)...)
		cmd.Stdin = strings.NewReader(input)
		var out, why bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &why
		if err := cmd.Run(); err != nil {
			t.Fatalf("sqlite3 %v: %v\n%s", words, err, why.String())
		}
		return out.String()
	}
	dump := shell(path, "", ".dump")
	copied := filepath.Join(t.TempDir(), "copy.db")
	shell(copied, dump)
	if got := shell(copied, "SELECT k, v FROM t; SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL%' ORDER BY 1;"); got != "a|1\ni\no\n" {
		t.Errorf("got %q from\n%s", got, dump)
	}
}

// TestExtensionInterrupt stops a pull that waits for another writer, however long the busy timeout.
func TestExtensionInterrupt(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	path := filepath.Join(t.TempDir(), "a.db")
	c, writer := a.open(path), a.open(path)
	a.exec(c, someSchema+";; INSERT INTO t VALUES ('a', 1);; PRAGMA busy_timeout = 3600000")
	a.exec(writer, "BEGIN IMMEDIATE")
	var code engine.ErrorCode
	if err := c.Interrupted("SELECT package FROM o"); !errors.As(err, &code) || code.SQLiteCode() != 9 {
		t.Errorf("got %v, want SQLITE_INTERRUPT", err)
	}
	a.exec(writer, "COMMIT")
	a.want(c, "SELECT rows FROM o", "1")
	a.close(c, writer)
}

// TestExtensionLastInsertRowid is not touched by what the engine writes, nor are the changes counted that are not the application's.
func TestExtensionLastInsertRowid(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	c := a.open(filepath.Join(t.TempDir(), "a.db"))
	a.exec(c, someSchema+";; CREATE TABLE n(id INTEGER PRIMARY KEY);; INSERT INTO n VALUES (77);; INSERT INTO t VALUES ('a', 1)")
	rowid := a.exec(c, "SELECT last_insert_rowid()")
	for _, sql := range []string{"SELECT tributary_fold()", "SELECT package FROM o", "UPDATE o SET acked = tributary_cursor()", "SELECT * FROM tributary_status", "DROP TABLE o"} {
		a.exec(c, sql)
		a.want(c, "SELECT last_insert_rowid()", rowid)
	}
	other := a.open(filepath.Join(t.TempDir(), "b.db"))
	a.exec(other, someSchema+";; INSERT INTO t VALUES ('b', 1)")
	rows, err := other.Rows("SELECT package FROM o")
	if err != nil {
		t.Fatal(err)
	}
	a.exec(c, "INSERT INTO i(package) VALUES (?1)", rows[0][0])
	a.want(c, "SELECT last_insert_rowid(), changes()", rowid+" 1")
	a.close(c, other)
}

// TestExtensionValues carries every kind of value by SQL, in both formats: into the extension's functions and tables,
// through the rows from which it applies, and out again.
func TestExtensionValues(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"binary", "json"} {
		a := newApplication(t)
		dir := t.TempDir()
		from, to := newReplica(t, dir, "from"), newReplica(t, dir, "to")
		for _, r := range []*replica{from, to} {
			r.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v, w); CREATE TABLE k(k PRIMARY KEY NOT NULL, v)")
			r.track()
		}
		for i, v := range literals {
			from.execf("INSERT INTO t(id, v) VALUES (%d, %s)", i, v)
			if v != "NULL" {
				from.execf("INSERT OR IGNORE INTO k VALUES (%s, %d)", v, i)
			}
		}
		out, in := a.open(from.path), a.open(to.path)
		for _, c := range []*native.Conn{out, in} {
			a.exec(c, "CREATE VIRTUAL TABLE o USING stream_out(format="+format+");; CREATE VIRTUAL TABLE i USING stream_in()")
		}
		if err := move(out, in); err != nil {
			t.Fatal(err)
		}
		converged(t, from, to)
		for i := range literals {
			to.execf("UPDATE t SET w = %s WHERE id = %d", literals[len(literals)-1-i], i)
		}
		if err := move(in, out); err != nil {
			t.Fatal(err)
		}
		converged(t, from, to)
		a.want(in, "SELECT count(*) FROM t WHERE typeof(v) = 'real'", "13")
		a.want(in, "SELECT count(*) FROM t WHERE v IS NULL OR typeof(w) = 'null'", "2")
		a.close(out, in)
	}
}
