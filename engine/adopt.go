package engine

import (
	"fmt"

	"github.com/tributary-db/tributary/crdt"
)

// Rows that come in the order of their keys with one stamp, as base rows and imports of other replicas do, become base rows
// here too where their keys have a range of their own: they get no clock rows, and are passed on as they came. So a new
// replica that is filled by packages is as small as one made by clone.

// minRun is how many rows are worth a chunk.
var minRun = 32

// run is rows of a batch, of which a chunk is made.
type run struct {
	from, to int // indexes in the batch
	stamp    crdt.Stamp
}

// findRuns finds the rows that can be adopted. They are in order, so no two runs have a key in common.
func (b *batch) findRuns() error {
	if b.a.replaying {
		return nil
	}
	for i := 0; i < len(b.rows); {
		from := i
		for i < len(b.rows) && b.adoptable(i) && (i == from || b.rows[i].Lives[0].Birth.Stamp == b.rows[from].Lives[0].Birth.Stamp) {
			i++
		}
		if i-from < minRun {
			i = max(i, from+1)
			continue
		}
		ends := append(append([]crdt.Value(nil), b.rows[from].Key...), b.rows[i-1].Key...)
		alone, err := b.a.e.unclocked(b.t, ends)
		if err != nil {
			return err
		}
		if alone {
			b.runs = append(b.runs, run{from, i, b.rows[from].Lives[0].Birth.Stamp})
		}
	}
	return nil
}

// adoptable says whether a row is an insert of which nothing else is known, here or in the package.
func (b *batch) adoptable(i int) bool {
	r := &b.rows[i]
	if b.known[i] || b.base[i] || len(r.Deleted) > 0 || len(r.Lives) != 1 {
		return false
	}
	l := &r.Lives[0]
	return l.Full && len(l.Newer) == 0
}

// adopted says whether row i is in one of the runs.
func (b *batch) adopted(i int) bool {
	for _, r := range b.runs {
		if r.from <= i && i < r.to {
			return true
		}
	}
	return false
}

// chunks gives the runs their places in the feed.
func (b *batch) chunks() error {
	for _, r := range b.runs {
		l := &keyList{}
		for i := r.from; i < r.to; i++ {
			l.add(b.rows[i].Key)
		}
		b.a.pos++
		for i := r.from; i < r.to; i++ {
			b.rows[i].Lives[0].Birth.Pos = b.a.pos
		}
		if err := b.a.e.addChunk(b.t, b.a.pos, r.stamp, l); err != nil {
			return fmt.Errorf("adopting %d rows: %w", r.to-r.from, err)
		}
	}
	return nil
}
