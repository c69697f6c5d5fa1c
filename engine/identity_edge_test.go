package engine_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/tributary-db/tributary/engine"
)

func TestIdentityTwoEngines(t *testing.T) {
	a, b := tracked(t), newReplicas(t, 1, identitySchema)[0]
	defer a.shut()
	a2 := openFor(t, a.path)
	defer a2.shut()
	was := a.e.Site()
	for i := range 3 {
		for j, x := range []*replica{a, a2} {
			x.exec(fmt.Sprintf("INSERT INTO t VALUES (%d, 'x', 0)", 2*i+j))
			if got := x.fold(); got != was {
				t.Fatalf("engine %d has become %s", j, got)
			}
		}
		sync(t, []*replica{a, a2}[i%2], b)
	}
	same(t, a, a2, b)
	// What one of them does to the identity the other goes by.
	site, err := a2.e.Remint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a.exec("INSERT INTO t VALUES (100, 'x', 0)")
	if got := a.fold(); got != site {
		t.Errorf("the other engine folds as %s, not %s", got, site)
	}
	sync(t, a, b)
	sync(t, a2, b)
	same(t, a, a2, b)
}

func TestIdentityRemint(t *testing.T) {
	r := newReplicas(t, 3, identitySchema+"; INSERT INTO t VALUES (1, 'base', 0)")
	a, b, c := r[0], r[1], r[2]
	sync(t, a, b)
	a.exec("INSERT INTO t VALUES (2, 'folded', 0)")
	was := a.fold()
	a.exec("INSERT INTO t VALUES (3, 'unfolded', 0)")
	site, err := a.e.Remint(t.Context())
	if err != nil || site == was || site != a.e.Site() {
		t.Fatalf("%s became %s (%s): %v", was, site, a.e.Site(), err)
	}
	b.exec("UPDATE t SET b = 1 WHERE id = 1")
	sync(t, a, b)
	sync(t, b, c)
	same(t, a, b, c)
	c.expect("SELECT id, a, b FROM t", "1|base|1\n2|folded|0\n3|unfolded|0")
	v, err := c.e.Vector(t.Context())
	if err != nil || v[was] == 0 || v[site] == 0 {
		t.Errorf("vector %v, %v", v, err)
	}
	again := openReplica(t, a.path)
	if got := again.fold(); got != site {
		t.Errorf("another engine takes %s for %s", site, got)
	}
}

// TestIdentityRemintBase is Remint before the first version, which the rows of the tracked tables are waiting for.
func TestIdentityRemintBase(t *testing.T) {
	r := newReplicas(t, 2, identitySchema+"; INSERT INTO t VALUES (1, 'base', 0)")
	a, b := r[0], r[1]
	b.exec("DELETE FROM t")
	site, err := a.e.Remint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sync(t, a, b)
	same(t, a, b)
	if v, err := b.e.Vector(t.Context()); err != nil || v[site] == 0 || len(v) != 2 {
		t.Errorf("vector %v, %v", v, err)
	}
}

// TestIdentityReplacedByItself is a file that was written anew as it was: another inode, the same database.
func TestIdentityReplacedByItself(t *testing.T) {
	a := tracked(t)
	a.exec("INSERT INTO t VALUES (1, 'old', 0)")
	was := a.fold()
	a.shut()
	copyFiles(t, a.path, a.path+"-new")
	if err := os.Rename(a.path+"-new", a.path); err != nil {
		t.Fatal(err)
	}
	a = openFor(t, a.path)
	defer a.shut()
	a.exec("INSERT INTO t VALUES (2, 'new', 0)")
	if got := a.fold(); got != was {
		t.Errorf("was %s, is %s", was, got)
	}
}

// TestIdentityRestoreFolder restores the database together with its side file, as a backup of the whole folder does.
// Only the peer can tell, and a sync must ask before it hands out a version that is used up.
func TestIdentityRestoreFolder(t *testing.T) {
	for _, peerFirst := range []bool{false, true} {
		t.Run(fmt.Sprint("peer first=", peerFirst), func(t *testing.T) {
			a, b, was := restoredBlind(t)
			defer a.shut()
			a.exec("INSERT INTO t VALUES (3, 'new', 0); UPDATE t SET b = 'new' WHERE id = 1")
			if peerFirst {
				sync(t, b, a)
			} else {
				sync(t, a, b)
			}
			same(t, a, b)
			b.expect("SELECT id, a, b FROM t", "1|lost|new\n2|lost|0\n3|new|0")
			if a.e.Site() == was {
				t.Error("goes on under a name that is used up")
			}
		})
	}
}

// TestIdentityCopyRolledBack is a copy whose first fold fails or is rolled back by the application. The next one must
// not go by the name of the original.
func TestIdentityCopyRolledBack(t *testing.T) {
	for _, inside := range []bool{false, true} { // inside a transaction of the application
		t.Run(fmt.Sprint("inside=", inside), func(t *testing.T) {
			a := tracked(t)
			defer a.shut()
			a.exec("INSERT INTO t VALUES (1, 'old', 0)")
			was := a.fold()
			path := filepath.Join(t.TempDir(), "c.db")
			copyFiles(t, a.path, path, "-wal")
			c := openReplica(t, path)
			c.exec("INSERT INTO t VALUES (2, 'of the copy', 0)")
			if inside {
				if err := c.db.Exec("BEGIN"); err != nil {
					t.Fatal(err)
				}
				c.fold()
				if err := c.db.Exec("ROLLBACK"); err != nil {
					t.Fatal(err)
				}
			} else {
				c.skew = -time.Hour
				if _, err := c.e.Fold(t.Context()); !errors.Is(err, engine.ErrClock) {
					t.Fatal(err)
				}
				c.skew = 0
			}
			if c.fold() == was {
				t.Error("the copy folded as the original")
			}
		})
	}
}

// TestIdentityRolledBackFold is a fold that the application rolls back: it was no version, and reopening the file must
// not take it for one that was lost.
func TestIdentityRolledBackFold(t *testing.T) {
	a := tracked(t)
	a.exec("INSERT INTO t VALUES (1, 'old', 0)")
	was := a.fold()
	if err := a.db.Exec("BEGIN; INSERT INTO t VALUES (2, 'x', 0)"); err != nil {
		t.Fatal(err)
	}
	a.fold()
	if err := a.db.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	a.fold()
	a.shut()
	a = openFor(t, a.path)
	defer a.shut()
	if got := a.fold(); got != was {
		t.Errorf("was %s, is %s", was, got)
	}
}

// TestIdentityTrackRolledBack is the first Track inside a transaction that the application rolls back.
func TestIdentityTrackRolledBack(t *testing.T) {
	a := openFor(t, filepath.Join(t.TempDir(), "a.db"))
	defer a.shut()
	a.exec("PRAGMA journal_mode=WAL;" + identitySchema)
	if err := a.db.Exec("BEGIN"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.e.Track(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	if err := a.db.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.e.Track(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	a.exec("INSERT INTO t VALUES (1, 'x', 0)")
	was := a.fold()
	again := openFor(t, a.path)
	defer again.shut()
	if got := again.fold(); got != was {
		t.Errorf("%s became %s", was, got)
	}
}

// TestIdentityExclude lets a file that does not know yet that it was restored, or is a copy, meet a peer who knows more
// of the name that it still goes by. What the peer knows under that name must not be left out as the file's own.
func TestIdentityExclude(t *testing.T) {
	for _, restored := range []bool{false, true} {
		for _, peerFirst := range []bool{false, true} {
			t.Run(fmt.Sprintf("restored=%v,peer first=%v", restored, peerFirst), func(t *testing.T) {
				a, b := tracked(t), newReplicas(t, 1, identitySchema)[0]
				a.exec("INSERT INTO t VALUES (1, 'old', 0)")
				sync(t, a, b)
				was := a.e.Site()
				a.shut()
				path := filepath.Join(t.TempDir(), "c.db")
				copyFiles(t, a.path, path)
				a = openFor(t, a.path)
				a.exec("INSERT INTO t VALUES (2, 'later', 0); UPDATE t SET a = 'later'")
				sync(t, a, b)
				a.shut()
				if restored {
					copyFiles(t, path, a.path)
					path = a.path
				}
				c := openReplica(t, path)
				c.exec("INSERT INTO t VALUES (3, 'new', 0); UPDATE t SET b = 'new' WHERE id = 1")
				if peerFirst {
					sync(t, b, c)
				} else {
					sync(t, c, b)
				}
				same(t, b, c)
				c.expect("SELECT id, a, b FROM t", "1|later|new\n2|later|0\n3|new|0")
				if c.e.Site() == was {
					t.Error("goes on under a name that is used up")
				}
			})
		}
	}
}

// TestIdentityBaseRolledBack is the first fold of a table with rows, rolled back by the application and done again.
func TestIdentityBaseRolledBack(t *testing.T) {
	r := newReplicas(t, 2, identitySchema)
	a, b := tracked(t), r[1]
	defer a.shut()
	a.exec("CREATE TABLE u(id INTEGER PRIMARY KEY, a); INSERT INTO u VALUES (1, 'base')")
	b.exec("CREATE TABLE u(id INTEGER PRIMARY KEY, a)")
	for _, x := range []*replica{a, b} {
		if _, err := x.e.Track(t.Context(), "u"); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.db.Exec("BEGIN"); err != nil {
		t.Fatal(err)
	}
	a.fold()
	if err := a.db.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	sync(t, a, b)
	same(t, a, b)
	b.expect("SELECT * FROM u", "1|base")
}

// TestIdentitySideFileMode: who may write the database may write the side file.
func TestIdentitySideFileMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file has no such permissions there")
	}
	a := tracked(t)
	for _, mode := range []fs.FileMode{0o664, 0o600} {
		if err := os.Chmod(a.path, mode); err != nil {
			t.Fatal(err)
		}
		a.exec("INSERT INTO t(a) VALUES (1)")
		a.fold() // writes it anew
		info, err := os.Stat(a.path + sideEnding)
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("the database has %v, the side file %v: %v", mode, info.Mode(), err)
		}
	}
}
