package vtab

import "fmt"

// quiet is the transaction of a table that leaves everything to SQLite.
type quiet struct{}

func (quiet) Begin() error   { return nil }
func (quiet) Sync() error    { return nil }
func (quiet) Commit()        {}
func (quiet) Rollback()      {}
func (quiet) Savepoint(int)  {}
func (quiet) Release(int)    {}
func (quiet) RollbackTo(int) {}

// transaction keeps a half applied package from being committed. When an xUpdate fails inside an explicit transaction,
// SQLite keeps what nested statements have written, and would commit it. So the failure is remembered, and xSync fails,
// which makes COMMIT roll everything back. https://sqlite.org/vtab.html#xsync
//
// Savepoints are numbered from 0 by their depth; the one around a transaction that SAVEPOINT began may be -1. SQLite
// also takes one around a statement that it can undo by itself: then its rollback mends the table at once.
type transaction struct {
	s      *Session
	depth  int   // savepoints open now
	failed error // why it must not be committed
	at     int   // how many savepoints were open then
}

func (x *transaction) fail(err error) { x.failed, x.at = err, x.depth }

// Begin starts a transaction.
func (x *transaction) Begin() error {
	x.failed, x.depth = nil, 0
	return nil
}

// Sync refuses the commit of a failed transaction.
func (x *transaction) Sync() error {
	if x.failed != nil {
		return fmt.Errorf("tributary: a package was applied half way in this transaction, which must be rolled back: %w", x.failed)
	}
	return nil
}

// Commit ends the transaction.
func (x *transaction) Commit() { x.s.ended(false) }

// Rollback ends the transaction.
func (x *transaction) Rollback() {
	x.failed, x.depth = nil, 0
	x.s.ended(true)
}

// Savepoint opens savepoint n.
func (x *transaction) Savepoint(n int) { x.depth = n + 1 }

// Release ends savepoint n and those in it; what happened in it has happened around it.
func (x *transaction) Release(n int) { x.depth, x.at = n, min(x.at, n) }

// RollbackTo undoes what happened since savepoint n was opened.
func (x *transaction) RollbackTo(n int) {
	x.depth = n + 1
	if x.failed != nil && x.at > n {
		x.failed = nil
	}
	x.s.stale = true
}
