package engine_test

import (
	"testing"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// carry hands everything that a pull yields to another replica and returns the result of the last package.
func carry(t *testing.T, from, to *replica, o engine.PullOptions) (last engine.ApplyResult) {
	t.Helper()
	for p, err := range from.e.Pull(t.Context(), o) {
		if err != nil {
			t.Fatal(err)
		}
		if last, err = to.e.Apply(t.Context(), p.Package, engine.ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	return last
}

// TestExcludeRestoredSite leaves out the changes of a replica that has lost them and does not know. They must not count
// as delivered.
func TestExcludeRestoredSite(t *testing.T) {
	a, b, was := restoredBlind(t)
	defer a.shut()
	b.exec("INSERT INTO t VALUES (9, 'of b', 0)")
	if r := carry(t, b, a, engine.PullOptions{Exclude: []crdt.Site{was}}); r.State != engine.StatePending {
		t.Errorf("a package without what was lost: %v, want waiting", r.State)
	}
	if a.e.Site() == was {
		t.Error("goes on under a name that is used up")
	}
	carry(t, b, a, engine.PullOptions{})
	carry(t, a, b, engine.PullOptions{})
	same(t, a, b)
	b.expect("SELECT id, a FROM t", "1|lost\n2|lost\n9|of b")
}

// TestExcludeThirdSite leaves out a site that the receiver does not know at all.
func TestExcludeThirdSite(t *testing.T) {
	r := newReplicas(t, 3, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
	a, b, c := r[0], r[1], r[2]
	c.exec("INSERT INTO t VALUES (3, 'of c')")
	sync(t, a, c)
	a.exec("INSERT INTO t VALUES (1, 'of a')")
	out := engine.PullOptions{Exclude: []crdt.Site{c.e.Site()}}
	if r := carry(t, a, b, out); r.State != engine.StatePending {
		t.Errorf("without what c wrote: %v, want waiting", r.State)
	}
	carry(t, c, b, engine.PullOptions{})
	b.expect("SELECT id FROM t", "1\n3")
	b.exec("INSERT INTO t VALUES (2, 'of b')")
	back := engine.PullOptions{Exclude: []crdt.Site{a.e.Site(), c.e.Site()}}
	if r := carry(t, b, a, back); r.State != engine.StateApplied || r.Rows != 1 {
		t.Errorf("what a has is left out: %+v", r)
	}
	same(t, a, b)
}
