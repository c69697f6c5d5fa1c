package vtab

import (
	"context"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// Host is what a host supplies for one connection.
type Host interface {
	engine.Conn
	// Writing reports whether any write transaction is open, also that of a single running statement, which
	// InTransaction does not tell: https://sqlite.org/c3ref/txn_state.html
	Writing() bool
}

// Module is one kind of virtual table. A host registers it and makes every table of it direct-only.
type Module struct {
	Name string
	// Eponymous modules are used under their own name and cannot be created. The tables of the others implement Stream.
	Eponymous bool
	// Connect makes the object for a table of this connection; it does not touch the database.
	Connect func(Arguments) (Table, error)
}

// Arguments are those of CREATE VIRTUAL TABLE schema.table USING module(list…), as they were written.
type Arguments struct {
	Schema, Table string
	List          []string
}

// Table is a virtual table as one connection sees it.
type Table interface {
	// Declaration is the CREATE TABLE statement for sqlite3_declare_vtab.
	Declaration() string
	// Plan chooses how to run a query. It depends on nothing but its argument. https://sqlite.org/vtab.html#xbestindex
	Plan(*Index) error
	// Open makes a cursor for one scan or several, one after the other.
	Open() Cursor
}

// Cursor reads the rows of a table in batches, so that a host can serve SQLite's single steps from its own memory.
type Cursor interface {
	// Filter begins a scan according to a plan; args are borrowed until it returns.
	Filter(ctx context.Context, p Plan, args []crdt.Value) error
	// Fill adds rows to w and reports whether there may be more. It adds at least one if it reports that.
	Fill(ctx context.Context, w RowWriter) (more bool, err error)
	Close() error
}

// RowWriter takes rows from a cursor.
type RowWriter interface {
	// Row adds a row. The values stay as they are until the next call of Fill, Filter or Close.
	Row(rowid int64, values ...crdt.Value)
}

// Stream is a table that is created, dropped, renamed and written. The transaction methods are those of
// https://sqlite.org/vtab.html#xBegin and following.
type Stream interface {
	Table
	Create(ctx context.Context) error
	Destroy(ctx context.Context) error
	Rename(ctx context.Context, name string) error
	// Update is called once for every row; the values are borrowed until it returns.
	Update(ctx context.Context, u Update) error
	Begin() error
	Sync() error
	Commit()
	Rollback()
	Savepoint(n int)
	Release(n int)
	RollbackTo(n int)
}

// Update is one row that INSERT, UPDATE or DELETE wants changed.
type Update struct {
	Kind   UpdateKind
	Values []crdt.Value   // by column, empty for Delete
	Set    crdt.ColumnSet // which columns an UPDATE sets
}

// UpdateKind is what an Update wants. The zero value is invalid.
type UpdateKind int

const (
	Insert UpdateKind = iota + 1
	Change
	Delete
)

// Function is an SQL function.
type Function struct {
	Name string
	// Arguments is how many it takes.
	Arguments int
	// Call computes the result; args are borrowed until it returns.
	Call func(ctx context.Context, args []crdt.Value) (crdt.Value, error)
}
