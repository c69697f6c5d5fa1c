package replicator

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/transports"
)

// Replicator replicates one database over its links. Its methods may be called concurrently.
type Replicator struct {
	o     Options
	conn  engine.Conn
	links []*link

	mu     sync.Mutex // guards e and conn, which serve one goroutine at a time, and what follows
	e      *engine.Engine
	ready  bool  // between begin and end: a transport may call an Answerer a little longer than it serves
	schema int64 // PRAGMA schema_version at the last fold of this run

	running sync.Mutex // held by Run and Once
}

// New makes a Replicator of an engine and its connection, which are its own from now on until Run has returned. The
// connection needs a busy timeout; others may write to the database at the same time. Nothing is connected yet.
func New(e *engine.Engine, c engine.Conn, o Options) (*Replicator, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Replicator{o: o, conn: c, e: e}
	for _, l := range o.Links {
		r.links = append(r.links, newLink(r, l))
	}
	return r, nil
}

func (r *Replicator) now() time.Time { return time.Now() }

// errMoved ends a run of the links because this database got another site id.
var errMoved = errors.New("replicator: the site has another identity now")

// Run replicates until ctx ends; then it publishes what is left, for at most Options.Drain, and returns nil. It returns
// an error only if the database cannot be used. A medium that is away is a state of its link.
func (r *Replicator) Run(ctx context.Context) error {
	r.running.Lock()
	defer r.running.Unlock()
	for {
		err := r.run(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if !errors.Is(err, errMoved) {
			return err
		}
		if err := r.rewind(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		r.moved(r.site())
	}
}

func (r *Replicator) run(ctx context.Context) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer r.end()
	r.mu.Lock()
	err := r.retire(ctx)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	r.retryRefused(ctx)
	run, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	site := r.site()
	var wg sync.WaitGroup
	for _, l := range r.links {
		if l.caps.Log {
			wg.Go(func() { l.inbox(run, stop) })
			wg.Go(func() { l.outbox(run) })
		}
		if l.caps.Exchange {
			wg.Go(func() { l.serve(run, site) })
		}
		if l.repairs() {
			wg.Go(func() { l.asks(run, stop) })
		}
		if l.kept != nil && l.caps.Log && r.o.Snapshot > 0 {
			wg.Go(func() { l.snapshots(run) })
		}
		wg.Go(func() { l.health(run) })
	}
	wg.Go(func() { r.watch(run, stop) })
	<-run.Done()
	wg.Wait()
	if cause := context.Cause(run); ctx.Err() == nil && cause != nil {
		return cause
	}
	r.drain(ctx)
	return nil
}

// begin makes sure that there is something to replicate, and loads the records.
func (r *Replicator) begin(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.e.Site()
	if v, err := r.e.Version(ctx); err != nil {
		return err
	} else if r.e.Site().IsZero() {
		return engine.ErrNoDatabase
	} else if dirty, _ := r.pending(); v == 0 || dirty > 0 {
		// The fold finds out whether this is a copy before its name is used.
		if _, err := r.e.Fold(ctx); err != nil {
			return err
		}
	} else if _, err := r.e.Since(ctx, crdt.VersionVector{}); err != nil {
		return err
	}
	if site := r.e.Site(); site != was && !was.IsZero() {
		r.moved(site)
	}
	for _, l := range r.links {
		if err := l.begin(ctx); err != nil {
			return err
		}
	}
	r.ready, r.schema = true, -1 // it may have changed since the last run
	return nil
}

// rewind makes all links read their logs from the beginning: after a restore, parts of sets that were sent under the old name
// had been taken for what is here.
func (r *Replicator) rewind(ctx context.Context) error {
	for _, l := range r.links {
		l.mu.Lock()
		l.rec.Cursor = nil
		l.mu.Unlock()
		if err := l.save(ctx); err != nil {
			return err
		}
	}
	return nil
}

// moved tells the operator of another identity.
func (r *Replicator) moved(to crdt.Site) {
	r.o.Log.Warn("this database was a copy or was restored, and goes on under another identity", "db", r.o.DB, "site", to.String())
}

// end comes after begin: the engine may be closed then.
func (r *Replicator) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ready = false
}

// site is this database's identity.
func (r *Replicator) site() crdt.Site {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.e.Site()
}

// pending counts, up to Options.Count, the captured changes that have no version yet; the caller holds mu.
func (r *Replicator) pending() (int64, error) {
	return r.number("SELECT count(*) FROM (SELECT 1 FROM tributary_feed LIMIT " + strconv.Itoa(r.o.Count) + ")")
}

// waiting counts the packages that wait for others; the caller holds mu.
func (r *Replicator) waiting() (int64, error) {
	return r.number("SELECT count(*) FROM tributary_waiting WHERE body IS NOT NULL")
}

// number runs a query that gives one integer; the caller holds mu.
func (r *Replicator) number(sql string) (int64, error) {
	s, err := r.conn.Prepare(sql)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	if err := s.Query(); err != nil {
		return 0, err
	}
	var row [1]crdt.Value
	if _, err := s.Next(row[:]); err != nil {
		return 0, err
	}
	n := row[0].Int()
	return n, s.Reset()
}

// kickAll tells every outbox but one that there may be something to publish.
func (r *Replicator) kickAll(but *link) {
	for _, l := range r.links {
		if l != but {
			poke(l.kick)
		}
	}
}

// drain publishes what is left after the context has ended, and writes the records.
func (r *Replicator) drain(ended context.Context) {
	after := context.WithoutCancel(ended)
	ctx, cancel := context.WithTimeout(after, r.o.Drain)
	defer cancel()
	var wg sync.WaitGroup
	for _, l := range r.links {
		wg.Go(func() {
			l.mu.Lock()
			ready := l.caps.Log && l.cond.live && l.cond.offline == ""
			l.mu.Unlock()
			if ready {
				if err := l.publish(ctx, true); err != nil {
					r.o.Log.Warn("what is left was not published; it will be after the next start", "link", l.name, "error", err)
				}
			}
			// A medium that takes no package may have used up the time; the database still answers.
			l.set(after, func(c *condition) { c.offline = whyStopped })
			if err := l.save(after); err != nil {
				r.o.Log.Warn("writing the state down", "link", l.name, "error", err)
			}
		})
	}
	wg.Wait()
}

// jittered is d plus or minus half.
func jittered(d time.Duration) time.Duration { return d/2 + rand.N(d+1) }

// pause waits after the n-th failure in a row; false: ctx has ended.
func (r *Replicator) pause(ctx context.Context, n int) bool {
	d := min(r.o.Backoff<<min(n, 16), maxBackoff)
	return transports.Wait(ctx, jittered(d), nil) == nil
}

// isBusy says that another connection held the lock of the database for too long.
func isBusy(err error) bool {
	var code engine.ErrorCode
	return errors.As(err, &code) && (code.SQLiteCode()&0xff == 5 || code.SQLiteCode()&0xff == 6)
}
