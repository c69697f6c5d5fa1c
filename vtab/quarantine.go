package vtab

import (
	"context"
	"encoding/json"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// quarantineListing is tributary_quarantine: rows that are alive and that a constraint does not let the table show. key is
// a JSON array, row a JSON object of all columns, in their order.
var quarantineListing = &listing{
	name: "tributary_quarantine",
	declaration: `CREATE TABLE x("table" TEXT, key TEXT, reason TEXT, detail TEXT, row TEXT, site TEXT, version INTEGER, ` +
		`time TEXT)`,
	rows: func(ctx context.Context, e *engine.Engine) (out [][]crdt.Value, err error) {
		list, err := e.Quarantine(ctx)
		if err != nil {
			return nil, err
		}
		for _, q := range list {
			key, err := jsonValue(q.Key)
			if err != nil {
				return nil, err
			}
			row, err := rowObject(q.Columns, q.Values)
			if err != nil {
				return nil, err
			}
			out = append(out, []crdt.Value{crdt.TextString(q.Table), key, textOrNull(q.Reason), textOrNull(q.Detail), row,
				siteValue(q.Site), crdt.Int(int64(q.Version)), timeValue(q.Time)})
		}
		return out, nil
	},
}

// rowObject is {"column":value,…}.
func rowObject(columns []string, values []crdt.Value) (crdt.Value, error) {
	b := []byte{'{'}
	for i, c := range columns {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := json.Marshal(c)
		if err != nil {
			return crdt.Null(), err
		}
		value, err := values[i].MarshalJSON()
		if err != nil {
			return crdt.Null(), err
		}
		b = append(append(append(b, name...), ':'), value...)
	}
	return crdt.Text(append(b, '}')), nil
}
