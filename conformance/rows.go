package conformance

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// ReadRows returns all rows of a statement.
func ReadRows(w Writer, sql string) (rows [][]crdt.Value, err error) {
	err = w.Query(sql, func(row []crdt.Value) error {
		kept := make([]crdt.Value, len(row))
		for i, v := range row {
			kept[i] = v.Clone()
		}
		rows = append(rows, kept)
		return nil
	})
	return rows, err
}

// Render writes a value as an SQL literal that is exact, so that two values look alike only if they are.
func Render(v crdt.Value) string {
	switch v.Kind() {
	case crdt.KindInt:
		return strconv.FormatInt(v.Int(), 10)
	case crdt.KindReal:
		s := strconv.FormatFloat(v.Real(), 'g', -1, 64)
		if !strings.ContainsAny(s, ".eInN") {
			s += ".0"
		}
		return s
	case crdt.KindText:
		if b := v.Bytes(); !utf8.Valid(b) || slices.Contains(b, 0) {
			return "CAST(X'" + hex.EncodeToString(b) + "' AS TEXT)"
		}
		return "'" + strings.ReplaceAll(string(v.Bytes()), "'", "''") + "'"
	case crdt.KindBlob:
		return "X'" + hex.EncodeToString(v.Bytes()) + "'"
	}
	return "NULL"
}

func renderRow(row []crdt.Value) string {
	text := make([]string, len(row))
	for i, v := range row {
		text[i] = Render(v)
	}
	return strings.Join(text, "|")
}

func sorted(list []string) []string { slices.Sort(list); return list }

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// UserTables are the tables of the application, in order: not SQLite's, not ours, not virtual ones and their shadows.
func UserTables(w Writer) ([]string, error) {
	rows, err := ReadRows(w, `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
		AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT LIKE 'tributary\_%' ESCAPE '\' ORDER BY name`)
	var out []string
	for _, r := range rows {
		out = append(out, string(r[0].Bytes()))
	}
	return out, err
}

// CompareRows reads the named tables of two databases, or all of them, and describes the first differences; "" says that
// there is none. It knows nothing of clocks: only what any SELECT sees counts.
func CompareRows(a, b Writer, tables []string) (string, error) {
	if len(tables) == 0 {
		of, err := UserTables(a)
		if err != nil {
			return "", err
		}
		other, err := UserTables(b)
		if err != nil {
			return "", err
		}
		if !slices.Equal(of, other) {
			return fmt.Sprintf("tables %v against %v", of, other), nil
		}
		tables = of
	}
	for _, t := range tables {
		left, err := dump(a, t)
		if err != nil {
			return "", err
		}
		right, err := dump(b, t)
		if err != nil {
			return "", err
		}
		if text := difference(left, right); text != "" {
			return t + ":\n" + text, nil
		}
	}
	return "", nil
}

// dump reads a table as sorted lines, columns by name: two replicas may have got their columns in different order.
func dump(w Writer, table string) ([]string, error) {
	cols, err := ReadRows(w, "SELECT name FROM pragma_table_info("+Render(crdt.TextString(table))+") ORDER BY name")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, c := range cols {
		names = append(names, quote(string(c[0].Bytes())))
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("there is no table %s", table)
	}
	lines := []string{strings.Join(names, "|")}
	err = w.Query("SELECT "+strings.Join(names, ", ")+" FROM "+quote(table), func(row []crdt.Value) error {
		lines = append(lines, renderRow(row))
		return nil
	})
	slices.Sort(lines[min(1, len(lines)):])
	return lines, err
}

// difference lists up to ten lines that only one side has.
func difference(a, b []string) string {
	var out []string
	for len(out) < 10 && (len(a) > 0 || len(b) > 0) {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0] < b[0]:
			out, a = append(out, "- "+clip(a[0])), a[1:]
		case len(a) == 0 || b[0] < a[0]:
			out, b = append(out, "+ "+clip(b[0])), b[1:]
		default:
			a, b = a[1:], b[1:]
		}
	}
	return strings.Join(out, "\n")
}

func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}

// CheckDatabase says what is wrong with a database: the engine's own check, SQLite's, and foreign keys.
func CheckDatabase(ctx context.Context, w Writer, e *engine.Engine) error {
	var bad []string
	violations, err := e.Check(ctx)
	if err != nil {
		return err
	}
	for _, v := range violations {
		bad = append(bad, fmt.Sprintf("engine.Check: %s: %s (%s)", v.Code, v.Message, v.Remedy))
	}
	rows, err := ReadRows(w, "PRAGMA integrity_check")
	if err != nil {
		return err
	}
	if len(rows) != 1 || string(rows[0][0].Bytes()) != "ok" {
		for _, r := range rows {
			bad = append(bad, "integrity_check: "+renderRow(r))
		}
	}
	rows, err = ReadRows(w, "PRAGMA foreign_key_check")
	if err != nil {
		return err
	}
	for _, r := range rows {
		bad = append(bad, "foreign_key_check: "+renderRow(r))
	}
	if len(bad) > 5 {
		bad = append(bad[:5], fmt.Sprintf("and %d more", len(bad)-5))
	}
	if len(bad) == 0 {
		return nil
	}
	return errors.New(strings.Join(bad, "\n"))
}
