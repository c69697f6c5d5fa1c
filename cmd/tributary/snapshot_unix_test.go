//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/transports/nats/embedded"
)

// TestSnapshots: processes on a real stream that keeps one message. A replica that was away, a new one that is served and a
// new one that does one round come up through a snapshot while nobody else is online, and keep what is their own.
func TestSnapshots(t *testing.T) {
	dir := t.TempDir()
	bin := command(t, dir)
	srv, err := embedded.Start(embedded.Options{Dir: filepath.Join(dir, "store"), Listen: "127.0.0.1:0", NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	run := func(want int, args ...string) string {
		t.Helper()
		out, err := exec.Command(bin, args...).CombinedOutput()
		code := 0
		if err != nil {
			code = err.(*exec.ExitError).ExitCode()
		}
		if code != want {
			t.Fatalf("tributary %s: exit %d\n%s", strings.Join(args, " "), code, out)
		}
		return string(out)
	}
	replica := func(name string, args ...string) *node {
		t.Helper()
		n := &node{t: t, bin: bin, path: filepath.Join(dir, name+".db"), args: append([]string{"--nats", srv.URL()}, args...)}
		if n.plain, err = sqlite3.Open(n.path); err != nil {
			t.Fatal(err)
		}
		n.plain.BusyTimeout(time.Minute)
		if n.log, err = os.Create(n.path + ".log"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if n.cmd != nil {
				n.stop(syscall.SIGKILL)
			}
			n.plain.Close()
			n.log.Close()
		})
		n.exec("PRAGMA journal_mode=WAL; CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a, b)")
		run(0, "track", n.path, "t")
		return n
	}
	has := func(n *node, ids ...string) {
		t.Helper()
		waitFor(t, n.path+" has "+strings.Join(ids, ", "), func() bool {
			for _, id := range ids {
				if !n.has(id) {
					return false
				}
			}
			return true
		})
	}
	nc, err := natsgo.Connect(srv.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	heads := func() (n uint64) {
		s, err := js.Stream(t.Context(), "CRDT-default-SNAP")
		if err != nil {
			return 0
		}
		i, err := s.Info(t.Context(), jetstream.WithSubjectFilter("snap.v1.main.*.*.head"))
		if err != nil {
			return 0
		}
		for range i.State.Subjects {
			n++
		}
		return n
	}
	limit := func(n int64) {
		t.Helper()
		s, err := js.Stream(t.Context(), "CRDT-default-0")
		if err != nil {
			t.Fatal(err)
		}
		c := s.CachedInfo().Config
		c.MaxMsgs = n
		if _, err := js.UpdateStream(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}

	a, b := replica("a", "--snapshot-every", "200ms"), replica("b")
	a.exec("INSERT INTO t VALUES ('a0', 'of a', 0)")
	a.start()
	b.start()
	has(b, "a0")
	b.stop(syscall.SIGTERM)
	b.exec("INSERT INTO t VALUES ('b0', 'offline', 0); UPDATE t SET b = 'offline' WHERE id = 'a0'")
	before := heads()
	a.exec("INSERT INTO t VALUES ('a1', 'meanwhile', 0); UPDATE t SET a = 'meanwhile' WHERE id = 'a0'")
	waitFor(t, "a snapshot", func() bool { return heads() > before })
	a.stop(syscall.SIGTERM)
	limit(1)

	b.start()
	has(b, "a0", "a1", "b0")
	waitFor(t, "LIVE, or what it needs", func() bool {
		out := run(0, "status", b.path)
		return strings.Contains(out, "LIVE") || strings.Contains(out, "NEEDS_SNAPSHOT")
	})
	b.stop(syscall.SIGTERM)
	c := replica("c") // new, and served
	c.exec("INSERT INTO t VALUES ('c0', 'of c', 0)")
	c.start()
	has(c, "a0", "a1", "c0")
	c.stop(syscall.SIGTERM)
	d := replica("d") // new, and one round
	d.exec("INSERT INTO t VALUES ('d0', 'of d', 0)")
	if out := run(0, "sync", d.path, srv.URL()); !strings.Contains(out, "a snapshot") {
		t.Errorf("sync says %q", out)
	}
	has(d, "a0", "a1", "d0")

	all := []*node{a, b, c, d}
	for _, n := range all {
		n.start()
	}
	for _, n := range all {
		has(n, "a0", "a1", "b0", "c0", "d0")
	}
	waitFor(t, "equal databases", func() bool { return a.rows() == b.rows() && b.rows() == c.rows() && c.rows() == d.rows() })
	if got := a.rows(); !strings.Contains(got, "a0=meanwhile/offline;") {
		t.Errorf("rows: %s", got)
	}
	for _, n := range all {
		n.stop(syscall.SIGTERM)
		run(0, "check", n.path)
	}

	// Where there is no snapshot, that is said.
	if err := js.DeleteStream(t.Context(), "CRDT-default-SNAP"); err != nil {
		t.Fatal(err)
	}
	a.exec("INSERT INTO t VALUES ('a2', 'one', 0)")
	run(0, "sync", a.path, srv.URL())
	a.exec("INSERT INTO t VALUES ('a3', 'two', 0)")
	run(0, "sync", a.path, srv.URL())
	e := replica("e")
	if out := run(0, "sync", e.path, srv.URL()); !strings.Contains(out, "no snapshot that has it") {
		t.Errorf("sync says %q", out)
	}
	e.start()
	waitFor(t, "the state NEEDS_SNAPSHOT", func() bool { return strings.Contains(run(0, "status", e.path), "NEEDS_SNAPSHOT") })
	a.start()
	has(e, "a0", "a3", "b0")
	e.stop(syscall.SIGTERM)
	a.stop(syscall.SIGTERM)
}

// waitFor waits for what other processes bring about.
func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}
