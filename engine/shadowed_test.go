package engine_test

import (
	"errors"
	"testing"

	"github.com/tributary-db/tributary/engine"
)

// A temporary table of the connection that folds must not be taken for the tracked one: its rows would seem to be gone.
func TestTemporaryTableHidesATrackedOne(t *testing.T) {
	r := newReplicas(t, 2, "CREATE TABLE p(id TEXT PRIMARY KEY); CREATE TABLE c(id TEXT PRIMARY KEY, p REFERENCES p)")
	a, b := r[0], r[1]
	a.exec("INSERT INTO p VALUES ('1')")
	sync(t, a, b)
	ours := func(sql string) {
		if err := a.db.Exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, hide := range []string{"TABLE p(id TEXT PRIMARY KEY)", "TABLE P(x)", "VIEW c AS SELECT 1 AS id, 2 AS p", "TABLE tributary_feed(x)"} {
		a.exec("INSERT INTO main.p VALUES (hex(randomblob(8)))")
		ours("CREATE TEMP " + hide)
		if _, err := a.e.Fold(t.Context()); !errors.Is(err, engine.ErrShadowed) {
			t.Errorf("CREATE TEMP %s: %v", hide, err)
		}
		for _, drop := range []string{"TABLE IF EXISTS temp.p", "VIEW IF EXISTS temp.c", "TABLE IF EXISTS temp.tributary_feed"} {
			ours("DROP " + drop)
		}
		sync(t, a, b)
		same(t, a, b)
	}
	ours("CREATE TEMP TABLE other(id)")
	sync(t, a, b)
	if _, err := a.e.Track(t.Context(), "none"); !errors.Is(err, engine.ErrNoTable) {
		t.Error(err)
	}
}
