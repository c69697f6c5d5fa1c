package vtab

import (
	"context"
	"encoding/json"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// listing describes an eponymous table.
type listing struct {
	name        string
	declaration string
	// rows computes the whole content; for tables that are short by nature.
	rows func(ctx context.Context, e *engine.Engine) ([][]crdt.Value, error)
	// feed, if set, is used instead: up to about limit rows after a cursor, which their first column holds, in its
	// order, skipping the first skip rows.
	feed func(ctx context.Context, e *engine.Engine, since int64, skip, limit int) ([][]crdt.Value, error)
}

func (s *Session) listing(l *listing) Module {
	return Module{Name: l.name, Eponymous: true, Connect: func(Arguments) (Table, error) {
		return listTable{listing: l, s: s}, nil
	}}
}

// listTable is a listing on one connection.
type listTable struct {
	*listing
	s *Session
}

func (t listTable) Declaration() string { return t.declaration }
func (t listTable) Open() Cursor        { return &listCursor{t: t} }

// Plan begins a feed at a cursor; there is nothing else to gain.
func (t listTable) Plan(ix *Index) error {
	if t.feed != nil {
		return ix.startAfter(0)
	}
	ix.Cost, ix.Rows = 1e3, 1e3
	return nil
}

// feedBatch is how many rows of a feed are read at a time; a scan that goes on reads more.
const feedBatch = 256

type listCursor struct {
	t     listTable
	rowid int64
	done  bool
	since int64 // of a feed: the cursor before the last rows read
	last  int64 // of a feed: the cursor of the last row
	skip  int   // of a feed: rows after since that have been read
	limit int
}

func (c *listCursor) Filter(_ context.Context, p Plan, args []crdt.Value) error {
	*c = listCursor{t: c.t, limit: feedBatch}
	c.since, _, c.done = since(p, args)
	c.last = c.since
	return nil
}

func (c *listCursor) Fill(ctx context.Context, w RowWriter) (more bool, err error) {
	if c.done {
		return false, nil
	}
	e, err := c.t.s.Engine(ctx)
	if err != nil {
		return false, err
	}
	var rows [][]crdt.Value
	if c.t.feed == nil {
		c.done = true
		rows, err = c.t.rows(ctx, e)
	} else {
		rows, err = c.t.feed(ctx, e, c.since, c.skip, c.limit)
		c.done = len(rows) < c.limit
		c.limit = min(2*c.limit, 16*feedBatch)
	}
	for _, r := range rows {
		c.rowid++
		w.Row(c.rowid, r...)
		if c.t.feed == nil {
			continue
		}
		// Rows that arrived in one package may share a cursor: the next read begins before the last one's, and skips
		// those that have been read.
		if at := r[0].Int(); at > c.last {
			c.since, c.last, c.skip = c.last, at, 0
		}
		c.skip++
	}
	return !c.done, err
}

func (c *listCursor) Close() error { return nil }

func textOrNull(s string) crdt.Value {
	if s == "" {
		return crdt.Null()
	}
	return crdt.TextString(s)
}

func siteValue(s crdt.Site) crdt.Value {
	if s.IsZero() {
		return crdt.Null()
	}
	return crdt.TextString(s.String())
}

// timeValue shows a stamp's time to people, NULL for none.
func timeValue(t crdt.Time) crdt.Value {
	if t == 0 {
		return crdt.Null()
	}
	return crdt.TextString(t.String())
}

// jsonValue is v as JSON text, NULL for what is nil there.
func jsonValue(v any) (crdt.Value, error) {
	b, err := json.Marshal(v)
	if err != nil || string(b) == "null" {
		return crdt.Null(), err
	}
	return crdt.Text(b), nil
}
