package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

// dataset is what all engines are given. Its text has a line for each table,
//
//	T	name	number of key columns	column	declared type	column	declared type ...
//
// with the key first, and after it a line for each row: R, then a field for each column, which begins with i (integer),
// r (real), s (text) or is n (NULL). Fields are separated by tabs; tab, line feed, carriage return and backslash are
// written \t, \n, \r and \\.
type dataset struct {
	name   string
	tables []*table
}

type table struct {
	name           string
	keys           int
	columns, types []string
	rows           [][]any // int64, float64, string or nil
}

func (d *dataset) rows() (n int) {
	for _, t := range d.tables {
		n += len(t.rows)
	}
	return n
}

// synthetic is the table that targets are stated for: an integer key, two texts, two integers.
func synthetic(rows int) *dataset {
	t := &table{name: "t", keys: 1, columns: []string{"id", "a", "b", "c", "d"}, types: []string{"INTEGER", "TEXT", "TEXT", "INT", "INT"}}
	for i := range int64(rows) {
		t.rows = append(t.rows, []any{i + 1, fmt.Sprint("name of ", i+1), fmt.Sprint("some text ", i*7), i * 3, i % 100})
	}
	return &dataset{"five-columns", []*table{t}}
}

// readChinook runs the script of the Chinook sample database and reads its tables. Foreign keys, secondary indexes and NOT
// NULL go, since not every engine can keep them. An empty path gives nil.
func readChinook(path string) (_ *dataset, err error) {
	if path == "" {
		return nil, nil
	}
	script, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	db, err := sqlite3.Open(":memory:")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Exec("BEGIN;" + string(script) + ";COMMIT"); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	d := &dataset{name: "Chinook"}
	names, err := query(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		t := &table{name: n[0].(string)}
		columns, err := query(db, fmt.Sprintf("SELECT name, type, pk FROM pragma_table_info('%s') ORDER BY pk = 0, pk, cid", t.name))
		if err != nil {
			return nil, err
		}
		for _, c := range columns {
			t.columns, t.types = append(t.columns, c[0].(string)), append(t.types, c[1].(string))
			if c[2].(int64) > 0 {
				t.keys++
			}
		}
		if t.keys == 0 {
			return nil, fmt.Errorf("%s: table %s has no primary key", path, t.name)
		}
		if t.rows, err = query(db, fmt.Sprintf(`SELECT "%s" FROM "%s"`, strings.Join(t.columns, `", "`), t.name)); err != nil {
			return nil, err
		}
		d.tables = append(d.tables, t)
	}
	return d, nil
}

func query(db *sqlite3.Conn, sql string) (rows [][]any, err error) {
	q, _, err := db.Prepare(sql)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sql, err)
	}
	defer q.Close()
	for q.Step() {
		row := make([]any, q.ColumnCount())
		for c := range row {
			switch q.ColumnType(c) {
			case sqlite3.INTEGER:
				row[c] = q.ColumnInt64(c)
			case sqlite3.FLOAT:
				row[c] = q.ColumnFloat(c)
			case sqlite3.TEXT:
				row[c] = q.ColumnText(c)
			case sqlite3.BLOB:
				return nil, fmt.Errorf("%s: blobs are not in the format of data sets", sql)
			}
		}
		rows = append(rows, row)
	}
	return rows, q.Err()
}

var (
	escape   = strings.NewReplacer("\t", `\t`, "\n", `\n`, "\r", `\r`, `\`, `\\`)
	unescape = strings.NewReplacer(`\t`, "\t", `\n`, "\n", `\r`, "\r", `\\`, `\`)
)

func (d *dataset) write(path string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for _, t := range d.tables {
		fmt.Fprintf(w, "T\t%s\t%d", t.name, t.keys)
		for i := range t.columns {
			fmt.Fprintf(w, "\t%s\t%s", t.columns[i], t.types[i])
		}
		for _, row := range t.rows {
			w.WriteString("\nR")
			for _, v := range row {
				switch v := v.(type) {
				case int64:
					fmt.Fprintf(w, "\ti%d", v)
				case float64:
					fmt.Fprintf(w, "\tr%s", strconv.FormatFloat(v, 'g', -1, 64))
				case string:
					w.WriteString("\ts" + escape.Replace(v))
				default:
					w.WriteString("\tn")
				}
			}
		}
		w.WriteByte('\n')
	}
	return errors.Join(w.Flush(), f.Close())
}

func readDataset(path string) (*dataset, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseDataset(path, string(text))
}

func parseDataset(path, text string) (_ *dataset, err error) {
	d := &dataset{}
	for n, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		f := strings.Split(line, "\t")
		if f[0] == "T" && len(f) > 2 {
			t := &table{name: f[1]}
			if t.keys, err = strconv.Atoi(f[2]); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", path, n+1, err)
			}
			for pair := range slices.Chunk(f[3:], 2) {
				t.columns, t.types = append(t.columns, pair[0]), append(t.types, pair[1])
			}
			d.tables = append(d.tables, t)
			continue
		}
		if f[0] != "R" || len(d.tables) == 0 {
			return nil, fmt.Errorf("%s:%d: a line begins with T or R, and the first with T", path, n+1)
		}
		t, row := d.tables[len(d.tables)-1], make([]any, len(f)-1)
		for i, v := range f[1:] {
			switch {
			case strings.HasPrefix(v, "i"):
				row[i], err = strconv.ParseInt(v[1:], 10, 64)
			case strings.HasPrefix(v, "r"):
				row[i], err = strconv.ParseFloat(v[1:], 64)
			case strings.HasPrefix(v, "s"):
				row[i] = unescape.Replace(v[1:])
			}
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", path, n+1, err)
			}
		}
		t.rows = append(t.rows, row)
	}
	return d, nil
}

// valueBytes is the bare content of all rows: text by its length, reals eight bytes, integers as SQLite stores them.
func (d *dataset) valueBytes() (n int64) {
	for _, t := range d.tables {
		for _, row := range t.rows {
			for _, v := range row {
				switch v := v.(type) {
				case int64:
					n += integerBytes(v)
				case float64:
					n += 8
				case string:
					n += int64(len(v))
				}
			}
		}
	}
	return n
}

// integerBytes is the size of an integer in a record: https://sqlite.org/fileformat2.html#record_format
func integerBytes(v int64) int64 {
	if v == 0 || v == 1 {
		return 0
	}
	for i, bits := range []int{8, 16, 24, 32, 48} {
		if limit := int64(1) << (bits - 1); v >= -limit && v < limit {
			return []int64{1, 2, 3, 4, 6}[i]
		}
	}
	return 8
}
