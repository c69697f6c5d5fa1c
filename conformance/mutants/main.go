// Command mutants plants bugs in a copy of the tree, one at a time, and runs the test that must notice. It says which test caught
// each, and how fast; one that is not caught is a hole in the tests. list.go has them.
//
//	go run ./conformance/mutants              # all
//	go run ./conformance/mutants -run NORMAL  # those whose name contains it
//	go run ./conformance/mutants -sim         # with the simulator as the only test
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

var (
	only  = flag.String("run", "", "only mutants whose name contains this")
	sim   = flag.Bool("sim", false, "let the simulator catch them all, within its budget")
	seeds = flag.Int("seeds", 60, "of the simulator")
	limit = flag.Duration("time", 60*time.Second, "of the simulator")
)

func main() {
	flag.Parse()
	missed, err := run()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(2)
	case missed > 0:
		fmt.Printf("%d mutants were not caught\n", missed)
		os.Exit(1)
	}
}

func run() (missed int, err error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return 0, fmt.Errorf("go env: %w", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(out)))
	dir, err := os.MkdirTemp("", "tributary-mutants-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := copyTree(root, dir); err != nil {
		return 0, err
	}
	caught := 0
	for _, m := range list {
		if !strings.Contains(m.name, *only) {
			continue
		}
		v, err := m.try(dir)
		if err != nil {
			return missed, fmt.Errorf("%s: %w", m.name, err)
		}
		fmt.Printf("%-52s %s\n", m.name, v)
		if v.test == "" {
			missed++
		} else {
			caught++
		}
	}
	if caught+missed == 0 {
		return 0, fmt.Errorf("no mutant has %q in its name", *only)
	}
	fmt.Printf("%d of %d caught\n", caught, caught+missed)
	return missed, nil
}

// verdict is which test caught a mutant, "" if none did, and how long its run took, building apart.
type verdict struct {
	test string
	took time.Duration
}

func (v verdict) String() string {
	if v.test == "" {
		return "NOT CAUGHT"
	}
	return fmt.Sprintf("%5.1f s  %s", v.took.Seconds(), v.test)
}

// try plants the bug, runs the test and takes the bug out again.
func (m mutant) try(dir string) (verdict, error) {
	name := filepath.Join(dir, filepath.FromSlash(m.file))
	was, err := os.ReadFile(name)
	if err != nil {
		return verdict{}, err
	}
	if n := bytes.Count(was, []byte(m.old)); n != 1 {
		return verdict{}, fmt.Errorf("%s holds the text to replace %d times, want once: the list is out of date", m.file, n)
	}
	if err := os.WriteFile(name, bytes.Replace(was, []byte(m.old), []byte(m.new), 1), 0o644); err != nil {
		return verdict{}, err
	}
	defer os.WriteFile(name, was, 0o644)

	pkg, test, args := m.pkg, m.test, []string(nil)
	if *sim || pkg == "./conformance/sim" {
		pkg, test = "./conformance/sim", "TestSim$"
		args = []string{"-args", fmt.Sprint("-seeds=", *seeds), fmt.Sprint("-time=", *limit), "-shrink=0s"}
	}
	binary := filepath.Join(dir, "mutant.test")
	build := exec.Command("go", "test", "-vet=off", "-c", "-o", binary, pkg)
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		return verdict{}, fmt.Errorf("does not build: %w\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append([]string{"-test.short", "-test.v", "-test.timeout=200s", "-test.run", test}, strip(args)...)...)
	cmd.Dir = filepath.Join(dir, filepath.FromSlash(pkg))
	start := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(start)
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return verdict{}, err
	}
	if err == nil {
		if !bytes.Contains(out, []byte("--- PASS")) {
			return verdict{}, fmt.Errorf("no test of %s is called %s", pkg, test)
		}
		return verdict{}, nil
	}
	return verdict{pkg + " " + blame(out), took}, nil
}

// strip leaves out what only go test understands.
func strip(args []string) []string {
	if len(args) > 0 {
		return args[1:]
	}
	return nil
}

var (
	failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	oracle = regexp.MustCompile(`(?m)(equality|causality|atomicity|durability|idempotence|damage|ledger|check|liveness|order|pending|model|error): `)
)

// blame names the innermost test that failed, and the oracle of the simulator.
func blame(out []byte) string {
	best := "(ended without a verdict: it panicked or took too long)"
	for _, m := range failed.FindAllSubmatch(out, -1) {
		if name := string(m[1]); best[0] == '(' || strings.HasPrefix(name, best) {
			best = name
		}
	}
	if strings.HasPrefix(best, "TestSim") {
		if m := oracle.FindSubmatch(out); m != nil {
			best += " (" + string(m[1]) + ")"
		}
	}
	return best
}

// copyTree copies what git would, roughly: no hidden folders and no binaries.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); rel != "." && (strings.HasPrefix(base, ".") || rel == "bin") {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o644)
	})
}
