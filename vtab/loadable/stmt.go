//go:build cgo

package loadable

// #include "shim.h"
import "C"

import (
	"unsafe"

	"github.com/tributary-db/tributary/crdt"
)

// stmt is engine.Stmt over one prepared statement.
type stmt struct {
	c                   *conn
	s                   *C.sqlite3_stmt // nil: closed
	parameters, columns int
	running             bool  // has been bound or stepped and not been reset since
	args                arena // what is bound
	row                 arena // the row it is on
}

// keptBytes is the most that a statement keeps for the next arguments.
const keptBytes = 64 << 10

var errMisuse = &Error{codeMisuse, "sqlite3: bad parameter or other API misuse"}

// begin lays out arguments. clear: a parameter without an argument is NULL, not what the last query left in it.
func (s *stmt) begin(list []crdt.Value) (args *C.tr_value, clear C.int, err error) {
	if s.s == nil {
		return nil, 0, errMisuse
	}
	if len(list) < s.parameters {
		clear = 1
	}
	if s.running && s.args.n < spread(list) {
		s.reset() // what is bound must stay until then
	}
	args, ok := s.args.arguments(list)
	if !ok {
		C.tr_reset(s.s, 1)
		s.running = false
		return nil, 0, newError(codeNoMemory, "")
	}
	return args, clear, nil
}

func (s *stmt) was() C.int {
	if s.running {
		return 1
	}
	return 0
}

func (s *stmt) Query(list ...crdt.Value) error {
	args, clear, err := s.begin(list)
	if err != nil {
		return err
	}
	rc := C.tr_query(s.s, s.was(), clear, args, C.int(len(list)))
	s.running = rc == codeOK
	return s.c.wrap(rc)
}

func (s *stmt) Next(dst []crdt.Value) (bool, error) {
	if !s.running {
		return false, errMisuse
	}
	n := min(len(dst), s.columns)
	if !s.row.reserve(cellSize * n) {
		s.reset()
		return false, newError(codeNoMemory, "")
	}
	p := (*C.tr_value)(unsafe.Pointer(s.row.p))
	switch rc := C.tr_next(s.s, p, C.int(n)); rc {
	case codeRow:
		for i, in := 0, cells(p, n); i < n; i++ {
			dst[i] = in[i].get()
		}
		clear(dst[n:])
		return true, nil
	case codeDone:
		s.ended()
		return false, nil
	default:
		err := s.c.wrap(rc)
		s.ended()
		return false, err
	}
}

func (s *stmt) Run(list ...crdt.Value) error {
	args, clear, err := s.begin(list)
	if err != nil {
		return err
	}
	rc := C.tr_run(s.s, s.was(), clear, args, C.int(len(list)))
	err = s.c.wrap(rc)
	s.ended()
	return err
}

func (s *stmt) Reset() error {
	s.reset()
	return nil
}

// reset drops the error of sqlite3_reset, which repeats that of the last step and has been reported.
func (s *stmt) reset() {
	if s.running {
		C.tr_reset(s.s, 0)
		s.ended()
	}
}

// ended notes that the statement has been reset, and lets go of big arguments.
func (s *stmt) ended() {
	s.running = false
	if s.args.n > keptBytes {
		C.tr_reset(s.s, 1)
		s.args.free()
	}
}

func (s *stmt) Close() error {
	if s.s == nil {
		return nil
	}
	C.tr_finalize(s.s) // it repeats the last step's error too
	s.args.free()
	s.row.free()
	s.s, s.running = nil, false
	return nil
}
