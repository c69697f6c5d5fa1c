// Package sqltext quotes names and values for SQL text and cuts SQL text that SQLite stored (sqlite_schema) into
// tokens. It knows no grammar: its users look for the few patterns that they need.
package sqltext

import "strings"

// Ident quotes a name of a table, column, index, trigger or collation. The result means the name and nothing else
// wherever SQLite resolves it; only where no such name exists an old SQLite may take it for a string.
// https://sqlite.org/lang_keywords.html
func Ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Idents quotes each name and joins them with ", ".
func Idents(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = Ident(n)
	}
	return strings.Join(quoted, ", ")
}

// Literal quotes text as a string literal. A NUL in it would end the SQL text: callers bind such text instead.
func Literal(text string) string { return `'` + strings.ReplaceAll(text, `'`, `''`) + `'` }

// EqualName compares names as SQLite does: without regard to the case of ASCII letters, and of these only.
func EqualName(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// FoldName maps names that EqualName holds equal to one spelling, for use as map keys.
func FoldName(name string) string {
	b := []byte(name)
	for i, c := range b {
		b[i] = lower(c)
	}
	return string(b)
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
