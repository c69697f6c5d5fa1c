package engine

import (
	"errors"
	"fmt"
)

// Errors that a caller may want to tell apart; test with errors.Is. Decoding errors are package crdt's.
var (
	ErrNoTable       = errors.New("tributary: no such table")
	ErrNoKey         = errors.New("tributary: the table has no primary key")
	ErrNotTracked    = errors.New("tributary: the table is not tracked")
	ErrNoDatabase    = errors.New("tributary: nothing is tracked in this database yet")
	ErrInTransaction = errors.New("tributary: not inside a transaction: what a package holds could still be rolled back")
	ErrReadOnly      = errors.New("tributary: the database is read-only")
	ErrGap           = errors.New("tributary: a package before this one is missing")
	ErrPendingFull   = errors.New("tributary: too many bytes are waiting in tributary_pending")
	ErrEquivocation  = errors.New("tributary: one version was used for two contents")
	ErrRetired       = errors.New("tributary: the sender was retired with forget-peer")
	ErrForgotten     = errors.New("tributary: rows may be here whose deletes are forgotten elsewhere")
	ErrClock         = errors.New("tributary: the wall clock is behind the stamps of this database")
	ErrShadowed      = errors.New("tributary: a temporary table or view of this connection hides a table")
	ErrFormat        = errors.New("tributary: the database was written by a newer Tributary")
)

// PartialError says that a failed apply may have left writes in the surrounding transaction, which must not commit.
type PartialError struct{ Err error }

func (e *PartialError) Error() string { return e.Err.Error() + " (roll the transaction back)" }
func (e *PartialError) Unwrap() error { return e.Err }

// primary result codes: https://sqlite.org/rescode.html
const (
	codeError       = 1
	codeBusy        = 5
	codeLocked      = 6
	codeReadOnly    = 8
	codeTooBig      = 18
	codeConstraint  = 19
	codeMismatch    = 20
	codeCorruptVTab = 267 // an extended one, as are these
	codePrimaryKey  = 1555
	codeUnique      = 2067
	codeRowid       = 2579
)

// isCode reports whether err carries SQLite's primary result code c.
func isCode(err error, c int) bool {
	var ec ErrorCode
	return errors.As(err, &ec) && ec.SQLiteCode()&0xff == c
}

// isUnique reports whether err says that a row is refused because another has its values. https://sqlite.org/rescode.html
func isUnique(err error) bool {
	var ec ErrorCode
	if !errors.As(err, &ec) {
		return false
	}
	c := ec.SQLiteCode()
	return c == codeUnique || c == codePrimaryKey || c == codeRowid
}

func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("tributary: %s: %w", op, err)
}
