package vtab

import (
	"context"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// pendingListing is tributary_pending: the packages that have come too early, and what they wait for.
var pendingListing = &listing{
	name: "tributary_pending",
	declaration: `CREATE TABLE x(sender TEXT, since INTEGER, until INTEGER, part INTEGER, bytes INTEGER, reason TEXT, ` +
		`covers TEXT, needs TEXT)`,
	rows: func(ctx context.Context, e *engine.Engine) (out [][]crdt.Value, err error) {
		list, err := e.Pending(ctx)
		for _, p := range list {
			out = append(out, []crdt.Value{siteValue(p.Sender), crdt.Int(p.Since), crdt.Int(p.Until), crdt.Int(int64(p.Part)),
				crdt.Int(int64(p.Bytes)), textOrNull(p.Reason), textOrNull(p.Covers), textOrNull(p.Needs)})
		}
		return out, err
	},
}
