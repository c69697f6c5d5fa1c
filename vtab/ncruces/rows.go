package ncruces

import (
	"errors"
	"strconv"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// registerRows makes the tables over which the engine applies packages: eponymous, read only, without a copy of the
// rows. They exist on this connection only and nobody but the engine has use for them, so they are direct-only:
// https://sqlite.org/c3ref/c_vtab_constraint_support.html#sqlitevtabdirectonly
func registerRows(c *conn) error {
	return errors.Join(
		registerRowsOf(c, "tributary_rows", engine.NarrowColumns),
		registerRowsOf(c, "tributary_rows_wide", engine.WideColumns))
}

func registerRowsOf(c *conn, name string, width int) error {
	var declaration strings.Builder
	declaration.WriteString("CREATE TABLE x(c0")
	for i := 1; i < width; i++ {
		declaration.WriteString(",c" + strconv.Itoa(i))
	}
	declaration.WriteString(")")
	sql := declaration.String()
	connect := func(db *sqlite3.Conn, _, _, _ string, _ ...string) (_ *rowsTable, err error) {
		defer recovered(&err)
		if err := db.VTabConfig(sqlite3.VTAB_DIRECTONLY); err != nil {
			return nil, err
		}
		return &rowsTable{c}, db.DeclareVTab(sql)
	}
	//lint:ignore SA1019 the generic method needs a newer Go than go.mod asks for
	return sqlite3.CreateModule(c.db, name, nil, connect)
}

type rowsTable struct{ c *conn }

// BestIndex uses bounds on the rowid, so that the engine can apply a part of the rows.
func (t *rowsTable) BestIndex(ix *sqlite3.IndexInfo) (err error) {
	defer recovered(&err)
	var operators []byte
	rows := 1000.0
	for i, c := range ix.Constraint {
		if c.Column != -1 || !c.Usable {
			continue
		}
		switch c.Op {
		case sqlite3.INDEX_CONSTRAINT_EQ:
			rows = 1
		case sqlite3.INDEX_CONSTRAINT_GT, sqlite3.INDEX_CONSTRAINT_GE, sqlite3.INDEX_CONSTRAINT_LT, sqlite3.INDEX_CONSTRAINT_LE:
			rows /= 2
		default:
			continue
		}
		operators = append(operators, byte(c.Op))
		// Not omitted: SQLite compares again, so a bound that is no integer may be ignored here.
		ix.ConstraintUsage[i].ArgvIndex = len(operators)
	}
	if len(ix.OrderBy) == 1 && ix.OrderBy[0].Column == -1 && !ix.OrderBy[0].Desc {
		ix.OrderByConsumed = true
	}
	ix.IdxStr = string(operators)
	ix.EstimatedCost, ix.EstimatedRows = rows, int64(rows)+1
	return nil
}

func (t *rowsTable) Open() (sqlite3.VTabCursor, error) { return &rowsCursor{t: t}, nil }

type rowsCursor struct {
	t    *rowsTable
	data [][]crdt.Value
	i    int
}

func (c *rowsCursor) Filter(_ int, operators string, arg ...sqlite3.Value) (err error) {
	defer recovered(&err)
	c.data, c.i = nil, 0
	if c.t.c.rows != nil {
		c.data = c.t.c.rows.Data
	}
	first, end := int64(0), int64(len(c.data))
	for k := range arg {
		if arg[k].Type() != sqlite3.INTEGER {
			continue
		}
		switch v := arg[k].Int64(); sqlite3.IndexConstraintOp(operators[k]) {
		case sqlite3.INDEX_CONSTRAINT_EQ:
			first = max(first, v)
			if v < end {
				end = v + 1
			}
		case sqlite3.INDEX_CONSTRAINT_GE, sqlite3.INDEX_CONSTRAINT_GT:
			first = max(first, v) // SQLite drops the row v itself when it must be greater
		case sqlite3.INDEX_CONSTRAINT_LT:
			end = min(end, v)
		case sqlite3.INDEX_CONSTRAINT_LE:
			if v < end {
				end = v + 1
			}
		}
	}
	end = max(end, 0)
	c.data, c.i = c.data[:end], int(min(first, end))
	return nil
}

func (c *rowsCursor) Next() error           { c.i++; return nil }
func (c *rowsCursor) EOF() bool             { return c.i >= len(c.data) }
func (c *rowsCursor) RowID() (int64, error) { return int64(c.i), nil }

// Column is the hot path of applying: no lookup, no copy but the one into SQLite's memory.
func (c *rowsCursor) Column(ctx sqlite3.Context, n int) (err error) {
	defer recovered(&err)
	if row := c.data[c.i]; n < len(row) {
		result(ctx, &row[n])
	}
	return nil
}
