package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/tributary-db/tributary/engine"
)

// TestSyncWaiting syncs with a replica whose clock is so far behind that what comes has to wait there. It has it then, and asking it
// again would only bring it again.
func TestSyncWaiting(t *testing.T) {
	rs := newReplicas(t, 2, "CREATE TABLE t(id INTEGER PRIMARY KEY, x)")
	a, b := rs[0], rs[1]
	sync(t, a, b)
	a.exec("INSERT INTO t VALUES (1, 'one')")
	b.skew = -time.Hour
	r, err := engine.Sync(context.Background(), a.e, b.e, engine.SyncOptions{})
	if err != nil || r.AToB.Packages != 1 || r.AToB.Waiting != 1 || r.Rounds != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	b.skew = 0
	sync(t, a, b)
	same(t, a, b)
}
