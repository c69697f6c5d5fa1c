package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// Difference is one row, or one table, in which two replicas differ. Kind is only-a, only-b, differs, or columns when
// the tables themselves do. Columns names what A and B hold; for differs only the columns that do.
type Difference struct {
	Table   string
	Key     []crdt.Value
	Kind    string
	Columns []string
	A, B    []crdt.Value
}

// Diff yields the differences between the tracked tables of two databases, by table and key. Values are compared
// losslessly: the integer 1 differs from the real 1.0.
func Diff(ctx context.Context, a, b *Engine) iter.Seq2[Difference, error] {
	return func(yield func(Difference, error) bool) {
		for _, e := range []*Engine{a, b} {
			if err := e.load(ctx); err != nil && !errors.Is(err, ErrNoDatabase) {
				yield(Difference{}, wrap("diff", err))
				return
			}
		}
		var names []string
		for _, e := range []*Engine{a, b} {
			for _, t := range e.tables {
				if !slices.ContainsFunc(names, func(n string) bool { return sqltext.EqualName(n, t.name) }) {
					names = append(names, t.name)
				}
			}
		}
		slices.Sort(names)
		for _, n := range names {
			if err := ctx.Err(); err != nil {
				yield(Difference{}, err)
				return
			}
			if !diffTable(a, b, n, yield) {
				return
			}
		}
	}
}

func diffTable(a, b *Engine, name string, yield func(Difference, error) bool) bool {
	fail := func(err error) bool { return yield(Difference{Table: name}, wrap("diff "+name, err)) && false }
	s, err := readTable(a.conn, name)
	if err == nil {
		var o *tableSchema
		if o, err = readTable(b.conn, name); err == nil {
			return diffRows(a, b, s, o, yield, fail)
		}
		return !errors.Is(err, ErrNoTable) && fail(err) || yield(Difference{Table: name, Kind: "only-a"}, nil)
	}
	return !errors.Is(err, ErrNoTable) && fail(err) || yield(Difference{Table: name, Kind: "only-b"}, nil)
}

// diffRows goes through both tables in the order of their keys.
func diffRows(a, b *Engine, s, o *tableSchema, yield func(Difference, error) bool, fail func(error) bool) bool {
	cols, odd := commonColumns(s, o)
	if len(odd) > 0 && !yield(Difference{Table: s.Name, Kind: "columns", Columns: odd}, nil) {
		return false
	}
	n := len(s.Key)
	x, err := openRows(a, s, cols)
	if err != nil {
		return fail(err)
	}
	defer x.stmt.Close()
	y, err := openRows(b, s, cols)
	if err != nil {
		return fail(err)
	}
	defer y.stmt.Close()
	for {
		if err := errors.Join(x.err, y.err); err != nil {
			return fail(err)
		}
		d := Difference{Table: s.Name, Columns: cols}
		order := 0
		switch {
		case !x.ok && !y.ok:
			return true
		case !y.ok:
			order = -1
		case !x.ok:
			order = 1
		default:
			order = compareKeys(x.row[:n], y.row[:n])
		}
		switch {
		case order < 0:
			d.Kind, d.Key, d.A = "only-a", cloneKey(x.row[:n]), cloneKey(x.row[n:])
		case order > 0:
			d.Kind, d.Key, d.B = "only-b", cloneKey(y.row[:n]), cloneKey(y.row[n:])
		default:
			d.Columns = nil
			for i, c := range cols {
				if !x.row[n+i].Equal(y.row[n+i]) {
					d.Columns, d.A, d.B = append(d.Columns, c), append(d.A, x.row[n+i].Clone()), append(d.B, y.row[n+i].Clone())
				}
			}
			if len(d.Columns) > 0 {
				d.Kind, d.Key = "differs", cloneKey(x.row[:n])
			}
		}
		if d.Kind != "" && !yield(d, nil) {
			return false
		}
		if order <= 0 {
			x.next()
		}
		if order >= 0 {
			y.next()
		}
	}
}

// commonColumns are the columns of both tables; odd names those of one alone.
func commonColumns(s, o *tableSchema) (common, odd []string) {
	has := func(list []columnSchema, name string) bool {
		return slices.ContainsFunc(list, func(c columnSchema) bool { return sqltext.EqualName(c.Name, name) })
	}
	for _, c := range s.Columns {
		if has(o.Columns, c.Name) {
			common = append(common, c.Name)
		} else {
			odd = append(odd, c.Name+" (only in the first)")
		}
	}
	for _, c := range o.Columns {
		if !has(s.Columns, c.Name) {
			odd = append(odd, c.Name+" (only in the second)")
		}
	}
	return common, odd
}

// tableRows reads a table in the total order of its keys.
type tableRows struct {
	stmt Stmt
	row  []crdt.Value
	ok   bool
	err  error
}

func openRows(e *Engine, s *tableSchema, cols []string) (*tableRows, error) {
	var names, order []string
	for _, k := range s.Key {
		names = append(names, ident(k.Name))
		// BINARY, and INTEGER before an equal REAL, as crdt.Value orders them.
		order = append(order, ident(k.Name)+" COLLATE BINARY", fmt.Sprintf("typeof(%s) = 'real'", ident(k.Name)))
	}
	for _, c := range cols {
		names = append(names, ident(c))
	}
	stmt, err := e.conn.Prepare(fmt.Sprintf("SELECT %s FROM %s ORDER BY %s", strings.Join(names, ", "), ident(s.Name), strings.Join(order, ", ")))
	if err != nil {
		return nil, err
	}
	r := &tableRows{stmt: stmt, row: make([]crdt.Value, len(names))}
	if r.err = stmt.Query(); r.err == nil {
		r.next()
	}
	return r, nil
}

func (r *tableRows) next() { r.ok, r.err = r.stmt.Next(r.row) }
