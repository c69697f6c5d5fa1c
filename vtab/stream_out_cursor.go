package vtab

import (
	"context"
	"errors"
	"fmt"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// A batch of packages doubles from one up to these bounds: LIMIT 1 builds one package, and a long scan does not begin a
// pull for every package.
const (
	batchPackages = 16
	batchBytes    = 4 << 20
)

// outCursorRows scans a stream_out table.
type outCursorRows struct {
	t        *outTable
	packages bool
	info     engine.StreamInfo
	since    int64
	inside   bool // since lies inside a set that began at began
	began    int64
	whole    bool // what was read of that set has the changes of all
	part     int  // within its set, as this scan counts
	batch    int  // packages of the next Fill
	done     bool
}

// Filter finds out where to begin; it is Fill that folds and builds.
func (c *outCursorRows) Filter(ctx context.Context, p Plan, args []crdt.Value) (err error) {
	*c = outCursorRows{t: c.t, packages: p.Number == planPackages, batch: 1}
	if c.info, err = c.t.book.read(ctx); err != nil {
		return err
	}
	since, given, none := since(p, args)
	switch {
	case given:
		c.since, c.done = since, none
	case c.info.LastAcked > 0:
		c.since = c.info.LastAcked
	default:
		c.since = c.t.pull.Since
	}
	if !c.packages || c.done || c.since == 0 {
		return nil
	}
	e, err := c.t.s.Engine(ctx)
	if err != nil {
		return err
	}
	ends, err := e.EndsSet(ctx, c.since)
	if errors.Is(err, engine.ErrNoDatabase) {
		return nil
	}
	// The application has acknowledged a part. If nobody remembers where its set began, the rows that are left go out
	// whole: more than is needed, and right.
	if c.inside = !ends; c.inside {
		if s := c.t.s.began[c.t.book.key()]; s.after < c.since && c.since <= s.upto {
			c.began, c.whole = s.after, s.whole
		}
	}
	return err
}

func (c *outCursorRows) Fill(ctx context.Context, w RowWriter) (more bool, err error) {
	if c.done {
		return false, nil
	}
	if !c.packages {
		c.done = true
		row, err := c.t.state(ctx, &c.info)
		if err == nil {
			w.Row(0, row...)
		}
		return false, err
	}
	// An INSERT … SELECT is no explicit transaction and still can be rolled back after its rows went out.
	if h := c.t.s.host; h.Writing() && !h.InTransaction() {
		return false, fmt.Errorf("%w; read packages with a SELECT of its own, and acknowledge them with UPDATE … SET acked = …", engine.ErrInTransaction)
	}
	e, err := c.t.s.Engine(ctx)
	if err != nil {
		return false, err
	}
	if c.info.LastRetrieved == 0 && !c.t.book.temporary {
		if err := e.UseStream(ctx, c.t.book.name); err != nil {
			return false, c.t.s.again(ctx, err)
		}
	}
	o := c.t.pull
	o.Since, o.Continues, o.Began, o.Whole = c.since, c.inside, c.began, c.whole
	n, bytes := 0, 0
	// Each Fill begins a pull where the last one ended, instead of keeping one open: a pull that is read while the
	// application writes between two rows would see those writes without their clocks.
	for p, err := range e.Pull(ctx, o) {
		if err != nil && c.batch == 1 && n == 0 {
			return false, c.t.s.again(ctx, err)
		}
		if err != nil {
			return false, err
		}
		c.t.s.patience = patience{}
		c.add(w, &p)
		if c.done = p.Last; c.done {
			return false, nil
		}
		n, bytes = n+1, bytes+len(p.Package)
		if n == c.batch || bytes >= batchBytes {
			c.batch = min(2*c.batch, batchPackages)
			return true, nil
		}
	}
	c.done = true
	return false, nil
}

// add hands out one package.
func (c *outCursorRows) add(w RowWriter, p *engine.Pulled) {
	c.since, c.inside, c.began, c.whole = p.Cursor, !p.Last, p.Began, p.Whole
	c.t.s.began[c.t.book.key()] = span{p.Began, p.Cursor, p.Whole}
	c.info.LastRetrieved = max(c.info.LastRetrieved, p.Cursor)
	c.t.s.retrieved[c.t.book.key()] = c.info.LastRetrieved
	row := c.t.bookkeeping(&c.info)
	row[outPackage] = crdt.Blob(p.Package)
	if c.t.pull.Format == engine.FormatJSON {
		row[outPackage] = crdt.Text(p.Package)
	}
	row[outCursor] = crdt.Int(p.Cursor)
	row[outRows] = crdt.Int(int64(p.Rows))
	row[outPart] = crdt.Int(int64(c.part))
	row[outLast] = crdt.Int(0)
	c.part++
	if p.Last {
		row[outLast] = crdt.Int(1)
		c.part = 0
	}
	w.Row(p.Cursor, row...)
}

func (c *outCursorRows) Close() error { return nil }
