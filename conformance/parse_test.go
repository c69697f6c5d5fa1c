package conformance

import (
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	got, err := parse(`
# a comment
site a b  # and another
schema: CREATE TABLE t(
  id INTEGER PRIMARY KEY)
at a 10:30
a: SELECT '#'
fails a no such table: INSERT INTO x VALUES (1)
rows a b: SELECT 1
  1|'x'
  2|NULL`)
	if err != nil {
		t.Fatal(err)
	}
	want := []step{
		{line: 3, verb: "site", args: []string{"a", "b"}},
		{line: 4, verb: "schema", args: []string{}, text: "CREATE TABLE t(\nid INTEGER PRIMARY KEY)"},
		{line: 6, verb: "at", args: []string{"a", "10:30"}},
		{line: 7, verb: "sql", args: []string{"a"}, text: "SELECT '#'"},
		{line: 8, verb: "fails", args: []string{"a", "no", "such", "table"}, text: "INSERT INTO x VALUES (1)"},
		{line: 9, verb: "rows", args: []string{"a", "b"}, text: "SELECT 1", want: []string{"1|'x'", "2|NULL"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParseErrors(t *testing.T) {
	for script, want := range map[string]string{
		"  indented":    "there is none above",
		"frobnicate a":  `no command "frobnicate"`,
		"rows a":        "a colon and SQL belong",
		"site a\nrow b": "line 2",
	} {
		if _, err := parse(script); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", script, err, want)
		}
	}
}
