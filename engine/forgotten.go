package engine

import (
	"context"
	"errors"

	"github.com/tributary-db/tributary/crdt"
)

// noteForgotten notes up to where deletes may have been forgotten.
func (e *Engine) noteForgotten(upto crdt.VersionVector) error {
	v, err := e.forgotten()
	if err != nil {
		return err
	}
	v.Join(upto)
	text, err := v.MarshalJSON()
	if err != nil {
		return err
	}
	return e.setMeta("forgotten", crdt.Text(text))
}

func (e *Engine) forgotten() (crdt.VersionVector, error) {
	v := crdt.VersionVector{}
	text, err := e.meta("forgotten")
	if err != nil || text.IsNull() {
		return v, err
	}
	return v, v.UnmarshalJSON(text.Bytes())
}

// Forgotten is up to where this replica may have forgotten deletes: all of them that members have made within it. Empty:
// none. See MissesDeletes.
func (e *Engine) Forgotten(ctx context.Context) (crdt.VersionVector, error) {
	if err := e.load(ctx); errors.Is(err, ErrNoDatabase) {
		return crdt.VersionVector{}, nil
	} else if err != nil {
		return nil, wrap("forgotten", err)
	}
	v, err := e.forgotten()
	return v, wrap("forgotten", err)
}

// LearnForgotten notes what another replica has forgotten, whose whole state was applied here: what is not in that is not
// here either. Inside a transaction it is part of that.
func (e *Engine) LearnForgotten(ctx context.Context, v crdt.VersionVector) error {
	if len(v) == 0 {
		return nil
	}
	if e.conn.InTransaction() {
		return wrap("learn forgotten", e.noteForgotten(v))
	}
	return wrap("learn forgotten", e.change(ctx, func() error { return e.noteForgotten(v) }))
}

// MissesDeletes says whether a replica with a vector may have rows whose deletes are forgotten where forgotten is the
// answer of Forgotten: it has some of the versions up to there and not all. Merging what is left there would not delete
// those rows. A member never is in that place, since forgetting waits for it; nor is a replica that has nothing.
func MissesDeletes(have, forgotten crdt.VersionVector) bool {
	if have.Covers(forgotten) {
		return false
	}
	for s, v := range forgotten {
		if v > 0 && have[s] > 0 {
			return true
		}
	}
	return false
}
