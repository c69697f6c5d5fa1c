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
}

func (s *stmt) Query(args ...crdt.Value) error {
	if s.s == nil {
		return wrap(sqlite3.MISUSE)
	}
	if s.running {
		// The error of a reset repeats that of the last step, which Next has reported.
		s.running = false
		s.s.Reset()
	}
	if len(args) < s.parameters {
		// A parameter without an argument is NULL, not what the last query left in it.
		if err := s.s.ClearBindings(); err != nil {
			return wrap(err)
		}
	}
	for i := range args {
		if err := bind(s.s, i+1, &args[i]); err != nil {
			return wrap(err)
		}
	}
	s.running = true
	return nil
}

func (s *stmt) Next(dst []crdt.Value) (bool, error) {
	if !s.running {
		return false, wrap(sqlite3.MISUSE)
	}
	if !s.s.Step() {
		err := s.s.Err()
		s.running = false
		s.s.Reset() // repeats err
		return false, wrap(err)
	}
	for i := range dst {
		dst[i] = column(s.s, i)
	}
	if err := s.s.Err(); err != nil { // out of memory in a column
		s.running = false
		s.s.Reset()
		return false, wrap(err)
	}
	return true, nil
}

func (s *stmt) Run(args ...crdt.Value) error {
	if err := s.Query(args...); err != nil {
		return err
	}
	s.running = false
	return wrap(s.s.Exec())
}

func (s *stmt) Reset() error {
	if !s.running {
		return nil
	}
	s.running = false
	s.s.Reset() // its error is that of the last step, which Next has reported
	return nil
}

func (s *stmt) Close() error {
	if s.s == nil {
		return nil
	}
	s.running = false
	err := s.s.Close()
	s.s = nil
	return wrap(err)
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
