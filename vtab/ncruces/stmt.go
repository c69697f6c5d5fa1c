package ncruces

import (
	"unsafe"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/crdt"
)

// stmt is engine.Stmt over one prepared statement.
type stmt struct {
	s          *sqlite3.Stmt
	parameters int
	running    bool // has been bound or stepped and not been reset since
	heavy      bool // holds big values, which must not wait for the next query in a heap of 256 MB
}

// heavy is the size from which a value is big.
const heavy = 64 << 10

func (s *stmt) Query(args ...crdt.Value) (err error) {
	defer noMemory(&err)
	if s.s == nil {
		return wrap(sqlite3.MISUSE)
	}
	s.reset()
	if len(args) < s.parameters {
		// A parameter without an argument is NULL, not what the last query left in it.
		if err := s.s.ClearBindings(); err != nil {
			return wrap(err)
		}
	}
	for i := range args {
		s.heavy = s.heavy || len(args[i].Bytes()) >= heavy
		if err := bind(s.s, i+1, &args[i]); err != nil {
			return wrap(err)
		}
	}
	s.running = true
	return nil
}

func (s *stmt) Next(dst []crdt.Value) (ok bool, err error) {
	if !s.running {
		return false, wrap(sqlite3.MISUSE)
	}
	defer func() {
		if !ok {
			s.reset()
		}
	}()
	defer noMemory(&err)
	if !s.s.Step() {
		return false, wrap(s.s.Err())
	}
	for i := range dst {
		dst[i] = column(s.s, i)
	}
	if err := s.s.Err(); err != nil { // out of memory in a column
		return false, wrap(err)
	}
	return true, nil
}

func (s *stmt) Run(args ...crdt.Value) (err error) {
	if err := s.Query(args...); err != nil {
		return err
	}
	if s.heavy {
		defer s.reset()
	} else {
		s.running = false
	}
	defer noMemory(&err)
	return wrap(s.s.Exec())
}

func (s *stmt) Reset() error {
	s.reset()
	return nil
}

// reset drops the error of sqlite3_reset, which repeats that of the last step and has been reported.
func (s *stmt) reset() {
	if !s.running && !s.heavy || s.s == nil {
		return
	}
	defer func() { _ = recover() }() // of being out of memory: the driver panics after the statement has been reset
	heavy := s.heavy
	s.running, s.heavy = false, false
	if heavy {
		defer s.s.ClearBindings()
	}
	s.s.Reset()
}

func (s *stmt) Close() (err error) {
	if s.s == nil {
		return nil
	}
	defer func() { s.s, s.running = nil, false }()
	defer noMemory(&err)
	return wrap(s.s.Close())
}

// text views b as the string that the driver wants; the driver copies it into SQLite's memory before it returns.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func bind(s *sqlite3.Stmt, i int, v *crdt.Value) error {
	switch v.Kind() {
	case crdt.KindInt:
		return s.BindInt64(i, v.Int())
	case crdt.KindReal:
		return s.BindFloat(i, v.Real())
	case crdt.KindText:
		return s.BindText(i, text(v.Bytes()))
	case crdt.KindBlob:
		return s.BindBlob(i, v.Bytes())
	}
	return s.BindNull(i)
}

// column borrows: text and blobs point into SQLite's memory.
func column(s *sqlite3.Stmt, i int) crdt.Value {
	switch s.ColumnType(i) {
	case sqlite3.INTEGER:
		return crdt.Int(s.ColumnInt64(i))
	case sqlite3.FLOAT:
		return crdt.Real(s.ColumnFloat(i))
	case sqlite3.TEXT:
		return crdt.Text(s.ColumnRawText(i))
	case sqlite3.BLOB:
		return crdt.Blob(s.ColumnRawBlob(i))
	}
	return crdt.Null()
}

// argument borrows like column, from an argument of a callback.
func argument(v sqlite3.Value) crdt.Value {
	switch v.Type() {
	case sqlite3.INTEGER:
		return crdt.Int(v.Int64())
	case sqlite3.FLOAT:
		return crdt.Real(v.Float())
	case sqlite3.TEXT:
		return crdt.Text(v.RawText())
	case sqlite3.BLOB:
		return crdt.Blob(v.RawBlob())
	}
	return crdt.Null()
}

// result sets the value that a function or a column returns. It copies.
func result(ctx sqlite3.Context, v *crdt.Value) {
	switch v.Kind() {
	case crdt.KindInt:
		ctx.ResultInt64(v.Int())
	case crdt.KindReal:
		ctx.ResultFloat(v.Real())
	case crdt.KindText:
		ctx.ResultText(text(v.Bytes()))
	case crdt.KindBlob:
		ctx.ResultBlob(v.Bytes())
	default:
		ctx.ResultNull()
	}
}
