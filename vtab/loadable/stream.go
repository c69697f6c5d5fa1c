//go:build cgo

package loadable

// #include "shim.h"
import "C"

import (
	"context"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/vtab"
)

func streamOf(h C.uintptr_t) vtab.Stream { return of[table](h).t.(vtab.Stream) }

// goUpdate reads the arguments of xUpdate: https://sqlite.org/vtab.html#xupdate
//
//export goUpdate
func goUpdate(h C.uintptr_t, n C.int, args *C.tr_value, message **C.char) (rc C.int) {
	var err error
	defer report(&rc, message, &err)
	u := vtab.Update{Kind: vtab.Delete}
	if n > 1 {
		in := cells(args, int(n))
		u.Kind = vtab.Insert
		if in[0].kind != kinds[crdt.KindNull] {
			u.Kind = vtab.Change
		}
		u.Values = values(args, n)[2:]
		for i := range u.Values {
			if u.Kind == vtab.Change && in[2+i].kind != 0 {
				u.Set.Add(i)
			}
		}
	}
	err = streamOf(h).Update(context.Background(), u)
	return codeOK
}

//export goRename
func goRename(h C.uintptr_t, name *C.char, message **C.char) (rc C.int) {
	var err error
	defer report(&rc, message, &err)
	err = streamOf(h).Rename(context.Background(), C.GoString(name))
	return codeOK
}

//export goDestroy
func goDestroy(h C.uintptr_t) {
	var (
		rc  C.int
		err error
	)
	defer report(&rc, nil, &err)
	err = streamOf(h).Destroy(context.Background())
}

// What goTransaction is asked for, as in module.c.
const (
	atBegin = iota + 1
	atSync
	atCommit
	atRollback
	atSavepoint
	atRelease
	atRollbackTo
)

//export goTransaction
func goTransaction(h C.uintptr_t, what, depth C.int, message **C.char) (rc C.int) {
	var err error
	defer report(&rc, message, &err)
	s, n := streamOf(h), int(depth)
	switch what {
	case atBegin:
		err = s.Begin()
	case atSync:
		err = s.Sync()
	case atCommit:
		s.Commit()
	case atRollback:
		s.Rollback()
	case atSavepoint:
		s.Savepoint(n)
	case atRelease:
		s.Release(n)
	case atRollbackTo:
		s.RollbackTo(n)
	}
	return codeOK
}
