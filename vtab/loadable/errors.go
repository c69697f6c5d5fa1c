//go:build cgo

package loadable

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"unsafe"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/vtab"
)

// Error is an error of SQLite on its way to the engine, worded as the other host words it.
type Error struct {
	code    int
	message string
}

var _ engine.ErrorCode = (*Error)(nil)

func (e *Error) Error() string { return e.message }

// SQLiteCode is SQLite's extended result code: https://sqlite.org/rescode.html
func (e *Error) SQLiteCode() int { return e.code }

const (
	codeOK         = 0
	codeError      = 1
	codeReadOnly   = 8
	codeNoMemory   = 7
	codeInterrupt  = 9
	codeFull       = 13
	codeSchema     = 17
	codeTooBig     = 18
	codeConstraint = 19
	codeMismatch   = 20
	codeMisuse     = 21
	codeRow        = 100
	codeDone       = 101
)

// wrap makes an error of a result code; the connection still has the details.
func (c *conn) wrap(rc C.int) error {
	if rc == codeOK {
		return nil
	}
	code := C.tr_extended_code(c.db)
	if code&0xff != rc&0xff { // the connection has nothing to say about it
		return newError(int(rc), "")
	}
	return newError(int(code), C.GoString(C.tr_errmsg(c.db)))
}

func newError(code int, message string) error {
	text := C.GoString(C.tr_errstr(C.int(code)))
	if message == text || message == "" {
		return &Error{code, "sqlite3: " + text}
	}
	return &Error{code, "sqlite3: " + text + ": " + message}
}

// PanicError is what a panic inside a callback has become.
type PanicError struct {
	Value any
	Stack []byte // of the goroutine that panicked
}

func (e *PanicError) Error() string { return fmt.Sprintf("tributary: internal error: %v", e.Value) }

// codes are the result codes of errors that an application may want to tell apart. What is wrong with a package is never
// SQLITE_CORRUPT, which would mean the database.
var codes = []struct {
	err  error
	code int
}{
	{vtab.ErrNoPlan, codeConstraint},
	{vtab.ErrAgain, codeSchema},
	{engine.ErrReadOnly, codeReadOnly},
	{engine.ErrPendingFull, codeFull},
	{crdt.ErrLimit, codeTooBig},
	{crdt.ErrCorrupt, codeMismatch},
	{crdt.ErrTruncated, codeMismatch},
	{crdt.ErrUnsupported, codeMismatch},
	{context.Canceled, codeInterrupt},
	{context.DeadlineExceeded, codeInterrupt},
}

// resultCode is what a callback returns for an error: one of codes, or that of the nested statement which failed.
func resultCode(err error) int {
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	var code engine.ErrorCode
	if errors.As(err, &code) && code.SQLiteCode()&0xff != codeSchema && code.SQLiteCode()&0xff != codeConstraint {
		// SQLite would prepare and run the application's statement again for the first of those two, and for the second
		// it would look for a conflict clause.
		return code.SQLiteCode()
	}
	return codeError
}

// report is deferred by every callback: it stops a panic, which must not unwind through SQLite, and hands err to C.
func report(rc *C.int, message **C.char, err *error) {
	if v := recover(); v != nil {
		*err = &PanicError{Value: v, Stack: debug.Stack()}
	}
	if *err == nil {
		*rc = codeOK
		return
	}
	*rc = C.int(resultCode(*err))
	if message != nil {
		*message = cString((*err).Error())
	}
}

// cString is a copy of s that SQLite frees; nil if there is no memory.
func cString(s string) *C.char {
	p := C.tr_alloc(C.int64_t(len(s) + 1))
	if p != nil {
		b := unsafe.Slice((*byte)(p), len(s)+1)
		copy(b, s)
		b[len(s)] = 0
	}
	return (*C.char)(p)
}
