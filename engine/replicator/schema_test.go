package replicator_test

import (
	"testing"

	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/transports/mem"
)

// TestSchemaLater: what is parked for a column or a table is shown once it is there, though nobody writes, and also where that
// happened while the loop did not run.
func TestSchemaLater(t *testing.T) {
	h, dir := mem.New(), t.TempDir()
	a, b := newSite(t, dir, "a", over(h)), newSite(t, dir, "b", over(h))
	a.exec(insert(1, "a"))
	a.start()
	b.start()
	converge(t, "1|a|1", a, b)
	parked := func(want string) {
		t.Helper()
		until(t, want+" parked", func() bool { return b.query("SELECT count(*) FROM tributary_unknown") == want })
	}
	a.exec("ALTER TABLE t ADD COLUMN c; UPDATE t SET c = 'in c'")
	parked("1")
	b.exec("ALTER TABLE t ADD COLUMN c")
	until(t, "the column", func() bool { return b.query("SELECT c FROM t") == "in c" })
	for _, running := range []bool{true, false} {
		name := map[bool]string{true: "u", false: "v"}[running]
		table := "CREATE TABLE " + name + "(id INTEGER PRIMARY KEY, x)"
		a.exec(table + "; INSERT INTO " + name + " VALUES (1, 'row')")
		a.with(func(e *engine.Engine) {
			if _, _, err := e.TrackAll(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
		parked("1")
		if !running {
			b.halt()
		}
		b.exec(table)
		b.with(func(e *engine.Engine) {
			if _, _, err := e.TrackAll(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
		if !running {
			b.start()
		}
		until(t, "the table", func() bool { return b.query("SELECT x FROM "+name) == "row" })
		parked("0")
	}
}
