package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tributary-db/tributary/engine"
)

// sideBySide prints every table with one column per replica. Rows that are not the same everywhere are marked.
func (d *demo) sideBySide() error {
	grid := [][]string{{"", ""}}
	for _, r := range d.replicas {
		grid[0] = append(grid[0], r.name)
	}
	for _, t := range demoTables {
		lines, err := d.tableLines(t.name, t.key)
		if err != nil {
			return err
		}
		grid = append(append(grid, []string{"", t.name}), lines...)
	}
	return columns(d.app.out, "", grid)
}

// tableLines has a line per key: a mark, the key, and what each replica holds under it.
func (d *demo) tableLines(table, key string) (lines [][]string, err error) {
	byKey := map[string][]string{}
	var keys []string
	for i, r := range d.replicas {
		rows, err := r.query("SELECT " + key + ", * FROM " + table)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if byKey[row[0]] == nil {
				keys = append(keys, row[0])
				byKey[row[0]] = slices.Repeat([]string{"-"}, len(d.replicas))
			}
			// Behind the key as it is shown stand all columns, the key's first.
			shown := row[1+len(strings.Fields(row[0])):]
			byKey[row[0]][i] = strings.Join(shown, " | ")
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		cells := byKey[k]
		mark := " "
		if len(slices.Compact(slices.Clone(cells))) > 1 {
			mark = "!"
		}
		lines = append(lines, append([]string{mark, "  " + k}, cells...))
	}
	return lines, nil
}

// prove shows in three independent ways that the replicas are equal and sound.
func (d *demo) prove(ctx context.Context) error {
	d.title("The proof")
	var open []*database
	defer func() {
		for _, x := range open {
			x.Close()
		}
	}()
	for _, r := range d.replicas {
		x, err := d.app.open(ctx, r.path, toRead)
		if err != nil {
			return err
		}
		open = append(open, x)
	}
	failed := false
	line := func(what, result string, ok bool) {
		if !ok {
			failed = true
			result += "   <-- wrong"
		}
		d.say("  %-38s %s", what, result)
	}
	for i, x := range open {
		y := open[(i+1)%len(open)]
		n := 0
		for _, err := range engine.Diff(ctx, x.engine, y.engine) {
			if err != nil {
				return err
			}
			n++
		}
		line(fmt.Sprintf("tributary diff %s.db %s.db", d.replicas[i].name, d.replicas[(i+1)%len(open)].name),
			plural(n, "difference"), n == 0)
	}
	for i, x := range open {
		found, err := x.engine.Check(ctx)
		if err != nil {
			return err
		}
		line("tributary check "+d.replicas[i].name+".db", plural(len(found), "violation"), len(found) == 0)
	}
	first := ""
	for _, r := range d.replicas {
		sound, err := r.value("SELECT (SELECT group_concat(integrity_check) FROM pragma_integrity_check) || ', ' || (SELECT count(*) FROM pragma_foreign_key_check) || ' broken foreign keys'")
		if err != nil {
			return err
		}
		line("SQLite's own checks of "+r.name+".db", sound, sound == "ok, 0 broken foreign keys")
	}
	for i, r := range d.replicas {
		print, err := r.fingerprint()
		if err != nil {
			return err
		}
		if i == 0 {
			first = print
		}
		line("hash of all rows of "+r.name+".db", print, print == first)
	}
	if failed {
		fmt.Fprintln(d.app.err, "tributary: demo: the replicas are not equal and sound; this is a defect, please report it")
		return errNo
	}
	return nil
}
