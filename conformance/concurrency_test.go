package conformance_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tributary-db/tributary/engine"
)

// TestWriters lets two processes write to one file while this one syncs it with another file, again and again: no
// change is lost, and a sync that does not get its turn within the busy timeout fails.
func TestWriters(t *testing.T) {
	const enough = 10 // syncs, after which the writers are told to stop
	for _, journal := range []string{"wal", "delete"} {
		t.Run(journal, func(t *testing.T) {
			dir := t.TempDir()
			a := newReplica(t, dir, "a")
			a.execf("PRAGMA journal_mode = %s", journal)
			a.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, writer INT, n INT); CREATE TABLE sum(writer INTEGER PRIMARY KEY, n INT); INSERT INTO sum VALUES (1, 0), (2, 0)")
			a.track()
			b := a.clone("b")
			done, stop := make(chan error, 2), filepath.Join(dir, "stop")
			for w := 1; w <= 2; w++ {
				c := child(t, "writer", a.path, fmt.Sprint(w), stop)
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = c.Process.Kill() }) // a test that fails tells nobody to stop
				go func() {
					err := c.Wait()
					if err != nil {
						err = fmt.Errorf("%w\n%s", err, c.Stdout)
					}
					done <- err
				}()
			}
			syncs := 0
			for left := 2; left > 0; {
				select {
				case err := <-done:
					if left--; err != nil {
						t.Error(err)
					}
				default:
				}
				if _, err := engine.Sync(t.Context(), a.engine, b.engine, engine.SyncOptions{}); err != nil {
					t.Fatalf("sync %d: %v", syncs, err)
				}
				if n := b.int("SELECT (SELECT count(*) FROM t) - (SELECT sum(n) FROM sum)"); n != 0 {
					t.Fatalf("sync %d made a transaction visible in parts: the sums are off by %d", syncs, n)
				}
				b.execf("UPDATE t SET n = n + 1 WHERE id %% 50 = 0") // the other side writes too
				if b.int("SELECT min(n) FROM sum") == 0 {
					continue // a writer has not begun yet
				}
				if syncs++; syncs == enough {
					if err := os.WriteFile(stop, nil, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			sync(t, a, b)
			n := b.int("SELECT count(*) FROM t")
			if want := a.int("SELECT sum(n) FROM sum"); n != want || n < 10 {
				t.Errorf("%d rows arrived, want %d", n, want)
			}
			t.Logf("%d rows and %d syncs while two processes wrote", n, syncs)
			if syncs < enough {
				t.Errorf("only %d syncs ran beside the writers", syncs)
			}
			converged(t, a, b)
		})
	}
}

// busyWriter is the child: transactions of one row and one sum until there is a file of the name stop, and ten at least.
func busyWriter(t *testing.T, path string, writer int, stop string) {
	w, err := (host{}).Writer(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i := 0; ; i++ {
		if _, err := os.Stat(stop); err == nil && i >= 10 {
			return
		}
		err := w.Exec(fmt.Sprintf("BEGIN IMMEDIATE; INSERT INTO t VALUES (%d, %d, 0); UPDATE sum SET n = n + 1 WHERE writer = %d; COMMIT", i*2+writer, writer, writer))
		if err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
		// Who writes without a breath starves all others in a rollback journal: SQLite's busy handler is not fair.
		time.Sleep(5 * time.Millisecond)
	}
}
