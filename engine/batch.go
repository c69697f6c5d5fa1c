package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/tributary-db/tributary/crdt"
)

// Parcel is a package as a transport brings it. Body is not kept.
type Parcel struct {
	Body   []byte
	Sender crdt.Site // who published it, as the transport knows it; zero: unknown
}

// Arrived is what became of one package of a batch.
type Arrived struct {
	ApplyResult
	Covers []crdt.Cover // what the receiver may count as applied once the package is
	Err    error        // it cannot be decoded, or is not the sender's (ErrForged); it has changed nothing
}

// BatchError says which package of a batch could not be applied. The whole batch has been rolled back.
type BatchError struct {
	Index int
	Err   error
}

func (e *BatchError) Error() string {
	return fmt.Sprintf("package %d of the batch: %v", e.Index, e.Err)
}
func (e *BatchError) Unwrap() error { return e.Err }

// ErrForged: a package says that another site made it than the one that published it.
var ErrForged = errors.New("tributary: a package is not from whom it says")

// ApplyBatch applies packages in order, in one durable transaction, and runs note inside it: what a transport has to
// remember of the batch (PutStream) is committed with its effects or not at all. A package that cannot be decoded is
// reported in its Arrived and left out; one that fails otherwise undoes the batch (BatchError). note may be nil.
func (e *Engine) ApplyBatch(ctx context.Context, parcels []Parcel, note func([]Arrived) error) ([]Arrived, error) {
	out := make([]Arrived, len(parcels))
	bodies, pkgs := make([][]byte, len(parcels)), make([]*crdt.Package, len(parcels))
	rows := 0
	for i, p := range parcels {
		bodies[i] = bytes.Clone(p.Body) // what is decoded refers to it, and may outlive the call
		pkg, err := decode(bodies[i], e.opt.Compressor)
		if err == nil && !p.Sender.IsZero() && p.Sender != pkg.Sender {
			err = fmt.Errorf("%w: it says site %s and came from %s", ErrForged, pkg.Sender, p.Sender)
		}
		if err != nil {
			out[i].Err = wrap("apply", err)
			continue
		}
		pkgs[i] = pkg
		rows += len(pkg.Rows)
		out[i].Sender, out[i].Rows, out[i].Covers = pkg.Sender, len(pkg.Rows), pkg.Covers
	}
	receive := func() error {
		for i, pkg := range pkgs {
			if pkg == nil {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			a := &applier{e: e, r: &out[i].ApplyResult}
			if err := a.receive(pkg, bodies[i]); err != nil {
				return &BatchError{i, wrap("apply", err)}
			}
		}
		return nil
	}
	err := e.change(ctx, func() error {
		var err error
		if rows >= manyRows {
			err = e.withoutTriggers(receive)
		} else {
			err = receive()
		}
		if err != nil || note == nil {
			return err
		}
		return note(out)
	})
	if err == nil {
		return out, nil
	}
	return nil, e.leaveStolen(ctx, err)
}

// DropSuperseded removes waiting parts of sets whose contents have come another way: a part that was lost on a log, and
// came in a peer's answer under other covers, would keep the rest of its set waiting for ever. It returns how many.
func (e *Engine) DropSuperseded(ctx context.Context) (n int, err error) {
	err = e.change(ctx, func() error { n, err = e.dropSuperseded(); return err })
	return n, wrap("drop superseded", err)
}

func (e *Engine) dropSuperseded() (n int, err error) {
	rows, err := e.list("SELECT sender, until, flags, body FROM tributary_waiting ORDER BY sender, until DESC", 4)
	if err != nil || len(rows) == 0 {
		return n, err
	}
	have, err := e.applied()
	if err != nil {
		return n, err
	}
	type end struct{ until, sent int64 }
	ends := map[crdt.Site]end{} // of what is here
	for _, r := range rows {
		s := crdt.Site(r[0].Bytes())
		if _, ok := ends[s]; !ok {
			cursor, err := e.peerCursor(s)
			if err != nil {
				return n, err
			}
			ends[s] = end{cursor, math.MaxInt64}
		}
		if r[1].Int() <= ends[s].until || r[2].Int()&waitEnds == 0 || r[3].IsNull() {
			continue
		}
		p, err := decode(r[3].Bytes(), e.opt.Compressor)
		if err != nil {
			continue
		}
		if len(p.Covers) > 0 && hasAll(have, p.Covers) {
			ends[s] = end{r[1].Int(), r[2].Int() >> waitSent} // parts of a later state may be of a set that goes further
		}
	}
	for s, end := range ends {
		const these = " FROM tributary_waiting WHERE sender = ?1 AND until <= ?2 AND flags >> ?3 <= ?4"
		args := []crdt.Value{crdt.Blob(s[:]), crdt.Int(end.until), crdt.Int(waitSent), crdt.Int(end.sent)}
		c, err := e.one("SELECT count(*)"+these, args...)
		if err != nil {
			return n, err
		}
		n += int(c.Int())
		if err := e.run("DELETE"+these, args...); err != nil {
			return n, err
		}
	}
	return n, nil
}

// dropEnded removes what waits for parts that nobody sends: of members that were retired, whose packages are refused, and of this site
// itself, which has all that it ever made.
func (e *Engine) dropEnded() error {
	return e.run("DELETE FROM tributary_waiting WHERE sender = ?1 OR sender IN (SELECT s.site FROM tributary_peer p JOIN tributary_site s ON s.ord = p.site WHERE p.retired)", crdt.Blob(e.site[:]))
}
