package conformance_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tributary-db/tributary/conformance"
)

// languages are the examples, and how each is run here; nil: why it cannot be.
func languages(t *testing.T) (run map[string][]string, missing []string) {
	t.Helper()
	run = map[string][]string{}
	folder, err := filepath.Abs(filepath.Join(root, "vtab/loadable/examples"))
	if err != nil {
		t.Fatal(err)
	}
	first := func(name, why string, file string, check []string, programs ...string) {
		for _, p := range programs {
			if exec.Command(p, check...).Run() != nil {
				continue
			}
			run[name] = append([]string{p}, file)
			return
		}
		missing = append(missing, name+": "+why)
	}
	first("shell", "no sqlite3 program (Debian package sqlite3)", filepath.Join(folder, "shell/sync.sh"), []string{"-c", "command -v sqlite3"}, "sh")
	// A Python that was built by hand may refuse extensions.
	first("python", "no Python whose sqlite3 module allows extensions (Debian package python3)", filepath.Join(folder, "python/sync.py"),
		[]string{"-c", "import sqlite3; sqlite3.connect(':memory:').enable_load_extension(True)"}, "python3", "/usr/bin/python3")
	bin, err := filepath.Abs(filepath.Join(root, "build"))
	if err != nil {
		t.Fatal(err)
	}
	first("node", "no Node with node:sqlite (npm install node@24)", filepath.Join(folder, "node/sync.mjs"),
		[]string{"-e", "new (require('node:sqlite').DatabaseSync)(':memory:', {allowExtension: true})"}, "node", filepath.Join(bin, "node/node_modules/node/bin/node"))
	if program := filepath.Join(bin, "example-go"); exec.Command("test", "-x", program).Run() == nil {
		run["go"] = []string{program}
	} else {
		missing = append(missing, "go: not built")
	}
	return run, missing
}

// TestExtensionExamples runs the examples against each other, every language with every other one.
func TestExtensionExamples(t *testing.T) {
	t.Parallel()
	library := strings.TrimSuffix(built(t, "tributary.so"), ".so") // as users write it, without the ending
	run, missing := languages(t)
	for _, why := range missing {
		t.Log("not run: ", why)
		if name, _, _ := strings.Cut(why, ":"); env("TRIBUTARY_EXT") != "" && name != "node" {
			t.Error("the examples must be run here, and cannot: ", why)
		}
	}
	for caller := range run {
		for answerer := range run {
			t.Run(caller+" calls "+answerer, func(t *testing.T) {
				dir := t.TempDir()
				a, b := filepath.Join(dir, "a.db"), filepath.Join(dir, "b.db")
				for _, step := range []struct{ a, b string }{
					{},
					{"INSERT INTO task VALUES ('a', 'buy tea', 0)", "INSERT INTO task VALUES ('b', 'call Kim', 0)"},
					{"UPDATE task SET title = 'buy green tea' WHERE id = 'a'; DELETE FROM task WHERE id = 'b'", "UPDATE task SET done = 1 WHERE id = 'a'"},
				} {
					write(t, a, step.a)
					write(t, b, step.b)
					converse(t, library, append(run[caller], a, "call"), append(run[answerer], b, "answer"))
				}
				for _, path := range []string{a, b} {
					w, err := (host{}).Writer(path)
					if err != nil {
						t.Fatal(err)
					}
					rows, err := conformance.ReadRows(w, "SELECT id, title, done FROM task")
					if got := fmt.Sprint(rows); err != nil || got != "[['a' 'buy green tea' 1]]" {
						t.Errorf("got %s, %v", got, err)
					}
					w.Close()
				}
			})
		}
	}
}

func write(t *testing.T, path, sql string) {
	t.Helper()
	w, err := (host{}).Writer(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Exec(sql); err != nil {
		t.Fatal(err)
	}
}

// converse runs two programs whose inputs and outputs are connected crosswise.
func converse(t *testing.T, library string, one, two []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ends := make(chan error, 2)
	pipe := func() (r, w *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		return r, w
	}
	r1, w1 := pipe()
	r2, w2 := pipe()
	start := func(words []string, in, out *os.File) {
		cmd := exec.CommandContext(ctx, words[0], words[1:]...)
		cmd.Env = append(os.Environ(), "TRIBUTARY="+library)
		var why bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, &why
		err := cmd.Start()
		in.Close()
		out.Close()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			err := cmd.Wait()
			if err != nil {
				err = fmt.Errorf("%v: %w\n%s", words, err, why.String())
			}
			ends <- err
		}()
	}
	start(one, r1, w2)
	start(two, r2, w1)
	for range 2 {
		if err := <-ends; err != nil {
			t.Fatal(err)
		}
	}
}
