package conformance_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/conformance"
	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// replica is a database with an engine and a plain writer of its own, checked when the test ends.
type replica struct {
	t      *testing.T
	name   string
	path   string
	engine *engine.Engine
	writer conformance.Writer
	closer io.Closer
}

func newReplica(t *testing.T, dir, name string) *replica {
	t.Helper()
	r := &replica{t: t, name: name, path: filepath.Join(dir, name+".db")}
	var err error
	if r.writer, err = (host{}).Writer(r.path); err != nil {
		t.Fatal(err)
	}
	r.exec("PRAGMA user_version = 0")
	conn, closer, err := (host{}).Conn(r.path)
	if err != nil {
		t.Fatal(err)
	}
	r.closer = closer
	if r.engine, err = engine.Open(t.Context(), conn, &engine.Options{Compressor: host{}.Compressor()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	return r
}

func (r *replica) close() {
	if r.engine == nil {
		return
	}
	for _, err := range []error{r.engine.Close(), r.closer.Close(), r.writer.Close()} {
		if err != nil {
			r.t.Errorf("closing %s: %v", r.name, err)
		}
	}
	r.engine = nil
}

func (r *replica) execf(format string, args ...any) {
	r.t.Helper()
	r.exec(fmt.Sprintf(format, args...))
}

func (r *replica) exec(sql string) {
	r.t.Helper()
	if err := r.writer.Exec(sql); err != nil {
		r.t.Fatalf("%s: %v: %.300s", r.name, err, sql)
	}
}

func (r *replica) track() {
	r.t.Helper()
	if _, _, err := r.engine.TrackAll(r.t.Context()); err != nil {
		r.t.Fatalf("%s: %v", r.name, err)
	}
}

func (r *replica) clone(name string) *replica {
	r.t.Helper()
	if _, err := r.engine.Fold(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	dir := filepath.Dir(r.path)
	r.execf("VACUUM INTO '%s'", strings.ReplaceAll(filepath.Join(dir, name+".db"), "'", "''"))
	c := newReplica(r.t, dir, name)
	if _, err := c.engine.Remint(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// pages counts how often the engine's connection has asked its pager for a page: the measure of its work that does not
// depend on what else the machine does. https://www.sqlite.org/c3ref/c_dbstatus_options.html
func (r *replica) pages() (n int64) {
	r.t.Helper()
	for _, op := range []sqlite3.DBStatus{sqlite3.DBSTATUS_CACHE_HIT, sqlite3.DBSTATUS_CACHE_MISS} {
		count, _, err := r.closer.(*sqlite3.Conn).Status(op, false)
		if err != nil {
			r.t.Fatal(err)
		}
		n += count
	}
	return n
}

// int reads one number with the plain writer.
func (r *replica) int(sql string) int64 {
	r.t.Helper()
	rows, err := conformance.ReadRows(r.writer, sql)
	if err != nil || len(rows) != 1 {
		r.t.Fatalf("%s: %s: %d rows, %v", r.name, sql, len(rows), err)
	}
	return rows[0][0].Int()
}

func sync(t *testing.T, a, b *replica) {
	t.Helper()
	if _, err := engine.Sync(t.Context(), a.engine, b.engine, engine.SyncOptions{}); err != nil {
		t.Fatalf("sync %s %s: %v", a.name, b.name, err)
	}
}

// converged fails the test unless all replicas hold the same rows and are clean.
func converged(t *testing.T, list ...*replica) {
	t.Helper()
	for _, r := range list {
		if err := conformance.CheckDatabase(t.Context(), r.writer, r.engine); err != nil {
			t.Errorf("%s: %v", r.name, err)
		}
	}
	for _, r := range list[1:] {
		text, err := conformance.CompareRows(list[0].writer, r.writer, nil)
		if err != nil {
			t.Fatal(err)
		}
		if text != "" {
			t.Errorf("%s and %s differ: %s", list[0].name, r.name, text)
		}
		n := 0
		for d, err := range engine.Diff(t.Context(), list[0].engine, r.engine) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n <= 5 {
				t.Errorf("engine.Diff %s %s: %s %v %s %v", list[0].name, r.name, d.Table, d.Key, d.Kind, d.Columns)
			}
		}
	}
}

// vectors says whether all replicas have applied the same changesets.
func vectors(t *testing.T, list ...*replica) bool {
	t.Helper()
	var first crdt.VersionVector
	for i, r := range list {
		v, err := r.engine.Vector(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = v
		} else if !first.Equal(v) {
			return false
		}
	}
	return true
}

// link carries packages one way, badly: shuffled, some twice, some a few rounds late.
type link struct {
	from, to *replica
	cursor   int64
	held     [][]byte
	stats    map[engine.ApplyState]int
}

// carry pulls what is new and delivers it and what was held back. calm: nothing is held back any more.
func (l *link) carry(t *testing.T, rng *rand.Rand, maxBytes int, calm bool) {
	t.Helper()
	for p, err := range l.from.engine.Pull(t.Context(), engine.PullOptions{Since: l.cursor, MaxBytes: maxBytes}) {
		if err != nil {
			t.Fatalf("pull %s: %v", l.from.name, err)
		}
		l.held, l.cursor = append(l.held, p.Package), p.Cursor
		if rng.IntN(3) == 0 {
			l.held = append(l.held, p.Package)
		}
	}
	rng.Shuffle(len(l.held), func(i, j int) { l.held[i], l.held[j] = l.held[j], l.held[i] })
	n := len(l.held)
	if !calm {
		n -= n / 4
	}
	for _, b := range l.held[:n] {
		r, err := l.to.engine.Apply(t.Context(), b, engine.ApplyOptions{})
		if err != nil {
			t.Fatalf("apply %s to %s: %v", l.from.name, l.to.name, err)
		}
		l.stats[r.State]++
	}
	l.held = l.held[n:]
}

// seeded prints the seed with which a failure can be repeated.
func seeded(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if s := env("TRIBUTARY_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("to repeat: TRIBUTARY_SEED=%d go test ./conformance -run '^%s$'", seed, t.Name())
	return rand.New(rand.NewPCG(seed, 1))
}
