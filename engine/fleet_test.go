package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// pull collects the packages of one pull, at most n of them.
func (r *replica) pull(o engine.PullOptions, n int) (out []engine.Pulled) {
	r.t.Helper()
	for p, err := range r.e.Pull(context.Background(), o) {
		if err != nil {
			r.t.Fatal(err)
		}
		if out = append(out, p); len(out) == n {
			break
		}
	}
	return out
}

func (r *replica) apply(list ...engine.Pulled) {
	r.t.Helper()
	for _, p := range list {
		if _, err := r.e.Apply(context.Background(), p.Package, engine.ApplyOptions{}); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *replica) vector() crdt.VersionVector {
	r.t.Helper()
	v, err := r.e.Vector(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	return v
}

// TestPullContinues: a set that was read half-way goes on later, with rows that changed in between, and nothing of it is lost.
func TestPullContinues(t *testing.T) {
	for _, continues := range []bool{true, false} {
		t.Run(fmt.Sprintf("continues=%v", continues), func(t *testing.T) {
			r := newReplicas(t, 2, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)")
			a, b := r[0], r[1]
			a.exec("INSERT INTO t SELECT value, 'x', 1 FROM generate_series(1, 200)")
			a.pull(engine.PullOptions{}, 1)
			a.exec("UPDATE t SET b = 2 WHERE id % 3 = 0; INSERT INTO t SELECT value, 'y', 1 FROM generate_series(201, 400)")
			first := a.pull(engine.PullOptions{MaxBytes: 500}, 3)
			a.exec("UPDATE t SET a = 'z' WHERE id % 7 = 0; DELETE FROM t WHERE id % 11 = 0")
			b.apply(first...)
			b.apply(a.pull(engine.PullOptions{Since: first[2].Cursor, Continues: continues, MaxBytes: 500}, -1)...)
			same(t, a, b)
			if v, w := a.vector(), b.vector(); w[a.e.Site()] != v[a.e.Site()] {
				t.Errorf("b has %v of a, want %v", w[a.e.Site()], v[a.e.Site()])
			}
			if p, err := b.e.Pending(t.Context()); err != nil || len(p) != 0 {
				t.Errorf("waiting: %v, %v", p, err)
			}
		})
	}
}

// TestPullOrigins: what a site has of two others can be passed on apart, and counts for no more than it is.
func TestPullOrigins(t *testing.T) {
	r := newReplicas(t, 4, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)")
	a, b, c, d := r[0], r[1], r[2], r[3]
	a.exec("INSERT INTO t VALUES (1, 'a', 1)")
	b.exec("INSERT INTO t VALUES (2, 'b', 1)")
	sync(t, c, a)
	sync(t, c, b)
	c.exec("INSERT INTO t VALUES (3, 'c', 1)")
	only := func(sites ...*replica) engine.PullOptions {
		var o engine.PullOptions
		for _, s := range sites {
			o.Origins = append(o.Origins, s.e.Site())
		}
		return o
	}
	d.apply(c.pull(only(c), -1)...) // made upon what a and b wrote
	d.expect("SELECT count(*) FROM t", "0")
	need, err := c.e.MadeUpon(t.Context(), c.e.Site())
	if err != nil || need[a.e.Site()] == 0 || need[b.e.Site()] == 0 || need[c.e.Site()] != 0 {
		t.Errorf("c's changes need %v, %v", need, err)
	}
	list := c.pull(only(a, b, c), -1)
	if pkg, err := engine.Inspect(list[0].Package, nil); err != nil || len(pkg.Covers) != 3 || len(pkg.Needs) != 0 {
		t.Errorf("covers %v, needs %v, %v", pkg.Covers, pkg.Needs, err)
	}
	d.apply(list...)
	same(t, c, d)
}

// TestOwnDeletesTravelApart: a delete of this site goes out with its own changes also when a newer delete of another joined it.
func TestOwnDeletesTravelApart(t *testing.T) {
	r := newReplicas(t, 3, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
	a, b, c := r[0], r[1], r[2]
	a.exec("INSERT INTO t VALUES (1, 'a')")
	b.exec("INSERT INTO t VALUES (1, 'b')")
	c.apply(a.pull(engine.PullOptions{LocalOnly: true}, -1)...)
	since, err := a.e.Cursor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.pull(engine.PullOptions{}, -1)
	a.exec("DELETE FROM t")
	if _, err := a.e.Fold(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.exec("DELETE FROM t")
	fromB := b.pull(engine.PullOptions{LocalOnly: true}, -1)
	a.apply(fromB...)
	c.apply(fromB...)
	c.apply(a.pull(engine.PullOptions{LocalOnly: true, Since: since}, -1)...)
	same(t, a, c)
	c.expect("SELECT count(*) FROM t", "0")
}

// TestSince: a vector is enough to know where to begin.
func TestSince(t *testing.T) {
	r := newReplicas(t, 3, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
	a, b, c := r[0], r[1], r[2]
	for i := range 5 {
		a.exec(fmt.Sprintf("INSERT INTO t VALUES (%d, 'a')", i))
		b.exec(fmt.Sprintf("INSERT INTO t VALUES (%d, 'b')", 100+i))
		sync(t, a, b)
	}
	have := a.vector()
	have[b.e.Site()]--
	since, err := a.e.Since(t.Context(), have)
	if err != nil {
		t.Fatal(err)
	}
	if list := a.pull(engine.PullOptions{Since: since}, -1); len(list) != 1 || list[0].Rows > 2 {
		t.Errorf("one version is missing, %d packages with %d rows would be sent", len(list), list[0].Rows)
	}
	sync(t, a, c)
	since, err = a.e.Since(t.Context(), c.vector())
	if err != nil {
		t.Fatal(err)
	}
	if now, _ := a.e.Cursor(t.Context()); since != now {
		t.Errorf("nothing is missing: %d, want %d", since, now)
	}
	if since, err = a.e.Since(t.Context(), nil); err != nil || since != 0 {
		t.Errorf("all is missing: %d, %v", since, err)
	}
}

// TestSinceAfterCompaction: a changeset log that was shortened is not mistaken for one that says it all.
func TestSinceAfterCompaction(t *testing.T) {
	r := newReplicas(t, 3, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
	a, b, c := r[0], r[1], r[2]
	for i := range 4 {
		b.exec(fmt.Sprintf("INSERT INTO t VALUES (%d, 'b')", i))
		sync(t, a, b)
		a.exec(fmt.Sprintf("INSERT INTO t VALUES (%d, 'a')", 100+i))
		if i == 0 {
			sync(t, b, c)
		}
	}
	have := c.vector()
	now, err := a.e.Cursor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.e.PutStream(t.Context(), engine.StreamInfo{Name: "x", Kind: "out", LastAcked: now}); err != nil {
		t.Fatal(err)
	}
	if res, err := a.e.Compact(t.Context()); err != nil || res.Changesets == 0 {
		t.Fatalf("nothing was shortened: %+v, %v", res, err)
	}
	since, err := a.e.Since(t.Context(), have)
	if err != nil {
		t.Fatal(err)
	}
	c.apply(a.pull(engine.PullOptions{Since: since}, -1)...)
	same(t, a, c)
}

// TestApplyBatch: packages and note commit together or not at all.
func TestApplyBatch(t *testing.T) {
	r := newReplicas(t, 2, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
	a, b := r[0], r[1]
	ctx := t.Context()
	a.exec("INSERT INTO t VALUES (1, 'a')")
	good := a.pull(engine.PullOptions{LocalOnly: true}, -1)[0].Package
	boom := errors.New("boom")
	parcels := []engine.Parcel{{Body: []byte("junk")}, {Body: good, Sender: a.e.Site()}, {Body: good, Sender: b.e.Site()}}
	if _, err := b.e.ApplyBatch(ctx, parcels, func([]engine.Arrived) error { return boom }); !errors.Is(err, boom) {
		t.Fatalf("got %v, want the note's error", err)
	}
	b.expect("SELECT count(*) FROM t", "0")
	out, err := b.e.ApplyBatch(ctx, parcels, func(out []engine.Arrived) error {
		return b.e.PutStream(ctx, engine.StreamInfo{Name: "n", Kind: "transport", Options: fmt.Sprint(len(out))})
	})
	if err != nil {
		t.Fatal(err)
	}
	if out[0].Err == nil || !errors.Is(out[2].Err, engine.ErrForged) || out[1].Err != nil || out[1].State != engine.StateApplied || len(out[1].Covers) != 1 {
		t.Errorf("got %+v", out)
	}
	b.expect("SELECT * FROM t", "1|a")
	if s, ok, err := b.e.Stream(ctx, "n"); !ok || err != nil || s.Options != "3" {
		t.Errorf("the note: %+v, %v", s, err)
	}
	if ack := acked(t, b, a); ack[a.e.Site()] != 1 {
		t.Errorf("a's own changes say that a has %v", ack)
	}
	b.e.ForgetPeer(ctx, a.e.Site())
	a.exec("INSERT INTO t VALUES (2, 'a')")
	bad := new(engine.BatchError)
	_, err = b.e.ApplyBatch(ctx, []engine.Parcel{{Body: a.pull(engine.PullOptions{LocalOnly: true}, -1)[0].Package}}, nil)
	if !errors.As(err, &bad) || bad.Index != 0 || !errors.Is(err, engine.ErrRetired) {
		t.Errorf("got %v, want a BatchError with ErrRetired", err)
	}
}

func acked(t *testing.T, r, of *replica) crdt.VersionVector {
	t.Helper()
	peers, err := r.e.Peers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range peers {
		if p.Site == of.e.Site() {
			return p.Ack
		}
	}
	return nil
}

func TestRefused(t *testing.T) {
	r := newReplicas(t, 1, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)")[0]
	ctx := t.Context()
	if list, err := r.e.Refused(ctx); err != nil || list != nil {
		t.Fatalf("%v %v", list, err)
	}
	for range 2 {
		if err := r.e.Refuse(ctx, engine.RefusedInfo{ID: "i", Stream: "s", Site: "x", At: 1, Error: "why", Body: []byte("b")}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := r.e.Refused(ctx)
	if err != nil || len(list) != 1 || list[0].Error != "why" || string(list[0].Body) != "b" {
		t.Fatalf("%+v %v", list, err)
	}
	if err := r.e.Refuse(ctx, engine.RefusedInfo{ID: "j", Body: make([]byte, 65<<20)}); err == nil {
		t.Error("no bound")
	}
	if err := r.e.Unrefuse(ctx, "i"); err != nil {
		t.Fatal(err)
	}
	if list, err := r.e.Refused(ctx); err != nil || len(list) != 0 {
		t.Fatalf("%v %v", list, err)
	}
}

// TestDropSuperseded: what is left of a set that lost a part goes once its contents have come another way.
func TestDropSuperseded(t *testing.T) {
	defer engine.SetChunkRows(10)()
	r := newReplicas(t, 2, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
	a, b := r[0], r[1]
	a.exec("INSERT INTO t SELECT value, 'x' FROM generate_series(1, 300)")
	parts := a.pull(engine.PullOptions{LocalOnly: true, MaxBytes: 300}, -1)
	if len(parts) < 3 {
		t.Fatalf("%d parts", len(parts))
	}
	b.apply(parts[0])
	b.apply(parts[2:]...)
	a.exec("INSERT INTO t VALUES (1000, 'y')")
	b.apply(a.pull(engine.PullOptions{}, -1)...)
	same(t, a, b)
	if _, err := b.e.DropSuperseded(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p, err := b.e.Pending(t.Context()); err != nil || len(p) != 0 {
		t.Errorf("%d parts wait for ever, %v", len(p), err)
	}
}

// TestCompactDropsEnded: parts of a sender that was retired do not wait for ever, nor do those of sets that have come another way;
// others do.
func TestCompactDropsEnded(t *testing.T) {
	defer engine.SetChunkRows(10)()
	r := newReplicas(t, 4, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
	a, b, c, d := r[0], r[1], r[2], r[3]
	for i, x := range []*replica{a, c, d} {
		x.exec(fmt.Sprintf("INSERT INTO t SELECT value, 'x' FROM generate_series(%d, %d)", 1000*i+1, 1000*i+300))
		parts := x.pull(engine.PullOptions{MaxBytes: 300}, -1)
		b.apply(parts[0])
		b.apply(parts[2:]...) // the second is lost
	}
	sync(t, c, a)
	b.apply(a.pull(engine.PullOptions{}, -1)...)
	waiting := func() string {
		return b.rows("SELECT count(DISTINCT sender) FROM tributary_waiting")
	}
	if got := waiting(); got != "2" {
		t.Fatalf("parts of %s senders wait, want those of c and d", got)
	}
	if _, err := b.e.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := waiting(); got != "1" {
		t.Errorf("parts of %s senders wait, want those of d: what c sent has come with a's", got)
	}
	if err := b.e.ForgetPeer(t.Context(), d.e.Site()); err == nil {
		t.Error("d is not known yet, and was retired")
	}
	d2 := d.e.Site()
	if err := b.e.Expect(t.Context(), d2, nil); err != nil {
		t.Fatal(err)
	}
	if err := b.e.ForgetPeer(t.Context(), d2); err != nil {
		t.Fatal(err)
	}
	if _, err := b.e.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := waiting(); got != "0" {
		t.Errorf("parts of %s senders wait for ever", got)
	}
}

// TestForgedCursor: somebody says in a site's name that all of its feed is here. It is found out by what the site sends next, and the
// replica hears it again.
func TestForgedCursor(t *testing.T) {
	defer engine.SetChunkRows(10)()
	for _, until := range []int64{3, 1 << 40} {
		r := newReplicas(t, 2, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
		a, b := r[0], r[1]
		a.exec("INSERT INTO t VALUES (1, 'before')")
		sync(t, a, b)
		forged, err := (&crdt.Package{Starts: true, Ends: true, Sender: a.e.Site(), Until: until}).Append(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.e.Apply(t.Context(), forged, engine.ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
		a.exec("INSERT INTO t VALUES (2, 'alone')")
		sync(t, a, b) // what it says has come may be just what a makes of this
		sync(t, a, b)
		same(t, a, b)
		if _, err := b.e.Apply(t.Context(), forged, engine.ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
		a.exec("UPDATE t SET a = 'changed' WHERE id = 1; INSERT INTO t SELECT value, 'x' FROM generate_series(11, 300)")
		for range 2 { // of a set in parts only the last shows it, and the others come once more
			for p, err := range a.e.Pull(t.Context(), engine.PullOptions{MaxBytes: 300}) {
				if err != nil {
					t.Fatal(err)
				}
				if _, err := b.e.Apply(t.Context(), p.Package, engine.ApplyOptions{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		same(t, a, b)
	}
}

// TestIdentityGivenUp: an identity that named nothing is no member that others wait for.
func TestIdentityGivenUp(t *testing.T) {
	r := newReplicas(t, 2, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
	a, b := r[0], r[1]
	ctx := t.Context()
	if _, err := a.e.Remint(ctx); err != nil { // as clone does with a copy
		t.Fatal(err)
	}
	a.exec("INSERT INTO t VALUES (1, 'a')")
	sync(t, a, b)
	a.exec("DELETE FROM t")
	for range 2 {
		sync(t, a, b)
		for _, x := range r {
			if _, err := x.e.Compact(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	res, err := a.e.Compact(ctx)
	if err != nil || strings.Contains(res.Blocked, "acknowledged version 0") {
		t.Errorf("%+v, %v", res, err)
	}
	if p, err := a.e.Peers(ctx); err != nil || len(p) != 1 {
		t.Errorf("%d peers, %v", len(p), err)
	}
}

// TestPullContinuesWhole: a set of own changes that cannot be told from those of others any more begins again, with everything in
// it; what is behind its first parts would cover what those have left out.
func TestPullContinuesWhole(t *testing.T) {
	r := newReplicas(t, 3, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
	a, b, c := r[0], r[1], r[2]
	a.exec("INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three'), (4, 'four')")
	sync(t, a, b)
	b.exec("INSERT INTO t VALUES (0, 'of b'); UPDATE t SET v = 'by b' WHERE id > 1")
	sync(t, a, b)
	o := engine.PullOptions{LocalOnly: true, MaxBytes: 1}
	first := a.pull(o, -1)[:2]
	if first[0].Whole {
		t.Error("all changes were sent, and asked for were those of one site")
	}
	c.apply(first...)
	b.exec("DELETE FROM t WHERE id = 4; INSERT INTO t VALUES (4, 'again')")
	sync(t, a, b)
	o.Since, o.Began, o.Continues = first[1].Cursor, first[1].Began, true
	again := a.pull(o, 1) // and then it is left once more
	if !again[0].Whole || again[0].Part != 0 || again[0].Began != first[0].Began {
		t.Errorf("it goes on with %+v", again[0])
	}
	o.Since, o.Began, o.Whole = again[0].Cursor, again[0].Began, again[0].Whole
	c.apply(append(again, a.pull(o, -1)...)...)
	same(t, a, c)
}
