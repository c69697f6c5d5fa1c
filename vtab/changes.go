package vtab

import (
	"context"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// changesListing is tributary_changes: the newest change of every row, with its origin. key is a JSON array in the order
// of the table's key; columns is a JSON array of what an update set, NULL where that is all of them. A table's rows from
// before it was tracked are one entry of kind base, without a key. WHERE cursor > ? begins there.
var changesListing = &listing{
	name: "tributary_changes",
	declaration: `CREATE TABLE x(cursor INTEGER, "table" TEXT, key TEXT, kind TEXT, columns TEXT, site TEXT, ` +
		`version INTEGER, time TEXT)`,
	feed: func(ctx context.Context, e *engine.Engine, since int64, skip, limit int) (out [][]crdt.Value, err error) {
		for c, err := range e.Changes(ctx, since) {
			if err != nil {
				return nil, err
			}
			if skip > 0 {
				skip--
				continue
			}
			row, err := changeRow(&c)
			if err != nil {
				return nil, err
			}
			if out = append(out, row); len(out) == limit {
				break
			}
		}
		return out, nil
	},
}

func changeRow(c *engine.ChangeInfo) ([]crdt.Value, error) {
	key, err := jsonValue(c.Key)
	if err != nil {
		return nil, err
	}
	columns, err := jsonValue(c.Columns)
	if err != nil {
		return nil, err
	}
	return []crdt.Value{crdt.Int(c.Cursor), crdt.TextString(c.Table), key, crdt.TextString(c.Kind), columns,
		siteValue(c.Site), crdt.Int(int64(c.Version)), timeValue(c.Time)}, nil
}
