package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

func (a *app) diffCommand() *cobra.Command {
	var asJSON bool
	var limit int
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Show the rows in which two databases differ",
		Long: `Show the rows of the tracked tables in which two databases differ. Exit code 0 when they are equal, 1 when they differ.
Values are compared exactly: 1 and 1.0, '' and NULL, text and blob are different.`,
		Example: `  tributary diff shop.db laptop.db
  tributary diff shop.db laptop.db >/dev/null && echo equal`,
		Args: needArgs(2, 2, "two database files"),
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "print at most this many rows of each table, 0 for all; with --json all is the default")
	jsonFlag(cmd, &asJSON, `one line per row: {"table", "key", "kind", "columns", "a", "b"}; kind is only-a, only-b,
differs, or columns when the tables do not have the same ones; key is in the order of the primary key, empty when it is
about the whole table; a and b are the values of columns, absent where the row is missing.
Values: numbers, text and null as in JSON; {"blob": base64} and other one-field objects where JSON has no such value.`)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		x, y, err := a.openTwo(ctx, args[0], args[1], toRead)
		if err != nil {
			return err
		}
		defer y.Close()
		defer x.Close()
		if asJSON && !cmd.Flags().Changed("limit") {
			limit = 0
		}
		p := &diffPrinter{app: a, a: x, b: y, limit: limit, asJSON: asJSON}
		n, err := p.run(ctx)
		if err != nil {
			return err
		}
		if n > 0 {
			return errNo
		}
		return nil
	}
	return cmd
}

// diffPrinter prints differences as they come and counts those beyond the limit.
type diffPrinter struct {
	app    *app
	a, b   *database
	limit  int
	asJSON bool

	keys    map[string][]string // table -> names of its key columns
	table   string
	inTable int
	tables  int
}

func (p *diffPrinter) run(ctx context.Context) (total int, err error) {
	p.keys = map[string][]string{}
	for _, d := range []*database{p.b, p.a} {
		tables, err := d.engine.Tables(ctx)
		if err != nil {
			return 0, d.fail(err)
		}
		for _, t := range tables {
			p.keys[t.Name] = t.Key
		}
	}
	if len(p.keys) == 0 {
		return 0, fmt.Errorf("%s and %s: nothing is tracked in either; run: tributary track %[1]s --all", p.a.path, p.b.path)
	}
	for d, err := range engine.Diff(ctx, p.a.engine, p.b.engine) {
		if err != nil {
			return total, inFile(p.a.path+" and "+p.b.path, err)
		}
		total++
		if err := p.row(d); err != nil {
			return total, err
		}
	}
	p.rest()
	if p.asJSON {
		return total, nil
	}
	if total == 0 {
		fmt.Fprintf(p.app.out, "%s and %s are equal: %s\n", p.a.path, p.b.path, plural(len(p.keys), "table"))
	} else {
		fmt.Fprintf(p.app.out, "%s and %s differ: %s in %s\n", p.a.path, p.b.path, plural(total, "difference"), plural(p.tables, "table"))
	}
	return total, nil
}

func (p *diffPrinter) row(d engine.Difference) error {
	if d.Table != p.table || p.tables == 0 {
		p.rest()
		p.table, p.inTable = d.Table, 0
		p.tables++
		if !p.asJSON {
			fmt.Fprintln(p.app.out, d.Table)
		}
	}
	if p.inTable++; p.limit > 0 && p.inTable > p.limit {
		return nil
	}
	if p.asJSON {
		return printJSON(p.app.out, differenceJSON{d.Table, jsonValues(append([]crdt.Value{}, d.Key...)), d.Kind, append([]string{}, d.Columns...), jsonValues(d.A), jsonValues(d.B)})
	}
	line := p.text(d)
	if len(d.Key) > 0 {
		line = keyText(p.keys[d.Table], d.Key) + "  " + line
	}
	_, err := fmt.Fprintln(p.app.out, "  "+line)
	return err
}

type differenceJSON struct {
	Table   string      `json:"table"`
	Key     []jsonValue `json:"key"`
	Kind    string      `json:"kind"`
	Columns []string    `json:"columns"`
	A       []jsonValue `json:"a,omitempty"`
	B       []jsonValue `json:"b,omitempty"`
}

// rest says how many rows of the table were not printed.
func (p *diffPrinter) rest() {
	if n := p.inTable - p.limit; p.limit > 0 && n > 0 && !p.asJSON {
		fmt.Fprintf(p.app.out, "  ... and %s more; --limit 0 shows all\n", plural(n, "difference"))
	}
}

func (p *diffPrinter) text(d engine.Difference) string {
	switch {
	case d.Kind == "columns":
		return "not the same columns: " + strings.Join(d.Columns, ", ")
	case len(d.Key) == 0 && d.Kind == "only-a":
		return "the table is only in " + p.a.path
	case len(d.Key) == 0 && d.Kind == "only-b":
		return "the table is only in " + p.b.path
	case d.Kind == "only-a":
		return "only in " + p.a.path + ": " + assignments(d.Columns, d.A)
	case d.Kind == "only-b":
		return "only in " + p.b.path + ": " + assignments(d.Columns, d.B)
	}
	var parts []string
	for i, c := range d.Columns {
		parts = append(parts, fmt.Sprintf("%s: %s | %s", c, valueText(d.A, i), valueText(d.B, i)))
	}
	return strings.Join(parts, ", ")
}

// keyText names a row by its key: id=1. Names beyond those known are left out.
func keyText(names []string, key []crdt.Value) string {
	parts := make([]string, len(key))
	for i := range key {
		if parts[i] = valueText(key, i); i < len(names) {
			parts[i] = names[i] + "=" + parts[i]
		}
	}
	return strings.Join(parts, " ")
}

func assignments(names []string, values []crdt.Value) string {
	parts := make([]string, len(names))
	for i, n := range names {
		parts[i] = n + "=" + valueText(values, i)
	}
	return strings.Join(parts, ", ")
}

// valueWidth bounds what a listing shows of one value.
const valueWidth = 60

func valueText(values []crdt.Value, i int) string {
	if i >= len(values) {
		return "?"
	}
	if v := values[i]; v.Kind() == crdt.KindBlob && len(v.Bytes()) > valueWidth/2 {
		return fmt.Sprintf("blob of %s bytes", count(len(v.Bytes())))
	}
	return cell(values[i].String(), valueWidth)
}
