package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// table is one table of the data set; the first keys columns are the key.
type table struct {
	name    string
	keys    int
	columns []string
	rows    [][]any
}

var (
	tables []*table
	total  int // rows of all tables
)

func (t *table) key(row []any) string { return fmt.Sprintln(row[:t.keys]...) }

// next is the value of a generation: the one in the data set, changed a little.
func next(v any, generation int) any {
	if generation == 0 {
		return v
	}
	switch v := v.(type) {
	case int64:
		return v + int64(generation)
	case float64:
		return v + float64(generation)
	case string:
		return v + "!" + strconv.Itoa(generation)
	}
	return int64(generation)
}

var escapes = strings.NewReplacer(`\t`, "\t", `\n`, "\n", `\r`, "\r", `\\`, `\`)

func readData(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<24)
	for line := 1; in.Scan(); line++ {
		fields := strings.Split(in.Text(), "\t")
		if fields[0] == "T" {
			t := &table{name: fields[1]}
			if t.keys, err = strconv.Atoi(fields[2]); err != nil {
				return fmt.Errorf("%s:%d: %w", path, line, err)
			}
			for i := 3; i < len(fields); i += 2 {
				t.columns = append(t.columns, fields[i])
			}
			tables = append(tables, t)
			continue
		}
		var row []any
		for _, f := range fields[1:] {
			v, err := value(f)
			if err != nil {
				return fmt.Errorf("%s:%d: %w", path, line, err)
			}
			row = append(row, v)
		}
		t := tables[len(tables)-1]
		t.rows = append(t.rows, row)
		total++
	}
	return in.Err()
}

func value(field string) (any, error) {
	switch field[0] {
	case 'i':
		return strconv.ParseInt(field[1:], 10, 64)
	case 'r':
		return strconv.ParseFloat(field[1:], 64)
	case 's':
		return escapes.Replace(field[1:]), nil
	}
	return nil, nil
}
