package conformance_test

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/tributary-db/tributary/conformance"
	"github.com/tributary-db/tributary/conformance/hostile"
	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// mostPending is what the victim lets wait.
const mostPending = 1 << 20

// TestHostile feeds a replica what an attacker could send. It must say the right thing, ask for little memory, keep its clock
// and its tables, and go on with its honest peer as if nothing had been.
func TestHostile(t *testing.T) {
	for _, c := range hostile.Cases() {
		t.Run(c.Name, func(t *testing.T) { attack(t, c) })
	}
}

func attack(t *testing.T, c hostile.Case) {
	const schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, v, w)"
	dir := t.TempDir()
	victim, honest := newReplica(t, dir, "victim"), newReplica(t, dir, "honest")
	victim.limit(mostPending)
	for _, r := range []*replica{victim, honest} {
		r.exec(schema)
		r.track()
	}
	honest.exec("INSERT INTO t VALUES (1, 'honest', 1), (2, 'honest', 2)")
	victim.exec("INSERT INTO t VALUES (3, 'mine', 3)")
	sync(t, victim, honest)

	now := crdt.TimeOf(time.Now().UnixMilli())
	packages := c.Make(hostile.Victim{Site: victim.engine.Site(), Other: honest.engine.Site(), Now: now,
		Table: crdt.Table{Name: "t", Key: []string{"id"}, Columns: []string{"v", "w"}}})
	size := 0
	for _, b := range packages {
		size += len(b)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := hostile.Applied
	for _, b := range packages {
		r, err := victim.engine.Apply(t.Context(), b, engine.ApplyOptions{})
		switch {
		case errors.Is(err, crdt.ErrLimit):
			got = hostile.Limit
		case errors.Is(err, crdt.ErrCorrupt):
			got = hostile.Corrupt
		case errors.Is(err, engine.ErrPendingFull):
			got = hostile.Refused
		case err != nil:
			t.Fatalf("%s: an error without a class: %v", c.Why, err)
		case r.State == engine.StatePending:
			got = hostile.Waiting
		default:
			got = hostile.Applied
		}
	}
	runtime.ReadMemStats(&after)
	if got != c.Want {
		t.Errorf("%s: %s, want %s", c.Why, got, c.Want)
	}
	if used, most := after.TotalAlloc-before.TotalAlloc, uint64(200<<20+100*size); used > most && !raceEnabled {
		t.Errorf("%d bytes of packages made the victim allocate %d MiB, want at most %d", size, used>>20, most>>20)
	}
	if n := victim.int("SELECT ifnull(sum(length(body)), 0) FROM tributary_waiting"); n > mostPending {
		t.Errorf("%d bytes wait, the limit is %d", n, mostPending)
	}
	if clock := crdt.Time(victim.int("SELECT value FROM tributary_meta WHERE key = 'clock'")); clock > now+crdt.TimeOf(120_000) {
		t.Errorf("the victim's clock was moved to %s", clock)
	}

	honest.exec("INSERT INTO t VALUES (4, 'after', 4); UPDATE t SET w = 20 WHERE id = 2; DELETE FROM t WHERE id = 1")
	victim.exec("UPDATE t SET v = 'still mine' WHERE id = 3")
	for range 2 {
		sync(t, victim, honest)
	}
	converged(t, victim, honest)
	for _, r := range []*replica{victim, honest} {
		if n := r.int("SELECT count(*) FROM t WHERE (id, v, w) IN ((2, 'honest', 20), (3, 'still mine', 3), (4, 'after', 4))"); n != 3 {
			t.Errorf("%s: %d of the 3 honest rows are there", r.name, n)
		}
		if err := conformance.CheckDatabase(t.Context(), r.writer, r.engine); err != nil {
			t.Errorf("%s: %v", r.name, err)
		}
	}
}

// limit bounds what may wait: the replica is opened again with that.
func (r *replica) limit(pending int64) {
	r.t.Helper()
	conn, closer, err := (host{}).Conn(r.path)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := errors.Join(r.engine.Close(), r.closer.Close()); err != nil {
		r.t.Fatal(err)
	}
	r.closer = closer
	if r.engine, err = engine.Open(r.t.Context(), conn, &engine.Options{Compressor: host{}.Compressor(), MaxPending: pending}); err != nil {
		r.t.Fatal(err)
	}
}
