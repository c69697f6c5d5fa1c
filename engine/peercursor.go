package engine

import (
	"context"

	"github.com/tributary-db/tributary/crdt"
)

// A cursor says that all of a sender's feed up to there is here. It can be untrue in two ways. Whoever can send in another's
// name can say so. And a sender that was put back to an older state, from a backup, gives the positions after that anew: not
// to versions of its own that others have, by which it would be found out and get a new identity, but to what it has received.
// So it is kept what the sender had there, and compared: positions that were given anew come after something else. And a package that
// goes on somewhere says of which versions something lies before that: who is to go by his cursor must have them all.

// trueCursor is the cursor of another site's feed, 0 if what the feed has there is not here.
func (e *Engine) trueCursor(a *Engine) (int64, error) {
	cursor, upon, err := e.cursorOf(a.site)
	if err != nil || cursor == 0 {
		return cursor, err
	}
	pos, err := a.pos()
	if err != nil || cursor > pos {
		return 0, err
	}
	then, err := a.vectorAt(cursor)
	if err != nil || !then.Equal(upon) { // perhaps its log was compacted: then it is read again for nothing
		return 0, err
	}
	// Positions that no version has told of, as those of what was applied beyond a gap, leave no trace in the vector.
	if ends, err := a.EndsSet(context.Background(), cursor); err != nil || !ends {
		return 0, err
	}
	have, err := e.applied()
	if err != nil {
		return 0, err
	}
	for s, v := range then {
		if !have.HasRange(crdt.Range{Site: s, From: 1, To: v}) {
			return 0, nil
		}
	}
	return cursor, nil
}

// cursorOf is the position up to which a sender's feed has been applied, and what the sender had there.
func (e *Engine) cursorOf(s crdt.Site) (cursor int64, upon crdt.VersionVector, err error) {
	ord, ok := e.ords[s]
	if !ok {
		return 0, nil, nil
	}
	upon = crdt.VersionVector{}
	err = e.each("SELECT cursor, upon FROM tributary_peer WHERE site = ?1", 2, func(r []crdt.Value) error {
		if cursor = r[0].Int(); len(r[1].Bytes()) == 0 {
			return nil
		}
		return upon.UnmarshalJSON(r[1].Bytes())
	}, crdt.Int(ord))
	return cursor, upon, err
}

// reread begins a sender's feed again.
func (e *Engine) reread(ctx context.Context, s crdt.Site) error {
	if cursor, err := e.peerCursor(s); err != nil || cursor == 0 {
		return err
	}
	return e.change(ctx, func() error {
		return e.run("UPDATE tributary_peer SET cursor = 0, upon = '' WHERE site = ?1", crdt.Int(e.ords[s]))
	})
}

// putBack says whether a package goes on from the cursor, or from before it, where its sender has something else now than it had. What it
// covers may be incomplete then: of a set in parts, those up to the cursor were taken for what is here. Of sites that the package leaves
// out it needs all that the sender has. A set that begins earlier is that of a stream which was put back together with its file.
func (e *Engine) putBack(p *crdt.Package) (bool, error) {
	if p.Since == 0 || p.SomeTables() {
		return false, nil
	}
	cursor, upon, err := e.cursorOf(p.Sender)
	if err != nil || cursor < p.Since {
		return false, err
	}
	if p.Starts {
		return cursor == p.Since && !p.LocalOnly && !p.Needs.Covers(upon), nil
	}
	have, err := e.vector()
	return err == nil && !have.Covers(p.Before), err
}

// known is what the sender of a package had, of which it holds the end of the set.
func known(p *crdt.Package) crdt.VersionVector {
	v := crdt.VersionVector{}
	v.Join(p.Needs)
	for _, c := range p.Covers {
		v[c.Site] = max(v[c.Site], c.To)
	}
	return v
}

// misled says whether the cursor of a package's sender lies beyond it although what it covers is not here.
func (e *Engine) misled(p *crdt.Package) (bool, error) {
	if len(p.Covers) == 0 {
		return false, nil
	}
	have, err := e.applied()
	return err == nil && !hasAll(have, p.Covers), err
}

// unmislead begins a sender's feed again, of which the cursor was not true. The parts of a set that were taken for what is here have
// to come once more.
func (e *Engine) unmislead(p *crdt.Package) error {
	cursor, err := e.peerCursor(p.Sender)
	if err != nil || p.SomeTables() {
		return err
	}
	untrue := false
	switch {
	case cursor >= p.Until:
		untrue, err = e.misled(p)
	case !p.Starts:
		untrue, err = e.putBack(p)
	}
	if err != nil || !untrue {
		return err
	}
	return e.run("UPDATE tributary_peer SET cursor = 0, upon = '', error = ?2 WHERE site = ?1", crdt.Int(e.ords[p.Sender]),
		crdt.TextString("its feed is read again: the cursor was not true"))
}
