package replicator

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/transports"
)

// link is the loop's end of one transport.
type link struct {
	r    *Replicator
	name string
	t    transports.Transport
	caps transports.Caps
	kept transports.Snapshots // nil: the medium keeps none
	kick chan struct{}        // something may have to be published; holds one
	news chan struct{}        // others should be told of another state; holds one
	want chan struct{}        // peers should be asked soon; holds one

	mu      sync.Mutex // guards what follows; taken after the Replicator's mu
	rec     record     // as it is in the database, or newer
	cond    condition
	count   Counters
	last    State
	since   time.Time
	saved   time.Time
	sent    map[string]bool // ids of packages published in this run
	order   []string        // of them, oldest first
	told    map[string]bool // errors of which the operator was told since the state changed
	relayAt time.Time       // when what came from elsewhere may be published; zero: nothing waits
	askAt   time.Time       // when a peer must be asked; zero: no reason
	askPeer string          // whom first; "": anybody
	tailDue bool            // the log's tail must be looked at before the next package
	missed  bool            // the log lost the position, and no peer or snapshot has made up for it
	stale   bool            // peers have forgotten deletes of rows that may be here: what is published could bring them back
	again   bool            // packages were dropped that only the log has: read it again from its beginning

	newest    transports.Snapshot // that the medium had when it was last asked; zero: none
	snapHolds crdt.VersionVector  // what is in it
	snapBytes int64               // that had gone by when it was new
	bad       map[string]error    // snapshots that help nobody
	taking    sync.Mutex          // one snapshot is merged at a time; taken before all others
}

// Reasons to be OFFLINE that are none to worry.
const (
	whyNew     = "not connected yet"
	whyStopped = "stopped"
)

// maxSent bounds how many of its own packages a link recognizes without decoding them.
const maxSent = 4096

func newLink(r *Replicator, o Link) *link {
	kept, _ := o.Transport.(transports.Snapshots)
	return &link{
		r: r, name: o.Name, t: o.Transport, caps: o.Transport.Caps(), kept: kept, bad: map[string]error{},
		kick: make(chan struct{}, 1), want: make(chan struct{}, 1), news: make(chan struct{}, 1),
		cond: condition{stalled: map[string]string{}, offline: whyNew},
		sent: map[string]bool{}, told: map[string]bool{}, since: r.now(), tailDue: true,
	}
}

// begin loads the record, or makes the first one; the caller holds the Replicator's mu.
func (l *link) begin(ctx context.Context) error {
	rec, ok, err := loadRecord(ctx, l.r.e, l.name)
	if err != nil {
		return err
	}
	if !ok {
		// What others wrote before is not published here at first contact where peers can be asked for it. Where they
		// cannot, the log is read first and what it lacks is published.
		if l.caps.Exchange {
			v, err := l.r.e.Vector(ctx)
			if err != nil {
				return err
			}
			floor, err := l.floor(ctx)
			if err != nil {
				return err
			}
			v[l.r.e.Site()] = floor[l.r.e.Site()]
			rec.Seen.atLeast(v)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rec = rec
	l.cond.live = !l.caps.Log // there is nothing to catch up with
	return nil
}

// floor is what nobody needs from the log any more: what all known peers have, where a newcomer can ask one of them. The
// caller holds the Replicator's mu.
func (l *link) floor(ctx context.Context) (crdt.VersionVector, error) {
	peers, err := l.r.e.Peers(ctx)
	if err != nil {
		return nil, err
	}
	if !l.caps.Exchange || !slices.ContainsFunc(peers, func(p engine.PeerInfo) bool { return !p.Retired }) {
		return crdt.VersionVector{}, nil
	}
	return l.r.e.Acknowledged(ctx)
}

// status describes the link; the caller holds mu.
func (l *link) status() Status {
	s := Status{
		Link: l.name, DB: l.r.o.DB, Since: l.since, At: l.r.now(), Durability: l.caps.Durability.String(), Counters: l.count,
		SnapshotAt: l.newest.At, SnapshotSize: l.newest.Size, Missing: l.cond.snapshot,
	}
	s.State, s.Site, s.Why = l.cond.state()
	return s
}

// set changes the condition. When the state is another it writes that down and tells the operator; the errors from which the state
// comes are told of with it.
func (l *link) set(ctx context.Context, change func(*condition), from ...error) {
	l.mu.Lock()
	change(&l.cond)
	s, site, why := l.cond.state()
	was := l.last
	if s != was {
		l.last, l.since = s, l.r.now()
		clear(l.told)
		for _, err := range from { // by whoever meets them first: other goroutines of the link fail as well
			l.told[textOf(err)] = true
		}
	}
	l.mu.Unlock()
	if s == was {
		return
	}
	poke(l.news)
	level := slog.LevelInfo
	if s != StateLive && s != StateCatchingUp && why != whyStopped && why != whyNew {
		level = slog.LevelWarn
	}
	l.r.o.Log.Log(ctx, level, "link", "link", l.name, "db", l.r.o.DB, "state", string(s), "was", string(was), "site", site, "why", why)
	if err := l.save(ctx); err != nil && ctx.Err() == nil {
		l.r.o.Log.Warn("writing the state down", "link", l.name, "error", err)
	}
}

// save writes the record outside of an apply.
func (l *link) save(ctx context.Context) error {
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	if l.r.e.Site().IsZero() {
		return nil
	}
	l.mu.Lock()
	l.rec.Status = l.status()
	l.saved = l.r.now()
	rec := l.rec
	rec.Seen = rec.Seen.clone()
	l.mu.Unlock()
	return rec.save(ctx, l.r.e, l.name, l.r.o.DB)
}

// failed notes a failed call. Not every failure means that the medium is away.
func (l *link) failed(ctx context.Context, doing string, err error) {
	if ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	l.count.Errors++
	l.mu.Unlock()
	switch {
	case errors.Is(err, transports.ErrClone):
		l.set(ctx, func(c *condition) { c.rival = err.Error() }, err)
	case errors.Is(err, transports.ErrTooLarge): // what is behind it needs it, so it cannot be left out
		self := l.r.site().String()
		l.set(ctx, func(c *condition) { c.stalled[self] = doing + ": " + err.Error() }, err)
	case isBusy(err):
		l.r.o.Log.Debug("the database is busy", "link", l.name, "doing", doing, "error", err)
		return
	default:
		l.set(ctx, func(c *condition) { c.offline = doing + ": " + err.Error() }, err)
	}
	l.warn(ctx, doing, err)
}

// warn tells the operator of a failure, once for as long as the state stays: what is away for a night would fill the log.
func (l *link) warn(ctx context.Context, doing string, err error) {
	level := slog.LevelWarn
	if l.toldOf(err) {
		level = slog.LevelDebug
	}
	l.r.o.Log.Log(ctx, level, "transport", "link", l.name, "db", l.r.o.DB, "doing", doing, "error", err)
}

// toldOf says whether an error was told of since the state changed, and notes that it is now.
func (l *link) toldOf(err error) bool {
	text := textOf(err)
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.told[text]
	l.told[text] = true
	return was
}

// textOf is what an error says, without ports, sizes and numbers of attempts.
func textOf(err error) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, err.Error())
}

func (l *link) online(ctx context.Context) { l.set(ctx, func(c *condition) { c.offline = "" }) }

// remember marks a package as published in this run; the caller holds mu.
func (l *link) remember(id string) {
	if l.sent[id] {
		return
	}
	l.sent[id] = true
	l.order = append(l.order, id)
	if len(l.order) > maxSent {
		delete(l.sent, l.order[0])
		l.order = l.order[1:]
	}
}

// askSoon asks peers after a pause, unless it is to happen earlier anyway; peer is whom to ask first.
func (l *link) askSoon(pause time.Duration, peer string) {
	if !l.repairs() {
		return
	}
	l.mu.Lock()
	at := l.r.now().Add(pause)
	if l.askAt.IsZero() || at.Before(l.askAt) {
		l.askAt, l.askPeer = at, peer
	}
	l.mu.Unlock()
	poke(l.want)
}

// poke puts a token into a channel that holds one.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// siteOf reads a site's name; zero for what is none.
func siteOf(name string) crdt.Site {
	s, err := crdt.ParseSite(name)
	if err != nil {
		return crdt.Site{}
	}
	return s
}
