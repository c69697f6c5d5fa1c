package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

// instructions ends the names of the figures that need valgrind.
const instructions = "instructions, times bare"

// countInstructions runs each operation in the sqlite3 program under callgrind, on a table that is tracked and on one that
// is not. The ratio holds for other versions of SQLite well enough to compare; the counts would not.
func countInstructions(ctx context.Context, dir string, c *counts) (skipped string, err error) {
	for program, remedy := range map[string]string{"valgrind": "valgrind", "sqlite3": "sqlite3"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Sprintf("there is no %s (Debian: apt-get install %s)", program, remedy), nil
		}
	}
	version, err := exec.CommandContext(ctx, "sqlite3", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("sqlite3 --version: %w", err)
	}
	c.SQLite, _, _ = strings.Cut(string(version), " ")
	count := map[bool]map[string]int64{}
	for _, tracked := range []bool{false, true} {
		path := filepath.Join(dir, fmt.Sprintf("callgrind-%v.db", tracked))
		s, err := openSite(ctx, path, tracked)
		if err != nil {
			return "", err
		}
		if err := errors.Join(checkpoint(s.db), s.close()); err != nil {
			return "", err
		}
		idle, err := callgrind(ctx, path, "SELECT count(*) FROM t")
		if err != nil {
			return "", err
		}
		count[tracked] = map[string]int64{}
		for _, o := range operations {
			n, err := callgrind(ctx, path, o.sql)
			if err != nil {
				return "", err
			}
			count[tracked][o.name] = n - idle
		}
	}
	for _, o := range operations {
		if count[false][o.name] <= 0 {
			return "", fmt.Errorf("callgrind counted %d instructions for %s", count[false][o.name], o.name)
		}
		c.set("capture "+o.name+" "+instructions, float64(count[true][o.name])/float64(count[false][o.name]))
	}
	return "", nil
}

// checkpoint leaves a file that has no log to be read first.
func checkpoint(db *sqlite3.Conn) error {
	_, _, err := db.WALCheckpoint("main", sqlite3.CHECKPOINT_TRUNCATE)
	return err
}

var collected = regexp.MustCompile(`Collected : (\d+)`)

// callgrind is the number of instructions that the sqlite3 program takes for a statement, its start included.
func callgrind(ctx context.Context, path, sql string) (int64, error) {
	cmd := exec.CommandContext(ctx, "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "sqlite3", "-batch", "-init", "/dev/null", path, sql)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%s: %w: %s", sql, err, out)
	}
	m := collected.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("callgrind does not say how many instructions it saw: %s", out)
	}
	return strconv.ParseInt(string(m[1]), 10, 64)
}
