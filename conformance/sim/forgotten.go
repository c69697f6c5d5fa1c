package sim

import (
	"context"
	"maps"

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
	return err == nil && engine.MissesDeletes(have, forgotten), err
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
