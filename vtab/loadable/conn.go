//go:build cgo

package loadable

// #include "shim.h"
import "C"

import (
	"os"
	"unsafe"

	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/vtab"
)

// conn is vtab.Host over one connection.
type conn struct {
	db   *C.sqlite3
	rows *engine.Rows // what tributary_rows shows; nil: nothing
}

var _ vtab.Host = (*conn)(nil)

// terminated is s as C wants it; the memory is Go's and lent for one call.
func terminated(s string) *C.char {
	b := make([]byte, len(s)+1)
	copy(b, s)
	return (*C.char)(unsafe.Pointer(unsafe.SliceData(b)))
}

func (c *conn) Exec(sql string) error { return c.wrap(C.tr_exec(c.db, terminated(sql))) }

func (c *conn) Prepare(sql string) (engine.Stmt, error) {
	r := C.tr_prepare(c.db, terminated(sql))
	if r.code != codeOK {
		return nil, c.wrap(r.code)
	}
	if r.s == nil {
		return nil, &Error{codeMisuse, "tributary: no statement to prepare"}
	}
	if r.more != 0 {
		C.tr_finalize(r.s)
		return nil, &Error{codeMisuse, "tributary: more than one statement to prepare"}
	}
	return &stmt{c: c, s: r.s, parameters: int(r.parameters), columns: int(r.columns)}, nil
}

func (c *conn) InTransaction() bool { return C.tr_in_transaction(c.db) != 0 }

// Writing implements vtab.Host.
func (c *conn) Writing() bool { return C.tr_writing(c.db) != 0 }

func (c *conn) ReadOnly() bool { return C.tr_read_only(c.db) != 0 }

// Filename asks the file system, since virtual file systems that keep everything in memory also have names.
func (c *conn) Filename() string {
	name := C.GoString(C.tr_filename(c.db))
	if name == "" {
		return ""
	}
	vfs := C.tr_vfs_name(c.db)
	defer C.tr_free(unsafe.Pointer(vfs))
	if vfs == nil || C.GoString(vfs) == "memdb" {
		return ""
	}
	if _, err := os.Stat(name); err != nil {
		return ""
	}
	return name
}

func (c *conn) EnableTriggers(on bool) (bool, error) {
	return c.configure(C.tr_enable_trigger, on)
}

func (c *conn) EnableForeignKeys(on bool) (bool, error) {
	return c.configure(C.tr_enable_fkey, on)
}

// configure sets a switch of the connection. Setting what is set already would expire every prepared statement for
// nothing.
func (c *conn) configure(option C.int, on bool) (was bool, err error) {
	if was, err = c.configured(option, -1); err != nil || was == on {
		return was, err
	}
	to := C.int(0)
	if on {
		to = 1
	}
	_, err = c.configured(option, to)
	return was, err
}

// configured sets a switch, or only reads it for -1.
func (c *conn) configured(option, to C.int) (bool, error) {
	var is C.int
	if rc := C.tr_configure(c.db, option, to, &is); rc != codeOK {
		return false, newError(int(rc), "")
	}
	return is != 0, nil
}

func (c *conn) Undisturbed(bool) bool { return C.tr_undisturbed(c.db) != 0 }

func (c *conn) SetRows(rows *engine.Rows) { c.rows = rows }

// interrupted asks whether the application has called sqlite3_interrupt. SQLite forgets that once no statement runs, and
// has no routine to ask before 3.41, but every nested statement fails with it.
func (c *conn) interrupted() bool { return C.tr_exec(c.db, terminated("SELECT 1")) == codeInterrupt }
