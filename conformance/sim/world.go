package sim

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/tributary-db/tributary/conformance/faultdisk"
	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// Stats counts what a run went through.
type Stats struct {
	Events, Packages, Applied, Dropped, Refused int
	Cuts, Lost, Faults                          int // power cuts, sectors that they took, operations that a failing disk refused
	Restores, Copies, Compactions, Forgotten    int
	Lacking, Replaced                           int    // what was refused for lack of deletes; replicas that were made anew for it
	Vectors                                     int    // states that were compared with others that had the same versions
	Models, Forked                              int    // states that were compared with the model; worlds in which it had nothing more to say
	Digest                                      string // of every package, in order: equal seeds give equal ones
}

// Add adds what another run went through.
func (s *Stats) Add(o Stats) {
	s.Events += o.Events
	s.Packages += o.Packages
	s.Applied += o.Applied
	s.Dropped += o.Dropped
	s.Refused += o.Refused
	s.Cuts += o.Cuts
	s.Lost += o.Lost
	s.Faults += o.Faults
	s.Restores += o.Restores
	s.Copies += o.Copies
	s.Compactions += o.Compactions
	s.Forgotten += o.Forgotten
	s.Lacking += o.Lacking
	s.Replaced += o.Replaced
	s.Vectors += o.Vectors
	s.Models += o.Models
	s.Forked += o.Forked
	s.Digest = digest(s.Digest, []byte(o.Digest))
}

// String says it in words, without what only a comparison of two runs needs.
func (s Stats) String() string {
	return fmt.Sprintf("%d operations, %d packages sent, %d delivered, %d lost on the way, %d refused for lack of room; %d power cuts that took %d sectors, %d disk errors; "+
		"%d restores, %d copies, %d compactions that forgot %d deletes, for lack of which %d syncs and packages were refused and %d replicas made anew; %d states compared with equal ones, %d with the model, which was silent in the end of %d worlds",
		s.Events, s.Packages, s.Applied, s.Dropped, s.Refused, s.Cuts, s.Lost, s.Faults, s.Restores, s.Copies, s.Compactions, s.Forgotten, s.Lacking, s.Replaced, s.Vectors, s.Models, s.Forked)
}

// world is the state of one run.
type world struct {
	o         Options
	now       time.Time
	at        int // number of the event that is going on
	sites     []*site
	opened    int // how often any site was opened: seeds what they draw at random
	random    *rand.Rand
	flight    []message
	kept      []message // everything ever sent
	acked     map[link]int64
	given     map[crdt.Site]int64 // up to which position of a feed others have been told of it
	parted    map[[2]int]time.Time
	retired   map[crdt.Site]bool // by somebody
	shown     map[string]shown
	ledger    ledger
	history   history
	told      int64 // statements that were written down
	strangers bool  // files were copied without a word to anybody
	stats     Stats
}

// start lies before any real clock, so that what a trigger took from the real one can be told apart.
var start = time.Date(2001, time.February, 3, 10, 0, 0, 0, time.UTC)

// run takes a world through events and heals it. The error is a *Violation or wraps one, or is an error that nothing
// that was done to the world explains.
func run(o Options, events []Event) (stats Stats, err error) {
	w := &world{o: o, now: start, random: rand.New(rand.NewPCG(o.Seed, 0x33)), acked: map[link]int64{}, given: map[crdt.Site]int64{}, parted: map[[2]int]time.Time{},
		retired: map[crdt.Site]bool{}, shown: map[string]shown{}, ledger: ledger{said: map[string]string{}}, history: history{said: map[crdt.Dot][]effect{}, forked: o.Eventual}} // the model knows no rows that are ahead of their version
	defer func() {
		for _, s := range w.sites {
			s.close()
			vfs.Unregister(s.vfs)
		}
		w.stats.Vectors = len(w.shown)
		if w.history.forked {
			w.stats.Forked++
		}
		stats = w.stats
	}()
	for i := range o.Sites {
		if o.Base && i > 0 {
			if err := w.copy(w.sites[0], 0); err != nil {
				return w.stats, fmt.Errorf("at the start: %w", err)
			}
			continue
		}
		if err := w.newSite().start(); err != nil {
			return w.stats, fmt.Errorf("at the start: %w", err)
		}
	}
	if err := w.unlike(); err != nil {
		return w.stats, fmt.Errorf("at the start: %w", err)
	}
	for _, e := range events {
		w.at = e.N
		w.now = w.now.Add(e.Wait)
		w.stats.Events++
		err := w.deliverDue()
		if err == nil {
			err = w.learn()
		}
		if err == nil {
			w.snapshot(e)
			err = w.event(e)
		}
		if err == nil {
			err = w.learn()
		}
		if err != nil {
			return w.stats, fmt.Errorf("at event %s: %w", e, err)
		}
	}
	w.at = -1
	if err := w.heal(); err != nil {
		return w.stats, fmt.Errorf("after healing: %w", err)
	}
	if err := w.fork(); err != nil {
		return w.stats, fmt.Errorf("in the end: %w", err)
	}
	return w.stats, nil
}

// unlike begins with sites at several versions of the schema, where that matters.
func (w *world) unlike() error {
	if !w.o.Schema || w.o.Focus != Alike && w.o.Focus != Columns {
		return nil
	}
	for i, s := range w.sites {
		if err := s.migrate([]int{dropsAt, 0, 3, 1}[(w.random.IntN(4)+i)%4]); err != nil {
			return err
		}
	}
	return nil
}

// named are the sites that an event is about, which are two.
func (w *world) named(e Event) (a, b *site) {
	a, b = w.sites[e.A%len(w.sites)], w.sites[e.B%len(w.sites)]
	if a == b {
		b = w.sites[(a.index+1)%len(w.sites)]
	}
	return a, b
}

func (w *world) event(e Event) error {
	a, b := w.named(e)
	r := rand.New(rand.NewPCG(e.Seed, 1))
	switch e.Kind {
	case Write:
		if err := a.done(a.write(r)); err != nil || w.o.Focus != Alike || e.Seed%3 > 0 {
			return err
		}
		return b.done(b.write(rand.New(rand.NewPCG(e.Seed, 1)))) // the same on two sites at once
	case Send:
		return w.send(a, b, r)
	case Sync:
		return w.sync(a, b)
	case Late:
		if len(w.kept) == 0 {
			return nil
		}
		m := w.kept[r.IntN(len(w.kept))]
		return w.deliver(message{to: a, body: m.body, pkg: m.pkg, upon: m.upon})
	case Burst:
		return w.burst(a, b, r)
	case Fold:
		return w.look(a)
	case Compact:
		return w.compact(a)
	case Settle:
		return w.settle(r)
	case Retire:
		return w.retire(a)
	case Crash:
		if r.IntN(4) == 0 {
			a.disk.CutPower()
			return a.done(nil)
		}
		a.disk.Crash = a.disk.Ops() + 1 + r.IntN(60)
	case Full:
		w.fail(a, r)
	case Partition:
		w.cut(a, b, w.now.Add(time.Duration(r.IntN(60))*time.Second))
	case Clock:
		a.offset = w.wrong(r)
	case Migrate:
		return a.done(a.migrate(a.level + 1))
	case Backup:
		return w.backup(a)
	case Restore:
		return w.restore(a, r)
	case Copy:
		return w.copy(a, r.IntN(4))
	}
	return nil
}

// fail makes some of the coming operations of a disk fail.
func (w *world) fail(s *site, r *rand.Rand) {
	code := []sqlite3.ExtendedErrorCode{sqlite3.IOERR_WRITE, sqlite3.IOERR_FSYNC}[r.IntN(2)]
	full, from := r.IntN(2) == 0, s.disk.Ops()+r.IntN(10)
	upto, left := from+1+r.IntN(12), 40
	s.broken = true
	s.disk.Fault = func(o faultdisk.Op, n int) error {
		if left--; n > upto || left < 0 {
			s.broken, s.disk.Fault = false, nil
			return nil
		}
		if n < from {
			return nil
		}
		switch {
		case full && o == faultdisk.OpWrite:
			s.failed++
			return sqlite3.FULL
		case !full && o == faultdisk.OpWrite && code == sqlite3.IOERR_WRITE, !full && o == faultdisk.OpSync && code == sqlite3.IOERR_FSYNC:
			s.failed++
			return code
		}
		return nil
	}
}

// closed does something to the file of a site that nobody has open, and opens it again.
func (w *world) closed(s *site, f func() error) error {
	s.mend()
	s.close()
	if s.disk.Off() { // the power went in closing
		s.down()
	}
	if err := f(); err != nil {
		return err
	}
	return s.start()
}

// heal ends all faults and demands that all become equal.
func (w *world) heal() error {
	w.now = w.now.Add(10 * time.Minute)
	clear(w.parted)
	w.o.MaxPending = 0
	for _, s := range w.sites {
		s.offset = 0
		if err := w.closed(s, func() error { return nil }); err != nil { // with no bound on what may wait
			return err
		}
		for s.level < len(migrations) { // again, if the power goes
			if err := s.done(s.migrate(len(migrations))); err != nil {
				return err
			}
		}
	}
	if err := w.deliverDue(); err != nil {
		return err
	}
	if err := w.learn(); err != nil {
		return err
	}
	for _, s := range w.sites { // what is left of sets that came in part goes with the next news of their sender
		s.n++
		if err := s.app.Exec(fmt.Sprintf("INSERT INTO log VALUES ('%s/%d/0', '%[1]s', %[2]d, 0, 1, '')", s.origin, s.n)); err != nil {
			return err
		}
	}
	if err := w.syncAll(3); err != nil {
		return err
	}
	if replaced, err := w.replaceLost(); err != nil {
		return err
	} else if replaced {
		if err := w.syncAll(3); err != nil {
			return err
		}
	}
	return w.healed()
}

// pairs calls f for any two sites.
func (w *world) pairs(f func(a, b *site) error) error {
	for i, a := range w.sites {
		for _, b := range w.sites[i+1:] {
			if err := f(a, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// syncAll lets all talk to all.
func (w *world) syncAll(times int) error {
	for range times {
		err := w.pairs(func(a, b *site) error {
			if err := w.sync(a, b); err != nil {
				return err
			}
			return w.learn()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *world) healed() error {
	ctx := context.Background()
	all := map[string]bool{}
	for _, s := range w.sites {
		maps.Copy(all, s.durable)
	}
	if err := w.quiet(); err != nil {
		return err
	}
	first := w.sites[0]
	v0, err := first.e.Vector(ctx)
	if err != nil {
		return err
	}
	for _, s := range w.sites {
		v, err := s.e.Vector(ctx)
		if err != nil {
			return err
		}
		if !v.Equal(v0) {
			return violation("liveness", "sites 0 and %d still have different vectors: %v and %v", s.index, v0, v)
		}
		if err := w.look(s); err != nil {
			return err
		}
		if err := s.check(); err != nil {
			return err
		}
		l, err := s.readLog()
		if err == nil && !(w.o.Eventual && w.stats.Restores > 0) { // of what a restore took, a part may have been shown elsewhere
			err = l.whole()
		}
		if err != nil {
			return err
		}
		for id := range all {
			if !l.ids[id] {
				return violation("durability", "site %d does not have %s, which some site had committed durably", s.index, id)
			}
		}
		pending, err := s.e.Pending(ctx)
		// Parts wait for ever when nobody can send the rest: those of a life that has ended, and a site's own that came back to it.
		pending = slices.DeleteFunc(pending, func(p engine.PendingInfo) bool { return w.of(p.Sender) == nil || p.Sender == s.e.Site() })
		if err != nil || len(pending) > 0 && w.stats.Restores == 0 {
			return violation("liveness", "site %d: packages still wait: %+v (%v)", s.index, pending, err)
		}
		for d, err := range engine.Diff(ctx, first.e, s.e) {
			return violation("equality", "sites 0 and %d: %+v (%v)", s.index, d, err)
		}
	}
	return w.again()
}

// quiet says that who has told each other everything has nothing more to say.
func (w *world) quiet() error {
	return w.pairs(func(a, b *site) error {
		r, err := engine.Sync(context.Background(), a.e, b.e, engine.SyncOptions{})
		if err != nil {
			return fmt.Errorf("sync of sites %d and %d: %w", a.index, b.index, err)
		}
		if r.AToB.Changed+r.BToA.Changed+r.AToB.Parked+r.BToA.Parked > 0 { // what one says may come back to him
			return violation("liveness", "sites %d and %d have told each other all, and again: %+v", a.index, b.index, r)
		}
		return nil
	})
}

// again delivers everything that was ever sent once more, in another order: nothing may change, and a new replica that gets
// nothing else must come to the same.
func (w *world) again() error {
	if len(w.kept) == 0 {
		return nil
	}
	ctx := context.Background()
	last := w.sites[len(w.sites)-1]
	before, err := last.hash()
	if err != nil {
		return err
	}
	w.random.Shuffle(len(w.kept), func(i, j int) { w.kept[i], w.kept[j] = w.kept[j], w.kept[i] })
	for _, b := range w.kept[:min(len(w.kept), 30)] {
		if _, err := last.e.Apply(ctx, b.body, engine.ApplyOptions{}); err != nil && !errors.Is(err, engine.ErrRetired) {
			return err
		}
	}
	// Packages of a life that a restore has ended may bring what nobody has any more.
	if after, err := last.hash(); err != nil || after != before && w.stats.Restores == 0 {
		return violation("idempotence", "site %d shows other rows after old packages came again (%v)", last.index, err)
	}
	if w.o.Compact || w.stats.Restores > 0 || w.o.Base {
		return nil
	}
	n := w.newSite()
	if err := n.start(); err != nil {
		return err
	}
	if err := n.migrate(len(migrations)); err != nil {
		return err
	}
	for _, b := range w.kept {
		if _, err := n.e.Apply(ctx, b.body, engine.ApplyOptions{}); err != nil && !errors.Is(err, engine.ErrPendingFull) {
			return err
		}
	}
	if err := w.sync(n, w.sites[0]); err != nil {
		return err
	}
	for d, err := range engine.Diff(ctx, w.sites[0].e, n.e) {
		pending, _ := n.e.Pending(ctx)
		return violation("order", "a new replica that got everything in another order: %+v (%v); waiting: %+v", d, err, pending)
	}
	return n.check()
}

func digest(before string, b []byte) string {
	return fmt.Sprintf("%.16x", sha256.Sum256(append([]byte(before), b...)))
}
