package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

const identitySchema = "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)"

// openFor opens a replica that the test closes itself, with shut.
func openFor(t *testing.T, path string) *replica {
	t.Helper()
	r := &replica{t: t, path: path, db: open(t, path), writer: open(t, path)}
	var err error
	if r.e, err = engine.Open(context.Background(), ncruces.NewConn(r.db), nil); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *replica) shut() {
	r.t.Helper()
	r.check()
	if err := errors.Join(r.e.Close(), r.writer.Close(), r.db.Close()); err != nil {
		r.t.Fatal(err)
	}
}

// tracked makes a database in a folder of its own.
func tracked(t *testing.T) *replica {
	t.Helper()
	r := openFor(t, filepath.Join(t.TempDir(), "a.db"))
	r.exec("PRAGMA journal_mode=WAL;" + identitySchema)
	if _, err := r.e.Track(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	return r
}

// copyFiles copies a database with those of its files that have the endings; one that is not there is left out.
func copyFiles(t *testing.T, from, to string, endings ...string) {
	t.Helper()
	for _, end := range append([]string{""}, endings...) {
		b, err := os.ReadFile(from + end)
		if errors.Is(err, fs.ErrNotExist) && end != "" {
			continue
		}
		if err == nil {
			err = os.WriteFile(to+end, b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

const sideEnding = "-tributary"

func (r *replica) fold() crdt.Site {
	r.t.Helper()
	if _, err := r.e.Fold(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	return r.e.Site()
}

func TestIdentityCopyInUse(t *testing.T) {
	a, b := tracked(t), newReplicas(t, 1, identitySchema)[0]
	defer a.shut()
	a.exec("INSERT INTO t VALUES (1, 'old', 0), (2, 'old', 0)")
	sync(t, a, b)
	a.exec("INSERT INTO t VALUES (3, 'unfolded', 0); UPDATE t SET a = 'unfolded' WHERE id = 2")

	path := filepath.Join(t.TempDir(), "c.db")
	copyFiles(t, a.path, path, "-wal")
	c := openReplica(t, path)
	if c.e.Site() != a.e.Site() {
		t.Fatal("this is no copy")
	}
	a.exec("INSERT INTO t VALUES (10, 'of a', 0); UPDATE t SET b = 'of a' WHERE id = 1")
	c.exec("INSERT INTO t VALUES (11, 'of the copy', 0); UPDATE t SET a = 'of the copy' WHERE id = 1")
	was := a.e.Site()
	if got := c.fold(); got == was {
		t.Error("the copy folded as the original")
	}
	if got := a.fold(); got != was {
		t.Error("the original lost its name")
	}
	sync(t, a, c)
	sync(t, b, c)
	sync(t, a, b)
	same(t, a, b, c)
	b.expect("SELECT id, a, b FROM t", "1|of the copy|of a\n2|unfolded|0\n3|unfolded|0\n10|of a|0\n11|of the copy|0")
}

// TestIdentityCopyMeetsOriginal lets Sync itself find out which of the two is the copy.
func TestIdentityCopyMeetsOriginal(t *testing.T) {
	a := tracked(t)
	defer a.shut()
	a.exec("INSERT INTO t VALUES (1, 'old', 0)")
	was := a.fold()
	path := filepath.Join(t.TempDir(), "c.db")
	copyFiles(t, a.path, path, "-wal")
	c := openReplica(t, path)
	a.exec("INSERT INTO t VALUES (2, 'of a', 0)")
	c.exec("INSERT INTO t VALUES (3, 'of the copy', 0)")
	sync(t, c, a)
	same(t, a, c)
	a.expect("SELECT count(*) FROM t", "3")
	if a.e.Site() != was || c.e.Site() == was {
		t.Errorf("%s became %s and %s", was, a.e.Site(), c.e.Site())
	}
}

func TestIdentityCopyWithSideFile(t *testing.T) {
	a := tracked(t)
	defer a.shut()
	a.exec("INSERT INTO t VALUES (1, 'old', 0)")
	was := a.fold()
	path := filepath.Join(t.TempDir(), "a.db")
	copyFiles(t, a.path, path, "-wal", sideEnding)
	c := openReplica(t, path)
	c.exec("INSERT INTO t VALUES (2, 'of the copy', 0)")
	if c.fold() == was {
		t.Error("the copy folded as the original")
	}
	a.exec("INSERT INTO t VALUES (3, 'of a', 0)")
	if a.fold() != was {
		t.Error("the original lost its name")
	}
	sync(t, a, c)
	same(t, a, c)
	a.expect("SELECT count(*) FROM t", "3")
}

// TestIdentityCopyStays is a copy with its side file that is opened, closed and opened again: it stays what it became.
func TestIdentityCopyStays(t *testing.T) {
	a := tracked(t)
	a.exec("INSERT INTO t VALUES (1, 'old', 0)")
	was := a.fold()
	a.shut()
	path := filepath.Join(t.TempDir(), "a.db")
	copyFiles(t, a.path, path, sideEnding)
	c := openFor(t, path)
	became := c.fold()
	c.shut()
	c = openFor(t, path)
	defer c.shut()
	c.exec("INSERT INTO t VALUES (2, 'x', 0)")
	if got := c.fold(); became == was || got != became {
		t.Errorf("%s, its copy %s, later %s", was, became, got)
	}
}

func TestIdentityMove(t *testing.T) {
	for _, far := range []bool{false, true} { // within a file system, or to another
		t.Run(fmt.Sprint("far=", far), func(t *testing.T) {
			a := tracked(t)
			a.exec("INSERT INTO t VALUES (1, 'old', 0)")
			was := a.fold()
			a.shut()
			path := filepath.Join(t.TempDir(), "moved.db")
			if far {
				copyFiles(t, a.path, path, sideEnding)
			}
			for _, end := range []string{"", sideEnding} {
				var err error
				if far {
					err = os.Remove(a.path + end)
				} else {
					err = os.Rename(a.path+end, path+end)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				m := openFor(t, path)
				m.exec("UPDATE t SET b = b + 1")
				if got := m.fold(); got != was {
					t.Errorf("was %s, is %s", was, got)
				}
				m.shut()
			}
		})
	}
}

// TestIdentityRestore puts an older content of a file back in its place.
func TestIdentityRestore(t *testing.T) {
	for _, c := range []struct {
		name    string
		side    string // what becomes of the side file
		replace bool   // the file is replaced rather than written over
	}{{name: "in place", side: "kept"}, {name: "replaced", side: "kept", replace: true}, {name: "without", side: "lost"}, {name: "torn", side: "torn"}} {
		t.Run(c.name, func(t *testing.T) {
			a, b := tracked(t), newReplicas(t, 1, identitySchema)[0]
			a.exec("INSERT INTO t VALUES (1, 'old', 0), (2, 'old', 0)")
			sync(t, a, b)
			was := a.e.Site()
			a.shut()
			backup := filepath.Join(t.TempDir(), "backup.db")
			copyFiles(t, a.path, backup)
			a = openFor(t, a.path)
			a.exec("INSERT INTO t VALUES (3, 'lost', 0); UPDATE t SET a = 'lost' WHERE id = 1; DELETE FROM t WHERE id = 2")
			sync(t, a, b)
			a.exec("INSERT INTO t VALUES (4, 'lost for good', 0)") // folded, but nobody has heard of it
			a.fold()
			a.shut()
			if c.replace {
				if err := os.Remove(a.path); err != nil {
					t.Fatal(err)
				}
			}
			copyFiles(t, backup, a.path)
			switch c.side {
			case "lost":
				if err := os.Remove(a.path + sideEnding); err != nil {
					t.Fatal(err)
				}
			case "torn":
				if err := os.WriteFile(a.path+sideEnding, []byte(`{"nonce":"0`), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			a = openFor(t, a.path)
			defer a.shut()
			a.exec("INSERT INTO t VALUES (3, 'new', 1), (5, 'new', 1); UPDATE t SET b = 'new' WHERE id = 1")
			if a.fold() == was {
				t.Error("the restored file folded as if nothing had happened")
			}
			sync(t, a, b)
			same(t, a, b)
			b.expect("SELECT id, a, b FROM t", "1|lost|new\n3|new|1\n5|new|1")
			if q := a.quarantined(); len(q) != 1 || q[0].Values[1].String() != "'lost'" {
				t.Errorf("the row that was lost and written anew: %+v", q)
			}
			b.exec("UPDATE t SET b = 'later'")
			a.exec("INSERT INTO t VALUES (6, 'later', 0)")
			sync(t, a, b)
			same(t, a, b)
			a.expect("SELECT count(*) FROM t WHERE a = 'later' OR b = 'later'", "4")
		})
	}
}

// blind keeps nothing but the nonce, as after a power cut or where the evidence was restored together with the file.
type blind struct{ engine.Evidence }

func (s *blind) Load(string) (engine.Evidence, error) { return s.Evidence, nil }
func (s *blind) Save(_ string, e engine.Evidence) error {
	s.Evidence = e
	s.Version = 0
	return nil
}
func (s *blind) Inode(string) string { return "" }

// restoredBlind is a replica that was put back to its first row without knowing, and b, who has had a second one of it.
func restoredBlind(t *testing.T) (a, b *replica, was crdt.Site) {
	t.Helper()
	store := &blind{}
	dir := t.TempDir()
	openBlind := func(path string) *replica {
		r := &replica{t: t, path: path, db: open(t, path), writer: open(t, path)}
		var err error
		if r.e, err = engine.Open(context.Background(), ncruces.NewConn(r.db), &engine.Options{Identity: store}); err != nil {
			t.Fatal(err)
		}
		return r
	}
	a, b = openBlind(filepath.Join(dir, "a.db")), newReplicas(t, 1, identitySchema)[0]
	a.exec(identitySchema)
	if _, err := a.e.Track(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	a.exec("INSERT INTO t VALUES (1, 'old', 0)")
	sync(t, a, b)
	was = a.e.Site()
	a.shut()
	copyFiles(t, a.path, filepath.Join(dir, "backup.db"))
	a = openBlind(a.path)
	a.exec("INSERT INTO t VALUES (2, 'lost', 0); UPDATE t SET a = 'lost'")
	sync(t, a, b)
	a.shut()
	copyFiles(t, filepath.Join(dir, "backup.db"), a.path)
	return openBlind(a.path), b, was
}

func TestIdentityPeerKnowsMore(t *testing.T) {
	a, b, was := restoredBlind(t)
	defer a.shut()
	a.exec("INSERT INTO t VALUES (3, 'new', 0)") // not folded before the peer tells
	for p, err := range b.e.Pull(t.Context(), engine.PullOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.e.Apply(t.Context(), p.Package, engine.ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if a.e.Site() == was {
		t.Error("goes on under a name that is used up")
	}
	sync(t, a, b)
	same(t, a, b)
	b.expect("SELECT id, a FROM t", "1|lost\n2|lost\n3|new")
}

// TestIdentityEquivocation is the case that cannot be found out in time: the version was used twice. It must be
// reported, and the replica that finds out that it was its own must go on under another name.
func TestIdentityEquivocation(t *testing.T) {
	for _, news := range []bool{true, false} { // whether the peer has anything else to tell
		t.Run(fmt.Sprint("news=", news), func(t *testing.T) {
			a, b, was := restoredBlind(t)
			defer a.shut()
			a.exec("INSERT INTO t VALUES (3, 'new', 0)")
			a.fold()
			if news {
				b.exec("INSERT INTO t VALUES (5, 'of b', 0)")
			}
			var err error
			for p, perr := range b.e.Pull(t.Context(), engine.PullOptions{}) {
				if perr != nil {
					t.Fatal(perr)
				}
				if _, err = a.e.Apply(t.Context(), p.Package, engine.ApplyOptions{}); err != nil {
					break
				}
			}
			if !errors.Is(err, engine.ErrEquivocation) {
				t.Fatalf("two contents of one version: %v", err)
			}
			a.exec("INSERT INTO t VALUES (4, 'newer', 0)")
			if a.fold() == was {
				t.Error("goes on under a name that is used up")
			}
		})
	}
}

// TestIdentityOwnPart: a part of a set that comes back to its sender, as from a log when the sender has begun anew in the
// middle, is known to be here. It must not wait for the other parts, which may never come.
func TestIdentityOwnPart(t *testing.T) {
	for _, only := range []bool{true, false} {
		t.Run(fmt.Sprint("only=", only), func(t *testing.T) {
			a := newReplicas(t, 1, identitySchema)[0]
			a.exec("INSERT INTO t SELECT value, hex(randomblob(100)), 0 FROM generate_series(1, 200)")
			a.exec("DELETE FROM t WHERE id % 7 = 0")
			a.fold()
			o := engine.PullOptions{MaxBytes: 4000}
			if only {
				o.Origins = []crdt.Site{a.e.Site()}
			}
			n := 0
			for p, err := range a.e.Pull(t.Context(), o) {
				if err != nil {
					t.Fatal(err)
				}
				r, err := a.e.Apply(t.Context(), p.Package, engine.ApplyOptions{})
				if err != nil || r.State != engine.StateDuplicate {
					t.Errorf("part %d: %v (%s), %v", p.Part, r.State, r.Reason, err)
				}
				n++
			}
			if n < 3 {
				t.Fatalf("%d parts test nothing", n)
			}
		})
	}
}

// TestIdentityOwnPartLost is a set that this file sent before it was put back to an older state: it is not here.
func TestIdentityOwnPartLost(t *testing.T) {
	store, dir := &blind{}, t.TempDir()
	openBlind := func(path string) *replica {
		r := &replica{t: t, path: path, db: open(t, path), writer: open(t, path)}
		var err error
		if r.e, err = engine.Open(t.Context(), ncruces.NewConn(r.db), &engine.Options{Identity: store}); err != nil {
			t.Fatal(err)
		}
		return r
	}
	sender := openBlind(filepath.Join(dir, "a.db"))
	sender.exec(identitySchema)
	if _, err := sender.e.Track(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	sender.exec("INSERT INTO t VALUES (1, 'kept', 0)")
	was := sender.fold()
	sender.shut()
	copyFiles(t, sender.path, filepath.Join(dir, "backup.db"))
	sender = openBlind(sender.path)
	sender.exec("INSERT INTO t SELECT value, hex(randomblob(100)), 0 FROM generate_series(2, 200)")
	sender.fold()
	var set [][]byte
	for p, err := range sender.e.Pull(t.Context(), engine.PullOptions{MaxBytes: 4000}) {
		if err != nil {
			t.Fatal(err)
		}
		set = append(set, p.Package)
	}
	want := sender.rows("SELECT * FROM t ORDER BY id")
	sender.shut()
	copyFiles(t, filepath.Join(dir, "backup.db"), sender.path)
	back := openBlind(sender.path)
	defer back.shut()
	for _, p := range set {
		if _, err := back.e.Apply(t.Context(), p, engine.ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if back.e.Site() == was {
		t.Error("goes on under a name that is used up")
	}
	back.expect("SELECT * FROM t ORDER BY id", want)
}
