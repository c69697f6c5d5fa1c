package faultdisk_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/tributary-db/tributary/conformance/faultdisk"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

// replica is a database on a disk that fails, with one connection.
type replica struct {
	t    *testing.T
	disk *faultdisk.Disk
	name string
	db   *sqlite3.Conn
	e    *engine.Engine
}

// keeper is an IdentityStore that never fails: the evidence is on another disk.
type keeper struct{ evidence map[string]engine.Evidence }

func (k keeper) Load(name string) (engine.Evidence, error) {
	if ev, ok := k.evidence[name]; ok {
		return ev, nil
	}
	return engine.Evidence{}, fs.ErrNotExist
}
func (k keeper) Save(name string, ev engine.Evidence) error { k.evidence[name] = ev; return nil }
func (k keeper) Inode(name string) string                   { return name }

func open(t *testing.T, disk *faultdisk.Disk, name string) *replica {
	t.Helper()
	vfs.Register("faulty"+name, disk)
	db, err := sqlite3.Open("file:/" + name + ".db?vfs=faulty" + name)
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{t: t, disk: disk, name: name, db: db}
	r.exec("PRAGMA locking_mode = exclusive; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 20; PRAGMA cache_size = 10")
	if r.e, err = engine.Open(context.Background(), ncruces.NewConn(db), &engine.Options{Identity: keeper{map[string]engine.Evidence{}}}); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *replica) close() {
	r.disk.Fault = nil
	r.e.Close()
	r.db.Close()
	vfs.Unregister("faulty" + r.name)
}

func (r *replica) exec(sql string) {
	r.t.Helper()
	if err := r.db.Exec(sql); err != nil {
		r.t.Fatalf("%s: %v", sql, err)
	}
}

// text is the first column of all rows.
func (r *replica) text(sql string) string {
	r.t.Helper()
	q, _, err := r.db.Prepare(sql)
	if err != nil {
		r.t.Fatal(err)
	}
	defer q.Close()
	var out []string
	for q.Step() {
		out = append(out, q.ColumnText(0))
	}
	if q.Err() != nil {
		r.t.Fatal(q.Err())
	}
	return strings.Join(out, "\n")
}

const rows = "SELECT id || ' ' || v || ' ' || length(pad) FROM t ORDER BY id"

// TestDiskFails lets the disk fail at each operation of a fold, a pull and an apply, in several ways. Each must say so, leave
// nothing half done, and succeed when it is tried again on a disk that works, with the end that it would have had.
func TestDiskFails(t *testing.T) {
	ctx := context.Background()
	// What the failing replica starts from, and a package that comes to it.
	peer := open(t, faultdisk.New(1), "peer")
	defer peer.close()
	peer.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v, pad)")
	origin := open(t, faultdisk.New(2), "origin")
	origin.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v, pad)")
	for _, r := range []*replica{peer, origin} {
		if _, _, err := r.e.TrackAll(ctx); err != nil {
			t.Fatal(err)
		}
	}
	fill := "WITH RECURSIVE n(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO t SELECT i, '%s', zeroblob(300) FROM n"
	origin.exec(fmt.Sprintf(fill, 1, 40, "origin"))
	if _, err := engine.Sync(ctx, origin.e, peer.e, engine.SyncOptions{}); err != nil {
		t.Fatal(err)
	}
	peer.exec(fmt.Sprintf(fill, 101, 140, "peer") + "; UPDATE t SET v = 'changed' WHERE id % 3 = 0; DELETE FROM t WHERE id % 7 = 0")
	var packages [][]byte
	for p, err := range peer.e.Pull(ctx, engine.PullOptions{MaxBytes: 4000}) {
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p.Package)
	}
	origin.exec(fmt.Sprintf(fill, 41, 80, "unfolded") + "; UPDATE t SET v = 'mine' WHERE id % 5 = 0")
	files := origin.disk.Files()
	origin.close()

	steps := map[string]func(r *replica) error{
		"fold": func(r *replica) error { _, err := r.e.Fold(ctx); return err },
		"pull": func(r *replica) error {
			n := 0
			for p, err := range r.e.Pull(ctx, engine.PullOptions{MaxBytes: 4000}) {
				if err != nil {
					return err
				}
				n += p.Rows
			}
			if n < 40 {
				t.Errorf("a pull that succeeds hands out %d rows", n)
			}
			return nil
		},
		"apply": func(r *replica) error {
			for _, p := range packages {
				if _, err := r.e.Apply(ctx, p, engine.ApplyOptions{}); err != nil {
					return err
				}
			}
			return nil
		},
	}
	faults := map[string]func(faultdisk.Op) error{
		"full":  func(o faultdisk.Op) error { return when(o == faultdisk.OpWrite, sqlite3.FULL) },
		"write": func(o faultdisk.Op) error { return when(o == faultdisk.OpWrite, sqlite3.IOERR_WRITE) },
		"sync":  func(o faultdisk.Op) error { return when(o == faultdisk.OpSync, sqlite3.IOERR_FSYNC) },
		"read":  func(o faultdisk.Op) error { return when(o == faultdisk.OpRead, sqlite3.IOERR_READ) },
	}
	for what, step := range steps {
		for how, fault := range faults {
			t.Run(what+"/"+how, func(t *testing.T) {
				want, failed := "", 0
				for at := 0; ; at++ { // at 0 nothing fails
					disk := faultdisk.New(3)
					for name, b := range files {
						disk.Put(name, b)
					}
					r := open(t, disk, "origin")
					n, refused := 0, 0
					disk.Fault = func(o faultdisk.Op, _ int) error {
						err := fault(o)
						if err == nil {
							return nil
						}
						if n++; n != at {
							return nil
						}
						refused++
						return err
					}
					err := step(r)
					disk.Fault = nil
					if at == 0 && err != nil {
						t.Fatal(err)
					}
					if err != nil {
						failed++
						var code interface{ SQLiteCode() int }
						if !errors.As(err, &code) || !strings.HasPrefix(err.Error(), "tributary: "+what) {
							t.Errorf("operation %d: an error that does not say what failed, or how: %v", at, err)
						}
						if !r.db.GetAutocommit() {
							t.Errorf("operation %d: a transaction is left open", at)
						}
						if err := step(r); err != nil {
							t.Fatalf("operation %d: tried again: %v", at, err)
						}
					}
					if v, err := r.e.Check(ctx); err != nil || len(v) > 0 {
						t.Errorf("operation %d: check: %v, %v", at, v, err)
					}
					got := r.text(rows) + r.text("PRAGMA integrity_check") + r.text("SELECT count(*) FROM tributary_feed") + r.text("SELECT count(*) FROM tributary_waiting")
					if at == 0 {
						want = got
					} else if got != want {
						t.Errorf("operation %d: another end:\n%s\nwant\n%s", at, got, want)
					}
					r.close()
					if at > 0 && refused == 0 || t.Failed() {
						break
					}
				}
				if failed == 0 && how != "read" {
					t.Error("no operation failed: the disk is too good")
				}
				t.Logf("%d failures", failed)
			})
		}
	}
}

func when(yes bool, err error) error {
	if yes {
		return err
	}
	return nil
}
