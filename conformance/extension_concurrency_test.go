package conformance_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/tributary-db/tributary/conformance/native"
	"github.com/tributary-db/tributary/engine"
)

// TestExtensionBesideOthers has three programs at one file: one that knows nothing of Tributary writes to it, one with
// the extension pulls from it, and this one syncs it with another file, as the command does. Nothing may be lost, and
// nobody may have to wait beyond the busy timeout.
func TestExtensionBesideOthers(t *testing.T) {
	t.Parallel()
	millis := 2000 * time.Millisecond
	if env("TRIBUTARY_LONG") != "" {
		millis = time.Minute
	}
	dir := t.TempDir()
	a := newReplica(t, dir, "a")
	a.exec("PRAGMA journal_mode = wal; CREATE TABLE t(id INTEGER PRIMARY KEY, n INT)")
	a.track()
	b := a.clone("b")
	app := newApplication(t) // fails or skips here, before there are goroutines
	puller := app.open(a.path)
	pulled := app.open(filepath.Join(dir, "pulled.db"))
	app.exec(puller, "CREATE VIRTUAL TABLE o USING stream_out(peer='pulled')")
	app.exec(pulled, "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT);; SELECT tributary_track('t');; CREATE VIRTUAL TABLE i USING stream_in(peer='a')")

	program, end := built(t, "driver"), time.Now().Add(millis)
	written, done := make(chan int, 1), make(chan error, 2)
	go func() {
		n, err := writeOn(program, a.path, end)
		written <- n
		done <- err
	}()
	pulls := 0
	go func() {
		for pulls == 0 || time.Now().Before(end) {
			if err := move(puller, pulled); err != nil {
				done <- err
				return
			}
			pulls++
		}
		done <- nil
	}()
	syncs := 0
	for syncs == 0 || time.Now().Before(end) {
		if _, err := engine.Sync(t.Context(), a.engine, b.engine, engine.SyncOptions{}); err != nil {
			t.Error(err)
			break
		}
		syncs++
	}
	if err := errors.Join(<-done, <-done); err != nil {
		t.Fatal(err)
	}
	sync(t, a, b)
	if err := move(puller, pulled); err != nil {
		t.Fatal(err)
	}
	n := <-written
	t.Logf("%d transactions written beside %d pulls and %d syncs", n, pulls, syncs)
	if n < 1 || pulls < 1 || syncs < 1 {
		t.Error("too few to prove anything")
	}
	app.want(pulled, "SELECT count(*), sum(n) FROM t", fmt.Sprintf("%d %d", n, n*(n-1)/2))
	if got := b.int("SELECT count(*) FROM t"); int(got) != n {
		t.Errorf("the synced file has %d rows of %d", got, n)
	}
	app.want(pulled, "SELECT tributary_check()", "'[]'")
	app.close(puller, pulled)
	converged(t, a, b)
}

// writeOn writes rows until the time is over, with a program that knows nothing of Tributary.
func writeOn(program, path string, end time.Time) (n int, err error) {
	p, err := native.Start(program)
	if err != nil {
		return 0, err
	}
	defer p.Close()
	c, err := p.Open(path)
	if err == nil {
		err = c.Exec("PRAGMA busy_timeout = 10000")
	}
	for err == nil && (n == 0 || time.Now().Before(end)) {
		if err = c.Exec(fmt.Sprintf("BEGIN IMMEDIATE; INSERT INTO t VALUES (%d, -1); UPDATE t SET n = %d WHERE id = %d; COMMIT", n, n, n)); err == nil {
			n++
		}
	}
	return n, err
}

// move takes what is new from one connection to the other, by SQL.
func move(from, to *native.Conn) error {
	rows, err := from.Rows("SELECT package, cursor FROM o")
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := to.Run("INSERT INTO i(package) VALUES (?1)", row[0]); err != nil {
			return err
		}
		if err := from.Run("UPDATE o SET acked = ?1", row[1]); err != nil {
			return err
		}
	}
	return nil
}
