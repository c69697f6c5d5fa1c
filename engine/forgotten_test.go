package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// TestForgotten: who has compacted knows up to where, and so can tell whom its state does not put right.
func TestForgotten(t *testing.T) {
	r := newReplicas(t, 3, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)")
	a, b, stranger := r[0], r[1], r[2]
	ctx := t.Context()
	forgotten := func(x *replica) crdt.VersionVector {
		t.Helper()
		v, err := x.e.Forgotten(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	a.exec("INSERT INTO t VALUES (1, 'x', 1), (2, 'y', 1)")
	stranger.apply(a.pull(engine.PullOptions{}, -1)...) // nobody knows of it
	early := stranger.vector()
	a.exec("DELETE FROM t WHERE id = 1")
	for range 3 {
		sync(t, a, b)
		if _, err := b.e.Compact(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if len(forgotten(a)) != 0 {
		t.Errorf("a has not compacted and has forgotten %v", forgotten(a))
	}
	if res, err := a.e.Compact(ctx); err != nil || res.Tombstones != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	f := forgotten(a)
	if len(f) == 0 {
		t.Fatal("a does not know that it has forgotten a delete")
	}
	for what, x := range map[string]struct {
		have crdt.VersionVector
		want bool
	}{
		"nothing": {nil, false}, "a member": {b.vector(), false}, "a stranger with the row": {early, true},
		"a stranger with rows of its own": {crdt.VersionVector{{9}: 3}, false},
	} {
		if got := engine.MissesDeletes(x.have, f); got != x.want {
			t.Errorf("%s: %v, want %v", what, got, x.want)
		}
	}
	if err := stranger.e.LearnForgotten(ctx, f); err != nil || !forgotten(stranger).Covers(f) {
		t.Errorf("learned %v, %v", forgotten(stranger), err)
	}
}

// TestCompactWaitsForStreams: the peer of a stream may never send anything itself, and must still hear of deletes.
func TestCompactWaitsForStreams(t *testing.T) {
	r := newReplicas(t, 2, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
	a, b := r[0], r[1]
	ctx := t.Context()
	out := engine.StreamInfo{Name: "backup", Kind: "out"}
	send := func(acked bool) {
		t.Helper()
		for _, p := range a.pull(engine.PullOptions{Since: out.LastAcked}, -1) {
			b.apply(p)
			if out.LastSent = p.Cursor; acked {
				out.LastAcked = p.Cursor
			}
		}
		if err := a.e.PutStream(ctx, out); err != nil {
			t.Fatal(err)
		}
	}
	compact := func(tombstones int, blocked bool) {
		t.Helper()
		if r, err := a.e.Compact(ctx); err != nil || r.Tombstones != tombstones || (r.Blocked != "") != blocked {
			t.Errorf("%+v, %v; want %d tombstones", r, err, tombstones)
		}
	}
	a.exec("INSERT INTO t VALUES (1, 'x'), (2, 'y')")
	send(true)
	a.exec("DELETE FROM t WHERE id = 1")
	compact(0, true)
	send(false) // sent, and perhaps lost
	compact(0, true)
	send(true)
	compact(1, false)
	same(t, a, b)
	// What the peer of the stream has not got is not forgotten, whatever else is, so its packages do not wait there for deletes.
	a.exec("INSERT INTO t VALUES (3, 'z'), (4, 'z'), (5, 'z'), (6, 'z'), (7, 'z')")
	send(true)
	a.exec("DELETE FROM t WHERE id = 3")
	send(true)
	a.exec("DELETE FROM t WHERE id = 4")
	compact(1, true)
	send(true)
	same(t, a, b)
	a.exec("DELETE FROM t WHERE id > 4") // a set of three parts, of which one is acknowledged
	parts := a.pull(engine.PullOptions{Since: out.LastAcked, MaxBytes: 1}, -1)
	b.apply(parts[0])
	out.LastAcked, out.LastSent = parts[0].Cursor, parts[0].Cursor
	if err := a.e.PutStream(ctx, out); err != nil {
		t.Fatal(err)
	}
	compact(1, true)
	for _, p := range a.pull(engine.PullOptions{Since: out.LastAcked, Continues: true, Began: parts[0].Began, MaxBytes: 1}, -1) {
		b.apply(p)
	}
	same(t, a, b)
}

// TestSyncForgotten: a replica that nobody knew has a row whose delete is forgotten. It gets nothing, and what was written
// there is not lost.
func TestSyncForgotten(t *testing.T) {
	r := newReplicas(t, 4, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)")
	a, b, stranger, fresh := r[0], r[1], r[2], r[3]
	ctx := t.Context()
	a.exec("INSERT INTO t VALUES (1, 'x', 1), (2, 'y', 1)")
	stranger.apply(a.pull(engine.PullOptions{}, -1)...)
	a.exec("DELETE FROM t WHERE id = 1")
	for range 2 {
		sync(t, a, b)
		for _, x := range []*replica{b, a} {
			if _, err := x.e.Compact(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	stranger.exec("UPDATE t SET b = 2 WHERE id = 1; INSERT INTO t VALUES (3, 'z', 1)")
	refused := func(x, y *replica) {
		t.Helper()
		if _, err := engine.Sync(ctx, x.e, y.e, engine.SyncOptions{}); !errors.Is(err, engine.ErrForgotten) || !strings.Contains(err.Error(), stranger.path) {
			t.Errorf("%v, want %v that names %s", err, engine.ErrForgotten, stranger.path)
		}
		stranger.expect("SELECT id FROM t", "1\n2\n3")
	}
	refused(stranger, a)
	a.expect("SELECT id FROM t", "2\n3")
	sync(t, fresh, a) // a has no tombstones for it
	refused(fresh, stranger)
	fresh.expect("SELECT id FROM t", "2\n3")
	sync(t, a, b)
	sync(t, fresh, b)
	same(t, a, b, fresh)
}
