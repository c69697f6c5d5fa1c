package engine

import (
	"context"
	"errors"

	"github.com/tributary-db/tributary/crdt"
)

// Since is a cursor into this replica's feed behind which everything lies that somebody with the given vector lacks: a
// pull since there brings him all of it, and little more. It needs no memory of him.
//
// A site's versions have ascending positions, so what he lacks begins at the first changeset that his vector does not
// have. The cursor is the end of a changeset before that one.
func (e *Engine) Since(ctx context.Context, have crdt.VersionVector) (int64, error) {
	if err := e.load(ctx); errors.Is(err, ErrNoDatabase) {
		return 0, nil
	} else if err != nil {
		return 0, wrap("since", err)
	}
	first := int64(-1)
	for ord := 1; ord < len(e.sites); ord++ {
		v, err := e.one("SELECT pos FROM tributary_changeset WHERE site = ?1 AND version > ?2 ORDER BY version LIMIT 1",
			crdt.Int(int64(ord)), crdt.Int(int64(have[e.sites[ord]])))
		if err != nil {
			return 0, wrap("since", err)
		}
		if !v.IsNull() && (first < 0 || v.Int() < first) {
			first = v.Int()
		}
	}
	if first < 0 {
		return e.pos()
	}
	// Changesets that compaction has removed may have been earlier than the first that is left.
	compacted, err := e.meta("compacted")
	if err != nil || first <= compacted.Int() {
		return 0, wrap("since", err)
	}
	v, err := e.one("SELECT max(pos) FROM tributary_changeset WHERE pos < ?1", crdt.Int(first))
	return v.Int(), wrap("since", err)
}

// Acknowledged is what every member that is not retired is known to have applied; compaction removes tombstones by it.
func (e *Engine) Acknowledged(ctx context.Context) (crdt.VersionVector, error) {
	if err := e.load(ctx); errors.Is(err, ErrNoDatabase) {
		return crdt.VersionVector{}, nil
	} else if err != nil {
		return nil, wrap("acknowledged", err)
	}
	v, _, err := e.stable()
	return v, wrap("acknowledged", err)
}

// PeerInfo is what this replica knows of another.
type PeerInfo struct {
	Site    crdt.Site          `json:"site"`
	Version crdt.Version       `json:"version"` // applied here
	Time    crdt.Time          `json:"-"`       // the newest stamp in it
	Ack     crdt.VersionVector `json:"ack"`     // what it said that it had applied; nil: it has not said
	Retired bool               `json:"retired"`
}

// Peers lists the other sites, in the order in which this replica came to know them.
func (e *Engine) Peers(ctx context.Context) ([]PeerInfo, error) {
	if err := e.load(ctx); errors.Is(err, ErrNoDatabase) {
		return nil, nil
	} else if err != nil {
		return nil, wrap("peers", err)
	}
	var out []PeerInfo
	for ord := int64(1); ord < int64(len(e.sites)); ord++ {
		if ord == e.self {
			continue
		}
		p := PeerInfo{Site: e.sites[ord]}
		err := e.each("SELECT version, time FROM tributary_changeset WHERE site = ?1 ORDER BY version DESC LIMIT 1", 2, func(r []crdt.Value) error {
			p.Version, p.Time = crdt.Version(r[0].Int()), crdt.Time(r[1].Int())
			return nil
		}, crdt.Int(ord))
		if err != nil {
			return nil, wrap("peers", err)
		}
		err = e.each("SELECT ack, retired FROM tributary_peer WHERE site = ?1", 2, func(r []crdt.Value) error {
			p.Retired = r[1].Int() != 0
			if len(r[0].Bytes()) == 0 {
				return nil
			}
			p.Ack = crdt.VersionVector{}
			return p.Ack.UnmarshalJSON(r[0].Bytes())
		}, crdt.Int(ord))
		if err != nil {
			return nil, wrap("peers", err)
		}
		if p.Version > 0 || p.Ack != nil || p.Retired { // else an identity that was given up before it named anything
			out = append(out, p)
		}
	}
	return out, nil
}

// EndsSet reports whether a set can end at a cursor: a state of this replica was complete there. A cursor between two
// such is that of a part, from which only PullOptions.Continues goes on.
func (e *Engine) EndsSet(ctx context.Context, cursor int64) (bool, error) {
	if err := e.load(ctx); err != nil {
		return false, wrap("cursor", err)
	}
	v, err := e.one("SELECT EXISTS (SELECT 1 FROM tributary_changeset WHERE pos = ?1) OR NOT EXISTS (SELECT 1 FROM tributary_changeset WHERE pos > ?1)", crdt.Int(cursor))
	return v.Int() != 0, wrap("cursor", err)
}
