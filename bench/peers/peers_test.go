package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// small has what the format must carry: two tables, a key of two columns, a table that is nothing but a key, every kind of
// value, and every character that is escaped.
func small() *dataset {
	return &dataset{tables: []*table{
		{"mixed", 2, []string{"k", "l", "v", "w"}, []string{"TEXT", "INTEGER", "", "REAL"}, [][]any{
			{"a\tb\nc\rd\\e\\t", int64(-1), nil, 0.5},
			{"", int64(1) << 60, "", -1e300},
		}},
		{"edge", 2, []string{"a", "b"}, []string{"INT", "INT"}, [][]any{{int64(1), int64(2)}}},
	}}
}

func TestDataset(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.tsv")
	want := small()
	if err := want.write(path); err != nil {
		t.Fatal(err)
	}
	got, err := readDataset(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(dataset{}, table{})); d != "" {
		t.Errorf("written, then read (-want +got):\n%s", d)
	}
	for _, text := range []string{"R\ti1\n", "T\tt\tx\n", "T\tt\t1\tid\tINT\nR\tix\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readDataset(path); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

func TestValueBytes(t *testing.T) {
	for v, want := range map[int64]int64{0: 0, 1: 0, 2: 1, -1: 1, 127: 1, 128: 2, -128: 1, -129: 2, 1 << 15: 3, 1 << 23: 4, 1 << 31: 6, 1 << 47: 8} {
		if got := integerBytes(v); got != want {
			t.Errorf("integerBytes(%d) = %d, want %d", v, got, want)
		}
	}
	if got := small().valueBytes(); got != 11+1+8+8+8+0+1 {
		t.Errorf("valueBytes() = %d", got)
	}
}

// TestHistory makes rows of a log that has what logs have: a new file, a changed and a deleted one, lines that look like headers.
func TestHistory(t *testing.T) {
	log := commitLine + `100 first: a: b
diff --git a/x y.go b/x y.go
new file mode 100644
--- /dev/null
+++ b/x y.go
@@ -0,0 +1,2 @@
+package x
++++ b/no header
` + commitLine + `200 second

diff --git a/x y.go b/x y.go
--- a/x y.go
+++ b/x y.go
@@ -1 +0,0 @@
-package x
@@ -2 +1 @@ func f() {
---- a/no header
+` + strings.Repeat("é", 60) + `
diff --git a/gone b/gone
--- a/gone
+++ /dev/null
@@ -1,3 +0,0 @@
-1
-2
-3
`
	got, err := parseHistory(strings.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	want := [][][]any{
		{{int64(1), int64(100), "first: a: b"}, {int64(2), int64(200), "second"}},
		{
			{int64(1), "x y.go", int64(1), int64(1), int64(0), int64(2), "package x"},
			{int64(2), "x y.go", int64(1), int64(0), int64(1), int64(0), "package x"},
			{int64(2), "x y.go", int64(2), int64(1), int64(1), int64(1), strings.Repeat("é", 40)},
			{int64(2), "gone", int64(1), int64(0), int64(3), int64(0), "1"},
		},
	}
	for i, rows := range want {
		if d := cmp.Diff(rows, got.tables[i].rows); d != "" {
			t.Errorf("table %s (-want +got):\n%s", got.tables[i].name, d)
		}
	}
	for _, bad := range []string{commitLine + "x y\n", "@@ -1\n", "@@ -1 +x @@\n"} {
		if _, err := parseHistory(strings.NewReader(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
	recorded, err := readHistory()
	if err != nil || recorded.rows() < 2000 {
		t.Errorf("the recorded history has %d rows, %v", recorded.rows(), err)
	}
	s := &scenario{data: recorded, scratch: t.TempDir(), tracked: true}
	if err := s.run(); err != nil {
		t.Error(err)
	}
}

// TestScenario runs both kinds of workers of this program; a run checks its own outcome.
func TestScenario(t *testing.T) {
	for _, d := range []*dataset{small(), synthetic(50)} {
		for _, tracked := range []bool{false, true} {
			s := &scenario{data: d, scratch: t.TempDir(), tracked: tracked}
			for range 2 { // the second run begins with the files of the first
				if err := s.run(); err != nil {
					t.Errorf("tracked %v: %v", tracked, err)
				}
			}
		}
	}
}

// TestVerify shows that a run would notice an engine that loses a write or keeps a deleted row.
func TestVerify(t *testing.T) {
	s := &scenario{data: small(), scratch: t.TempDir()}
	r, err := s.open("x")
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(r.write(s.data, "insert", 0, 1000))
	must(r.verify(s.data, 0))
	if r.verify(s.data, 1) == nil {
		t.Error("rows that were never updated pass for updated ones")
	}
	must(r.write(s.data, "update", 1, 1000))
	must(r.verify(s.data, 1))
	if r.verify(s.data, -1) == nil {
		t.Error("a full table passes for an empty one")
	}
	must(r.writer.Exec("DELETE FROM edge"))
	if r.verify(s.data, 1) == nil {
		t.Error("a row that is gone is not missed")
	}
}

func TestMissing(t *testing.T) {
	t.Setenv("TRIBUTARY_EXT", "")
	t.Setenv("CRSQLITE_EXT", filepath.Join(t.TempDir(), "none.so"))
	peers := discover(t.Context(), t.TempDir(), "cr-sqlite,tributary-native,tributary-ncruces")
	var got []string
	for _, p := range peers {
		got = append(got, p.name+": "+p.missing)
	}
	for i, want := range []string{"tributary-native: TRIBUTARY_EXT is not set", "cr-sqlite: CRSQLITE_EXT names no file", "tributary-ncruces: "} {
		if i >= len(got) || !strings.HasPrefix(got[i], want) {
			t.Errorf("peer %d of %q: want %q", i, got, want)
		}
	}
	if peers[2].missing != "" || !slices.Contains(peers[2].args, "tributary") {
		t.Errorf("our own worker is missing: %+v", peers[2])
	}
}

// TestNative runs the worker in C on bare tables, and on the loadable extension if TRIBUTARY_EXT names it.
func TestNative(t *testing.T) {
	t.Chdir(filepath.Join("..", "..")) // where the harness runs
	dir := t.TempDir()
	peers := discover(t.Context(), dir, bareNative+",tributary-native")
	if peers[0].missing != "" {
		t.Skip(peers[0].missing)
	}
	for _, d := range []*dataset{small(), synthetic(50)} {
		set, err := race(t.Context(), d, peers, 2, time.Minute, dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range set.Peers {
			if p.Missing != "" && !strings.HasPrefix(p.Missing, "TRIBUTARY_EXT is not set") {
				t.Errorf("%s: %s", p.Name, p.Missing)
			}
			if p.Missing == "" && (p.Phases["apply delete"].CPU <= 0 || p.Bytes["settled"] <= 0) {
				t.Errorf("%s: %+v", p.Name, p)
			}
		}
	}
}

func TestResult(t *testing.T) {
	r := &result{phases: map[string]cost{}, wire: map[string]sizes{}, bytes: map[string]int64{}}
	for _, line := range []string{"phase\tlocal insert\t10\t2000\t1000", "bytes\tloaded\t5"} {
		if err := r.add(strings.Split(line, "\t")); err != nil {
			t.Fatal(err)
		}
	}
	if r.phases["local insert"] != (cost{200, 100}) || r.bytes["loaded"] != 5 {
		t.Errorf("%+v", r)
	}
	for _, line := range []string{"error\tlost a row", "nonsense", "phase\tx\t0\t1\t1", "wire\tinsert\t1\t" + t.TempDir() + "/none"} {
		if r.add(strings.Split(line, "\t")) == nil {
			t.Errorf("%q: no error", line)
		}
	}
}

func TestSummary(t *testing.T) {
	floor, other := &peer{name: "f", floor: "f"}, &peer{name: "o", floor: "f"}
	run := func(cpu float64) *result { return &result{phases: map[string]cost{"p": {cpu: cpu}}} }
	s := summarize(small(), []*peer{floor, other}, map[*peer]*measurement{
		floor: {runs: []*result{run(10), run(100), run(20)}},
		other: {runs: []*result{run(20), run(400), run(100)}},
	})
	// Ratios are taken within a round: of 2, 4 and 5 the median, not the ratio of medians.
	if got := s.Peers[1].Phases["p"]; got.CPU != 100 || got.Ratio != 4 {
		t.Errorf("%+v, want a median of 100 and a ratio of 4", got)
	}
}
