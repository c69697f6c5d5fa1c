package ncruces

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/crdt"
)

// A SELECT that has to fold waits for other writers, as any statement with a busy timeout does.
func TestSelectWaitsForWriters(t *testing.T) {
	for name, test := range map[string]struct{ write, want string }{
		"holding": {"", "1"}, "writing": {"INSERT INTO t VALUES (2, 'b')", "2"}, "schema": {"CREATE TABLE u(x)", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			other := openSite(t, s.file)
			s.exec("PRAGMA busy_timeout = 10000; INSERT INTO t VALUES (1, 'a')")
			other.exec("BEGIN IMMEDIATE; " + test.write)
			done := make(chan error)
			go func() {
				time.Sleep(300 * time.Millisecond)
				done <- other.c.Exec("COMMIT")
			}()
			want(t, all(t, s.c, "SELECT rows FROM o WHERE cursor > ?1", crdt.Int(0)), test.want)
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSelectGivesUpWaiting(t *testing.T) {
	s := newSite(t)
	other := openSite(t, s.file)
	s.exec("INSERT INTO t VALUES (1, 'a')")
	other.exec("BEGIN IMMEDIATE")
	q := prepare(t, s.c, "SELECT rows FROM o")
	for _, timeout := range []time.Duration{0, 50 * time.Millisecond, 400 * time.Millisecond} {
		if err := s.db.BusyTimeout(timeout); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second has the same patience as the first
			start := time.Now()
			if err := q.Run(); !errors.Is(err, sqlite3.BUSY) {
				t.Errorf("got %v", err)
			}
			if d := time.Since(start); d < timeout/2 {
				t.Errorf("gave up after %v of %v", d, timeout)
			}
		}
	}
	if err := s.db.BusyTimeout(time.Hour); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	s.db.SetInterrupt(ctx)
	err := q.Run()
	s.db.SetInterrupt(context.Background())
	if !errors.Is(err, sqlite3.INTERRUPT) && !errors.Is(err, sqlite3.BUSY) { // interrupted as it ran, or as it waited
		t.Errorf("got %v", err)
	}
	other.exec("COMMIT")
	s.want("SELECT rows FROM o", "1")
}
