//go:build cgo

package loadable

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"unsafe"

	"github.com/tributary-db/tributary/vtab"
)

// table is a virtual table as C knows it.
type table struct {
	h *host
	t vtab.Table
}

// cursor is one scan.
type cursor struct {
	h *host
	c vtab.Cursor
}

// goConnect makes a table; words are the module's name, the schema's, the table's and the arguments.
//
//export goConnect
func goConnect(h C.uintptr_t, n C.int, words **C.char, create C.int, out *C.uintptr_t, message **C.char) (rc C.int) {
	var err error
	defer report(&rc, message, &err)
	m := of[module](h)
	var a vtab.Arguments
	for i, w := range unsafe.Slice(words, int(n)) {
		switch s := C.GoString(w); i {
		case 0: // the module's name
		case 1:
			a.Schema = s
		case 2:
			a.Table = s
		default:
			a.List = append(a.List, s)
		}
	}
	t, err := m.m.Connect(a)
	if err != nil {
		return codeOK
	}
	if err = m.h.conn.wrap(C.tr_declare(m.h.conn.db, terminated(t.Declaration()))); err != nil {
		return codeOK
	}
	if create != 0 {
		if err = t.(vtab.Stream).Create(context.Background()); err != nil {
			return codeOK
		}
	}
	*out = keep(&table{m.h, t})
	return codeOK
}

//export goDropTable
func goDropTable(h C.uintptr_t) { drop(h) }

// goBestIndex reads the question and writes the answer in place.
//
//export goBestIndex
func goBestIndex(h C.uintptr_t, ix *C.sqlite3_index_info, message **C.char) (rc C.int) {
	var err error
	defer report(&rc, message, &err)
	q := vtab.Index{Used: uint64(ix.colUsed), Cost: float64(ix.estimatedCost), Rows: int64(ix.estimatedRows)}
	for _, c := range unsafe.Slice(ix.aConstraint, int(ix.nConstraint)) {
		q.Constraints = append(q.Constraints, vtab.Constraint{Column: int(c.iColumn), Operator: vtab.Operator(c.op), Usable: c.usable != 0})
	}
	for _, o := range unsafe.Slice(ix.aOrderBy, int(ix.nOrderBy)) {
		q.Order = append(q.Order, vtab.Order{Column: int(o.iColumn), Desc: o.desc != 0})
	}
	if err = of[table](h).t.Plan(&q); err != nil {
		return codeOK
	}
	usage := unsafe.Slice(ix.aConstraintUsage, int(ix.nConstraint))
	for i, c := range q.Constraints {
		usage[i].argvIndex = C.int(c.Argument)
		if c.Omit {
			usage[i].omit = 1
		}
	}
	ix.idxNum = C.int(q.Plan.Number)
	if q.Plan.Text != "" {
		if ix.idxStr = cString(q.Plan.Text); ix.idxStr == nil {
			err = newError(codeNoMemory, "")
			return codeOK
		}
		ix.needToFreeIdxStr = 1
	}
	if q.Ordered {
		ix.orderByConsumed = 1
	}
	ix.estimatedCost, ix.estimatedRows = C.double(q.Cost), C.sqlite3_int64(q.Rows)
	return codeOK
}

//export goOpen
func goOpen(h C.uintptr_t, out *C.uintptr_t, message **C.char) (rc C.int) {
	var err error
	defer report(&rc, message, &err)
	t := of[table](h)
	*out = keep(&cursor{t.h, t.t.Open()})
	return codeOK
}

//export goClose
func goClose(h C.uintptr_t) {
	var (
		rc  C.int
		err error
	)
	defer drop(h)
	defer report(&rc, nil, &err)
	err = of[cursor](h).c.Close()
}

//export goFilter
func goFilter(h C.uintptr_t, rows *C.tr_rows, number C.int, text *C.char, n C.int, args *C.tr_value, message **C.char) (rc C.int) {
	var err error
	defer report(&rc, message, &err)
	c := of[cursor](h)
	err = c.c.Filter(context.Background(), vtab.Plan{Number: int(number), Text: C.GoString(text)}, values(args, n))
	if err == nil {
		err = c.fill(rows)
	}
	return codeOK
}

//export goFill
func goFill(h C.uintptr_t, rows *C.tr_rows, message **C.char) (rc C.int) {
	var err error
	defer report(&rc, message, &err)
	err = of[cursor](h).fill(rows)
	return codeOK
}

func (c *cursor) fill(rows *C.tr_rows) error {
	w := writer{rows: rows}
	more, err := c.c.Fill(context.Background(), &w)
	switch {
	case errors.Is(err, vtab.ErrAgain) && c.h.conn.interrupted():
		return newError(codeInterrupt, "")
	case err != nil:
		return err
	case w.failed:
		return newError(codeNoMemory, "")
	}
	if more {
		rows.more = 1
	}
	return nil
}
