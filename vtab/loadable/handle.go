//go:build cgo

package loadable

// #include <stdint.h>
import "C"

import (
	"runtime"
	"sync"
	"unsafe"
)

// A handle is the address of a Go object that is pinned until C lets go of it. So a callback finds its object without
// asking a table that all threads share. C knows handles as numbers, since the objects hold pointers of Go.

var pinned = struct {
	sync.Mutex
	by map[C.uintptr_t]*runtime.Pinner
}{by: map[C.uintptr_t]*runtime.Pinner{}}

// keep makes a handle of v, which stays alive until drop.
func keep[T any](v *T) C.uintptr_t {
	p := new(runtime.Pinner)
	p.Pin(v)
	h := C.uintptr_t(uintptr(unsafe.Pointer(v)))
	pinned.Lock()
	defer pinned.Unlock()
	pinned.by[h] = p
	return h
}

// of is the object of a handle that keep[T] has made.
func of[T any](h C.uintptr_t) *T { return *(**T)(unsafe.Pointer(&h)) }

func drop(h C.uintptr_t) {
	pinned.Lock()
	defer pinned.Unlock()
	if p := pinned.by[h]; p != nil {
		p.Unpin()
		delete(pinned.by, h)
	}
}
