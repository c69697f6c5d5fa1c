// Package bench holds benchmarks that need several packages or processes; others stand beside what they measure.
package bench

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// program builds the command once for a benchmark.
func program(b *testing.B) string {
	b.Helper()
	bin := filepath.Join(b.TempDir(), "tributary")
	if out, err := exec.Command("go", "build", "-o", bin, "../cmd/tributary").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return bin
}

func run(b *testing.B, name string, args ...string) {
	b.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		b.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// serve starts a serve and stops it at the end.
func serve(b *testing.B, bin string, args ...string) {
	b.Helper()
	cmd := exec.Command(bin, append([]string{"serve"}, args...)...)
	log, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			text, _ := os.ReadFile(log.Name())
			b.Errorf("%v: %v\n%s", args, err, text)
		}
		log.Close()
	})
}

func freePort(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// shell is the plain sqlite3 program, held open.
type shell struct {
	in  io.WriteCloser
	out *bufio.Scanner
}

func openShell(b *testing.B, path string) *shell {
	b.Helper()
	cmd := exec.Command("sqlite3", "-batch", path)
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); cmd.Wait() })
	s := &shell{in, bufio.NewScanner(out)}
	fmt.Fprintln(in, ".timeout 10000")
	return s
}

// exec runs a statement and waits until it is committed.
func (s *shell) exec(sql string) {
	fmt.Fprintf(s.in, "%s; SELECT 'done';\n", sql)
	for s.out.Scan() && s.out.Text() != "done" {
	}
}

// BenchmarkLatency: from the commit of the plain sqlite3 program in one file until another connection can read it from the
// other file, over two processes of the command. edits alternate between the files, one at a time.
func BenchmarkLatency(b *testing.B) {
	if _, err := exec.LookPath("sqlite3"); err != nil {
		b.Skip("no sqlite3 program")
	}
	bin := program(b)
	for _, via := range []string{"nats", "http", "dir"} {
		b.Run("via="+via, func(b *testing.B) {
			b.StopTimer()
			dir := b.TempDir()
			files := []string{filepath.Join(dir, "a.db"), filepath.Join(dir, "b.db")}
			run(b, "sqlite3", files[0], "PRAGMA journal_mode=WAL; CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT)")
			run(b, bin, "track", files[0], "t")
			run(b, bin, "clone", files[0], files[1])
			at := freePort(b)
			switch via {
			case "nats":
				serve(b, bin, files[0], "--listen", at)
				serve(b, bin, files[1], "--nats", "nats://"+at)
			case "http":
				serve(b, bin, files[0], "--http", at)
				serve(b, bin, files[1], "--via", "http://"+at)
			case "dir":
				serve(b, bin, files[0], "--dir", filepath.Join(dir, "shared"))
				serve(b, bin, files[1], "--dir", filepath.Join(dir, "shared"))
			}
			var shells [2]*shell
			var readers [2]*sqlite3.Stmt
			for i, f := range files {
				shells[i] = openShell(b, f)
				conn, err := sqlite3.Open(f)
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { conn.Close() })
				conn.BusyTimeout(10 * time.Second)
				if readers[i], _, err = conn.Prepare("SELECT 1 FROM t WHERE id = ?"); err != nil {
					b.Fatal(err)
				}
			}
			edit := func(n int) time.Duration {
				from, to := n%2, 1-n%2
				start := time.Now()
				shells[from].exec(fmt.Sprintf("INSERT INTO t VALUES (%d, 'some text of a row')", n))
				committed := time.Now()
				s := readers[to]
				for found := false; !found; {
					s.BindInt(1, n)
					found = s.Step()
					s.Reset()
					if time.Since(start) > time.Minute {
						b.Fatal("it never came")
					}
					time.Sleep(200 * time.Microsecond)
				}
				return time.Since(committed)
			}
			for i := range 6 { // until both are live
				edit(i)
			}
			var took []time.Duration
			for n := range b.N {
				took = append(took, edit(1000+n))
				time.Sleep(50 * time.Millisecond) // one at a time
			}
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms")
			b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}
