// Command mutants plants bugs in a copy of the tree, one at a time, and runs the test that must notice. It says which test caught
// each, and how fast; one that is not caught is a hole in the tests. list.go has them.
//
//	go run ./conformance/mutants              # all
//	go run ./conformance/mutants -run NORMAL  # those whose name matches it
//	go run ./conformance/mutants -sim         # with the simulator as the only test
//	go run ./conformance/mutants -sim -learn  # and keep a history of those that only a seed catches
//	go run ./conformance/mutants -report      # and write down what was found
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
	only   = flag.String("run", "", "only mutants whose name matches this regular expression")
	sim    = flag.Bool("sim", false, "let the simulator catch them all, within its budget")
	seeds  = flag.Int("seeds", 60, "of the simulator: what CI runs")
	limit  = flag.Duration("time", 3*time.Minute, "of the simulator")
	first  = flag.Uint64("first", 1, "of the simulator: the first seed")
	step   = flag.Uint64("step", 1, "of the simulator: every so many seeds")
	learn  = flag.Bool("learn", false, "with -sim: keep a short history of what no history catches and a seed does")
	report = flag.Bool("report", false, "write what was found into conformance/mutants/RESULTS.md")
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
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return 0, err
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
	if err := current(dir); err != nil {
		return 0, err
	}
	if *learn {
		if err := build(dir, "clean.test", simulator); err != nil {
			return 0, fmt.Errorf("the simulator %w", err)
		}
	}
	caught, tried := 0, 0
	var broken error
	results := filepath.Join(root, "conformance", "mutants", "RESULTS.md")
	for _, m := range list {
		if !wanted.MatchString(m.name) {
			continue
		}
		v, err := m.try(dir)
		if err != nil {
			broken = errors.Join(broken, fmt.Errorf("%s: %w", m.name, err))
			continue
		}
		fmt.Printf("%-60s %s\n", m.name, v)
		tried++
		if *learn && len(v.history) > 0 {
			if err := appendTo(filepath.Join(root, filepath.FromSlash(histories)), v.history); err != nil {
				return missed, err
			}
		}
		switch {
		case v.test != "":
			caught++
		case !*sim || m.apart == "":
			missed++
		}
		if *report {
			if err := record(results, m, v, *sim); err != nil {
				return missed, err
			}
		}
	}
	if broken != nil {
		return missed, broken
	}
	if tried == 0 {
		return 0, fmt.Errorf("no mutant has a name that matches %q", *only)
	}
	fmt.Printf("%d of %d caught\n", caught, caught+missed)
	return missed, nil
}

// current says which mutants cannot be planted any more, because the text that they replace has changed.
func current(dir string) (err error) {
	names := map[string]bool{}
	for _, m := range list {
		b, rerr := os.ReadFile(filepath.Join(dir, filepath.FromSlash(m.file)))
		if n := bytes.Count(b, []byte(m.old)); rerr != nil || n != 1 {
			err = errors.Join(err, rerr, fmt.Errorf("%q: %s holds the text to replace %d times, want once", m.name, m.file, n))
		}
		if names[m.name] {
			err = errors.Join(err, fmt.Errorf("%q is there twice", m.name))
		}
		names[m.name] = true
	}
	return err
}

// verdict is which test caught a mutant, "" if none did, and how long its run took, building apart; of the simulator also how many
// worlds it took.
type verdict struct {
	test   string
	took   time.Duration
	worlds string
	apart  string // why the simulator cannot

	history []byte // a line to keep
}

func (v verdict) String() string {
	switch {
	case v.test == "" && v.apart != "":
		return "cannot show: " + v.apart
	case v.test == "":
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
	if err := os.WriteFile(name, bytes.Replace(was, []byte(m.old), []byte(m.new), 1), 0o644); err != nil {
		return verdict{}, err
	}
	defer os.WriteFile(name, was, 0o644)

	pkg, test, args := m.pkg, m.test, []string(nil)
	kept := filepath.Join(dir, "kept.jsonl")
	if *sim || pkg == simulator {
		pkg, test = simulator, "TestHistories$|TestSim$"
		args = []string{fmt.Sprint("-first=", *first), fmt.Sprint("-step=", *step), fmt.Sprint("-seeds=", *seeds), fmt.Sprint("-time=", *limit)}
		shrink := "-shrink=0s"
		if *learn {
			shrink, args = "-shrink=40s", append(args, "-keep="+kept)
			defer os.Remove(kept)
		}
		args = append(args, shrink)
	}
	if err := build(dir, "mutant.test", pkg); err != nil {
		return verdict{}, err
	}
	deadline := *limit + 2*time.Minute // no test but the simulator's takes as long
	ctx, cancel := context.WithTimeout(context.Background(), deadline+time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "mutant.test"), append([]string{"-test.short", "-test.v", "-test.failfast", fmt.Sprint("-test.timeout=", deadline), "-test.run", test}, args...)...)
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
		v := verdict{}
		if *sim {
			v.apart = m.apart
		}
		return v, nil
	}
	v := verdict{test: pkg + " " + blame(out), took: took}
	if n := world.FindSubmatch(out); n != nil {
		v.worlds = string(n[1])
	}
	if line, err := os.ReadFile(kept); err == nil && holds(dir, kept) {
		v.history = bytes.Replace(line, []byte(`"Shows":""`), []byte(fmt.Sprintf(`"Shows":%q`, m.name)), 1)
	}
	return v, nil
}

// build builds the tests of a package of the tree in dir into a file there.
func build(dir, name, pkg string) error {
	cmd := exec.Command("go", "test", "-vet=off", "-c", "-o", filepath.Join(dir, name), pkg)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("does not build: %w\n%s", err, out)
	}
	return nil
}

// holds says whether a history shows nothing without the bug; if it does, it may be the tree that is wrong.
func holds(dir, kept string) bool {
	cmd := exec.Command(filepath.Join(dir, "clean.test"), "-test.run", "TestHistories$", "-replay="+kept)
	cmd.Dir = filepath.Join(dir, filepath.FromSlash(simulator))
	out, err := cmd.CombinedOutput()
	if err != nil {
		fmt.Printf("not kept, because it fails without the bug: %v\n%s", err, out)
	}
	return err == nil
}

// appendTo adds a line to a file.
func appendTo(name string, line []byte) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(line)
	return errors.Join(err, f.Close())
}

var (
	failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	world  = regexp.MustCompile(`seed=(\d+) `)
	oracle = regexp.MustCompile(`(?m)(equality|causality|atomicity|durability|idempotence|damage|memory|ledger|check|liveness|order|pending|forgotten|future|fork|model|error): `)
)

// blame names the innermost test that failed, and the oracle of the simulator.
func blame(out []byte) string {
	best := "(ended without a verdict: it panicked or took too long)"
	for _, m := range failed.FindAllSubmatch(out, -1) {
		if name := string(m[1]); best[0] == '(' || strings.HasPrefix(name, best) {
			best = name
		}
	}
	if strings.HasPrefix(best, "TestSim") || strings.HasPrefix(best, "TestHistories") {
		kind := "error"
		if m := oracle.FindSubmatch(out); m != nil {
			kind = string(m[1])
		}
		best += " (" + kind + ")"
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
