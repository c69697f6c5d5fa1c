package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"
)

// history is a recorded editing history: that of this repository, up to the commit at which it was recorded. It is committed, so
// that everybody measures the same rows; -record-history makes it anew.
//
//go:embed history.tsv
var history string

// readHistory gives it as a data set. The format is that of all data sets.
func readHistory() (*dataset, error) {
	d, err := parseDataset("history.tsv", history)
	if err == nil {
		d.name = "editing history"
	}
	return d, err
}

// recordHistory writes what git says of the repository in the working directory to a file. Names of people are left out.
func recordHistory(ctx context.Context, path string) error {
	git := exec.CommandContext(ctx, "git", "-c", "core.quotepath=off", "log", "--reverse", "--no-merges", "--no-color", "--no-ext-diff", "--no-renames",
		"--unified=0", "--format="+commitLine+"%ct %s", "-p", "--", ".", ":(exclude)"+filepath.ToSlash(path))
	git.Stderr = os.Stderr
	out, err := git.StdoutPipe()
	if err != nil {
		return err
	}
	if err := git.Start(); err != nil {
		return err
	}
	d, err := parseHistory(out)
	if err = errors.Join(err, git.Wait()); err != nil {
		return fmt.Errorf("git log: %w", err)
	}
	return d.write(path)
}

// commitLine begins the line of a commit: no line of a patch begins so.
const commitLine = "commit\x01"

// maxText is about how many bytes of a changed line are kept.
const maxText = 80

// parseHistory makes two tables of a log with patches: the commits, and each place of a file that one of them changed.
func parseHistory(log io.Reader) (*dataset, error) {
	commits := &table{name: "revision", keys: 1, columns: []string{"id", "at", "subject"}, types: []string{"INTEGER", "INTEGER", "TEXT"}}
	edits := &table{name: "edit", keys: 3, columns: []string{"revision", "path", "n", "line", "removed", "added", "text"},
		types: []string{"INTEGER", "TEXT", "INTEGER", "INTEGER", "INTEGER", "INTEGER", "TEXT"}}
	var revision, n int64
	var path string
	var edit []any
	in := bufio.NewReader(log)
	for {
		line, err := in.ReadString('\n')
		if err == io.EOF && line == "" {
			return &dataset{tables: []*table{commits, edits}}, nil
		} else if err != nil && err != io.EOF {
			return nil, err
		}
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, commitLine):
			at, subject, _ := strings.Cut(line[len(commitLine):], " ")
			seconds, err := strconv.ParseInt(at, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("commit line %q: %w", line, err)
			}
			revision++
			commits.rows = append(commits.rows, []any{revision, seconds, subject})
			edit = nil
		case strings.HasPrefix(line, "diff --git "):
			edit, n = nil, 0
		case edit == nil && (strings.HasPrefix(line, "--- a/") || strings.HasPrefix(line, "+++ b/")):
			path = line[len("--- a/"):]
		case strings.HasPrefix(line, "@@ "):
			f := strings.Fields(line)
			if len(f) < 3 {
				return nil, fmt.Errorf("hunk %q", line)
			}
			_, removed, err1 := span(f[1], "-")
			at, added, err2 := span(f[2], "+")
			if err := errors.Join(err1, err2); err != nil {
				return nil, fmt.Errorf("hunk %q: %w", line, err)
			}
			n++
			edit = []any{revision, path, n, at, removed, added, nil}
			edits.rows = append(edits.rows, edit)
		case edit != nil && edit[6] == nil && (strings.HasPrefix(line, "+") || strings.HasPrefix(line, "-") && edit[5] == int64(0)):
			edit[6] = cut(strings.ToValidUTF8(line[1:], "?"), maxText)
		}
	}
}

// span reads "-12,3": three lines from the twelfth on. Without a comma it is one line.
func span(s, sign string) (line, count int64, err error) {
	first, rest, several := strings.Cut(strings.TrimPrefix(s, sign), ",")
	count = 1
	if line, err = strconv.ParseInt(first, 10, 64); err == nil && several {
		count, err = strconv.ParseInt(rest, 10, 64)
	}
	return line, count, err
}

// cut shortens a text to at most so many bytes, and not inside a letter.
func cut(s string, most int) string {
	for len(s) > most {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}
