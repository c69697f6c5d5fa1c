package conformance_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tributary-db/tributary/engine"
)

// TestBigTable tracks a table of a million rows and sends it to an empty replica, in a process of its own whose memory
// is bounded as a whole.
func TestBigTable(t *testing.T) {
	rows := 1_000_000
	if testing.Short() {
		rows = 100_000
	}
	out := child(t, "bigtable", fmt.Sprint(rows), t.TempDir())
	if err := out.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out.Stderr)
	}
	t.Logf("%s", out.Stdout)
}

// bigTable is the child.
func bigTable(t *testing.T, rows int, dir string) {
	a, b := newReplica(t, dir, "a"), newReplica(t, dir, "b")
	schema := "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, n INT, r REAL, note TEXT)"
	a.exec(schema + fmt.Sprintf(`; WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < %d)
		INSERT INTO t SELECT i, 'name ' || i, i %% 1000, i * 0.5, printf('note %%d of a row', i * 7919 %% %d) FROM s`, rows, rows))
	b.exec(schema)
	before := a.pages()
	a.track()
	if n := a.pages() - before; n > 1000 {
		t.Errorf("tracking asks for %d pages: it reads the rows", n)
	} else {
		fmt.Printf("tracking %d rows asks for %d pages\n", rows, n)
	}
	b.track()
	start := time.Now()
	before = a.pages() + b.pages()
	var half int64
	done, bytes := 0, 0
	var list []engine.Pulled // a transport would not hold them either: at most one at a time
	for p, err := range a.engine.Pull(t.Context(), engine.PullOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list[:0], p)
		if _, err := b.engine.Apply(t.Context(), list[0].Package, engine.ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
		done, bytes = done+p.Rows, bytes+len(p.Package)
		if half == 0 && done >= rows/2 {
			half = a.pages() + b.pages() - before
		}
	}
	total, took := a.pages()+b.pages()-before, time.Since(start)
	fmt.Printf("sending takes %v: %.0f rows/s, %.1f bytes and %.1f pages a row\n", took.Round(time.Millisecond), float64(done)/took.Seconds(), float64(bytes)/float64(done), float64(total)/float64(done))
	if n := b.int("SELECT count(*) FROM t"); n != int64(rows) {
		t.Errorf("%d rows arrived, want %d", n, rows)
	}
	peak := peakMemory()
	fmt.Printf("peak memory %d MiB\n", peak>>20)
	if peak > 200<<20 && !raceEnabled {
		t.Errorf("peak memory %d MiB, want under 200", peak>>20)
	}
	if total > 3*half {
		t.Errorf("the first half asked for %d of %d pages: there is a quadratic step", half, total)
	}
	// One more change is one more row, however big the table.
	since, err := a.engine.Cursor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a.execf("UPDATE t SET n = -1 WHERE id = %d", rows/2)
	before = a.pages() + b.pages()
	if _, bytes := deliver(t, a, b, engine.PullOptions{Since: since}); bytes > 1000 {
		t.Errorf("one change sent %d bytes", bytes)
	}
	if n := a.pages() + b.pages() - before; n > 1000 {
		t.Errorf("one change asks for %d pages: it reads the rows", n)
	} else {
		fmt.Printf("one more change asks for %d pages\n", n)
	}
	if text, err := quickCompare(a, b); err != nil || text != "" {
		t.Errorf("the replicas differ: %s %v", text, err)
	}
}

// quickCompare compares sums instead of a million lines.
func quickCompare(a, b *replica) (string, error) {
	const sums = "SELECT count(*) || ' ' || sum(id) || ' ' || sum(n) || ' ' || sum(r) || ' ' || sum(length(name)) || ' ' || sum(unicode(substr(note, -1))) || ' ' || max(note) FROM t"
	x, y := a.rows(sums), b.rows(sums)
	if !x[0][0].Equal(y[0][0]) {
		return fmt.Sprintf("%s against %s", x[0][0].Bytes(), y[0][0].Bytes()), nil
	}
	return "", nil
}

// peakMemory is the most resident memory that this process had, 0 where the system does not tell.
// https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
func peakMemory() int64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "VmHWM:"); ok {
			var kb int64
			fmt.Sscan(rest, &kb)
			return kb << 10
		}
	}
	return 0
}
