package engine_test

import (
	"context"
	"testing"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// An engine that has been open for long must know the sites of which another engine of the same file has heard since.
func TestSitesLearnedByAnotherConnection(t *testing.T) {
	ctx := context.Background()
	r := newReplicas(t, 2, "CREATE TABLE t(k TEXT PRIMARY KEY NOT NULL, v)")
	a, b := r[0], r[1]
	second := openReplica(t, a.path)
	a.exec("INSERT INTO t VALUES ('a', 1)")
	b.exec("INSERT INTO t VALUES ('b', 1)")
	pull := func(e *engine.Engine) crdt.VersionVector {
		covers := crdt.VersionVector{}
		for p, err := range e.Pull(ctx, engine.PullOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			pkg, err := engine.Inspect(p.Package, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range pkg.Covers {
				covers[c.Site] = c.To
			}
		}
		return covers
	}
	pull(second.e)
	if _, err := engine.Sync(ctx, a.e, b.e, engine.SyncOptions{}); err != nil {
		t.Fatal(err)
	}
	if covers := pull(second.e); covers[a.e.Site()] == 0 || covers[b.e.Site()] == 0 {
		t.Errorf("the package covers %v, want both %s and %s", covers, a.e.Site(), b.e.Site())
	}
	if v, err := second.e.Vector(ctx); err != nil || v[b.e.Site()] == 0 {
		t.Errorf("got vector %v, %v", v, err)
	}
}

// An engine that has been open for long must know the base rows that another engine of the same file has folded since.
func TestChunksByAnotherConnection(t *testing.T) {
	r := newReplicas(t, 2, "CREATE TABLE t(k INTEGER PRIMARY KEY, v)")
	a, b := r[0], r[1]
	second := openReplica(t, a.path)
	a.fold()
	if _, err := second.e.Fold(t.Context()); err != nil { // it has read the tables, without chunks
		t.Fatal(err)
	}
	a.exec("WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM g WHERE i < 500) INSERT INTO t SELECT i, 'imported' FROM g")
	a.fold()
	a.expect("SELECT count(*) FROM tributary_clock_1", "0") // base rows
	a.exec("UPDATE t SET v = 'changed' WHERE k = 7; DELETE FROM t WHERE k = 8")
	sync(t, second, b)
	same(t, a, b)
	b.expect("SELECT count(*), sum(v = 'changed') FROM t", "499|1")
}
