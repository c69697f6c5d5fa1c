package vtab

import (
	"context"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// statusListing is tributary_status: one row that shows the replica at a glance. vector, tables and streams are JSON.
var statusListing = &listing{
	name: "tributary_status",
	declaration: `CREATE TABLE x(site TEXT, version INTEGER, cursor INTEGER, unfolded INTEGER, pending INTEGER, ` +
		`parked INTEGER, quarantined INTEGER, last_time TEXT, file_bytes INTEGER, free_bytes INTEGER, database TEXT, ` +
		`vector TEXT, tables TEXT, streams TEXT)`,
	rows: func(ctx context.Context, e *engine.Engine) ([][]crdt.Value, error) {
		s, err := e.Status(ctx)
		if err != nil {
			return nil, err
		}
		vector, err := jsonValue(s.Vector)
		if err != nil {
			return nil, err
		}
		tables, err := jsonValue(s.Tables)
		if err != nil {
			return nil, err
		}
		streams, err := jsonValue(s.Streams)
		if err != nil {
			return nil, err
		}
		return [][]crdt.Value{{siteValue(s.Site), crdt.Int(int64(s.Version)), crdt.Int(s.Cursor), crdt.Int(s.Unfolded),
			crdt.Int(s.Pending), crdt.Int(s.Parked), crdt.Int(s.Quarantined), timeValue(s.LastStamp),
			crdt.Int(s.FileBytes), crdt.Int(s.FreeBytes), textOrNull(s.Database), vector, tables, streams}}, nil
	},
}
