package conformance_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The policy of this repository, as data. Relaxing a rule is a change of its own, with its reason here.
const module = "github.com/tributary-db/tributary"

// root is the repository as seen from this folder.
const root = ".."

// rule says what the packages under a folder may import besides the standard library and themselves.
type rule struct {
	folder string
	may    []string // import paths; "./x" is a package of ours and all below it
	reason string
}

// The first rule whose folder holds the package counts.
var rules = []rule{
	{"crdt", nil, "values and merge laws stay usable by any program, and provable without a world around them"},
	{"engine/zstd", []string{"./crdt", "github.com/klauspost/compress"}, "the one codec, kept out of engine so that a relay needs no third party"},
	{"engine/replicator", []string{"./crdt", "./engine", "./transports", "github.com/fsnotify/fsnotify"}, "the sync loop knows the engine and the transports' interface, no driver and no medium"},
	{"engine", []string{"./crdt", "./engine/internal"}, "runs over Conn, never over a driver"},
	{"vtab/ncruces", []string{"./crdt", "./engine", "./vtab", "github.com/ncruces/go-sqlite3"}, "translates one driver and decides nothing"},
	{"vtab/loadable/examples", []string{"github.com/mattn/go-sqlite3"}, "what users write: a module of its own, which knows SQL only"},
	{"vtab/loadable", []string{"./crdt", "./engine", "./vtab"}, "translates SQLite's C interface and decides nothing"},
	{"vtab", []string{"./crdt", "./engine"}, "host-neutral: the loadable extension reuses it"},
	{"transports/nats/embedded", []string{"./transports", "github.com/nats-io/nats-server"}, "the server, apart from the client so that who only connects does not link it"},
	{"transports/nats", []string{"./transports", "github.com/nats-io/nats.go"}, "the client of one broker"},
	{"transports", []string{"./transports"}, "knows packages and cursors, never SQL, rows or vectors; a client library gets a rule of its own"},
	{"conformance/faultdisk", []string{"github.com/ncruces/go-sqlite3"}, "a file system for the one driver whose file systems are written in Go"},
	{"conformance/sim", []string{"./crdt", "./engine", "./vtab/ncruces", "./conformance/faultdisk", "github.com/ncruces/go-sqlite3"}, "needs a driver whose disk it can break"},
	{"conformance/vectors/gen", []string{"./crdt", "./engine/zstd", "./conformance/vectors"}, "frames made by hand are read back with the one codec"},
	{"conformance/purehost", []string{"./crdt", "./engine", "./vtab/ncruces", "./conformance", "github.com/ncruces/go-sqlite3"}, "a Host of one driver"},
	{"conformance/mutants", nil, "knows the sources as text only"},
	{"conformance/hostile", []string{"./crdt"}, "makes packages; who takes them is the test's business"},
	{"conformance/vectors", []string{"./crdt"}, "the formats alone: any program can run them"},
	{"conformance", []string{"./crdt", "./engine", "./vtab", "./transports"}, "drivers come in through Host, media through Medium"},
	{"cmd", []string{"./crdt", "./engine", "./vtab", "./transports", "./conformance", "github.com/ncruces/go-sqlite3", "github.com/spf13/cobra", "github.com/spf13/pflag",
		"github.com/peterh/liner", "github.com/chzyer/readline", "golang.org/x/term", "golang.org/x/sys"}, "wires things together; terminal libraries live here only; runs scenarios of users"},
	{"bench/peers/automerge", []string{"github.com/automerge/automerge-go"}, "a module of its own, since its library needs cgo"},
	{"bench", []string{"./", "github.com/ncruces/go-sqlite3", "github.com/klauspost/compress"}, "measures everything"},
}

// testsMay is what test files may import on top.
var testsMay = []string{"./", "github.com/ncruces/go-sqlite3", "pgregory.net/rapid", "github.com/google/go-cmp", "github.com/rogpeppe/go-internal", "golang.org/x/tools", "github.com/nats-io"}

// pure lists what package crdt must not use of the standard library.
var pure = map[string]string{
	"os": "I/O", "net": "I/O", "io/fs": "I/O", "log": "I/O", "log/slog": "I/O", "syscall": "I/O", "database/sql": "I/O",
	"math/rand": "randomness", "math/rand/v2": "randomness", "crypto/rand": "randomness",
	"sync": "goroutines", "sync/atomic": "goroutines", "context": "goroutines", "unsafe": "reads memory that it does not own",
}

// long are the files over 500 lines, and why each is one thing.
var long = map[string]string{}

const longest = 500

// forbidden are words that no file may hold.
var forbidden = []struct {
	what string
	re   *regexp.Regexp
}{
	{"a path of one machine", regexp.MustCompile(`(^|[^\w.])/(work|farm|root|home)/\w|/t` + `mp/[a-z0-9]+/`)},
	{"unfinished work without an owner: write it as the word, then (owner)", regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|X` + `XX)\b([^(]|$)`)},
}

func TestImports(t *testing.T) {
	eachGoFile(t, func(name string, f *ast.File) {
		dir, test := path.Dir(name), strings.HasSuffix(name, "_test.go")
		r := ruleFor(dir)
		if r == nil {
			t.Errorf("%s: no rule covers the folder %s: add one to the policy, with a reason", name, dir)
			return
		}
		for _, spec := range f.Imports {
			p, _ := strconv.Unquote(spec.Path.Value)
			if std(p) {
				if p == "testing" && !test && !under(dir, "conformance") {
					t.Errorf("%s imports testing: only conformance and tests may", name)
				}
				if why := pure[p]; why != "" && under(dir, "crdt") && !test {
					t.Errorf("%s imports %s: package crdt is pure (%s)", name, p, why)
				}
				continue
			}
			if p == module+"/"+dir || allowed(p, r.may) || test && allowed(p, testsMay) {
				continue
			}
			t.Errorf("%s imports %s: %s may not (%s)", name, p, r.folder, r.reason)
		}
	})
}

// TestPure holds what imports cannot show: the clock and goroutines.
func TestPure(t *testing.T) {
	eachGoFile(t, func(name string, f *ast.File) {
		if !strings.HasPrefix(name, "crdt/") || strings.HasSuffix(name, "_test.go") {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s starts a goroutine", name)
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && (n.Sel.Name == "Now" || n.Sel.Name == "Since" || n.Sel.Name == "Sleep") {
					t.Errorf("%s reads the clock", name)
				}
			}
			return true
		})
	})
}

func TestPackageComments(t *testing.T) {
	comments, first := map[string][]string{}, map[string]string{}
	eachGoFile(t, func(name string, f *ast.File) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		dir := path.Dir(name)
		first[dir] = name
		if f.Doc != nil {
			comments[dir] = append(comments[dir], name)
		}
	})
	for dir, name := range first {
		if n := len(comments[dir]); n != 1 {
			t.Errorf("package %s has %d package comments, want exactly one (%v, %s)", dir, n, comments[dir], name)
		}
	}
}

func TestModule(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(b), "\n") {
		if w := strings.Fields(line); len(w) > 0 && (w[0] == "replace" || w[0] == "exclude") {
			t.Errorf("go.mod:%d: %s breaks go install for everyone else", i+1, line)
		}
	}
}

func TestFiles(t *testing.T) {
	used := map[string]bool{}
	eachFile(t, func(name string) {
		if !texts[path.Ext(name)] && path.Base(name) != "Makefile" && name != ".ci/run" {
			return
		}
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(b), "\n")
		if path.Ext(name) == ".go" && len(lines) > longest {
			if used[name] = true; long[name] == "" {
				t.Errorf("%s has %d lines: split it, or say in the policy why it is one thing", name, len(lines))
			}
		}
		for i, line := range lines {
			for _, w := range forbidden {
				if w.re.MatchString(line) {
					t.Errorf("%s:%d: %s: %s", name, i+1, w.what, strings.TrimSpace(line))
				}
			}
		}
	})
	for name := range long {
		if !used[name] {
			t.Errorf("the policy excuses %s, which needs it no more", name)
		}
	}
}

var texts = map[string]bool{".go": true, ".md": true, ".txt": true, ".txtar": true, ".sql": true, ".sh": true, ".c": true, ".h": true, ".mod": true, ".yml": true, ".json": true, ".py": true}

func ruleFor(dir string) *rule {
	for i := range rules {
		if under(dir, rules[i].folder) {
			return &rules[i]
		}
	}
	return nil
}

func under(dir, folder string) bool { return dir == folder || strings.HasPrefix(dir, folder+"/") }

// std says that an import path is the standard library's: its first element has no dot.
func std(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return !strings.Contains(first, ".")
}

func allowed(p string, list []string) bool {
	for _, a := range list {
		if ours, ok := strings.CutPrefix(a, "./"); ok {
			a = strings.TrimSuffix(module+"/"+ours, "/")
		}
		if under(p, a) {
			return true
		}
	}
	return false
}

// skipped are folders whose files are not written here.
var skipped = map[string]string{
	"bin": "built", "build": "built",
	"vtab/loadable/sqlite3": "SQLite's own headers, unchanged",
}

// eachFile visits the files of the tree, but not what hidden folders other than .ci hold.
func eachFile(t *testing.T, f func(name string)) {
	t.Helper()
	seen := 0
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if base := path.Base(name); name != "." && name != ".ci" && (strings.HasPrefix(base, ".") || base == "node_modules" || skipped[name] != "") {
				return fs.SkipDir
			}
			return nil
		}
		seen++
		f(name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 50 {
		t.Fatalf("only %d files: this test looks at the wrong folder", seen)
	}
}

func eachGoFile(t *testing.T, f func(name string, file *ast.File)) {
	t.Helper()
	set := token.NewFileSet()
	eachFile(t, func(name string) {
		if path.Ext(name) != ".go" || strings.Contains(name, "testdata/") {
			return
		}
		file, err := parser.ParseFile(set, filepath.Join(root, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		f(name, file)
	})
}
