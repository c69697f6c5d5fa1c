//go:build unix

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// node is one replica of the fleet: a file, a plain connection that writes to it, and a process that serves it.
type node struct {
	t     *testing.T
	bin   string
	path  string
	args  []string
	plain *sqlite3.Conn
	cmd   *exec.Cmd
	log   *os.File
}

func (n *node) start() {
	n.t.Helper()
	if n.cmd != nil {
		return
	}
	n.cmd = exec.Command(n.bin, append([]string{"serve", n.path}, n.args...)...)
	n.cmd.Stderr = n.log
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) stop(sig os.Signal) {
	n.t.Helper()
	if n.cmd == nil {
		return
	}
	n.cmd.Process.Signal(sig)
	err := n.cmd.Wait()
	if exit := new(exec.ExitError); err != nil && (sig != syscall.SIGKILL || !errors.As(err, &exit)) {
		text, _ := os.ReadFile(n.log.Name())
		n.t.Errorf("%s: %v\n%s", n.path, err, text)
	}
	n.cmd = nil
}

func (n *node) signal(sig os.Signal) {
	n.t.Helper()
	if err := n.cmd.Process.Signal(sig); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) exec(sql string) {
	n.t.Helper()
	if err := n.plain.Exec(sql); err != nil {
		n.t.Fatalf("%s: %s: %v", n.path, sql, err)
	}
}

// rows is a checksum of the table that is equal where the rows are.
func (n *node) rows() string {
	n.t.Helper()
	s, _, err := n.plain.Prepare("SELECT group_concat(id || '=' || ifnull(a, '') || '/' || ifnull(b, ''), ';') FROM (SELECT * FROM t ORDER BY id)")
	if err != nil {
		n.t.Fatal(err)
	}
	defer s.Close()
	s.Step()
	return s.ColumnText(0)
}

func (n *node) has(id string) bool {
	n.t.Helper()
	s, _, err := n.plain.Prepare("SELECT 1 FROM t WHERE id = ?")
	if err != nil {
		n.t.Fatal(err)
	}
	defer s.Close()
	s.BindText(1, id)
	return s.Step()
}

// TestFleet: processes and their broker are killed, and the broker's store is lost, shortened and restored from an old
// copy, while plain connections write everywhere. In the end all are equal, and nothing that was committed is missing.
//
// TRIBUTARY_FLEET=20,60s is the long form: replicas and time. TRIBUTARY_SEED repeats a run's choices.
func TestFleet(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes for a while")
	}
	size, long := 4, 5*time.Second
	if env := os.Getenv("TRIBUTARY_FLEET"); env != "" {
		n, d, _ := strings.Cut(env, ",")
		var err1, err2 error
		size, err1 = strconv.Atoi(n)
		long, err2 = time.ParseDuration(d)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	if env := os.Getenv("TRIBUTARY_SEED"); env != "" {
		var err error
		if seed, err = strconv.ParseUint(env, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("again with: TRIBUTARY_SEED=%d TRIBUTARY_FLEET=%d,%v go test ./cmd/tributary -run TestFleet", seed, size, long)
	rng := rand.New(rand.NewPCG(seed, 0))
	nodes, store := newFleet(t, size)
	for _, n := range nodes {
		n.start()
	}
	inserted := map[string]bool{}
	serial := 0
	work := func(d time.Duration) {
		for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond) {
			n := nodes[rng.IntN(size)]
			serial++
			switch rng.IntN(6) {
			case 0:
				n.exec(fmt.Sprintf("UPDATE t SET b = %d WHERE id LIKE '%%%d'", serial, rng.IntN(10)))
			case 1:
				n.exec(fmt.Sprintf("INSERT INTO t VALUES ('shared%d', 'by %d', 0) ON CONFLICT DO UPDATE SET a = excluded.a", rng.IntN(5), serial))
			case 2:
				n.exec(fmt.Sprintf("DELETE FROM t WHERE id = 'shared%d'", rng.IntN(5)))
			default:
				id := fmt.Sprintf("row%d", serial)
				n.exec(fmt.Sprintf("INSERT INTO t VALUES ('%s', 'once', %d)", id, serial))
				inserted[id] = true
			}
		}
	}
	broker, old := nodes[0], store+"-old"
	must := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	// Whoever starts a broker gives it the time that it takes here to get messages: what has none cannot be damaged.
	filled := func() { t.Helper(); waitFor(t, "messages in the store", func() bool { return newest(store) != "" }) }
	steps := []func(){
		func() { nodes[1+rng.IntN(size-1)].stop(syscall.SIGKILL) },
		func() {
			filled()
			broker.stop(syscall.SIGKILL)
			must(os.RemoveAll(old), os.CopyFS(old, os.DirFS(store)))
		},
		func() { nodes[1+rng.IntN(size-1)].stop(syscall.SIGKILL) },
		func() { // restored from the old copy
			filled()
			broker.stop(syscall.SIGTERM)
			must(os.RemoveAll(store), os.Rename(old, store))
		},
		func() { broker.stop(syscall.SIGKILL) },
		func() { // lost
			filled()
			broker.stop(syscall.SIGKILL)
			must(os.RemoveAll(store))
		},
		func() { nodes[1+rng.IntN(size-1)].stop(syscall.SIGKILL) },
		func() { // shortened: the newest block of messages is torn
			filled()
			broker.stop(syscall.SIGKILL)
			name := newest(store)
			info, err := os.Stat(name)
			must(err)
			must(os.Truncate(name, info.Size()/2))
		},
	}
	for _, s := range steps {
		work(long / time.Duration(2*len(steps)))
		s()
		work(long / time.Duration(2*len(steps)))
		for _, n := range nodes {
			n.start()
		}
	}
	for i, n := range nodes {
		n.exec(fmt.Sprintf("INSERT INTO t VALUES ('last%d', 'once', 0)", i))
		inserted[fmt.Sprintf("last%d", i)] = true
	}
	finished := time.Now()
	awaitEqual(t, nodes, inserted)
	t.Logf("%d statements, %d rows; equal %v after the last", serial, len(inserted), time.Since(finished).Round(time.Millisecond))
	for _, n := range nodes {
		n.stop(syscall.SIGTERM)
		if out, err := exec.Command(n.bin, "check", n.path).CombinedOutput(); err != nil {
			t.Errorf("check %s: %v\n%s", n.path, err, out)
		}
		if out, err := exec.Command(n.bin, "diff", nodes[0].path, n.path).CombinedOutput(); err != nil && n != nodes[0] {
			t.Errorf("diff %s: %v\n%s", n.path, err, out)
		}
	}
}

// newFleet makes the files. The first node's process has the broker.
func newFleet(t *testing.T, size int) (nodes []*node, store string) {
	t.Helper()
	dir := t.TempDir()
	bin := command(t, dir)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()
	store = filepath.Join(dir, "store")
	for i := range size {
		n := &node{t: t, bin: bin, path: filepath.Join(dir, fmt.Sprintf("n%02d.db", i)), args: []string{"--nats", "nats://" + at}}
		if i == 0 {
			n.args = []string{"--listen", at, "--nats-store", store}
		}
		if n.log, err = os.Create(n.path + ".log"); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			if out, err := exec.Command(bin, "clone", nodes[0].path, n.path).CombinedOutput(); err != nil {
				t.Fatalf("clone: %v\n%s", err, out)
			}
		}
		if n.plain, err = sqlite3.Open(n.path); err != nil {
			t.Fatal(err)
		}
		n.plain.BusyTimeout(time.Minute)
		if i == 0 {
			n.exec("PRAGMA journal_mode=WAL; CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a, b)")
			if out, err := exec.Command(bin, "track", n.path, "t").CombinedOutput(); err != nil {
				t.Fatalf("track: %v\n%s", err, out)
			}
		}
		nodes = append(nodes, n)
		t.Cleanup(func() {
			if n.cmd != nil {
				n.stop(syscall.SIGKILL)
			}
			n.plain.Close()
			n.log.Close()
		})
	}
	return nodes, store
}

// command is a name for this test binary under which it is the command: see TestMain.
func command(t *testing.T, dir string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "tributary")
	if err := os.Symlink(self, bin); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	return bin
}

// newest is the file of messages that the broker wrote last, "" before there is one.
func newest(store string) (name string) {
	list, _ := filepath.Glob(filepath.Join(store, "jetstream", "*", "streams", "CRDT-default-0", "msgs", "*.blk"))
	var last time.Time
	for _, f := range list {
		if info, err := os.Stat(f); err == nil && info.Size() > 0 && info.ModTime().After(last) {
			name, last = f, info.ModTime()
		}
	}
	return name
}

func awaitEqual(t *testing.T, nodes []*node, inserted map[string]bool) {
	t.Helper()
	for end := time.Now().Add(4 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		first, equal := nodes[0].rows(), true
		for _, n := range nodes[1:] {
			equal = equal && n.rows() == first
		}
		for id := range inserted {
			equal = equal && nodes[0].has(id)
		}
		if equal {
			return
		}
		if time.Now().After(end) {
			for _, n := range nodes {
				out, _ := exec.Command(n.bin, "status", n.path).CombinedOutput()
				text, _ := os.ReadFile(n.log.Name())
				t.Logf("%s: %d bytes of rows\n%s\n%s", n.path, len(n.rows()), out, text[max(0, len(text)-2000):])
			}
			t.Fatal("not equal after four minutes")
		}
	}
}
