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
