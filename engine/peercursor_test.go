package engine_test

import (
	"testing"

	"github.com/tributary-db/tributary/engine"
)

// TestPullNamesEnd: what comes beyond a gap moves the feed on and is no version of it. Who has read up to there goes on from there all
// the same, and need not be sent everything again.
func TestPullNamesEnd(t *testing.T) {
	r := newReplicas(t, 3, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
	a, b, c := r[0], r[1], r[2]
	a.exec("INSERT INTO t VALUES (1, 'one')")
	first := a.pull(engine.PullOptions{}, -1)
	a.exec("INSERT INTO t VALUES (2, 'two')")
	second := a.pull(engine.PullOptions{Since: first[0].Cursor}, -1)
	b.exec("INSERT INTO t VALUES (3, 'three')")
	b.pull(engine.PullOptions{}, -1)
	if _, err := b.e.Apply(t.Context(), second[0].Package, engine.ApplyOptions{Mode: engine.ModeEventual}); err != nil {
		t.Fatal(err)
	}
	read := b.pull(engine.PullOptions{}, -1)
	c.apply(read...)
	b.exec("INSERT INTO t VALUES (4, 'four')")
	next := b.pull(engine.PullOptions{Since: read[len(read)-1].Cursor}, -1)
	if len(next) != 1 || next[0].Rows != 1 {
		t.Fatalf("it goes on with %d packages: %+v", len(next), next)
	}
	if p, err := engine.Inspect(next[0].Package, nil); err != nil || !p.Starts || p.Since == 0 {
		t.Errorf("it goes on inside a set: %+v (%v)", p, err)
	}
	c.apply(next...)
	b.apply(first...)
	c.apply(first...)
	sync(t, a, b)
	same(t, a, b)
}

// TestPullBehindCompactedLog: a log that was compacted does not say what a part of it is about, and nobody who was there is sent away
// for that.
func TestPullBehindCompactedLog(t *testing.T) {
	r := newReplicas(t, 3, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
	a, b, c := r[0], r[1], r[2]
	b.exec("INSERT INTO t VALUES (1, 'one')")
	sync(t, a, b)
	read := a.pull(engine.PullOptions{}, -1)
	c.apply(read...)
	for _, sql := range []string{"INSERT INTO t VALUES (2, 'two')", "INSERT INTO t VALUES (3, 'three')", "UPDATE t SET v = 'changed'"} {
		b.exec(sql)
		sync(t, a, b)
	}
	end, err := a.e.Cursor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.e.PutStream(t.Context(), engine.StreamInfo{Name: "elsewhere", Kind: "out", LastRetrieved: end, LastSent: end, LastAcked: end}); err != nil {
		t.Fatal(err)
	}
	if res, err := a.e.Compact(t.Context()); err != nil || res.Changesets == 0 {
		t.Fatalf("%+v, %v: no changeset was removed", res, err)
	}
	next := a.pull(engine.PullOptions{Since: read[len(read)-1].Cursor}, -1)
	if p, err := engine.Inspect(next[0].Package, nil); err != nil || p.Starts {
		t.Fatalf("the cursor is still one of a whole state: %+v (%v)", p, err)
	}
	c.apply(next...)
	same(t, a, c)
}
