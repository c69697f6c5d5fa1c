package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// peer is an engine and the program that drives it.
type peer struct {
	name    string
	floor   string // the peer that its CPU time is compared with
	ours    bool
	args    []string // DATA and SCRATCH stand for what a run is given
	note    string   // added to the version
	missing string   // why it cannot run, and what to do about it
}

const (
	bareNative  = "sqlite-native"
	bareNcruces = "sqlite-ncruces"
)

// discover lists all peers that the harness knows, and finds or builds their programs below dir.
func discover(ctx context.Context, dir, only string) []*peer {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	folder := filepath.Join("bench", "peers") // all commands run at the top of the repository
	peers := []*peer{
		{name: bareNative, floor: bareNative},
		{name: "tributary-native", floor: bareNative, ours: true, note: ", extension " + os.Getenv("TRIBUTARY_EXT")},
		{name: "cr-sqlite", floor: bareNative},
		{name: bareNcruces, floor: bareNcruces, args: []string{self, "worker", "bare", "DATA", "SCRATCH"}},
		{name: "tributary-ncruces", floor: bareNcruces, ours: true, args: []string{self, "worker", "tributary", "DATA", "SCRATCH"}},
		{name: "automerge", floor: bareNative},
		{name: "yjs", floor: bareNative},
		{name: "loro", floor: bareNative},
	}
	var native, js func() string // why not; run once, and only if one of theirs is wanted
	native = once(func() string { return buildNative(ctx, folder, dir) })
	js = once(func() string { return installJS(ctx, folder, dir) })
	if only != "" {
		peers = slices.DeleteFunc(peers, func(p *peer) bool { return !slices.Contains(strings.Split(only, ","), p.name) })
	}
	for _, p := range peers {
		worker := filepath.Join(dir, "native")
		switch p.name {
		case bareNative:
			p.missing, p.args = native(), []string{worker, "bare", "DATA", "SCRATCH"}
		case "tributary-native":
			p.extension("TRIBUTARY_EXT", "build it with make ext", worker, "tributary", native)
		case "cr-sqlite":
			p.extension("CRSQLITE_EXT", "get a build of cr-sqlite", worker, "crsqlite", native)
		case "automerge":
			p.missing, p.args = buildAutomerge(ctx, folder, dir), []string{filepath.Join(dir, "automerge"), "DATA", "SCRATCH"}
		case "yjs", "loro":
			p.missing, p.args = js(), []string{"node", filepath.Join(dir, "js", "worker.js"), p.name, "DATA", "SCRATCH"}
		}
	}
	return peers
}

// extension is a peer that SQLite loads.
func (p *peer) extension(env, remedy, worker, kind string, native func() string) {
	path := os.Getenv(env)
	if path == "" {
		p.missing = fmt.Sprintf("%s is not set: %s, and set it to the path", env, remedy)
		return
	}
	full, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(full)
	}
	if err != nil {
		p.missing = fmt.Sprintf("%s names no file: %s", env, remedy) // without the path, which is nothing to publish
		return
	}
	if p.note != "" {
		p.note = " (" + filepath.Base(full) + ")"
	}
	p.missing, p.args = native(), []string{worker, kind, "DATA", "SCRATCH", full}
}

func once(f func() string) func() string {
	var done bool
	var answer string
	return func() string {
		if !done {
			done, answer = true, f()
		}
		return answer
	}
}

// buildNative compiles the worker for what runs in the C library of SQLite.
func buildNative(ctx context.Context, folder, dir string) (missing string) {
	sources, err := filepath.Glob(filepath.Join(folder, "native", "*.c"))
	if err != nil || len(sources) == 0 {
		return "no sources in " + folder + ": run it at the top of the repository"
	}
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	args := append([]string{"-O2", "-o", filepath.Join(dir, "native")}, sources...)
	return try(ctx, "", "needs a C compiler and SQLite's header and library (Debian: gcc libsqlite3-dev)", nil, cc, append(args, "-lsqlite3")...)
}

func buildAutomerge(ctx context.Context, folder, dir string) (missing string) {
	return try(ctx, filepath.Join(folder, "automerge"), "needs a C compiler and, once, the Go module proxy", []string{"CGO_ENABLED=1"},
		"go", "build", "-o", filepath.Join(dir, "automerge"), ".")
}

// installJS copies the worker out of the tree, so that what npm brings is not in it, and installs what its lock file names.
func installJS(ctx context.Context, folder, dir string) (missing string) {
	if _, err := exec.LookPath("node"); err != nil {
		return "needs node and npm"
	}
	to := filepath.Join(dir, "js")
	if err := os.CopyFS(to, os.DirFS(filepath.Join(folder, "js"))); err != nil {
		return err.Error()
	}
	return try(ctx, to, "needs npm and, once, its registry", nil, "npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts")
}

// try runs a command and returns why its result is not to be had.
func try(ctx context.Context, dir, needs string, env []string, name string, args ...string) (missing string) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return ""
	}
	text := strings.Join(strings.Fields(string(out)), " ")
	return fmt.Sprintf("%s; %s %s: %v: %.200s", needs, name, args[0], err, text)
}
