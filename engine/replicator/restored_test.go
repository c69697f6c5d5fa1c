package replicator_test

import (
	"os"
	"strings"
	"testing"

	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/replicator"
	"github.com/tributary-db/tributary/transports/mem"
)

// files are a database and its side file, checkpointed.
func (s *site) files() map[string][]byte {
	s.t.Helper()
	s.exec("PRAGMA wal_checkpoint(TRUNCATE)")
	out := map[string][]byte{}
	for _, suffix := range []string{"", "-tributary"} {
		b, err := os.ReadFile(s.path + suffix)
		if err != nil {
			s.t.Fatal(err)
		}
		out[suffix] = b
	}
	return out
}

// put writes files in the place of those of a site that is not running.
func (s *site) put(files map[string][]byte) {
	s.t.Helper()
	s.writer.Close()
	for _, suffix := range []string{"-wal", "-shm"} {
		os.Remove(s.path + suffix)
	}
	for suffix, b := range files {
		if err := os.WriteFile(s.path+suffix, b, 0o666); err != nil {
			s.t.Fatal(err)
		}
	}
	s.writer = openDB(s.t, s.path)
}

// TestRestored puts a database back, with all that is beside it, to before it published a set of many parts. It reads of that
// set on a log that has no peers. The first parts are not ahead of what it has, so it takes them for its own until the last one says
// otherwise.
func TestRestored(t *testing.T) {
	h, dir := mem.New(), t.TempDir()
	links := func() []replicator.Link { return []replicator.Link{link("hub", logOnly{h.Transport()})} }
	a, b := newSite(t, dir, "a", links), newSite(t, dir, "b", links)
	tune := func(o *replicator.Options) { o.Bytes = 4000 }
	a.tune, b.tune = tune, tune
	a.exec(insert(1, "a"))
	if err := a.once(); err != nil {
		t.Fatal(err)
	}
	backup := a.files()
	var was string
	a.exec("INSERT INTO t SELECT value, hex(randomblob(100)), 1 FROM generate_series(100, 900)")
	a.exec("UPDATE t SET b = 2 WHERE id > 100")
	a.with(func(e *engine.Engine) {
		if _, err := e.Fold(t.Context()); err != nil { // before it hears of b, so that b's rows are behind its own here
			t.Fatal(err)
		}
		was = e.Site().String()
	})
	b.exec("INSERT INTO t SELECT value, hex(randomblob(100)), 1 FROM generate_series(1000, 2000)")
	b.exec("UPDATE t SET b = 2 WHERE id % 3 > 0")
	if err := b.once(); err != nil {
		t.Fatal(err)
	}
	before := h.Len()
	if err := a.once(); err != nil {
		t.Fatal(err)
	}
	if n := h.Len() - before; n < 4 {
		t.Fatalf("%d packages test nothing", n)
	}
	want := a.rows()
	a.put(backup)
	a.start()
	converge(t, want, a)
	a.with(func(e *engine.Engine) {
		if e.Site().String() == was {
			t.Error("it goes on under a name that is used up")
		}
	})
	b.start()
	a.exec(insert(3000, "after"))
	converge(t, "", a, b)
	if !strings.Contains(b.rows(), "after") {
		t.Error("what was written after is not at b")
	}
}

// TestKilledWhilePublishing leaves the first parts of a set on the log, as a process does that is killed then. Nothing waits for
// the rest of that set, neither at its sender nor at others, and the sender is sound enough to make a snapshot.
func TestKilledWhilePublishing(t *testing.T) {
	h, dir := mem.New(), t.TempDir()
	a, b := newSite(t, dir, "a", over(h)), newSite(t, dir, "b", over(h))
	a.tune = func(o *replicator.Options) {
		often(o)
		o.Bytes = 4000
	}
	a.exec("INSERT INTO t SELECT value, hex(randomblob(100)), 1 FROM generate_series(1, 1000)")
	a.exec("UPDATE t SET b = 2 WHERE id % 3 > 0")
	a.with(func(e *engine.Engine) {
		if _, err := e.Fold(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	before := a.files()
	if err := a.once(); err != nil {
		t.Fatal(err)
	}
	if h.Len() < 5 {
		t.Fatalf("%d parts test nothing", h.Len())
	}
	h.Rollback(h.Len() / 2)
	a.put(before) // which is what a killed process had written
	b.start()
	a.start()
	converge(t, "", a, b)
	snapshotOf(t, h.Transport(), a)
	for _, s := range []*site{a, b} {
		until(t, "nothing waits", func() bool { return s.query("SELECT count(*) FROM tributary_waiting") == "0" })
	}
}
