package engine

import (
	"slices"

	"github.com/tributary-db/tributary/crdt"
)

// newBatch takes the engine's last batch, if it is free: what a batch of many rows needs is some 2 MB, and to get that anew
// for each costs more than what is done with it.
func newBatch(a *applier, t *table, p *crdt.Package, dict crdt.Table) *batch {
	b := a.e.batch
	if a.e.batch = nil; b == nil {
		b = &batch{parts: clockParts{room: true}}
	}
	b.a, b.t, b.p, b.dict = a, t, p, dict
	return b
}

func (b *batch) free() {
	b.empty()
	e := b.a.e
	b.a, b.t, b.p, b.dict, b.forms = nil, nil, nil, crdt.Table{}, nil
	e.batch = b
}

// empty keeps the memory of a batch, and nothing that it refers to.
func (b *batch) empty() {
	b.rows, b.clocks, b.known, b.base = emptied(b.rows), emptied(b.clocks), emptied(b.known), emptied(b.base)
	b.out, b.inserts, b.updates, b.deletes = emptied(b.out), emptied(b.inserts), emptied(b.updates), emptied(b.deletes)
	b.slab, b.shown, b.slow = emptied(b.slab), emptied(b.shown), b.slow[:0]
	b.parts.groups, b.parts.dots = emptied(b.parts.groups), b.parts.dots[:0]
	b.blobs, b.runs = b.blobs[:0], b.runs[:0]
}

func emptied[T any](s []T) []T {
	clear(s)
	return s[:0]
}

// sized is s with n zero elements, where s is empty.
func sized[T any](s []T, n int) []T { return slices.Grow(s, n)[:n] }

// row cuts an empty row of so many values off the slab. What was cut before stays where it is.
func (b *batch) row(width int) []crdt.Value {
	if cap(b.slab)-len(b.slab) < width {
		b.slab = make([]crdt.Value, 0, max(width*len(b.rows), 2*cap(b.slab)))
	}
	n := len(b.slab)
	b.slab = b.slab[:n+width]
	return b.slab[n : n : n+width]
}
