package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tributary-db/tributary/crdt"
)

// Mode says when a package may be applied.
type Mode int

const (
	ModeCausal   Mode = iota // when everything its writers had seen is here; until then it waits
	ModeOrdered              // like causal, but a gap is an error instead of a wait
	ModeEventual             // at once: the end is the same, but effects may be seen before their causes
)

// ApplyOptions adjusts one Apply.
type ApplyOptions struct {
	Mode     Mode
	Stream   string // name of the inbound stream, for its bookkeeping
	InUpdate bool   // called inside a statement of the host, which is the transaction: see EndUpdate
}

// ApplyState says what became of a package.
type ApplyState int

const (
	StateApplied   ApplyState = iota + 1
	StateDuplicate            // everything in it was here already; nothing was touched
	StatePending              // it waits in tributary_pending
)

func (s ApplyState) String() string {
	return [...]string{"unknown", "applied", "duplicate", "waiting"}[s]
}

// ApplyResult counts what an Apply did. Rows counts the rows of the package, 0 if it is a duplicate; Changed those that the tables show
// differently now; Parked rows wait for a table or column, Quarantined ones for a constraint. Released is the number of
// waiting packages that could be applied after it.
type ApplyResult struct {
	State                              ApplyState
	Rows, Changed, Parked, Quarantined int
	Released                           int
	Sender                             crdt.Site
	Reason                             string // why it waits
}

// Apply merges one package, binary or JSON, in one durable transaction together with what that made ready. A package
// that cannot be decoded changes nothing; one that comes too early is kept; one that has been applied, as its header says, is
// dropped without looking at its rows.
func (e *Engine) Apply(ctx context.Context, body []byte, o ApplyOptions) (ApplyResult, error) {
	pkg, whole, err := decodeHeader(body)
	if err != nil {
		return ApplyResult{}, wrap("apply", err)
	}
	r := ApplyResult{Sender: pkg.Sender}
	if err := e.load(ctx); err != nil {
		return r, wrap("apply", err)
	}
	if e.conn.ReadOnly() {
		return r, wrap("apply", ErrReadOnly)
	}
	if dup, err := e.duplicate(pkg); err != nil || dup && pkg.Until > 0 { // of nothing, the rows are looked at
		r.State = StateDuplicate
		return r, wrap("apply", err)
	}
	body = bytes.Clone(body) // what is decoded refers to it, and may outlive the call
	if !whole {
		if pkg, err = decode(body, e.opt.Compressor); err != nil {
			return ApplyResult{}, wrap("apply", err)
		}
	}
	r.Rows = len(pkg.Rows)
	receive := func() error {
		if err := e.load(ctx); err != nil {
			return err
		}
		if err := e.verifyIdentity(); err != nil {
			return err
		}
		a := &applier{e: e, o: o, r: &r}
		merge := func() error { return a.receive(pkg, body) }
		if !o.InUpdate && len(pkg.Rows) >= manyRows {
			return e.withoutTriggers(merge)
		}
		return merge()
	}
	e.inUpdate = o.InUpdate
	defer func() { e.inUpdate = false }()
	err = e.foreignKeysOff(o.InUpdate, func() error { return e.durable(o.InUpdate, receive) })
	if err := e.done(err); err != nil {
		err = e.leaveStolen(ctx, err)
		if e.conn.InTransaction() {
			return r, &PartialError{wrap("apply", err)}
		}
		return r, wrap("apply", err)
	}
	return r, nil
}

// decode reads a package in either form.
func decode(body []byte, z crdt.Compressor) (*crdt.Package, error) {
	if isJSON(body) {
		p := new(crdt.Package)
		return p, p.UnmarshalJSON(body)
	}
	return crdt.DecodePackage(body, z, crdt.DefaultLimits())
}

// decodeHeader reads what says whether a package is a duplicate: of the binary form all but the rows, of JSON the whole, which refers
// to nothing of body.
func decodeHeader(body []byte) (p *crdt.Package, whole bool, err error) {
	if isJSON(body) {
		p, err = decode(body, nil)
		return p, true, err
	}
	p, err = crdt.PackageHeader(body, crdt.DefaultLimits())
	return p, false, err
}

func isJSON(body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n")
	return len(body) > 0 && body[0] == '{'
}

// Inspect decodes a package without applying it.
func Inspect(body []byte, z crdt.Compressor) (*crdt.Package, error) {
	p, err := decode(body, z)
	return p, wrap("inspect", err)
}

// applier is the state of one Apply.
type applier struct {
	e       *Engine
	o       ApplyOptions
	r       *ApplyResult
	pos     int64
	touched *touched
	newest  crdt.Time
	// forgotten is up to where deletes may be forgotten here, nil as long as it has not been looked up.
	forgotten crdt.VersionVector
	// replaying says that parked changes are merged, of which some columns were merged before.
	replaying bool
	covers    []crdt.Cover // by the set that is applied, once it is whole; nil: not known
	parkedAt  int64        // position of the parked changes that are merged, until something of them is parked again
	// twice are the tables of which the set may have rows in several forms: see forms.go.
	twice map[*table]*forms
}

// duplicate reports whether everything that the package covers has been applied.
func (e *Engine) duplicate(p *crdt.Package) (bool, error) {
	for _, c := range p.Covers {
		if have, err := e.chainID(c.Site, c.To); err != nil || !have.IsZero() && !c.ID.IsZero() && have != c.ID {
			return false, err // meetPeer reports it
		}
	}
	if own, err := e.sentFromHere(p); err != nil || own {
		return own, err
	}
	cursor, err := e.peerCursor(p.Sender)
	if err != nil {
		return false, err
	}
	if cursor >= p.Until && !p.SomeTables() { // of the sender's whole feed; so what it sent apart is here too
		misled, err := e.misled(p)
		return err == nil && !misled, err
	}
	if !p.Starts || !p.Ends || len(p.Covers) == 0 {
		return false, nil // the last part of a set ends the waiting of the others even if all has come another way
	}
	have, err := e.applied()
	if err != nil {
		return false, err
	}
	if !hasAll(have, p.Covers) {
		return false, nil
	}
	if p.LocalOnly {
		return true, nil
	}
	// Parts of other cuts of the same feed wait until something is heard of the sender up to there.
	left, err := e.one("SELECT EXISTS (SELECT 1 FROM tributary_waiting WHERE sender = ?1 AND until <= ?2)", crdt.Blob(p.Sender[:]), crdt.Int(p.Until))
	return left.Int() == 0, err
}

// sentFromHere says whether a package is one of this file's own that has come back, as from a log after a restart. A part
// of a set need not wait for the others then. What is ahead of this file comes from before it was put back to an older state.
func (e *Engine) sentFromHere(p *crdt.Package) (bool, error) {
	if !e.checked || e.site.IsZero() || p.Sender != e.site {
		return false, nil
	}
	pos, err := e.pos()
	if err != nil || p.Until > pos {
		return false, err
	}
	own, err := e.ownVersion()
	if err != nil || p.Needs[e.site] > own {
		return false, err
	}
	have, err := e.applied()
	return err == nil && hasAll(have, p.Covers), err
}

// hasAll says whether a set of versions has all that a package covers.
func hasAll(have crdt.VersionSet, covers []crdt.Cover) bool {
	for _, c := range covers {
		if !have.HasRange(crdt.Range{Site: c.Site, From: c.From, To: c.To}) {
			return false
		}
	}
	return true
}

// leaveStolen takes a new identity if the failure err was that another file goes on under this one.
func (e *Engine) leaveStolen(ctx context.Context, err error) error {
	if !e.stolen || e.conn.InTransaction() {
		return err
	}
	e.stolen = false
	if _, rerr := e.Remint(ctx); rerr != nil {
		err = errors.Join(err, rerr)
	}
	return err
}

// applied is everything applied here, also beyond gaps.
func (e *Engine) applied() (set crdt.VersionSet, err error) {
	v, err := e.vector()
	if err != nil {
		return set, err
	}
	for s, n := range v {
		set.Add(crdt.Range{Site: s, From: 1, To: n})
	}
	return set, e.each("SELECT site, lo, hi FROM tributary_ahead", 3, func(r []crdt.Value) error {
		set.Add(crdt.Range{Site: e.siteOf(r[0].Int()), From: crdt.Version(r[1].Int()), To: crdt.Version(r[2].Int())})
		return nil
	})
}

// peerCursor is the position up to which a sender's feed has been applied.
func (e *Engine) peerCursor(s crdt.Site) (int64, error) {
	ord, ok := e.ords[s]
	if !ok {
		return 0, nil
	}
	v, err := e.one("SELECT cursor FROM tributary_peer WHERE site = ?1", crdt.Int(ord))
	return v.Int(), err
}

// receive decides what becomes of a package.
func (a *applier) receive(p *crdt.Package, body []byte) error {
	if dup, err := a.e.duplicate(p); err != nil || dup {
		a.r.State = StateDuplicate
		if err == nil && p.Starts && p.Ends && p.Since == 0 && p.Scope == 0 && !p.LocalOnly && p.Sender != a.e.site {
			err = a.e.heard(p) // all of its feed, which was read again: see reread
		}
		return err
	}
	if err := a.e.meetPeer(p); err != nil {
		return err
	}
	if err := a.e.unmislead(p); err != nil {
		return err
	}
	if _, err := a.e.fold(); err != nil {
		return err
	}
	var err error
	if a.pos, err = a.e.pos(); err != nil {
		return err
	}
	a.touched = newTouched()
	l, err := a.lacks(p)
	if err != nil {
		return err
	}
	switch {
	case p.Starts && p.Ends && (l.reason == "" || !l.firm() && a.o.Mode == ModeEventual):
		a.r.State = StateApplied
		if err := a.set(p); err != nil {
			return err
		}
	case l.reason == "" && p.Bulk:
		if err := a.bulk(p, body); err != nil {
			return err
		}
	case !l.firm() && a.o.Mode == ModeEventual:
		// Its rows count at once, but what its set covers only when all parts are here: the last may come first.
		a.r.State, a.newest = StateApplied, max(a.newest, newest(p))
		if err := a.rows(p); err != nil {
			return err
		}
		if err := a.wait(p, body, l); err != nil {
			return err
		}
	case l.reason != "" && a.o.Mode == ModeOrdered:
		return fmt.Errorf("%w: %s", ErrGap, l.reason)
	default:
		a.r.State, a.r.Reason = StatePending, cmp.Or(l.reason, reasonRest)
		if err := a.wait(p, body, l); err != nil {
			return err
		}
		a.e.decoded.keep(body, p)
	}
	if err := a.drain(p); err != nil {
		return err
	}
	return a.finish()
}

// newest is the greatest stamp in a package.
func newest(p *crdt.Package) (t crdt.Time) {
	for i := range p.Rows {
		r := &p.Rows[i]
		t = max(t, r.Deleter.Time)
		for j := range r.Lives {
			t = max(t, r.Lives[j].Newest().Time)
		}
	}
	return t
}

// meetPeer compares what a package says of sites with what is known here, before anything is folded.
func (e *Engine) meetPeer(p *crdt.Package) error {
	if ord, ok := e.ords[p.Sender]; ok {
		// What the others have forgotten since could come back with it.
		if retired, err := e.one("SELECT retired FROM tributary_peer WHERE site = ?1", crdt.Int(ord)); err != nil {
			return err
		} else if retired.Int() != 0 {
			return fmt.Errorf("%w: site %s; make it anew with clone from a good replica", ErrRetired, p.Sender)
		}
	}
	own, err := e.ownVersion()
	if err != nil {
		return err
	}
	restored := p.Needs[e.site] > own // the peer knows more of us than we do: this file was restored from a backup
	for _, c := range p.Covers {
		for _, at := range []struct {
			v  crdt.Version
			id crdt.ChainID
		}{{c.From - 1, c.Prev}, {c.To, c.ID}} {
			have, err := e.chainID(c.Site, at.v)
			if err != nil {
				return err
			}
			if !have.IsZero() && !at.id.IsZero() && have != at.id {
				e.stolen = e.stolen || c.Site == e.site // somebody else went on under our name: go on under another
				return fmt.Errorf("%w: version %d of site %s; a copy of that database was written under the same identity: clone it again from a good replica", ErrEquivocation, at.v, c.Site)
			}
		}
		if c.Site == e.site {
			restored = restored || c.To > own
		}
	}
	if !restored {
		return nil
	}
	_, err = e.remint()
	return err
}

// set applies one whole set, or a part in eventual mode.
func (a *applier) set(p *crdt.Package) error {
	if p.Starts && p.Ends {
		a.covers = append([]crdt.Cover{}, p.Covers...)
		defer func() { a.covers = nil }()
	}
	if err := a.rows(p); err != nil {
		return err
	}
	return a.covered(p)
}

// covered records what the receiver may count as applied after a package.
func (a *applier) covered(p *crdt.Package) error {
	a.newest = max(a.newest, newest(p))
	if !p.Ends {
		return nil
	}
	e := a.e
	have, err := e.vector()
	if err != nil {
		return err
	}
	if err := a.inherit(p, have); err != nil {
		return err
	}
	// A place for what is covered, if anything is new in that. A position at which no version ends is one inside a set to those
	// who pull from there.
	if slices.ContainsFunc(p.Covers, func(c crdt.Cover) bool { return c.To > have[c.Site] && c.From <= have[c.Site]+1 }) {
		a.pos++
	}
	for _, c := range p.Covers {
		ord, err := e.ordinal(c.Site)
		if err != nil {
			return err
		}
		if c.To <= have[c.Site] {
			continue
		}
		if c.From > have[c.Site]+1 {
			if err := e.run("INSERT INTO tributary_ahead(site, lo, hi) VALUES (?1, ?2, ?3) ON CONFLICT (site, lo) DO UPDATE SET hi = max(hi, excluded.hi)",
				crdt.Int(ord), crdt.Int(int64(c.From)), crdt.Int(int64(c.To))); err != nil {
				return err
			}
			continue
		}
		if err := a.advance(ord, c.To, c.ID, newest(p)); err != nil {
			return err
		}
	}
	own := slices.ContainsFunc(p.Covers, func(c crdt.Cover) bool { return c.Site == p.Sender })
	if !p.SomeTables() && (!p.LocalOnly || own) && have.Covers(p.Needs) { // in eventual mode what it needs may be missing: a gap
		return e.heard(p)
	}
	return nil
}

// advance moves the vector of a site on, over what was applied ahead of a gap too.
func (a *applier) advance(ord int64, to crdt.Version, id crdt.ChainID, t crdt.Time) error {
	for {
		hi, err := a.e.one("SELECT max(hi) FROM tributary_ahead WHERE site = ?1 AND lo <= ?2", crdt.Int(ord), crdt.Int(int64(to)+1))
		if err != nil {
			return err
		}
		if hi.Int() <= int64(to) {
			break
		}
		to, id = crdt.Version(hi.Int()), crdt.ChainID{}
	}
	if err := a.e.run("DELETE FROM tributary_ahead WHERE site = ?1 AND lo <= ?2", crdt.Int(ord), crdt.Int(int64(to))); err != nil {
		return err
	}
	return a.e.run("INSERT INTO tributary_changeset(site, version, pos, time, id) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (site, version) DO NOTHING",
		crdt.Int(ord), crdt.Int(int64(to)), crdt.Int(a.pos), crdt.Int(int64(t)), crdt.Blob(id[:]))
}

// heard notes how far a sender's feed has been applied, and what the sender had applied itself. A package of some sites'
// changes says the latter too if the sender's own are among them, and says nothing of the feed.
func (e *Engine) heard(p *crdt.Package) error {
	ord, err := e.ordinal(p.Sender)
	if err != nil {
		return err
	}
	text, err := known(p).MarshalJSON()
	if err != nil {
		return err
	}
	cursor := p.Until
	if p.LocalOnly {
		cursor = 0
	}
	if err := e.run("INSERT INTO tributary_peer(site, cursor, upon, ack, retired, error) VALUES (?1, ?2, ?3, ?3, 0, '') ON CONFLICT (site) DO UPDATE SET upon = CASE WHEN cursor < excluded.cursor THEN excluded.upon ELSE upon END, cursor = max(cursor, excluded.cursor), ack = excluded.ack, error = ''",
		crdt.Int(ord), crdt.Int(cursor), crdt.Text(text)); err != nil {
		return err
	}
	// Parts of other cuts of the same feed wait for parts that will never come.
	return e.run("DELETE FROM tributary_waiting WHERE sender = ?1 AND until <= ?2", crdt.Blob(p.Sender[:]), crdt.Int(cursor))
}

const setAside = "SELECT count(*) FROM tributary_hidden WHERE detail <> ?1"

// finish stores positions and the clock, and settles constraints.
func (a *applier) finish() error {
	e := a.e
	if err := a.replay(); err != nil {
		return err
	}
	if err := e.setPos(a.pos); err != nil {
		return err
	}
	last, err := e.lastTime()
	if err != nil {
		return err
	}
	if a.newest > last {
		if err := e.setMeta("clock", crdt.Int(int64(a.newest))); err != nil {
			return err
		}
	}
	before, err := e.one(setAside, crdt.TextString(detailSame))
	if err != nil {
		return err
	}
	if err := e.settle(a.touched); err != nil {
		return err
	}
	after, err := e.one(setAside, crdt.TextString(detailSame))
	a.r.Quarantined += int(after.Int() - before.Int())
	return err
}
