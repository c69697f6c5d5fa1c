package vectors_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tributary-db/tributary/conformance/vectors"
	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine/zstd"
)

func load(t *testing.T) []*vectors.Vector {
	t.Helper()
	list, err := vectors.Load()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestVectors takes every vector through package crdt, and what it accepts back to the same bytes.
func TestVectors(t *testing.T) {
	seen := map[string]int{}
	for _, v := range load(t) {
		seen[string(v.Kind)]++
		seen[string(v.Expect)]++
		got, text, err := vectors.Judge(v, zstd.New())
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		if got != v.Expect || text != v.Text() {
			t.Errorf("%s (%s): got %s\n%swant %s\n%s", v.Name, v.Comment, got, text, v.Expect, v.Text())
		}
		if v.Expect == vectors.Accept {
			again(t, v)
		}
	}
	for _, what := range []string{"value", "columns", "package", "json", "vector", "clock", "merge", "accept", "unsupported", "corrupt", "truncated", "over-limit", "missing-birth"} {
		if seen[what] == 0 {
			t.Errorf("there is no vector of %s", what)
		}
	}
}

// again encodes what was decoded.
func again(t *testing.T, v *vectors.Vector) {
	t.Helper()
	same := func(got []byte) {
		t.Helper()
		if !bytes.Equal(got, v.Part("bytes")) {
			t.Errorf("%s: encoded again\n got %x\nwant %x", v.Name, got, v.Part("bytes"))
		}
	}
	switch v.Kind {
	case vectors.KindValue:
		x, _, _ := crdt.DecodeValue(v.Part("bytes"))
		same(crdt.AppendValue(nil, x))
	case vectors.KindColumns:
		x, _, _ := crdt.DecodeColumnSet(v.Part("bytes"))
		same(x.AppendBinary(nil))
	case vectors.KindPackage, vectors.KindJSON:
		p := &crdt.Package{}
		if v.Kind == vectors.KindJSON {
			p.UnmarshalJSON(v.Part("json"))
		} else {
			p, _ = crdt.DecodePackage(v.Part("bytes"), zstd.New(), crdt.Limits{})
		}
		b, err := p.Append(nil, nil)
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			return
		}
		if v.Kind == vectors.KindPackage && !v.Zstd { // compressors differ, the plain form does not
			same(b)
		}
		// The other form says the same.
		j, err := p.MarshalJSON()
		q := &crdt.Package{}
		if err == nil {
			err = q.UnmarshalJSON(j)
		}
		if err != nil || vectors.RenderPackage(q) != v.Text() {
			t.Errorf("%s: by way of JSON: %v\n%s", v.Name, err, vectors.RenderPackage(q))
		}
		if p, err = crdt.DecodePackage(b, nil, crdt.Limits{}); err != nil || vectors.RenderPackage(p) != v.Text() {
			t.Errorf("%s: by way of bytes: %v", v.Name, err)
		}
	case vectors.KindVector:
		for name := range strings.FieldsSeq("a b") {
			var x, y crdt.VersionVector
			if x.UnmarshalJSON(v.Part(name)) != nil {
				t.Errorf("%s: %s", v.Name, name)
			}
			j, _ := x.MarshalJSON()
			if err := y.UnmarshalJSON(j); err != nil || !x.Equal(y) {
				t.Errorf("%s: %s: %s, %v", v.Name, name, j, err)
			}
		}
	}
}

// TestMergeOrders merges the changes of every merge vector in all orders, and with one of them twice.
func TestMergeOrders(t *testing.T) {
	orders := 0
	for _, v := range load(t) {
		if v.Kind != vectors.KindMerge || v.Expect != vectors.Accept {
			continue
		}
		changes := v.All("bytes")
		permute(len(changes), func(order []int) {
			for twice := range changes {
				w := &vectors.Vector{Kind: v.Kind}
				for _, i := range append(slices.Clone(order), twice) {
					w.Parts = append(w.Parts, vectors.Part{Name: "bytes", Data: changes[i]})
				}
				got, text, err := vectors.Judge(w, nil)
				if got == vectors.MissingBirth {
					return // an order that causal delivery rules out
				}
				orders++
				if err != nil || text != v.Text() {
					t.Errorf("%s in the order %v, then %d again: %v\n got %s\nwant %s", v.Name, order, twice, err, text, v.Text())
				}
			}
		})
	}
	if orders < 100 {
		t.Errorf("only %d orders", orders)
	}
}

func permute(n int, f func([]int)) {
	var next func(order []int)
	next = func(order []int) {
		if len(order) == n {
			f(order)
			return
		}
		for i := range n {
			if !slices.Contains(order, i) {
				next(append(slices.Clip(order), i))
			}
		}
	}
	next(nil)
}

// TestGenerated writes the vectors again and compares: a changed file, or a generator that differs from run to run, is seen.
func TestGenerated(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("go", "run", "./gen", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	compare := func(from, to string) (n int) {
		names, err := filepath.Glob(filepath.Join(from, "*", "*.txt"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			other := filepath.Join(to, filepath.Base(filepath.Dir(name)), filepath.Base(name))
			a, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := os.ReadFile(other); err != nil || !bytes.Equal(a, b) {
				t.Errorf("%s and %s differ (%v): run go generate ./conformance/vectors", name, other, err)
			}
		}
		return len(names)
	}
	if n, m := compare("data", dir), compare(dir, "data"); n != m || n < 200 {
		t.Errorf("%d vectors are committed, %d are generated", n, m)
	}
}

// TestFiles reads every file back to what it was written from.
func TestFiles(t *testing.T) {
	for _, v := range load(t) {
		want, err := os.ReadFile(filepath.Join("data", filepath.FromSlash(v.Name)+".txt"))
		if err != nil || !bytes.Equal(v.Format(), want) {
			t.Errorf("%s is not in the form that Format gives (%v)", v.Name, err)
		}
	}
	for name, file := range map[string]string{
		"no empty line": "kind: value\n", "unknown kind": "kind: x\nexpect: accept\ncomment: c\n\n-- bytes --\n-- text --\n",
		"unknown outcome": "kind: value\nexpect: perhaps\ncomment: c\n\n-- bytes --\n", "no part": "kind: clock\nexpect: accept\ncomment: c\n\n-- text --\n",
		"accepted without a text": "kind: value\nexpect: accept\ncomment: c\n\n-- bytes --\n00\n", "not hex": "kind: value\nexpect: corrupt\ncomment: c\n\n-- bytes --\n0\n",
		"a header that nobody knows": "kind: value\nsize: 3\n\n-- bytes --\n", "text before the parts": "kind: value\nexpect: corrupt\ncomment: c\n\nx\n",
	} {
		if v, err := vectors.Parse(name, []byte(file)); err == nil {
			t.Errorf("%s: read as %+v", name, v)
		}
	}
}

// TestReader lets the Python reader, which knows nothing but crdt/FORMAT.md, judge the same files.
func TestReader(t *testing.T) {
	python := "python3"
	if _, err := exec.LookPath(python); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("CI must have python3: without it nothing shows that FORMAT.md is sufficient")
		}
		t.Skip("python3 is not installed: the reader in another language was not run")
	}
	out, err := exec.Command(python, "reader.py", "data").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var checked, skipped, wrong int
	if _, err := fmt.Sscanf(lines[len(lines)-1], "%d vectors checked, %d skipped, %d wrong", &checked, &skipped, &wrong); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	all, zstd := 0, 0
	for _, v := range load(t) {
		all++
		if v.Zstd {
			zstd++
		}
	}
	if checked+skipped != all || skipped > zstd || wrong > 0 {
		t.Errorf("of %d vectors, %d of which need zstd, %d were checked and %d skipped", all, zstd, checked, skipped)
	}
	// It must be able to say no: one changed outcome, and one changed text.
	dir := t.TempDir()
	for name, change := range map[string][2]string{"checksum": {"expect: corrupt", "expect: truncated"}, "rows": {"'b'", "'c'"}} {
		b, err := os.ReadFile(filepath.Join("data", "package", name+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(b), change[0], change[1], 1)
		if changed == string(b) {
			t.Fatalf("%s does not hold %s", name, change[0])
		}
		if err := os.WriteFile(filepath.Join(dir, name+".txt"), []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command(python, "reader.py", dir).CombinedOutput(); err == nil || !strings.Contains(string(out), "2 vectors checked, 0 skipped, 2 wrong") {
		t.Errorf("two vectors were changed, and the reader said %v\n%s", err, out)
	}
}
