package conformance_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tributary-db/tributary/engine"
)

// literals are SQL for values of every kind, the odd ones too.
var literals = []string{"NULL", "0", "1", "-1", "9223372036854775807", "-9223372036854775808", "9007199254740993", "-9007199254740993",
	"0.0", "-0.0", "1.0", "0.1", "1e308", "1.7976931348623157e308", "-1.7976931348623157e308", "5e-324", "2.2250738585072014e-308", "9e999", "-9e999",
	"9223372036854775808.0", "-9223372036854775808.0", "''", "x''", "'a'", "'1'", "x'31'", "char(0)", "'a' || char(0) || 'b'", "CAST(x'ff00fe' AS TEXT)",
	"CAST(x'eda080' AS TEXT)", "x'000102ff'", "'ünïcödé 🚣 '' \"'", "char(0x2028, 0x10ffff, 0xfeff)", "zeroblob(70000)", "printf('%.70000c', 'x')"}

// TestValues sends every kind of value through binary and JSON packages, as inserts and as updates.
func TestValues(t *testing.T) {
	for _, format := range []struct {
		name string
		engine.Format
	}{{"binary", engine.FormatBinary}, {"json", engine.FormatJSON}} {
		t.Run(format.name, func(t *testing.T) {
			dir := t.TempDir()
			a, b := newReplica(t, dir, "a"), newReplica(t, dir, "b")
			for _, r := range []*replica{a, b} {
				r.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v, w); CREATE TABLE k(k PRIMARY KEY NOT NULL, v); CREATE TABLE real(id INTEGER PRIMARY KEY, v REAL)")
				r.track()
			}
			for i, v := range literals {
				a.execf("INSERT INTO t(id, v) VALUES (%d, %s); INSERT OR IGNORE INTO real VALUES (%d, CASE WHEN typeof(%s) IN ('real', 'integer') THEN %s END)", i, v, i, v, v)
				if v != "NULL" {
					a.execf("INSERT OR IGNORE INTO k VALUES (%s, %d)", v, i)
				}
			}
			deliver(t, a, b, engine.PullOptions{Format: format.Format})
			converged(t, a, b)
			for i := range literals {
				b.execf("UPDATE t SET w = %s WHERE id = %d", literals[len(literals)-1-i], i)
			}
			b.exec("UPDATE k SET v = -v")
			deliver(t, b, a, engine.PullOptions{Format: format.Format})
			converged(t, a, b)
			if n := b.int("SELECT count(*) FROM t WHERE typeof(v) = 'real'"); n != 13 {
				t.Errorf("%d reals arrived, want 13", n)
			}
			if n := b.int("SELECT count(*) FROM t WHERE typeof(v) = 'null'"); n != 1 {
				t.Errorf("%d NULLs arrived, want 1", n)
			}
		})
	}
}

// deliver carries everything from one replica to another, once.
func deliver(t *testing.T, from, to *replica, o engine.PullOptions) (packages int, bytes int64) {
	t.Helper()
	for p, err := range from.engine.Pull(t.Context(), o) {
		if err != nil {
			t.Fatalf("pull %s: %v", from.name, err)
		}
		if _, err := to.engine.Apply(t.Context(), p.Package, engine.ApplyOptions{}); err != nil {
			t.Fatalf("apply to %s: %v", to.name, err)
		}
		packages, bytes = packages+1, bytes+int64(len(p.Package))
	}
	return packages, bytes
}

// TestBigBlob sends one value of 50 MB that does not compress.
func TestBigBlob(t *testing.T) {
	size := 50_000_000
	if testing.Short() {
		size = 5_000_000
	}
	dir := t.TempDir()
	a, b := newReplica(t, dir, "a"), newReplica(t, dir, "b")
	for _, r := range []*replica{a, b} {
		r.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB, w TEXT)")
		r.track()
	}
	a.execf("INSERT INTO t VALUES (1, randomblob(%d), 'x'), (2, x'', 'small')", size)
	sync(t, a, b)
	if n := b.int("SELECT length(v) FROM t WHERE id = 1"); n != int64(size) {
		t.Fatalf("%d bytes arrived, want %d", n, size)
	}
	converged(t, a, b)
	// A change beside the blob does not send the blob again.
	before, err := a.engine.Cursor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a.exec("UPDATE t SET w = 'y' WHERE id = 1")
	if _, bytes := deliver(t, a, b, engine.PullOptions{Since: before}); bytes > 1000 {
		t.Errorf("changing a short column sent %d bytes", bytes)
	}
	converged(t, a, b)
}

// TestManyColumns uses as many columns as SQLite allows.
func TestManyColumns(t *testing.T) {
	const columns = 2000
	var defs, values, sets []string
	for i := 1; i < columns; i++ {
		defs = append(defs, fmt.Sprintf("c%d", i))
		values = append(values, fmt.Sprint(i))
		if i%7 == 0 {
			sets = append(sets, fmt.Sprintf("c%d = 'u%d'", i, i))
		}
	}
	dir := t.TempDir()
	a, b := newReplica(t, dir, "a"), newReplica(t, dir, "b")
	for _, r := range []*replica{a, b} {
		r.execf("CREATE TABLE t(id INTEGER PRIMARY KEY, %s)", strings.Join(defs, ", "))
		r.track()
	}
	a.execf("INSERT INTO t VALUES (1, %s), (2, %s)", strings.Join(values, ", "), strings.Join(values, ", "))
	sync(t, a, b)
	converged(t, a, b)
	a.execf("UPDATE t SET %s WHERE id = 1", strings.Join(sets, ", "))
	b.exec("UPDATE t SET c1 = 'b', c1999 = 'b', c60 = 'b', c61 = 'b' WHERE id = 1; DELETE FROM t WHERE id = 2")
	sync(t, a, b)
	converged(t, a, b)
	if n := a.int("SELECT c1999 = 'b' AND c7 = 'u7' AND c61 = 'b' AND c2 = 2 FROM t"); n != 1 {
		t.Error("the columns of the two updates were not merged")
	}
}

// TestManyTables: an empty pull does not grow with the number of tables.
func TestManyTables(t *testing.T) {
	a := newReplica(t, t.TempDir(), "a")
	var b strings.Builder
	for i := range 400 {
		fmt.Fprintf(&b, "CREATE TABLE t%d(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t%d VALUES (1, 'x');", i, i)
	}
	a.exec("BEGIN;" + b.String() + "COMMIT")
	var asked []int64
	for i := range 400 {
		before := a.pages()
		if _, err := a.engine.Track(t.Context(), fmt.Sprintf("t%d", i)); err != nil {
			t.Fatal(err)
		}
		asked = append(asked, a.pages()-before)
	}
	t.Logf("tracking asks for %d pages for the first table, %d for the 200th, %d for the 400th", asked[0], asked[199], asked[399])
	if asked[399] > 2*asked[199] || asked[399] > 10_000 {
		t.Error("every table makes the next one slower by more than a look at it")
	}
	if _, err := a.engine.Fold(t.Context()); err != nil {
		t.Fatal(err)
	}
	since, err := a.engine.Cursor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := a.pages()
	for _, err := range a.engine.Pull(t.Context(), engine.PullOptions{Since: since}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := a.pages() - before; n > 100 {
		t.Errorf("an empty pull with 400 tracked tables asks for %d pages", n)
	}
	converged(t, a)
}
