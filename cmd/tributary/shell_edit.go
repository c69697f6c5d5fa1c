package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/peterh/liner"
)

// interactive reads from the terminal with line editing, history and completion. Errors do not end it.
func (s *shell) interactive(ctx context.Context) error {
	s.bail = false
	// Ctrl-C is to end a statement, not the shell.
	ctx = context.WithoutCancel(ctx)
	line := liner.NewLiner()
	defer line.Close()
	line.SetCtrlCAborts(true)
	line.SetTabCompletionStyle(liner.TabPrints)
	line.SetWordCompleter(s.completeWord)
	loadHistory(line)
	defer saveHistory(line)

	fmt.Fprintf(s.app.out, "Tributary on %s. .help for help, Ctrl-D to leave.\n", s.path)
	var text strings.Builder
	var split splitter
	for {
		prompt := "tributary> "
		if text.Len() > 0 {
			prompt = "      ...> "
		}
		in, err := line.Prompt(prompt)
		switch {
		case errors.Is(err, liner.ErrPromptAborted):
			text.Reset()
			split = splitter{}
			continue
		case err == io.EOF:
			fmt.Fprintln(s.app.out)
			return nil
		case err != nil:
			return err
		}
		if strings.TrimSpace(in) == "" && text.Len() == 0 {
			continue
		}
		line.AppendHistory(in)
		if text.Len() == 0 && strings.HasPrefix(in, ".") {
			err := s.report("", s.dot(ctx, strings.TrimSpace(in)))
			s.out.Flush()
			if err != nil {
				return nil
			}
			continue
		}
		text.WriteString(in + "\n")
		if split.feed(in + "\n"); split.complete() {
			s.interruptible(ctx, func() { s.report("", s.exec(text.String())) })
			s.out.Flush()
			text.Reset()
			split = splitter{}
		}
	}
}

// interruptible runs f so that Ctrl-C interrupts the statement that is running.
func (s *shell) interruptible(ctx context.Context, f func()) {
	running, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	s.conn.SetInterrupt(running)
	defer s.conn.SetInterrupt(ctx)
	f()
}

// completeWord completes dot commands and the names of tables and columns.
func (s *shell) completeWord(line string, pos int) (head string, words []string, tail string) {
	r := []rune(line)
	start := pos
	for start > 0 && !strings.ContainsRune(" ,()=<>+-*/;", r[start-1]) {
		start--
	}
	prefix := string(r[start:pos])
	names := []string{".bail", ".exit", ".headers", ".help", ".mode", ".quit", ".read", ".schema", ".tables"}
	if start > 0 || !strings.HasPrefix(prefix, ".") {
		names, _ = queryNames(s.conn, `SELECT name FROM pragma_table_list WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\' UNION
			SELECT c.name FROM pragma_table_list t, pragma_table_info(t.name) c WHERE t.schema = 'main' AND t.type = 'table'
			UNION SELECT name || '(' FROM pragma_function_list WHERE name LIKE 'tributary\_%' ESCAPE '\'`)
	}
	for _, n := range names {
		if len(n) >= len(prefix) && strings.EqualFold(n[:len(prefix)], prefix) {
			words = append(words, n)
		}
	}
	slices.Sort(words)
	return string(r[:start]), slices.Compact(words), string(r[pos:])
}

// historyFile is empty when there is no home to keep it in.
func historyFile() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".tributary_history")
}

func loadHistory(line *liner.State) {
	if f, err := os.Open(historyFile()); err == nil {
		line.ReadHistory(f)
		f.Close()
	}
}

// saveHistory keeps the history for its user only: statements hold data.
func saveHistory(line *liner.State) {
	if f, err := os.OpenFile(historyFile(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600); err == nil {
		line.WriteHistory(f)
		f.Close()
	}
}
