package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

// rows is enough that what is done once, such as preparing statements, does not show.
const rows = 5000

const schema = "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b TEXT, c INT, d INT)"

var operations = []struct{ name, sql string }{
	{"insert", fmt.Sprintf("WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < %d) INSERT INTO t SELECT i, 'name of '||i, 'some text '||(i*7), i*3, i%%100 FROM g", rows)},
	{"update", "UPDATE t SET d = d + 1"},
	{"update-all", "UPDATE t SET a = a||'!', b = b||'!', c = c + 1, d = d + 1"},
	{"delete", "DELETE FROM t WHERE id > 0"},
}

// site is a replica whose log is never checkpointed, so that its length tells how many pages were written.
type site struct {
	ctx        context.Context
	path       string
	writer, db *sqlite3.Conn
	e          *engine.Engine
	cursor     int64 // of what was pulled
}

func openSite(ctx context.Context, path string, tracked bool) (*site, error) {
	s := &site{ctx: ctx, path: path}
	for _, c := range []**sqlite3.Conn{&s.writer, &s.db} {
		db, err := sqlite3.Open("file:" + path + "?_pragma=busy_timeout(10000)")
		if err != nil {
			return nil, err
		}
		if err := db.Exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0"); err != nil {
			return nil, err
		}
		*c = db
	}
	if err := s.writer.Exec(schema); err != nil || !tracked {
		return s, err
	}
	e, err := engine.Open(ctx, ncruces.NewConn(s.db), nil)
	if err != nil {
		return nil, err
	}
	s.e = e
	if _, _, err = e.TrackAll(ctx); err != nil {
		return nil, err
	}
	_, err = e.Fold(ctx)
	return s, err
}

func (s *site) close() error {
	if s.e != nil {
		s.e.Close()
	}
	for _, q := range slices.Collect(s.writer.Stmts()) {
		q.Close()
	}
	return errors.Join(s.db.Close(), s.writer.Close())
}

// steps are the opcodes that the open statements of a connection have run: https://sqlite.org/c3ref/c_stmtstatus_counter.html
func steps(db *sqlite3.Conn) (n int) {
	for q := range db.Stmts() {
		n += q.Status(sqlite3.STMTSTATUS_VM_STEP, false)
	}
	return n
}

func (s *site) logBytes() int64 {
	info, err := os.Stat(s.path + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}

// count runs f and sets what it cost for each row: opcodes of the connection that f uses, and pages written.
func (s *site) count(c *counts, name string, db *sqlite3.Conn, allocations bool, f func() error) error {
	var before, after runtime.MemStats
	vm, log := steps(db), s.logBytes()
	runtime.ReadMemStats(&before)
	if err := f(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	runtime.ReadMemStats(&after)
	c.set(name+" opcodes/row", float64(steps(db)-vm)/rows)
	c.set(name+" log-B/row", float64(s.logBytes()-log)/rows)
	if allocations {
		c.set(name+" allocs/row", float64(after.Mallocs-before.Mallocs)/rows)
		c.set(name+" alloc-B/row", float64(after.TotalAlloc-before.TotalAlloc)/rows)
	}
	return nil
}

// exec runs a statement that stays open, so that its opcodes can be counted.
func (s *site) exec(sql string) error {
	q, _, err := s.writer.Prepare(sql)
	if err != nil {
		return err
	}
	return q.Exec()
}

func (s *site) fold() error {
	_, err := s.e.Fold(s.ctx)
	return err
}

func (s *site) apply(packages [][]byte) error {
	for _, p := range packages {
		if _, err := s.e.Apply(s.ctx, p, engine.ApplyOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// countEngine writes at one site, brings it to a second, and counts every step, over the pure Go host.
func countEngine(ctx context.Context, dir string, c *counts) error {
	// Pools are empty at first, are not emptied in between, and are not of another processor.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.GC()
	runtime.GC() // what one collection takes out of a pool is still a victim that can be had
	a, err := openSite(ctx, filepath.Join(dir, "a.db"), true)
	if err != nil {
		return err
	}
	defer a.close()
	b, err := openSite(ctx, filepath.Join(dir, "b.db"), true)
	if err != nil {
		return err
	}
	defer b.close()
	for _, o := range operations {
		if o.name == "delete" {
			if err := losing(a, b, c); err != nil {
				return err
			}
		}
		if err := change(a, b, c, o.name, o.sql); err != nil {
			return err
		}
	}
	return countSize(ctx, dir, c)
}

func change(a, b *site, c *counts, name, sql string) error {
	if err := a.count(c, "capture "+name, a.writer, false, func() error { return a.exec(sql) }); err != nil {
		return err
	}
	if err := a.count(c, "fold "+name, a.db, true, a.fold); err != nil {
		return err
	}
	packages, err := a.pull(c, name)
	if err != nil {
		return err
	}
	if err := b.count(c, "apply "+name, b.db, true, func() error { return b.apply(packages) }); err != nil {
		return err
	}
	if name != "insert" {
		return nil
	}
	return b.count(c, "apply duplicate", b.db, true, func() error { return b.apply(packages) })
}

// losing applies updates to a site that has later ones.
func losing(a, b *site, c *counts) error {
	if err := a.exec(operations[1].sql); err != nil {
		return err
	}
	packages, err := a.pull(newCounts(), "losing")
	if err != nil {
		return err
	}
	if err := errors.Join(b.exec(operations[1].sql), b.fold()); err != nil {
		return err
	}
	return b.count(c, "apply losing", b.db, true, func() error { return b.apply(packages) })
}

// pull counts opcodes while the statements of the pull are still open.
func (s *site) pull(c *counts, name string) (packages [][]byte, err error) {
	var before, after runtime.MemStats
	vm, wire, n := steps(s.db), 0, 0
	runtime.ReadMemStats(&before)
	for p, err := range s.e.Pull(s.ctx, engine.PullOptions{Since: s.cursor}) {
		if err != nil {
			return nil, err
		}
		packages, wire, n = append(packages, p.Package), wire+len(p.Package), n+p.Rows
		if s.cursor = p.Cursor; p.Last {
			vm = steps(s.db) - vm
		}
	}
	runtime.ReadMemStats(&after)
	if n != rows {
		return nil, fmt.Errorf("pull %s: %d rows, want %d", name, n, rows)
	}
	c.set("pull "+name+" opcodes/row", float64(vm)/rows)
	c.set("pull "+name+" allocs/row", float64(after.Mallocs-before.Mallocs)/rows)
	c.set("pull "+name+" alloc-B/row", float64(after.TotalAlloc-before.TotalAlloc)/rows)
	c.set("wire "+name+" B/row", float64(wire)/rows)
	return packages, nil
}

// countSize compares files with those of a table that nobody tracks.
func countSize(ctx context.Context, dir string, c *counts) error {
	var used [2]float64
	for i, tracked := range []bool{false, true} {
		s, err := openSite(ctx, filepath.Join(dir, fmt.Sprintf("size%d.db", i)), tracked)
		if err != nil {
			return err
		}
		if err := s.exec(operations[0].sql); err != nil {
			return err
		}
		if tracked {
			if err := s.fold(); err != nil {
				return err
			}
		}
		q, _, err := s.writer.Prepare("SELECT a.page_count - b.freelist_count FROM pragma_page_count a, pragma_freelist_count b")
		if err != nil {
			return err
		}
		q.Step()
		used[i] = q.ColumnFloat(0)
		if err := errors.Join(q.Close(), s.close()); err != nil {
			return err
		}
	}
	c.set("file after a bulk load, times bare", used[1]/used[0])
	return nil
}
