package sim

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// Members wait for each other before they forget a delete. A file that was put back, or a copy that no member had heard of, may
// hold rows whose deletes are forgotten: it lacks deletes. Nobody may bring it the versions of these deletes, since they would
// come without them. A sync refuses that, and a package that says what its sender has forgotten waits there. Such a replica is
// cured by one that has not forgotten, or made anew; what it wrote itself is brought to the others before.

func (s *site) forgotten() (crdt.VersionVector, error) {
	defer s.spared()()
	return s.e.Forgotten(context.Background())
}

// lacksDeletes says whether a site may have rows whose deletes somebody has forgotten.
func (s *site) lacksDeletes(forgotten crdt.VersionVector) (bool, error) {
	if len(forgotten) == 0 {
		return false, nil
	}
	defer s.spared()()
	have, err := s.e.Vector(context.Background())
	some, all := false, true // what engine.MissesDeletes says, in other words
	for site, v := range forgotten {
		some, all = some || have[site] > 0, all && have[site] >= v
	}
	return err == nil && some && !all, err
}

func (w *world) compact(s *site) error {
	r, err := s.e.Compact(context.Background())
	if err == nil {
		w.stats.Compactions++
		w.stats.Forgotten += r.Tombstones
	}
	hit := s.hit()
	if done := s.done(err); done != nil || err != nil || hit {
		return done
	}
	return w.ended(s)
}

// ended says that a site which has compacted keeps no parts of sets that nobody sends the rest of: of members that it was told not to wait
// for, and its own, which came back to it.
func (w *world) ended(s *site) error {
	defer s.spared()()
	pending, err := s.e.Pending(context.Background())
	if err != nil {
		return err
	}
	peers, err := s.e.Peers(context.Background())
	if err != nil {
		return err
	}
	for _, p := range pending {
		if p.Sender == s.e.Site() || slices.ContainsFunc(peers, func(o engine.PeerInfo) bool { return o.Retired && o.Site == p.Sender }) {
			return violation("pending", "site %d has compacted, and keeps a part from %s, which nobody sends the rest of", s.index, p.Sender)
		}
	}
	return nil
}

// settle lets all talk to all and, mostly, compact, twice: what a member has of the others it says with the first compaction.
func (w *world) settle(r *rand.Rand) error {
	compacts, retires := r.IntN(4) > 0, r.IntN(2) == 0
	for range 2 {
		if err := w.syncAll(1); err != nil {
			return err
		}
		if !compacts {
			return nil
		}
		for _, s := range w.sites {
			if retires && w.o.Restores {
				if err := w.retire(s); err != nil {
					return err
				}
			}
			if err := w.compact(s); err != nil {
				return err
			}
			if err := w.learn(); err != nil {
				return err
			}
		}
	}
	return nil
}

// remembers says of each row that was deleted that the site either keeps the delete, or says that it may have forgotten it.
func (w *world) remembers(s *site) error {
	if !w.o.Compact || w.history.forked {
		return nil
	}
	forgotten, err := s.forgotten()
	if err != nil {
		return err
	}
	lives := w.history.lives(s.ear.has.Has)
	clocks, err := s.clockTables()
	if err != nil {
		return err
	}
	for name, n := range clocks {
		t := modelOf(name)
		known := map[rowID]bool{}
		if err := s.each(fmt.Sprintf("SELECT %s FROM tributary_clock_%d", t.clockKey(), n), func(q *sqlite3.Stmt) error { known[t.idOf(q)] = true; return nil }); err != nil {
			return err
		}
		for id, row := range lives {
			if id.Table != name || known[id] {
				continue
			}
			said := len(w.history.deletes(id, forgotten)) > 0
			for d, l := range row {
				said = said || !l.dead || forgotten[d.Site] >= d.Version
			}
			if !said {
				return violation("forgotten", "site %d has forgotten the delete of %v, and says it has forgotten up to %v", s.index, id, forgotten)
			}
		}
	}
	return nil
}

// retire tells a site not to wait any more for identities that no site goes by: those of lives that have ended.
func (w *world) retire(s *site) error {
	peers, err := s.e.Peers(context.Background())
	if err := s.done(err); err != nil || s.hit() {
		return err
	}
	for _, p := range peers {
		if p.Retired || w.of(p.Site) != nil {
			continue
		}
		w.retired[p.Site] = true
		if err := s.done(s.e.ForgetPeer(context.Background(), p.Site)); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) misses(s, of *site) (bool, error) {
	f, err := of.forgotten()
	if err != nil {
		return false, err
	}
	return s.lacksDeletes(f)
}

func (w *world) eitherMisses(a, b *site) (bool, error) {
	x, err := w.misses(a, b)
	if err != nil || x {
		return x, err
	}
	return w.misses(b, a)
}

// replaceLost makes all sites anew that still lack deletes, or came back under an identity that was retired. What they wrote has gone to the others, except to those that lack
// others themselves: of two groups that have forgotten apart, one stays.
func (w *world) replaceLost() (replaced bool, err error) {
	var good *site
	for _, s := range w.sites {
		if good == nil {
			good = s
		}
		if w.retired[good.e.Site()] {
			good = s
		}
		if s == good || w.retired[s.e.Site()] {
			continue
		}
		lost, err := w.misses(s, good)
		if err != nil {
			return false, err
		}
		if also, err := w.misses(good, s); err != nil {
			return false, err
		} else if also && !lost {
			good = s
		}
	}
	for _, s := range w.sites {
		lost, err := w.eitherMisses(s, good)
		if err != nil {
			return false, err
		}
		if !lost && !w.retired[s.e.Site()] {
			continue
		}
		replaced = true
		w.stats.Replaced++
		var files map[string][]byte
		if err := w.look(good); err != nil { // folds
			return false, err
		}
		if err := w.closed(good, func() error { files = good.disk.Files(); return nil }); err != nil {
			return false, err
		}
		err = w.closed(s, func() error {
			for name := range s.disk.Files() {
				s.disk.Put(name, nil)
			}
			for name, b := range files {
				s.disk.Put(name, b)
			}
			s.durable, s.ear, s.notes.saved = maps.Clone(good.durable), good.ear, nil
			return nil
		})
		if err != nil {
			return false, err
		}
		if err := w.expect(good, s); err != nil {
			return false, err
		}
	}
	return replaced, nil
}
