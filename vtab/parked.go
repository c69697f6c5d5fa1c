package vtab

import (
	"context"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// parkedListing is tributary_parked: changes that wait for a table or a column. key is that of the first of rows.
var parkedListing = &listing{
	name:        "tributary_parked",
	declaration: `CREATE TABLE x("table" TEXT, key TEXT, rows INTEGER, reason TEXT, cursor INTEGER)`,
	rows: func(ctx context.Context, e *engine.Engine) (out [][]crdt.Value, err error) {
		list, err := e.Parked(ctx)
		for _, p := range list {
			out = append(out, []crdt.Value{crdt.TextString(p.Table), textOrNull(p.Key), crdt.Int(int64(p.Rows)),
				textOrNull(p.Reason), crdt.Int(p.Cursor)})
		}
		return out, err
	},
}
