package bench

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

// shape is the form of a table. Row i has the same values in every table of one shape, about 34 bytes in five columns.
type shape struct {
	key     string // int, text, blob16 or composite
	cols    int    // columns, those of the key included
	indexes int    // secondary indexes
}

// five is the table that targets are stated for.
var five = shape{key: "int", cols: 5}

func (s shape) String() string {
	return fmt.Sprintf("key=%s/cols=%d/indexes=%d", s.key, s.cols, s.indexes)
}

// keys are the names and declared types of the key columns.
func (s shape) keys() (names, types []string) {
	switch s.key {
	case "int":
		return []string{"id"}, []string{"INTEGER"}
	case "text":
		return []string{"id"}, []string{"TEXT NOT NULL"}
	case "blob16":
		return []string{"id"}, []string{"BLOB NOT NULL"}
	case "composite":
		return []string{"owner", "n"}, []string{"TEXT NOT NULL", "INTEGER NOT NULL"}
	}
	panic("no key called " + s.key)
}

// values are the names of the other columns: v0 and v1 hold text, v2 and v3 integers, and so on.
func (s shape) values() []string {
	names, _ := s.keys()
	var out []string
	for i := range s.cols - len(names) {
		out = append(out, fmt.Sprint("v", i))
	}
	return out
}

func (s shape) ddl(table string) string {
	names, types := s.keys()
	var cols []string
	for i := range names {
		cols = append(cols, names[i]+" "+types[i])
	}
	for i, v := range s.values() {
		cols = append(cols, v+" "+[]string{"TEXT", "TEXT", "INT", "INT"}[i%4])
	}
	sql := fmt.Sprintf("CREATE TABLE %s(%s, PRIMARY KEY(%s));", table, strings.Join(cols, ", "), strings.Join(names, ", "))
	for i := range s.indexes {
		sql += fmt.Sprintf("CREATE INDEX %s_v%d ON %s(v%d);", table, i, table, i)
	}
	return sql
}

func (s shape) where(first int) string {
	names, _ := s.keys()
	var out []string
	for i, n := range names {
		out = append(out, fmt.Sprintf("%s = ?%d", n, first+i))
	}
	return strings.Join(out, " AND ")
}

func (s shape) insertSQL(table string) string {
	return fmt.Sprintf("INSERT INTO %s VALUES (?%s)", table, strings.Repeat(", ?", s.cols-1))
}

// upsertSQL is what a program without Tributary would merge a row with.
func (s shape) upsertSQL(table string) string {
	names, _ := s.keys()
	var set []string
	for _, v := range s.values() {
		set = append(set, v+" = excluded."+v)
	}
	return s.insertSQL(table) + fmt.Sprintf(" ON CONFLICT(%s) DO UPDATE SET %s", strings.Join(names, ", "), strings.Join(set, ", "))
}

// updateSQL sets v2, the first integer, to its first parameter; the key follows.
func (s shape) updateSQL(table string) string {
	return fmt.Sprintf("UPDATE %s SET v2 = ?1 WHERE %s", table, s.where(2))
}

func (s shape) deleteSQL(table string) string {
	return fmt.Sprintf("DELETE FROM %s WHERE %s", table, s.where(1))
}

// bindKey binds the key of row i from parameter p on, and returns the parameter after it.
func (s shape) bindKey(q *sqlite3.Stmt, p, i int) (int, error) {
	switch s.key {
	case "int":
		return p + 1, q.BindInt64(p, int64(i))
	case "text":
		return p + 1, q.BindText(p, fmt.Sprintf("key of %d", i))
	case "blob16":
		r := rand.NewChaCha8([32]byte{byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24)})
		var id [16]byte
		r.Read(id[:])
		return p + 1, q.BindBlob(p, id[:])
	}
	if err := q.BindText(p, fmt.Sprint("owner ", i%10)); err != nil {
		return p, err
	}
	return p + 2, q.BindInt64(p+1, int64(i))
}

// bindRow binds all columns of row i.
func (s shape) bindRow(q *sqlite3.Stmt, i int) error {
	p, err := s.bindKey(q, 1, i)
	for v := range s.values() {
		if err != nil {
			return err
		}
		switch v % 4 {
		case 0:
			err = q.BindText(p+v, fmt.Sprint("name of ", i))
		case 1:
			err = q.BindText(p+v, fmt.Sprint("some text ", i*7))
		case 2:
			err = q.BindInt64(p+v, int64(i*3))
		case 3:
			err = q.BindInt64(p+v, int64(i%100))
		}
	}
	return err
}
