package ncruces

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/vtab"
)

// Error is an error of SQLite on its way to the engine. It unwraps to the driver's own error.
type Error struct {
	code int
	err  error
}

var _ engine.ErrorCode = (*Error)(nil)

// Error is the driver's message.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns the driver's error.
func (e *Error) Unwrap() error { return e.err }

// SQLiteCode is SQLite's extended result code: https://sqlite.org/rescode.html
func (e *Error) SQLiteCode() int { return e.code }

// wrap gives an error of the driver the form that the engine understands.
func wrap(err error) error {
	if err == nil {
		return nil
	}
	var code sqlite3.ExtendedErrorCode
	if !errors.As(err, &code) {
		code = sqlite3.ExtendedErrorCode(sqlite3.ERROR)
	}
	return &Error{code: int(code), err: err}
}

// PanicError is what a panic inside a callback has become.
type PanicError struct {
	Value any
	Stack []byte // of the goroutine that panicked
}

func (e *PanicError) Error() string { return fmt.Sprintf("tributary: internal error: %v", e.Value) }

// recovered is deferred by every callback. A panic must not unwind through SQLite.
func recovered(err *error) {
	if v := recover(); v != nil {
		*err = panicked(v)
	}
}

// panicked makes an error of what a callback has recovered.
func panicked(v any) error {
	if isNoMemory(v) {
		return sqlite3.NOMEM
	}
	return &PanicError{Value: v, Stack: debug.Stack()}
}

// noMemory is deferred around calls of the driver, which panics when its heap is full: 256 MB for each connection,
// unless it was opened with [sqlite3.WithMaxMemory]. That is no reason to end the program.
func noMemory(err *error) {
	if v := recover(); v != nil {
		if !isNoMemory(v) {
			panic(v)
		}
		*err = &Error{code: int(sqlite3.NOMEM), err: sqlite3.NOMEM}
	}
}

func isNoMemory(v any) bool {
	err, ok := v.(error)
	return ok && err.Error() == sqlite3.NOMEM.Error()
}

// callbackError is an error on its way from a callback to SQLite.
type callbackError struct {
	err  error
	code sqlite3.ExtendedErrorCode
}

func (e *callbackError) Error() string { return e.err.Error() }
func (e *callbackError) Unwrap() error { return e.err }

// As gives the driver the result code.
func (e *callbackError) As(target any) bool {
	c, ok := target.(*sqlite3.ExtendedErrorCode)
	if ok {
		*c = e.code
	}
	return ok
}

// codes are the result codes of errors that an application may want to tell apart. What is wrong with a package is never
// SQLITE_CORRUPT, which would mean the database.
var codes = []struct {
	err  error
	code sqlite3.ErrorCode
}{
	{vtab.ErrNoPlan, sqlite3.CONSTRAINT},
	{vtab.ErrAgain, sqlite3.SCHEMA},
	{engine.ErrReadOnly, sqlite3.READONLY},
	{engine.ErrPendingFull, sqlite3.FULL},
	{crdt.ErrLimit, sqlite3.TOOBIG},
	{crdt.ErrCorrupt, sqlite3.MISMATCH},
	{crdt.ErrTruncated, sqlite3.MISMATCH},
	{crdt.ErrUnsupported, sqlite3.MISMATCH},
	{context.Canceled, sqlite3.INTERRUPT},
	{context.DeadlineExceeded, sqlite3.INTERRUPT},
}

// sqlError gives an error of a callback a result code: one of codes, or that of the nested statement which failed.
func sqlError(err error) error {
	if err == nil {
		return nil
	}
	if done := (*callbackError)(nil); errors.As(err, &done) {
		return done
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return &callbackError{err, sqlite3.ExtendedErrorCode(c.code)}
		}
	}
	var code sqlite3.ExtendedErrorCode
	if !errors.As(err, &code) || code.Code() == sqlite3.SCHEMA || code.Code() == sqlite3.CONSTRAINT {
		// SQLite would prepare and run the application's statement again for the first, and for the second it would
		// look for a conflict clause.
		code = sqlite3.ExtendedErrorCode(sqlite3.ERROR)
	}
	return &callbackError{err, code}
}
