package replicator_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/replicator"
	"github.com/tributary-db/tributary/transports"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

// site is one replica: a file, a writer that knows nothing of us, and a loop that can be started, stopped and killed.
type site struct {
	t      testing.TB
	path   string
	writer *sqlite3.Conn
	mu     sync.Mutex // guards writer
	links  func() []replicator.Link
	tune   func(*replicator.Options) // nil: not

	r    *replicator.Replicator
	stop func() error
}

const schema = "PRAGMA journal_mode=WAL; CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, a, b)"

// patience bounds every wait in these tests.
const patience = 60 * time.Second

func openDB(t testing.TB, path string) *sqlite3.Conn {
	t.Helper()
	db, err := sqlite3.Open("file:" + path + "?_pragma=busy_timeout(20000)")
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// newSite makes a database with one tracked table.
func newSite(t testing.TB, dir, name string, links func() []replicator.Link) *site {
	t.Helper()
	s := &site{t: t, path: filepath.Join(dir, name+".db"), links: links}
	s.writer = openDB(t, s.path)
	s.exec(schema)
	s.with(func(e *engine.Engine) {
		if _, _, err := e.TrackAll(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() {
		if s.stop != nil {
			s.stop()
		}
		s.with(func(e *engine.Engine) {
			list, err := e.Check(context.Background())
			if err != nil {
				t.Errorf("%s: check: %v", name, err)
			}
			for _, v := range list {
				t.Errorf("%s: %s: %s", name, v.Code, v.Message)
			}
		})
		s.writer.Close()
	})
	return s
}

// with lends an engine on a connection of its own.
func (s *site) with(f func(e *engine.Engine)) {
	s.t.Helper()
	db := openDB(s.t, s.path)
	defer db.Close()
	e, err := engine.Open(context.Background(), ncruces.NewConn(db), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer e.Close()
	f(e)
}

// quick are times that suit a test.
func quick(o replicator.Options) replicator.Options {
	o.DB = "d"
	o.Idle, o.Max, o.Poll = 2*time.Millisecond, 10*time.Millisecond, 20*time.Millisecond
	o.Gap, o.Exchange, o.Health = 50*time.Millisecond, 2*time.Second, 100*time.Millisecond
	o.Snapshot = -1
	o.Presence, o.Relay, o.Backoff = 200*time.Millisecond, 50*time.Millisecond, 5*time.Millisecond
	if os.Getenv("TRIBUTARY_TEST_LOG") != "" {
		o.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return o
}

// open makes the loop without running it.
func (s *site) open() (*replicator.Replicator, func()) {
	s.t.Helper()
	db := openDB(s.t, s.path)
	conn := ncruces.NewConn(db)
	e, err := engine.Open(context.Background(), conn, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	o := quick(replicator.Options{Links: s.links()})
	if s.tune != nil {
		s.tune(&o)
	}
	if o.Log != nil {
		o.Log = o.Log.With("at", filepath.Base(s.path))
	}
	r, err := replicator.New(e, conn, o)
	if err != nil {
		s.t.Fatal(err)
	}
	return r, func() {
		for _, l := range o.Links {
			l.Transport.Close()
		}
		e.Close()
		db.Close()
	}
}

// start runs the loop.
func (s *site) start() {
	s.t.Helper()
	r, done := s.open()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	s.r = r
	s.stop = func() error {
		cancel()
		err := <-ended
		done()
		s.stop = nil
		return err
	}
}

func (s *site) halt() {
	s.t.Helper()
	if err := s.stop(); err != nil {
		s.t.Errorf("%s: Run: %v", s.path, err)
	}
}

// once does one round.
func (s *site) once() error {
	r, done := s.open()
	defer done()
	return r.Once(context.Background())
}

func (s *site) exec(sql string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writer.Exec(sql); err != nil {
		s.t.Fatalf("%s: %s: %v", filepath.Base(s.path), sql, err)
	}
}

// rows is all of the table as text.
func (s *site) rows() string {
	s.t.Helper()
	return s.query("SELECT id, a, b FROM t ORDER BY id")
}

func (s *site) query(sql string) string {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	q, _, err := s.writer.Prepare(sql)
	if err != nil {
		s.t.Fatal(err)
	}
	defer q.Close()
	var out []string
	for q.Step() {
		var f []string
		for i := range q.ColumnCount() {
			f = append(f, q.ColumnText(i))
		}
		out = append(out, strings.Join(f, "|"))
	}
	if err := q.Err(); err != nil {
		s.t.Fatal(err)
	}
	return strings.Join(out, "\n")
}

// until waits for something that other goroutines bring about.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); transports.Wait(context.Background(), 5*time.Millisecond, nil) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// converge waits until all sites show the same rows, and want of them if it is not "".
func converge(t testing.TB, want string, sites ...*site) {
	t.Helper()
	var got []string
	defer func() {
		if t.Failed() {
			for i, s := range sites {
				t.Logf("%s: %.300q", filepath.Base(s.path), got[i])
				if s.stop != nil {
					for _, l := range s.r.Status() {
						t.Logf("  %s %s %s %s %+v", l.Link, l.State, l.Site, l.Why, l.Counters)
					}
				}
				s.with(func(e *engine.Engine) {
					v, _ := e.Vector(t.Context())
					p, _ := e.Pending(t.Context())
					t.Logf("  site %s vector %v, %d waiting", e.Site(), v, len(p))
				})
			}
		}
	}()
	until(t, "equal databases", func() bool {
		got = got[:0]
		for _, s := range sites {
			got = append(got, s.rows())
		}
		for _, g := range got {
			if g != got[0] || want != "" && g != want {
				return false
			}
		}
		return true
	})
}

func insert(id int, a string) string { return fmt.Sprintf("INSERT INTO t VALUES (%d, '%s', 1)", id, a) }

func link(name string, t transports.Transport) replicator.Link {
	return replicator.Link{Name: name, Transport: t}
}
