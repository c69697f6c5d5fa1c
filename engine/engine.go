package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/tributary-db/tributary/crdt"
)

// Engine replicates one database over one connection. It is not safe for concurrent use, as its Conn is not; open one
// Engine per connection. Several engines, in several processes, may share a database file.
type Engine struct {
	conn  Conn
	opt   Options
	stmts map[string]Stmt

	ready       bool // the shadow tables exist and the fields below are loaded
	self        int64
	site        crdt.Site
	sites       []crdt.Site // by ordinal
	ords        map[crdt.Site]int64
	tables      []*table // tracked, by name
	byName      map[string]*table
	byFormer    map[string]*table // by a name that it had; nil where that could be several
	byID        map[int64]*table
	cookie      int64 // PRAGMA schema_version that tables were read at
	temp        int64 // the same of temporary tables
	bases       int64 // position of the newest base chunk that tables were read at
	checked     bool  // the identity was compared with the side file
	witnessed   int64 // a position that the side file has
	prog        reporter
	stolen      bool         // another file was found to use this site's id: take a new one once the transaction has ended
	folded      crdt.Version // newest version folded in the open transaction, for the side file
	restore     string       // pragma that gives the application its synchronous level back
	foreignKeys bool         // they are to be enforced again when the statement of the host has ended
	batch       *batch       // an empty one, for the memory that it has
	decoded     decodedPackages
	inUpdate    bool                   // a statement of the host is running, in which a package is applied
	heartbeat   bool                   // the next fold makes a version even if nothing has changed
	known       map[string]knownSchema // schemas of tables by lower-case name
	signatures  map[string]string      // what they were read from
	reconciled  int64                  // schema cookie for which triggers are known to fit
	committed   int64                  // the same as of the last commit: a cookie comes again after a rollback, for another schema
}

// Open attaches to the database of c. It reads metadata and creates nothing: the shadow tables come with the first Track.
func Open(ctx context.Context, c Conn, o *Options) (*Engine, error) {
	e := &Engine{conn: c, opt: o.withDefaults(), stmts: map[string]Stmt{}}
	e.prog = reporter{to: e.opt.Progress, now: e.opt.Now}
	if err := e.load(ctx); err != nil && !errors.Is(err, ErrNoDatabase) {
		e.Close()
		return nil, err
	}
	return e, nil
}

// Close frees the engine's statements. The Conn stays open: it is the caller's. Closing twice is harmless.
func (e *Engine) Close() error {
	var err error
	for _, s := range e.stmts {
		err = errors.Join(err, s.Close())
	}
	e.stmts = map[string]Stmt{}
	return err
}

// Site is the identity of this replica, zero before the first Track.
func (e *Engine) Site() crdt.Site { return e.site }

// load reads metadata if this connection has not yet, and again what another connection has changed since.
func (e *Engine) load(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	cookie, err := e.one("PRAGMA schema_version")
	if err != nil {
		return wrap("open", err)
	}
	temp, err := e.one("PRAGMA temp.schema_version")
	if err != nil {
		return wrap("open", err)
	}
	if e.ready && cookie.Int() == e.cookie && temp.Int() == e.temp {
		bases, err := e.meta("bases")
		if err != nil || bases.Int() == e.bases {
			return errors.Join(err, e.loadSelf())
		}
	}
	n, err := e.one("SELECT count(*) FROM sqlite_schema WHERE name = 'tributary_meta' AND type = 'table'")
	if err != nil {
		return wrap("open", err)
	}
	if n.Int() == 0 {
		e.ready = false
		return ErrNoDatabase
	}
	if f, err := e.meta("format"); err != nil {
		return err
	} else if f.Int() > schemaFormat {
		return fmt.Errorf("%w: format %d, this program knows %d: upgrade it", ErrFormat, f.Int(), schemaFormat)
	}
	if err := e.loadSites(); err != nil {
		return err
	}
	if err := e.loadTables(); err != nil {
		return err
	}
	if err := e.notShadowed(); err != nil {
		return err
	}
	bases, err := e.meta("bases")
	if err != nil {
		return err
	}
	e.ready, e.cookie, e.temp, e.bases = true, cookie.Int(), temp.Int(), bases.Int()
	return e.loadSelf()
}

// loadSelf reads which site this database is and which others it knows, which another connection may have changed.
func (e *Engine) loadSelf() error {
	self, err := e.meta("self")
	if err != nil {
		return err
	}
	newest, err := e.one("SELECT max(ord) FROM tributary_site")
	if err != nil {
		return err
	}
	if max(self.Int(), newest.Int()) >= int64(len(e.sites)) {
		if err := e.loadSites(); err != nil {
			return err
		}
	}
	if self.Int() >= int64(len(e.sites)) {
		return fmt.Errorf("tributary: own site %d is not in tributary_site: run check", self.Int())
	}
	e.self, e.site = self.Int(), e.sites[self.Int()]
	return nil
}

func (e *Engine) loadSites() error {
	e.sites, e.ords = []crdt.Site{{}}, map[crdt.Site]int64{}
	return e.each("SELECT ord, site FROM tributary_site ORDER BY ord", 2, func(r []crdt.Value) error {
		for int64(len(e.sites)) <= r[0].Int() {
			e.sites = append(e.sites, crdt.Site{})
		}
		if len(r[1].Bytes()) != len(crdt.Site{}) {
			return fmt.Errorf("tributary: site %d is %d bytes long: run check", r[0].Int(), len(r[1].Bytes()))
		}
		s := crdt.Site(r[1].Bytes())
		e.sites[r[0].Int()], e.ords[s] = s, r[0].Int()
		return nil
	})
}

// ordinal is the small local number of a site, given on first sight.
func (e *Engine) ordinal(s crdt.Site) (int64, error) {
	if o, ok := e.ords[s]; ok {
		return o, nil
	}
	return e.newOrdinal(s)
}

// newOrdinal is apart because its site goes to the heap, and clocks ask for ordinals all the time.
func (e *Engine) newOrdinal(s crdt.Site) (int64, error) {
	// Another connection may have met it, or others, since. One look-up each: a package may bring thousands of sites.
	known, err := e.one("SELECT EXISTS (SELECT 1 FROM tributary_site WHERE site = ?1) OR (SELECT ifnull(max(ord), 0) + 1 FROM tributary_site) <> ?2", crdt.Blob(s[:]), crdt.Int(int64(len(e.sites))))
	if err != nil {
		return 0, err
	}
	if known.Int() != 0 {
		if err := e.loadSites(); err != nil {
			return 0, err
		}
	}
	if o, ok := e.ords[s]; ok {
		return o, nil
	}
	o := int64(len(e.sites))
	if err := e.run("INSERT INTO tributary_site(ord, site) VALUES (?1, ?2)", crdt.Int(o), crdt.Blob(s[:])); err != nil {
		return 0, err
	}
	e.sites, e.ords[s] = append(e.sites, s), o
	return o, nil
}

// siteOf is the site of an ordinal found in a clock, zero for one that does not exist (check reports it).
func (e *Engine) siteOf(ord int64) crdt.Site {
	if ord >= int64(len(e.sites)) {
		if e.loadSites() != nil || ord >= int64(len(e.sites)) {
			return crdt.Site{}
		}
	}
	if ord < 0 {
		return crdt.Site{}
	}
	return e.sites[ord]
}

// Version is this site's newest version, 0 before its first changeset.
func (e *Engine) Version(ctx context.Context) (crdt.Version, error) {
	v, err := e.Vector(ctx)
	return v[e.site], err
}

// Vector is the version vector of what is folded or applied here.
func (e *Engine) Vector(ctx context.Context) (crdt.VersionVector, error) {
	if err := e.load(ctx); errors.Is(err, ErrNoDatabase) {
		return crdt.VersionVector{}, nil
	} else if err != nil {
		return nil, err
	}
	return e.vector()
}

func (e *Engine) vector() (crdt.VersionVector, error) {
	v := crdt.VersionVector{}
	for ord := 1; ord < len(e.sites); ord++ {
		n, err := e.one("SELECT max(version) FROM tributary_changeset WHERE site = ?1", crdt.Int(int64(ord)))
		if err != nil {
			return nil, err
		}
		if n.Int() > 0 {
			v[e.sites[ord]] = crdt.Version(n.Int())
		}
	}
	return v, nil
}

// vectorAt is the vector as it was at a feed position.
func (e *Engine) vectorAt(pos int64) (crdt.VersionVector, error) {
	v := crdt.VersionVector{}
	if pos <= 0 {
		return v, nil
	}
	for ord := 1; ord < len(e.sites); ord++ {
		n, err := e.one("SELECT version FROM tributary_changeset WHERE site = ?1 AND pos <= ?2 ORDER BY version DESC LIMIT 1", crdt.Int(int64(ord)), crdt.Int(pos))
		if err != nil {
			return nil, err
		}
		if n.Int() > 0 {
			v[e.sites[ord]] = crdt.Version(n.Int())
		}
	}
	return v, nil
}

// vectorBehind is of which versions the feed has something up to a position. Of a log that was compacted only whole ones are known.
func (e *Engine) vectorBehind(pos int64) (crdt.VersionVector, error) {
	compacted, err := e.meta("compacted")
	if err != nil {
		return nil, err
	}
	if pos > compacted.Int() {
		end, err := e.one("SELECT min(pos) FROM tributary_changeset WHERE pos >= ?1", crdt.Int(pos))
		if err != nil {
			return nil, err
		}
		pos = max(pos, end.Int()) // where the version ends that the feed is in there
	}
	return e.vectorAt(pos)
}

// Cursor is the newest feed position.
func (e *Engine) Cursor(ctx context.Context) (int64, error) {
	if err := e.load(ctx); errors.Is(err, ErrNoDatabase) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	return e.pos()
}

func (e *Engine) pos() (int64, error) {
	v, err := e.meta("pos")
	return v.Int(), err
}

// setPos notes the last position given, and gives the state that ends there a time: later than that of every state before, whatever the
// wall clock does. So parts of packages say which of two states is the later one.
func (e *Engine) setPos(pos int64) error {
	const most = 1 << 58 // in 2109: a clock that is wrong by centuries must leave room to count in what waiting keeps of it
	now := min(max(crdt.TimeOf(e.opt.Now().UnixMilli()), 0), most)
	return e.run("INSERT INTO tributary_meta(key, value) VALUES ('pos', ?1), ('as_of', ?2) ON CONFLICT (key) DO UPDATE SET value = CASE key WHEN 'pos' THEN excluded.value ELSE max(excluded.value, value + 1) END",
		crdt.Int(pos), crdt.Int(int64(now)))
}

func (e *Engine) lastTime() (crdt.Time, error) {
	v, err := e.meta("clock")
	return crdt.Time(v.Int()), err
}
