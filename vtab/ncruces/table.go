package ncruces

import (
	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/vtab"
)

// table translates a vtab.Table.
type table struct {
	h *host
	t vtab.Table
}

func (t *table) BestIndex(ix *sqlite3.IndexInfo) (err error) {
	defer recovered(&err)
	q := vtab.Index{Used: ix.ColumnsUsed, Cost: ix.EstimatedCost, Rows: ix.EstimatedRows}
	for _, c := range ix.Constraint {
		q.Constraints = append(q.Constraints, vtab.Constraint{Column: c.Column, Operator: vtab.Operator(c.Op), Usable: c.Usable})
	}
	for _, o := range ix.OrderBy {
		q.Order = append(q.Order, vtab.Order{Column: o.Column, Desc: o.Desc})
	}
	if err := t.t.Plan(&q); err != nil {
		return sqlError(err)
	}
	for i, c := range q.Constraints {
		ix.ConstraintUsage[i] = sqlite3.IndexConstraintUsage{ArgvIndex: c.Argument, Omit: c.Omit}
	}
	ix.IdxNum, ix.IdxStr, ix.OrderByConsumed = q.Plan.Number, q.Plan.Text, q.Ordered
	ix.EstimatedCost, ix.EstimatedRows = q.Cost, q.Rows
	return nil
}

func (t *table) Open() (_ sqlite3.VTabCursor, err error) {
	defer recovered(&err)
	return &cursor{h: t.h, c: t.t.Open()}, nil
}

// cursor serves SQLite's steps from the batch that a vtab.Cursor has filled in.
type cursor struct {
	h    *host
	c    vtab.Cursor
	rows []row
	i    int
	more bool
}

type row struct {
	id     int64
	values []crdt.Value
}

// Row implements vtab.RowWriter. The values stay valid as long as the batch, so they are not copied.
func (c *cursor) Row(id int64, values ...crdt.Value) { c.rows = append(c.rows, row{id, values}) }

func (c *cursor) fill() (err error) {
	clear(c.rows)
	c.rows, c.i = c.rows[:0], 0
	c.more, err = c.c.Fill(c.h.conn.db.GetInterrupt(), c)
	return err
}

func (c *cursor) Filter(number int, text string, arg ...sqlite3.Value) (err error) {
	defer c.h.leave(c.h.enter(), &err)
	if err := c.c.Filter(c.h.conn.db.GetInterrupt(), vtab.Plan{Number: number, Text: text}, arguments(arg)); err != nil {
		return err
	}
	return c.fill()
}

func (c *cursor) Next() (err error) {
	if c.i++; c.i < len(c.rows) || !c.more {
		return nil
	}
	defer c.h.leave(c.h.enter(), &err)
	return c.fill()
}

func (c *cursor) EOF() bool { return c.i >= len(c.rows) }

func (c *cursor) Column(ctx sqlite3.Context, n int) (err error) {
	defer recovered(&err)
	if ctx.VTabNoChange() {
		return nil // an UPDATE does not set this column; saying nothing tells xUpdate so
	}
	result(ctx, &c.rows[c.i].values[n])
	return nil
}

func (c *cursor) RowID() (_ int64, err error) {
	defer recovered(&err)
	return c.rows[c.i].id, nil
}

func (c *cursor) Close() (err error) {
	defer recovered(&err)
	return c.c.Close()
}
