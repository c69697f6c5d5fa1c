package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/tributary-db/tributary/crdt"
)

// Format is the form of a package.
type Format int

const (
	FormatBinary Format = iota // compact, see crdt/FORMAT.md
	FormatJSON                 // lossless, for carriers that cannot take binary
)

// PullOptions says what a pull hands out.
type PullOptions struct {
	Since int64 // cursor; 0: from the beginning
	// Continues says that Since lies inside a set that began at Began (Pulled.Began), and that the parts up to Since have
	// been delivered: the rest comes, as it is now. Without it a pull from inside a set sends whole rows, to be safe.
	Continues bool
	Began     int64
	Whole     bool        // the parts up to Since have the changes of all (Pulled.Whole), whatever Origins says
	Exclude   []crdt.Site // changes of these sites are left out: the receiver must have them, or waits for them
	LocalOnly bool        // only changes written here: Origins of this site
	Origins   []crdt.Site // only changes of these sites, and only their versions are covered; nil: of all. All go out where these cannot be told apart
	MaxBytes  int         // packages are cut at about this size, before compression, but not within a chunk of base rows: 48 KB; 0: 262144
	Format    Format
	Tables    []string // nil: all
}

// Pulled is one package. The caller owns Package. Cursor is where to go on once it has been delivered.
type Pulled struct {
	Package []byte
	Cursor  int64
	Rows    int
	Began   int64 // the cursor at which its set began, for PullOptions
	Part    int   // within its set, from 0
	Last    bool  // the set ends here: what was pulled up to now is one consistent state
	Whole   bool  // it has the changes of all sites, be it that those of PullOptions.Origins could not be told apart
}

// Pull yields what changed after a cursor, oldest first, each row once and in its newest state. It folds first where
// the database can be written. The packages of one call form one consistent state, which a receiver applies at once.
//
// The database must not be inside a transaction: what it hands out could still be rolled back. While the sequence is
// being read, the connection holds a read snapshot; it ends with the loop.
func (e *Engine) Pull(ctx context.Context, o PullOptions) iter.Seq2[Pulled, error] {
	return func(yield func(Pulled, error) bool) {
		p, err := e.startPull(ctx, o)
		if err != nil {
			yield(Pulled{}, wrap("pull", err))
			return
		}
		if p == nil {
			return
		}
		defer p.close()
		for {
			part, err := p.next(ctx)
			if err != nil {
				yield(Pulled{}, wrap("pull", err))
				return
			}
			if !yield(part, nil) || part.Last {
				return
			}
		}
	}
}

// pull is a running Pull.
type pull struct {
	e       *Engine
	o       PullOptions
	pin     Stmt // keeps the read snapshot while packages are built
	until   int64
	since   int64 // where the set begins; cursor moves on from there
	cursor  int64
	part    int
	sent    crdt.Time
	starts  bool
	bulk    bool
	rows    int64
	needs   crdt.VersionVector
	covers  []crdt.Cover
	exclude map[crdt.Site]bool
	only    map[crdt.Site]bool // PullOptions.Origins; nil: all
	sources []*source
	b       *builder
}

func (e *Engine) startPull(ctx context.Context, o PullOptions) (*pull, error) {
	if err := e.load(ctx); errors.Is(err, ErrNoDatabase) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	pin, err := e.snapshot(ctx)
	if err != nil || pin == nil {
		return nil, err
	}
	p := &pull{e: e, o: o, pin: pin, b: builders.Get().(*builder), cursor: o.Since, exclude: map[crdt.Site]bool{}}
	for _, s := range o.Exclude {
		p.exclude[s] = true
	}
	if o.LocalOnly {
		p.o.Origins = []crdt.Site{e.site}
	}
	if p.o.Origins != nil {
		p.only = map[crdt.Site]bool{}
		for _, s := range p.o.Origins {
			p.only[s] = true
		}
	}
	if err := p.interval(); err != nil || p.cursor >= p.until {
		p.close()
		return nil, err
	}
	if err := p.open(); err != nil {
		p.close()
		return nil, err
	}
	e.witness(0, p.until)
	return p, nil
}

// snapshot folds if anything waits to be folded, and returns a statement that holds a read snapshot in which nothing
// does: values newer than their clocks must not go out. nil: a read-only database in which something does.
func (e *Engine) snapshot(ctx context.Context) (Stmt, error) {
	if e.conn.InTransaction() {
		return nil, ErrInTransaction
	}
	pin, err := e.conn.Prepare("SELECT value FROM tributary_meta WHERE key = 'pos'")
	if err != nil {
		return nil, err
	}
	hold := func() error {
		if err := pin.Query(); err != nil {
			return err
		}
		var row [1]crdt.Value
		_, err := pin.Next(row[:])
		return err
	}
	clean, err := e.clean(hold)
	if err == nil && !clean {
		pin.Reset()
		if e.conn.ReadOnly() {
			pin.Close()
			return nil, nil
		}
		err = e.change(ctx, func() error {
			if err := e.nameEnd(); err != nil {
				return err
			}
			if err := e.setMeta("unsynced", crdt.Int(0)); err != nil {
				return err
			}
			return hold() // before the commit, so that no other writer comes between
		})
	}
	if err != nil {
		pin.Close()
		return nil, err
	}
	return pin, nil
}

// clean takes the snapshot and reports whether there is nothing to fold or sync in it.
func (e *Engine) clean(hold func() error) (bool, error) {
	if err := hold(); err != nil {
		return false, err
	}
	if err := e.load(context.Background()); err != nil {
		return false, err
	}
	if e.conn.ReadOnly() {
		v, err := e.one("SELECT EXISTS (SELECT 1 FROM tributary_feed)")
		return v.Int() == 0, err
	}
	if !e.checked || e.reconciled != e.cookie {
		return false, nil
	}
	for _, t := range e.tables {
		if t.fresh {
			return false, nil
		}
	}
	if own, err := e.ownVersion(); err != nil || own == 0 {
		return false, err
	}
	v, err := e.one("SELECT EXISTS (SELECT 1 FROM tributary_feed) OR EXISTS (SELECT 1 FROM tributary_meta WHERE key = 'unsynced' AND value <> 0) OR " + unnamed)
	return v.Int() == 0, err
}

// unnamed says that the feed ends where no version does: what came last was known, or came beyond a gap, and has moved rows all the same.
const unnamed = "(SELECT value FROM tributary_meta WHERE key = 'pos') > (SELECT max(pos) FROM tributary_changeset)"

// nameEnd folds, and lets a version end where the feed does. A cursor there is then none inside a set, and means one thing: see
// peercursor.go.
func (e *Engine) nameEnd() error {
	if _, err := e.fold(); err != nil {
		return err
	}
	if v, err := e.one("SELECT " + unnamed); err != nil || v.Int() == 0 {
		return err
	}
	_, err := e.beat(e.fold)
	return err
}

func (p *pull) close() {
	for _, s := range p.sources {
		s.close()
	}
	p.pin.Close()
	p.b.free()
}

// interval computes what the set covers and what a receiver must have.
func (p *pull) interval() (err error) {
	if p.until, err = p.e.pos(); err != nil {
		return err
	}
	if p.cursor > p.until || p.cursor < 0 {
		p.cursor = 0 // a cursor of a life before this file was restored: begin again, duplicates are dropped
	}
	p.since = p.cursor
	if p.o.Continues && p.o.Began < p.cursor {
		// What a row has gained since the set began goes out with it, and the last part covers all of the set.
		p.since = max(p.o.Began, 0)
	} else {
		// Inside a set a row may be newer than the cursor while its insert is older, and neither was delivered. Where the
		// set began is not known here: so rows go out whole, and all versions are covered.
		v, err := p.e.one("SELECT EXISTS (SELECT 1 FROM tributary_changeset WHERE pos = ?1)", crdt.Int(p.cursor))
		if err != nil {
			return err
		}
		if v.Int() == 0 {
			p.since = 0
		}
	}
	if p.needs, err = p.e.vectorAt(p.since); err != nil {
		return err
	}
	if mixed, err := p.mixed(); err != nil {
		return err
	} else if mixed || p.o.Continues && p.o.Whole {
		p.only = nil
		if p.o.Origins != nil && p.o.Continues && !p.o.Whole { // what the parts before left out is missed now: once more
			p.cursor = p.since
		}
	}
	now, err := p.e.vector()
	if err != nil {
		return err
	}
	asOf, err := p.e.meta("as_of")
	if err != nil {
		return err
	}
	p.sent = crdt.Time(asOf.Int())
	p.starts = p.cursor == p.since
	if p.only != nil {
		if p.needs, err = p.e.madeUpon(p.o.Origins, p.needs); err != nil {
			return err
		}
	}
	var forgotten crdt.VersionVector
	for _, s := range now.Sites() {
		if now[s] == p.needs[s] || p.only != nil && !p.only[s] {
			continue
		}
		if p.exclude[s] { // its owner has it, unless it was restored from a backup and has not noticed
			p.needs[s] = now[s]
			continue
		}
		c := crdt.Cover{Site: s, From: p.needs[s] + 1, To: now[s]}
		if c.Prev, err = p.e.chainID(s, p.needs[s]); err != nil {
			return err
		}
		if c.ID, err = p.e.chainID(s, now[s]); err != nil {
			return err
		}
		if forgotten == nil && p.only == nil { // the changes of some sites bring no deletes of others, and make up for no state
			if forgotten, err = p.e.forgotten(); err != nil {
				return err
			}
		}
		if f := forgotten[s]; f >= c.From {
			c.Forgotten = min(f, c.To)
		}
		p.covers = append(p.covers, c)
	}
	return nil
}

// mixed says that what came after the newest change of the wanted sites has deleted rows, and that it cannot be told from
// what these sites deleted: a row keeps which inserts were deleted, and not by whom. Such a set goes out whole. Without the
// rest, a receiver would miss a row that somebody has inserted anew in the same transaction.
func (p *pull) mixed() (bool, error) {
	if p.only == nil {
		return false, nil
	}
	newest, err := p.e.newestOf(p.o.Origins)
	if err != nil {
		return false, err
	}
	for _, t := range p.e.tables {
		if t.schema == nil {
			continue
		}
		// A tombstone of one delete has its maker's stamp: the flags are odd, and one site follows.
		v, err := p.e.one(fmt.Sprintf(`SELECT EXISTS (SELECT 1 FROM %s INDEXED BY %[1]s_pos WHERE pos > ?1 AND presence IS NOT NULL
			AND substr(hex(presence), 3, 2) <> '00' AND (t = 0 OR substr(hex(presence), 1, 4) NOT IN ('0101', '0301', '0501', '0701')))`, t.sql.clock), crdt.Int(max(newest, p.since)))
		if err != nil || v.Int() != 0 {
			return v.Int() != 0, err
		}
	}
	return false, nil
}

// newestOf is the position of the newest changeset of some sites.
func (e *Engine) newestOf(origins []crdt.Site) (newest int64, err error) {
	for _, s := range origins {
		pos, err := e.one("SELECT max(pos) FROM tributary_changeset WHERE site = ?1", crdt.Int(e.ords[s]))
		if err != nil {
			return 0, err
		}
		newest = max(newest, pos.Int())
	}
	return newest, nil
}

// MadeUpon is what the newest changes of this replica's site, or of other sites, had before them here: a package with the
// changes of these sites alone has to wait for that.
func (e *Engine) MadeUpon(ctx context.Context, origins ...crdt.Site) (crdt.VersionVector, error) {
	if err := e.load(ctx); err != nil {
		return nil, wrap("made upon", err)
	}
	v, err := e.madeUpon(origins, nil)
	return v, wrap("made upon", err)
}

// madeUpon is what had been applied here when the newest changeset of these sites was made or came: what their changes
// need when they travel without those of others.
func (e *Engine) madeUpon(origins []crdt.Site, since crdt.VersionVector) (crdt.VersionVector, error) {
	newest, err := e.newestOf(origins)
	if err != nil {
		return nil, err
	}
	v, err := e.vectorAt(newest)
	if err != nil {
		return nil, err
	}
	for _, s := range origins {
		delete(v, s)
		if since[s] > 0 {
			v[s] = since[s]
		}
	}
	return v, nil
}

// chainID is the hash chain's link at a version, zero where it is not known.
func (e *Engine) chainID(s crdt.Site, v crdt.Version) (id crdt.ChainID, err error) {
	ord, ok := e.ords[s]
	if !ok || v == 0 {
		return id, nil
	}
	b, err := e.one("SELECT id FROM tributary_changeset WHERE site = ?1 AND version = ?2", crdt.Int(ord), crdt.Int(int64(v)))
	copy(id[:], b.Bytes())
	return id, err
}

// next builds one package.
func (p *pull) next(ctx context.Context) (Pulled, error) {
	b := p.b
	b.empty(p.cursor)
	for {
		s, until := p.first()
		if s == nil {
			return p.finish(b, true)
		}
		for !s.done && s.pos <= until {
			if err := ctx.Err(); err != nil {
				return Pulled{}, err
			}
			at := s.pos
			if at > b.cursor && b.bytes >= p.o.MaxBytes { // never inside a base chunk, which shares one position
				return p.finish(b, false)
			}
			if err := s.emit(p, b); err != nil {
				return Pulled{}, err
			}
			if err := s.step(); err != nil {
				return Pulled{}, err
			}
			b.cursor = at
		}
	}
}

// first is the source with the smallest position, nil when all have ended, and until when it is its turn: the smallest position
// of the others.
func (p *pull) first() (out *source, until int64) {
	until = math.MaxInt64
	for _, s := range p.sources {
		switch {
		case s.done:
		case out == nil:
			out = s
		case s.pos < out.pos:
			out, until = s, min(until, out.pos)
		default:
			until = min(until, s.pos)
		}
	}
	return out, until
}

func (p *pull) finish(b *builder, last bool) (Pulled, error) {
	pkg := b.build()
	pkg.Starts, pkg.Ends, pkg.Bulk, pkg.LocalOnly = p.starts, last, p.bulk, p.only != nil
	pkg.Sender, pkg.Since, pkg.Until, pkg.Part = p.e.site, p.cursor, b.cursor, p.part
	pkg.Sent = p.sent
	pkg.Needs, pkg.Scope = p.needs, scope(p.o.Tables, p.only)
	var err error
	if !p.starts && len(p.o.Tables) == 0 {
		if pkg.Before, err = p.e.vectorBehind(p.cursor); err != nil {
			return Pulled{}, err
		}
	}
	if last {
		pkg.Until, pkg.Covers = p.until, p.covers
	}
	if len(p.o.Tables) > 0 {
		// Nothing counts as applied, and nothing is waited for, since the rest will not come.
		pkg.Starts, pkg.Ends, pkg.LocalOnly, pkg.Needs, pkg.Covers = true, true, false, nil, nil
	}
	out := Pulled{Cursor: pkg.Until, Rows: len(pkg.Rows), Began: p.since, Part: p.part, Last: last, Whole: p.only == nil}
	if p.o.Format == FormatJSON {
		out.Package, err = pkg.MarshalJSON()
	} else {
		out.Package, err = b.enc.Append(nil, pkg, p.e.opt.Compressor)
	}
	if err != nil {
		return out, fmt.Errorf("building a package of %d rows: %w", len(pkg.Rows), err)
	}
	p.rows += int64(out.Rows)
	p.e.prog.report("sending", p.rows, 0)
	p.cursor, p.starts = pkg.Until, false
	p.part++
	return out, nil
}
