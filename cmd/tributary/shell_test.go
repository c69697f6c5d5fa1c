package main

import (
	"strings"
	"testing"
)

func TestSplitter(t *testing.T) {
	for _, test := range []struct {
		sql      string
		complete bool
	}{
		{"", true},
		{"SELECT 1", false},
		{"SELECT 1;", true},
		{"SELECT 1; ", true},
		{"SELECT 1; SELECT 2", false},
		{"SELECT ';'", false},
		{"SELECT ';';", true},
		{"SELECT 'it''s;'", false},
		{"SELECT 'it''s;';", true},
		{`SELECT "a;b";`, true},
		{"SELECT [a;b];", true},
		{"SELECT `a;b`;", true},
		{"SELECT 1 -- ;", false},
		{"SELECT 1; -- done", true},
		{"-- only a comment", true},
		{"SELECT 1 /* ; */", false},
		{"SELECT 1; /* open", false},
		{"SELECT 1; /*/ ", false},
		{"SELECT 1; /**/", true},
		{"SELECT 1 /* a */; /* b */", true},
		{"SELECT 3 - 2;", true},
		{"CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1;", false},
		{"CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END", false},
		{"CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END;", true},
		{"CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; END;", true},
		{"CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN SELECT 1;", false},
		{"create temporary trigger t after insert on a begin select 1; end ;", true},
		{"EXPLAIN CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1;", false},
		{"EXPLAIN QUERY PLAN SELECT 1;", true},
		{"CREATE TABLE trigger_log(a);", true},
		{"SELECT 'create trigger';", true},
	} {
		// The pieces in which text comes must not matter.
		for _, size := range []int{1, 3, 1000} {
			var p splitter
			for rest := test.sql; rest != ""; {
				n := min(size, len(rest))
				p.feed(rest[:n])
				rest = rest[n:]
			}
			if got := p.complete(); got != test.complete {
				t.Errorf("%q in pieces of %d: complete %v, want %v", test.sql, size, got, test.complete)
			}
		}
	}
}

func TestWrapLines(t *testing.T) {
	for _, test := range []struct {
		in   string
		want []string
	}{
		{"", []string{""}},
		{"one", []string{"one"}},
		{"abcdefgh", []string{"abcde", "fgh"}},
		{"abcde", []string{"abcde"}},
		{"a\nb", []string{"a", "b"}},
		{"a\n", []string{"a"}},
		{"a\n\nb", []string{"a", "", "b"}},
		{"äöüßé!", []string{"äöüßé", "!"}},
		{"a\x1b[2J", []string{"a\uFFFD[2J"}},
		{"\xff", []string{"\uFFFD"}},
	} {
		if got := wrapLines(test.in, 5); strings.Join(got, "\n") != strings.Join(test.want, "\n") {
			t.Errorf("%q: got %q, want %q", test.in, got, test.want)
		}
	}
}
