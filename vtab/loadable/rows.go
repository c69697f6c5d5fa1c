package loadable

import (
	"context"
	"strconv"
	"strings"
	"sync"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/vtab"
)

// rowsModules are the tables over which the engine applies packages: eponymous and read only. They exist on one
// connection, whose rows now says what they show, and nobody but the engine has use for them.
func rowsModules(now func() *engine.Rows) []vtab.Module {
	return []vtab.Module{rowsModule(now, "tributary_rows", narrow), rowsModule(now, "tributary_rows_wide", wide)}
}

func rowsModule(now func() *engine.Rows, name string, declaration func() string) vtab.Module {
	return vtab.Module{Name: name, Eponymous: true, Connect: func(vtab.Arguments) (vtab.Table, error) {
		return &rowsTable{now, declaration()}, nil
	}}
}

// The declarations are long, and the same for every connection.
var (
	narrow = sync.OnceValue(func() string { return rowsDeclaration(engine.NarrowColumns) })
	wide   = sync.OnceValue(func() string { return rowsDeclaration(engine.WideColumns) })
)

func rowsDeclaration(width int) string {
	var b strings.Builder
	b.WriteString("CREATE TABLE x(c0")
	for i := 1; i < width; i++ {
		b.WriteString(",c" + strconv.Itoa(i))
	}
	b.WriteString(")")
	return b.String()
}

type rowsTable struct {
	now         func() *engine.Rows // nil: no rows
	declaration string
}

func (t *rowsTable) Declaration() string { return t.declaration }
func (t *rowsTable) Open() vtab.Cursor   { return &rowsCursor{t: t} }

// Plan uses bounds on the rowid, so that the engine can apply a part of the rows. The text of the plan has one byte for
// each argument, its operator.
func (t *rowsTable) Plan(ix *vtab.Index) error {
	var operators []byte
	rows := 1000.0
	for i := range ix.Constraints {
		k := &ix.Constraints[i]
		if k.Column != -1 || !k.Usable {
			continue
		}
		switch k.Operator {
		case vtab.Equal:
			rows = 1
		case vtab.Greater, vtab.GreaterOrEqual, vtab.Less, vtab.LessOrEqual:
			rows /= 2
		default:
			continue
		}
		operators = append(operators, byte(k.Operator))
		// Not omitted: SQLite compares again, so a bound that is no integer may be ignored here.
		k.Argument = len(operators)
	}
	ix.Ordered = len(ix.Order) == 1 && ix.Order[0] == vtab.Order{Column: -1}
	ix.Plan.Text = string(operators)
	ix.Cost, ix.Rows = rows, int64(rows)+1
	return nil
}

// rowsBatch is how many rows cross at once.
const rowsBatch = 256

type rowsCursor struct {
	t    *rowsTable
	data [][]crdt.Value
	i    int
}

func (c *rowsCursor) Filter(_ context.Context, p vtab.Plan, args []crdt.Value) error {
	c.data, c.i = nil, 0
	if rows := c.t.now(); rows != nil {
		c.data = rows.Data
	}
	first, end := int64(0), int64(len(c.data))
	for k, a := range args {
		if a.Kind() != crdt.KindInt {
			continue
		}
		switch v := a.Int(); vtab.Operator(p.Text[k]) {
		case vtab.Equal:
			first = max(first, v)
			if v < end {
				end = v + 1
			}
		case vtab.GreaterOrEqual, vtab.Greater:
			first = max(first, v) // SQLite drops the row v itself when it must be greater
		case vtab.Less:
			end = min(end, v)
		case vtab.LessOrEqual:
			if v < end {
				end = v + 1
			}
		}
	}
	end = max(end, 0)
	c.data, c.i = c.data[:end], int(min(first, end))
	return nil
}

func (c *rowsCursor) Fill(_ context.Context, w vtab.RowWriter) (more bool, err error) {
	for range rowsBatch {
		if c.i >= len(c.data) {
			return false, nil
		}
		w.Row(int64(c.i), c.data[c.i]...)
		c.i++
	}
	return c.i < len(c.data), nil
}

func (c *rowsCursor) Close() error { return nil }
