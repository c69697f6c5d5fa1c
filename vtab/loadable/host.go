//go:build cgo

package loadable

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"math"
	"unsafe"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/vtab"
)

// Options are those of every engine in this process. A main package sets them before the first connection, in init.
var Options *engine.Options

// host is the Go half of a tr_host.
type host struct {
	conn    *conn
	session *vtab.Session
}

// module and function are what C has handles of, besides tables and cursors.
type module struct {
	h *host
	m vtab.Module
}

type function struct {
	h *host
	f vtab.Function
}

// goRegister gives a new connection the streams, tables and functions of package vtab. The engine behind them is opened
// when one of them is first used.
//
//export goRegister
func goRegister(to *C.tr_host, handle *C.uintptr_t, message **C.char) (rc C.int) {
	var err error
	defer report(&rc, message, &err)
	c := &conn{db: to.db}
	h := &host{c, vtab.NewSession(c, Options)}
	for _, m := range append(rowsModules(func() *engine.Rows { return c.rows }), h.session.Modules()...) {
		err = errors.Join(err, c.register(to, h, m))
	}
	for _, f := range h.session.Functions() {
		code := C.tr_create_function(to, terminated(f.Name), C.int(f.Arguments), keep(&function{h, f}))
		err = errors.Join(err, c.wrap(code))
	}
	if err == nil {
		*handle = keep(h)
	}
	return codeOK
}

func (c *conn) register(to *C.tr_host, h *host, m vtab.Module) error {
	eponymous := C.int(0)
	if m.Eponymous {
		eponymous = 1
	}
	return c.wrap(C.tr_create_module(to, terminated(m.Name), eponymous, keep(&module{h, m})))
}

// goDetach is called when SQLite is about to close the connection.
//
//export goDetach
func goDetach(h C.uintptr_t) {
	var (
		rc  C.int
		err error
	)
	defer report(&rc, nil, &err)
	if h != 0 {
		err = of[host](h).session.Close()
	}
}

//export goDropHost
func goDropHost(h C.uintptr_t) { drop(h) }

//export goDropModule
func goDropModule(h C.uintptr_t) { drop(h) }

//export goDropFunction
func goDropFunction(h C.uintptr_t) { drop(h) }

// goCall computes an SQL function. out comes with a scratch space for a short text or blob; a longer one gets memory
// that C frees.
//
//export goCall
func goCall(h C.uintptr_t, n C.int, args *C.tr_value, out *C.tr_value, message **C.char) (rc C.int) {
	var err error
	defer report(&rc, message, &err)
	v, err := of[function](h).f.Call(context.Background(), values(args, n))
	if err == nil {
		err = (*cell)(unsafe.Pointer(out)).set(v)
	}
	return codeOK
}

// set stores v in a cell whose bytes lie in a scratch space of c.n bytes, or in memory of its own if that is too short.
func (c *cell) set(v crdt.Value) error {
	room := c.n
	c.kind = kinds[v.Kind()]
	switch v.Kind() {
	case crdt.KindInt:
		c.value = uint64(v.Int())
	case crdt.KindReal:
		c.value = math.Float64bits(v.Real())
	case crdt.KindText, crdt.KindBlob:
		b := v.Bytes()
		if len(b) > maxRows {
			return newError(codeTooBig, "")
		}
		if len(b) > int(room) {
			p := C.tr_alloc(C.int64_t(len(b)))
			if p == nil {
				return newError(codeNoMemory, "")
			}
			c.value = uint64(uintptr(p))
		}
		c.n = int32(len(b))
		copy(c.bytes(), b)
	}
	return nil
}
