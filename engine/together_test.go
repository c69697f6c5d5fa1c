package engine_test

import (
	"testing"

	"github.com/tributary-db/tributary/engine"
)

// TestKeysInARange: two inserts of one key meet even if it comes with greater ones only, however it is spelled.
func TestKeysInARange(t *testing.T) {
	for _, c := range []struct{ key, names, here, there string }{
		{"k INTEGER", "k", "5", "(5), (6), (7)"},
		{"k INT", "k", "5", "(5.0), (6), (7)"},
		{"k", "k", "5", "(5.0), (6.0), (7)"},
		{"k", "k", "5.0", "(5), (6), (7)"},
		{"k", "k", "'a'", "('a'), (x'00'), (x'61')"},
		{"k REAL", "k", "5", "(5), (6), (7.5)"},
		{"k TEXT", "k", "'b'", "('b'), ('c'), ('ca')"},
		{"k TEXT", "k", "'9'", "(9), ('a'), ('b')"},
		{"k TEXT COLLATE NOCASE", "k", "'A'", "('a'), ('b'), ('C')"},
		{"k, l", "k, l", "1, 5", "(1, 5), (1, 6), (2, 1)"},
	} {
		t.Run(c.key+" "+c.here, func(t *testing.T) {
			r := newReplicas(t, 2, "CREATE TABLE t("+c.key+", v, PRIMARY KEY ("+c.names+"))")
			a, b := r[0], r[1]
			b.exec("INSERT INTO t VALUES (" + c.here + ", 'here')")
			a.exec("INSERT INTO t SELECT *, 'there' FROM (VALUES " + c.there + ")")
			b.apply(a.pull(engine.PullOptions{}, -1)...) // one after the other: b merges into what it has
			a.apply(b.pull(engine.PullOptions{}, -1)...)
			b.apply(a.pull(engine.PullOptions{}, -1)...)
			same(t, a, b)
			for _, x := range r {
				x.expect("SELECT count(*) FROM t", "3")
				if q := x.quarantined(); len(q) != 1 {
					t.Errorf("%d of two inserts of one key are in quarantine", len(q))
				}
			}
		})
	}
}
