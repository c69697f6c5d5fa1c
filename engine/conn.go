package engine

import "github.com/tributary-db/tributary/crdt"

// Conn is the least SQL that a host supplies: one open SQLite connection (library 3.35 or newer).
// It is not safe for concurrent use; the engine calls it from one goroutine at a time.
type Conn interface {
	// Exec runs one or more statements without parameters and discards their rows.
	Exec(sql string) error
	// Prepare compiles one statement that the engine keeps and runs many times.
	Prepare(sql string) (Stmt, error)
	// InTransaction reports whether an explicit transaction or savepoint is open: https://sqlite.org/c3ref/get_autocommit.html
	InTransaction() bool
	// ReadOnly reports whether the main database cannot be written: https://sqlite.org/c3ref/db_readonly.html
	ReadOnly() bool
	// Filename is the absolute path of the main database, empty for one in memory.
	Filename() string
	// EnableTriggers switches all triggers of this connection and reports the former state.
	// https://sqlite.org/c3ref/c_dbconfig_defensive.html#sqlitedbconfigenabletrigger
	EnableTriggers(on bool) (was bool, err error)
	// EnableForeignKeys switches the enforcement of foreign keys, also inside a transaction, where PRAGMA foreign_keys
	// does nothing. https://sqlite.org/c3ref/c_dbconfig_defensive.html#sqlitedbconfigenablefkey
	EnableForeignKeys(on bool) (was bool, err error)
	// Undisturbed reports whether the two switches can do no harm to a statement that is running: they expire all, and
	// SQLite aborts the transaction of one that opens a table after that, as the second half of a UNION ALL does, or a
	// subquery that is computed for each row. A statement without SELECT, such as INSERT ... VALUES, opens none.
	// inUpdate says that one is running; a host that does not know which reports false.
	Undisturbed(inUpdate bool) bool
	// SetRows makes rows the content of the eponymous virtual tables tributary_rows and tributary_rows_wide on this
	// connection, so that one INSERT ... SELECT applies many rows. nil makes them empty. The engine owns rows and
	// does not change it while a statement that reads it is running.
	SetRows(rows *Rows)
}

// Stmt is a prepared statement of a Conn.
type Stmt interface {
	// Query binds args to ?1, ?2, ... and leaves the statement before its first row. A statement that is still
	// running is reset first. Text and blobs in args are copied or used up before Query returns.
	Query(args ...crdt.Value) error
	// Next steps to the next row and fills dst, which may be shorter than the row. Text and blobs in dst are borrowed:
	// they are valid until the next call on this statement. At the end, or on error, the statement is reset.
	Next(dst []crdt.Value) (bool, error)
	// Run is Query followed by stepping to the end and a reset; rows are discarded.
	Run(args ...crdt.Value) error
	// Reset ends a running query early. Resetting twice is harmless.
	Reset() error
	// Close frees the statement. Closing twice is harmless.
	Close() error
}

// Rows is a table in memory that SQL reads as tributary_rows: rowid is the row's index from 0, and column i is named
// c0, c1, ... tributary_rows declares NarrowColumns of them, tributary_rows_wide WideColumns; a row may be shorter,
// what it lacks is NULL.
type Rows struct {
	Data [][]crdt.Value
}

// Widths of the two row tables. SQLite allows 2000 columns in a table: https://sqlite.org/limits.html#max_column
const (
	NarrowColumns = 64
	WideColumns   = 2000
)

// ErrorCode is implemented by errors of a host that carry SQLite's extended result code.
// https://sqlite.org/rescode.html
type ErrorCode interface {
	error
	SQLiteCode() int
}
