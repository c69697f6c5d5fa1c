//go:build cgo

package loadable

// #include "shim.h"
import "C"

import (
	"math"
	"unsafe"

	"github.com/tributary-db/tributary/crdt"
)

// cell is a tr_value. Cells lie in C memory and point into C memory.
type cell struct {
	kind  int32 // SQLITE_INTEGER and so on; 0: not changed by an UPDATE
	n     int32 // bytes of a text or blob
	value uint64
}

const (
	cellSize = int(unsafe.Sizeof(cell{}))
	rowSize  = int(unsafe.Sizeof(C.tr_row{}))
)

// https://sqlite.org/c3ref/c_blob.html
var kinds = [...]int32{crdt.KindNull: 5, crdt.KindInt: 1, crdt.KindReal: 2, crdt.KindText: 3, crdt.KindBlob: 4}

func cells(p *C.tr_value, n int) []cell { return unsafe.Slice((*cell)(unsafe.Pointer(p)), n) }

// get borrows: text and blobs are SQLite's memory.
func (c *cell) get() crdt.Value {
	switch c.kind {
	case 1:
		return crdt.Int(int64(c.value))
	case 2:
		return crdt.Real(math.Float64frombits(c.value))
	case 3:
		return crdt.Text(c.bytes())
	case 4:
		return crdt.Blob(c.bytes())
	}
	return crdt.Null()
}

func (c *cell) bytes() []byte {
	if c.n == 0 {
		return nil
	}
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&c.value)), c.n)
}

// values borrows the arguments of a callback.
func values(p *C.tr_value, n C.int) []crdt.Value {
	in, out := cells(p, int(n)), make([]crdt.Value, n)
	for i := range in {
		out[i] = in[i].get()
	}
	return out
}

// spread is how many bytes put needs.
func spread(list []crdt.Value) int {
	n := cellSize * len(list)
	for i := range list {
		n += padded(len(list[i].Bytes()))
	}
	return n
}

// padded rounds up so that what follows is aligned.
func padded(n int) int { return (n + 7) &^ 7 }

// put writes cells and, behind them, the bytes that they mean. A cell says where its bytes are in dst, plus base.
func put(dst []byte, base uint64, list []crdt.Value) {
	out := unsafe.Slice((*cell)(unsafe.Pointer(unsafe.SliceData(dst))), len(list))
	at := cellSize * len(list)
	for i := range list {
		v, c := &list[i], &out[i]
		c.kind = kinds[v.Kind()]
		switch v.Kind() {
		case crdt.KindInt:
			c.value = uint64(v.Int())
		case crdt.KindReal:
			c.value = math.Float64bits(v.Real())
		case crdt.KindText, crdt.KindBlob:
			b := v.Bytes()
			c.n, c.value = int32(len(b)), base+uint64(at)
			copy(dst[at:], b)
			at += padded(len(b))
		}
	}
}

// arena is C memory of a statement for its arguments, and for the row it is on.
type arena struct {
	p *C.char
	n int
}

func (a *arena) bytes() []byte { return unsafe.Slice((*byte)(unsafe.Pointer(a.p)), a.n) }

// reserve makes room for n bytes, without keeping what was there. It reports false when there is no memory.
func (a *arena) reserve(n int) bool {
	if n <= a.n {
		return true
	}
	a.free()
	n = max(2*n, 256)
	a.p = (*C.char)(C.tr_alloc(C.int64_t(n)))
	if a.p == nil {
		return false
	}
	a.n = n
	return true
}

func (a *arena) free() {
	C.tr_free(unsafe.Pointer(a.p))
	*a = arena{}
}

// arguments lays out a list for C; nil if there is no memory. Its address is that of the values themselves.
func (a *arena) arguments(list []crdt.Value) (*C.tr_value, bool) {
	if len(list) == 0 {
		return nil, true
	}
	if !a.reserve(spread(list)) {
		return nil, false
	}
	put(a.bytes(), uint64(uintptr(unsafe.Pointer(a.p))), list)
	return (*C.tr_value)(unsafe.Pointer(a.p)), true
}

// writer is a vtab.RowWriter over the buffer of a cursor.
type writer struct {
	rows   *C.tr_rows
	failed bool // out of memory, or a row too big for it
}

// maxRows bounds the buffer. SQLite's own limit of a row is 1 GB unless it is compiled otherwise.
const maxRows = 1 << 30

func (w *writer) Row(id int64, list ...crdt.Value) {
	r := w.rows
	size, at := rowSize+spread(list), int(r.len)
	if at+size > int(r.cap) && !w.grow(at+size) {
		return
	}
	dst := unsafe.Slice((*byte)(unsafe.Pointer(r.buf)), r.cap)[at : at+size]
	row := (*C.tr_row)(unsafe.Pointer(unsafe.SliceData(dst)))
	row.rowid, row.size, row.values = C.int64_t(id), C.int32_t(size), C.int32_t(len(list))
	put(dst[rowSize:], uint64(at+rowSize), list)
	r.len += C.int64_t(size)
	r.rows++
}

func (w *writer) grow(n int) bool {
	if w.failed || n > maxRows {
		w.failed = true
		return false
	}
	n = min(2*n, maxRows)
	p := C.tr_realloc(unsafe.Pointer(w.rows.buf), C.int64_t(n))
	if w.failed = p == nil; w.failed {
		return false
	}
	w.rows.buf, w.rows.cap = (*C.char)(p), C.int64_t(n)
	return true
}
