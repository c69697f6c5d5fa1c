package engine_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

// replica is a database with an engine on one connection and a plain writer, who knows nothing of us, on another.
type replica struct {
	t      testing.TB
	path   string
	db     *sqlite3.Conn
	writer *sqlite3.Conn
	e      *engine.Engine
	skew   time.Duration
}

func open(t testing.TB, path string) *sqlite3.Conn {
	t.Helper()
	db, err := sqlite3.Open("file:" + path + "?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func openReplica(t testing.TB, path string) *replica {
	t.Helper()
	r := &replica{t: t, path: path, db: open(t, path), writer: open(t, path)}
	e, err := engine.Open(context.Background(), ncruces.NewConn(r.db), &engine.Options{Now: func() time.Time { return time.Now().Add(r.skew) }})
	if err != nil {
		t.Fatal(err)
	}
	r.e = e
	t.Cleanup(func() {
		r.check()
		r.e.Close()
		r.writer.Close()
		if err := r.db.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// newReplicas makes databases with one schema, all tables tracked.
func newReplicas(t testing.TB, n int, schema string) []*replica {
	t.Helper()
	return filledReplicas(t, n, schema)
}

// filledReplicas makes replicas of which the first ones have rows from before they were tracked.
func filledReplicas(t testing.TB, n int, schema string, rows ...string) []*replica {
	t.Helper()
	dir := t.TempDir()
	var out []*replica
	for i := range n {
		r := openReplica(t, filepath.Join(dir, fmt.Sprintf("r%d.db", i)))
		r.exec("PRAGMA journal_mode=WAL;" + schema)
		if i < len(rows) {
			r.exec(rows[i])
		}
		if _, _, err := r.e.TrackAll(context.Background()); err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// exec writes as a stranger.
func (r *replica) exec(sql string) {
	r.t.Helper()
	if err := r.writer.Exec(sql); err != nil {
		r.t.Fatalf("%s: %v", sql, err)
	}
}

// rows returns a query's rows as text, one line each.
func (r *replica) rows(sql string) string {
	r.t.Helper()
	s, _, err := r.writer.Prepare(sql)
	if err != nil {
		r.t.Fatalf("%s: %v", sql, err)
	}
	defer s.Close()
	var out []string
	for s.Step() {
		var f []string
		for i := range s.ColumnCount() {
			f = append(f, s.ColumnText(i))
		}
		out = append(out, strings.Join(f, "|"))
	}
	if s.Err() != nil {
		r.t.Fatal(s.Err())
	}
	return strings.Join(out, "\n")
}

func (r *replica) check() {
	r.t.Helper()
	v, err := r.e.Check(context.Background())
	if err != nil {
		r.t.Errorf("%s: check: %v", r.path, err)
	}
	for _, x := range v {
		r.t.Errorf("%s: %s: %s", filepath.Base(r.path), x.Code, x.Message)
	}
	if got := r.rows("PRAGMA integrity_check"); got != "ok" {
		r.t.Errorf("integrity_check: %s", got)
	}
}

func sync(t testing.TB, a, b *replica) engine.SyncResult {
	t.Helper()
	res, err := engine.Sync(context.Background(), a.e, b.e, engine.SyncOptions{})
	if err != nil {
		t.Fatalf("sync: %v", err)
	}
	return res
}

func same(t testing.TB, rs ...*replica) {
	t.Helper()
	for _, r := range rs[1:] {
		for d, err := range engine.Diff(context.Background(), rs[0].e, r.e) {
			if err != nil {
				t.Fatal(err)
			}
			t.Errorf("%s and %s: %s %v %s %v: %v / %v", filepath.Base(rs[0].path), filepath.Base(r.path), d.Table, d.Key, d.Kind, d.Columns, d.A, d.B)
		}
	}
}

func (r *replica) expect(sql, want string) {
	r.t.Helper()
	if got := r.rows(sql); got != want {
		r.t.Errorf("%s: %s\n got %q\nwant %q", filepath.Base(r.path), sql, got, want)
	}
}

func (r *replica) quarantined() []engine.QuarantineInfo {
	r.t.Helper()
	q, err := r.e.Quarantine(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	return q
}
