package conformance_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tributary-db/tributary/engine"
)

// TestWriters lets two processes write to one file while this one syncs it with another file, again and again: no
// change is lost, and nobody sees more than a bounded wait.
func TestWriters(t *testing.T) {
	millis := 3000
	if testing.Short() {
		millis = 800
	}
	for _, journal := range []string{"wal", "delete"} {
		t.Run(journal, func(t *testing.T) {
			dir := t.TempDir()
			a := newReplica(t, dir, "a")
			a.execf("PRAGMA journal_mode = %s", journal)
			a.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, writer INT, n INT); CREATE TABLE sum(writer INTEGER PRIMARY KEY, n INT); INSERT INTO sum VALUES (1, 0), (2, 0)")
			a.track()
			b := a.clone("b")
			done := make(chan error, 2)
			for w := 1; w <= 2; w++ {
				c := child(t, "writer", a.path, fmt.Sprint(w), fmt.Sprint(millis))
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				go func() {
					err := c.Wait()
					if err != nil {
						err = fmt.Errorf("%w\n%s", err, c.Stdout)
					}
					done <- err
				}()
			}
			syncs, longest := 0, time.Duration(0)
			for left := 2; left > 0; {
				select {
				case err := <-done:
					if left--; err != nil {
						t.Error(err)
					}
				default:
				}
				start := time.Now()
				if _, err := engine.Sync(t.Context(), a.engine, b.engine, engine.SyncOptions{}); err != nil {
					t.Fatalf("sync %d: %v", syncs, err)
				}
				longest = max(longest, time.Since(start))
				if n := b.int("SELECT (SELECT count(*) FROM t) - (SELECT sum(n) FROM sum)"); n != 0 {
					t.Fatalf("sync %d made a transaction visible in parts: the sums are off by %d", syncs, n)
				}
				b.execf("UPDATE t SET n = n + 1 WHERE id %% 50 = 0") // the other side writes too
				syncs++
			}
			sync(t, a, b)
			n := b.int("SELECT count(*) FROM t")
			if want := a.int("SELECT sum(n) FROM sum"); n != want || n < 10 {
				t.Errorf("%d rows arrived, want %d", n, want)
			}
			t.Logf("%d rows and %d syncs while two processes wrote, the longest took %v", n, syncs, longest.Round(time.Millisecond))
			if syncs < 3 {
				t.Errorf("only %d syncs ran beside the writers", syncs)
			}
			if longest > 15*time.Second {
				t.Errorf("a sync waited %v", longest)
			}
			converged(t, a, b)
		})
	}
}

// busyWriter is the child: transactions of one row and one sum.
func busyWriter(t *testing.T, path string, writer, millis int) {
	w, err := (host{}).Writer(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i, end := 0, time.Now().Add(time.Duration(millis)*time.Millisecond); time.Now().Before(end); i++ {
		err := w.Exec(fmt.Sprintf("BEGIN IMMEDIATE; INSERT INTO t VALUES (%d, %d, 0); UPDATE sum SET n = n + 1 WHERE writer = %d; COMMIT", i*2+writer, writer, writer))
		if err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
	}
}
