package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

// shell runs SQL and dot commands on one connection and prints what comes out.
type shell struct {
	app  *app
	path string
	conn *sqlite3.Conn
	out  *bufio.Writer

	mode    string
	headers *bool // nil: as is usual in the mode
	bail    bool  // a script ends with its first error
	failed  bool
	depth   int // of .read inside .read
}

// errQuit ends the shell from inside a script.
var errQuit = errors.New("quit")

func newShell(a *app, path string, conn *sqlite3.Conn) *shell {
	return &shell{app: a, path: path, conn: conn, out: bufio.NewWriter(a.out), mode: "list", bail: true}
}

// main runs the arguments, or stdin when there are none.
func (s *shell) main(ctx context.Context, args []string) (err error) {
	switch {
	case len(args) > 0:
		for _, text := range args {
			if err = s.argument(ctx, text); err != nil {
				break
			}
		}
	case isTerminal(s.app.in) && isTerminal(s.app.out):
		return s.interactive(ctx)
	default:
		err = s.script(ctx, "", s.app.in)
	}
	if err := s.out.Flush(); err != nil {
		return err
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && !errors.Is(err, errQuit) && !errors.Is(err, errNo):
		return err
	case s.failed:
		return errNo
	}
	return nil
}

func (s *shell) argument(ctx context.Context, text string) error {
	if strings.HasPrefix(text, ".") {
		return s.report("", s.dot(ctx, text))
	}
	return s.report("", s.exec(text))
}

// script runs statements and dot commands from a stream. name is that of a file, empty for stdin.
func (s *shell) script(ctx context.Context, name string, in io.Reader) error {
	lines := bufio.NewReader(in)
	var pending strings.Builder
	var split splitter
	first := 1
	where := func() string { return strings.TrimPrefix(fmt.Sprintf("%s line %d: ", name, first), " ") }
	for n := 1; ; n++ {
		line, readErr := lines.ReadString('\n')
		if readErr != nil && readErr != io.EOF {
			return readErr
		}
		if pending.Len() == 0 {
			first = n
		}
		if strings.HasPrefix(line, ".") && pending.Len() == 0 {
			if err := s.report(where(), s.dot(ctx, strings.TrimSpace(line))); err != nil {
				return err
			}
		} else if pending.Len() > 0 || strings.TrimSpace(line) != "" {
			pending.WriteString(line)
			split.feed(line)
		}
		if pending.Len() > 0 && (split.complete() || readErr == io.EOF) {
			text := pending.String()
			pending.Reset()
			split = splitter{}
			if err := s.report(where(), s.exec(text)); err != nil {
				return err
			}
		}
		if readErr == io.EOF {
			return nil
		}
	}
}

// report prints an error of a statement, and passes on what ends the script.
func (s *shell) report(where string, err error) error {
	if err == nil || errors.Is(err, errQuit) || errors.Is(err, errNo) {
		return err
	}
	s.failed = true
	s.out.Flush() // what came before the error is to stand before it
	fmt.Fprintf(s.app.err, "tributary: %s%s\n", where, plain(advise(err)))
	if s.bail {
		return errNo
	}
	return nil
}

// exec runs all statements in text.
func (s *shell) exec(text string) error {
	for text != "" {
		stmt, tail, err := s.conn.Prepare(text)
		if err != nil {
			return err
		}
		if stmt != nil {
			if err := s.run(stmt); err != nil {
				return err
			}
		}
		if len(tail) == len(text) {
			return errors.New("a NUL character in the SQL text; remove it")
		}
		text = tail
	}
	return nil
}

// run steps through one statement and prints its rows.
func (s *shell) run(stmt *sqlite3.Stmt) error {
	defer stmt.Close() // its error is that of the step before
	n := stmt.ColumnCount()
	if n == 0 {
		return stmt.Exec()
	}
	names := make([]string, n)
	for i := range names {
		names[i] = stmt.ColumnName(i)
	}
	p := s.printer(names)
	row := make([]field, n)
	for stmt.Step() {
		for i := range row {
			row[i] = fieldOf(stmt, i)
		}
		p.row(row)
	}
	if err := stmt.Err(); err != nil {
		p.finish()
		return err
	}
	p.finish()
	return s.out.Flush()
}

// read runs a file of statements.
func (s *shell) read(ctx context.Context, name string) error {
	if s.depth++; s.depth > 20 {
		return errors.New(".read: files that read each other")
	}
	defer func() { s.depth-- }()
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf(".read %s: %w", name, reason(err))
	}
	defer f.Close()
	return s.script(ctx, name, f)
}
