package ncruces

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/engine"
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
		*err = &PanicError{Value: v, Stack: debug.Stack()}
	}
}
