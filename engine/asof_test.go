package engine_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// Each state has a later time than the one before, whatever the wall clock says: it goes forward, stands, or goes back.
func TestStatesHaveAscendingTimes(t *testing.T) {
	for _, year := range []int{1971, 2026, 2109, 2249, 2290} {
		r := newReplicas(t, 1, "CREATE TABLE t(id INTEGER PRIMARY KEY)")[0]
		last := crdt.Time(-1)
		for i, step := range []time.Duration{0, time.Hour, time.Hour - 50*time.Second} {
			r.skew = time.Until(time.Date(year, 7, 1, 0, 0, 0, 0, time.UTC)) + step
			r.exec(fmt.Sprintf("INSERT INTO t VALUES (%d)", i))
			for p, err := range r.e.Pull(context.Background(), engine.PullOptions{}) {
				if err != nil {
					t.Fatalf("%d: %v", year, err)
				}
				d, err := engine.Inspect(p.Package, nil)
				if err != nil {
					t.Fatalf("%d: %v", year, err)
				}
				if d.Sent <= last || d.Sent >= 1<<59 { // beyond that they are kept as one
					t.Errorf("%d: after the state of %d comes that of %d", year, int64(last), int64(d.Sent))
				}
				last = d.Sent
			}
		}
	}
}
