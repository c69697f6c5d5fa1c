package vtab

import (
	"context"
	"errors"
	"fmt"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// The columns of stream_out. A query that uses one of packageColumns reads packages, another one the stream's state.
const (
	outPackage = iota
	outCursor
	outRows
	outPart
	outLast
	outPeer
	outAcked
	outSince
	outLastRetrieved
	outLastSent
	outLastAcked
)

const outDeclaration = `CREATE TABLE x(package BLOB, cursor INTEGER, rows INTEGER, part INTEGER, last INTEGER, peer TEXT, ` +
	`acked INTEGER, since INTEGER, last_retrieved INTEGER, last_sent INTEGER, last_acked INTEGER)`

const packageColumns = 1<<outPackage | 1<<outRows | 1<<outPart | 1<<outLast

// outTable is one stream_out table.
type outTable struct {
	quiet // what it writes is undone by SQLite like any other write
	s     *Session
	book  *book
	peer  string
	pull  engine.PullOptions
}

func (s *Session) connectOut(a Arguments) (Table, error) {
	peer, pull, err := parseOut(a.List)
	if err != nil {
		return nil, err
	}
	b, err := s.open("out", peer, a)
	if err != nil {
		return nil, err
	}
	b.fresh.Since = pull.Since
	return &outTable{s: s, book: b, peer: peer, pull: pull}, nil
}

func (t *outTable) Declaration() string                           { return outDeclaration }
func (t *outTable) Open() Cursor                                  { return &outCursorRows{t: t} }
func (t *outTable) Create(ctx context.Context) error              { return t.book.create(ctx) }
func (t *outTable) Destroy(ctx context.Context) error             { return t.book.destroy(ctx) }
func (t *outTable) Rename(ctx context.Context, name string) error { return t.book.rename(ctx, name) }

// The numbers of stream_out's plans.
const (
	planState = iota
	planPackages
)

// Plan sees from the columns in use which face of the table is wanted: see the package comment. For an UPDATE SQLite
// claims that columns are used which the table does not even have.
func (t *outTable) Plan(ix *Index) error {
	update := ix.Used>>(outLastAcked+1) != 0
	if ix.Used&packageColumns != 0 && !update {
		ix.Plan.Number = planPackages
		return ix.startAfter(outCursor)
	}
	ix.Plan = Plan{Number: planState}
	ix.Ordered = true // one row
	ix.Cost, ix.Rows = 1, 1
	return nil
}

// Update does the bookkeeping: UPDATE s SET acked = ?, or last_sent for a transport that wants it known.
func (t *outTable) Update(ctx context.Context, u Update) error {
	if u.Kind != Change {
		return errors.New("tributary: a stream_out table is read with SELECT and acknowledged with UPDATE … SET acked; packages are inserted into a stream_in table")
	}
	info, err := t.book.read(ctx)
	if err != nil {
		return err
	}
	e, err := t.s.Engine(ctx)
	if err != nil {
		return err
	}
	newest, err := e.Cursor(ctx)
	if err != nil {
		return err
	}
	for c := range u.Values {
		if !u.Set.Has(c) {
			continue
		}
		if c != outAcked && c != outLastSent {
			return errors.New("tributary: of a stream_out table only acked and last_sent can be set")
		}
		n, ok := integer(u.Values[c])
		if !ok || n < 0 || n > newest {
			return fmt.Errorf("tributary: %v is not a cursor of this database: want 0 to %d", u.Values[c], newest)
		}
		if c == outAcked {
			info.LastAcked = n
		}
		info.LastSent = max(info.LastSent, n)
		info.LastRetrieved = max(info.LastRetrieved, n)
		if c == outLastSent {
			info.LastSent = n
		}
	}
	return t.book.write(ctx, info)
}

// state is the one row of a query that does not read packages.
func (t *outTable) state(ctx context.Context, info *engine.StreamInfo) ([]crdt.Value, error) {
	e, err := t.s.Engine(ctx)
	if err != nil {
		return nil, err
	}
	newest, err := e.Cursor(ctx)
	if err != nil {
		return nil, err
	}
	row := t.bookkeeping(info)
	row[outCursor] = crdt.Int(newest)
	return row, nil
}

// bookkeeping is a row with the columns that do not depend on a package.
func (t *outTable) bookkeeping(info *engine.StreamInfo) []crdt.Value {
	row := make([]crdt.Value, outLastAcked+1)
	row[outPeer] = crdt.TextString(t.peer)
	row[outAcked] = crdt.Int(info.LastAcked)
	row[outSince] = crdt.Int(info.Since)
	row[outLastRetrieved] = crdt.Int(info.LastRetrieved)
	row[outLastSent] = crdt.Int(info.LastSent)
	row[outLastAcked] = crdt.Int(info.LastAcked)
	return row
}
