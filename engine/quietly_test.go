package engine_test

import (
	"context"
	"testing"
	"time"
)

// TestAppliedIsNotCaptured applies every kind of write to a table whose own trigger writes elsewhere. The capture triggers run
// too; if anything of what they log were left, it would be sent back as a change that was written here.
func TestAppliedIsNotCaptured(t *testing.T) {
	rs := newReplicas(t, 2, `CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE, x); CREATE TABLE log(n); -- without a key, so not tracked
		CREATE TRIGGER note AFTER INSERT ON t BEGIN INSERT INTO log VALUES (NEW.id); END`)
	a, b := rs[0], rs[1]
	sync(t, a, b)
	a.skew = -time.Second // so that a was first, whatever the grain of the clock
	a.exec("INSERT INTO t VALUES (1, 'one', 0), (2, 'two', 0)")
	b.exec("INSERT INTO t VALUES (3, 'two', 0)") // of these two the one inserted later is hidden
	sync(t, a, b)
	b.expect("SELECT group_concat(n) FROM log", "3,1,2")
	a.exec("UPDATE t SET x = 1; UPDATE t SET id = 9 WHERE id = 1; DELETE FROM t WHERE id = 2") // and now it is shown
	sync(t, a, b)
	same(t, a, b)
	b.expect("SELECT group_concat(id) FROM (SELECT id FROM t ORDER BY id)", "3,9")
	for _, r := range rs {
		r.expect("SELECT count(*) FROM tributary_feed", "0")
		if f, err := r.e.Fold(context.Background()); err != nil || f.Version != 0 {
			t.Errorf("a fold of nothing: version %d, %v", f.Version, err)
		}
	}
}
