package sim

// What happens to files: they are put away, put back and copied.

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/tributary-db/tributary/engine"
)

func (w *world) backup(s *site) error {
	return w.closed(s, func() error {
		s.backup = s.asBackup()
		return nil
	})
}

func (s *site) asBackup() *backup {
	return &backup{files: s.disk.Files(), notes: slices.Clone(s.notes.saved), durable: maps.Clone(s.durable), ear: s.ear}
}

// snapshot now and then puts away the disk of a site that is about to talk, as it is.
func (w *world) snapshot(e Event) {
	if s, with := w.named(e); w.o.Restores && (e.Kind == Send || e.Kind == Sync) && e.Seed%3 == 0 && !s.hit() {
		s.moment = s.asBackup()
		s.moment.with = with
	}
}

// restore puts a backup back, or what the disk was a moment ago. What is beside the file stays as it is, or is gone: when it is
// put back too, only peers can find out, and until then the site may do what must not be done.
//
// It does most harm to a site that has written nothing since and has received something: it keeps its name, and gives places in
// its feed anew, which others may remember, to what it writes next.
func (w *world) restore(s *site, r *rand.Rand) error {
	for range w.sites {
		if m := s.moment; m != nil && m.ear.self == s.ear.self && m.ear.version == s.ear.version && m.ear.pos < s.ear.pos {
			if w.o.Images && !w.history.forked { // else it is not known whether it has written nothing since
				return w.image(s, m, r)
			}
			if err := w.putBack(s, m); err != nil {
				return err
			}
			if err := s.done(s.write(r)); err != nil || r.IntN(4) == 0 {
				return err
			}
			return w.send(s, m.with, r) // perhaps from where that one has come
		}
		s = w.sites[(s.index+1)%len(w.sites)]
	}
	for range w.sites {
		if s.backup != nil {
			break
		}
		s = w.sites[(s.index+1)%len(w.sites)]
	}
	if s.backup == nil {
		return nil
	}
	if r.IntN(2) == 0 {
		s.notes.saved = nil
	}
	return w.putBack(s, s.backup)
}

// image puts a disk back with all that is on it, so that nothing tells the site. It writes until its feed is longer than it was, and
// goes on where another had come: of that one's places some mean other things now.
func (w *world) image(s *site, m *backup, r *rand.Rand) error {
	was := s.ear.pos
	s.notes.saved = slices.Clone(m.notes)
	if err := w.putBack(s, m); err != nil {
		return err
	}
	for range 6 {
		if s.ear.pos > was {
			break
		}
		if err := s.done(s.write(r)); err != nil {
			return err
		}
		if err := w.look(s); err != nil { // folds
			return err
		}
	}
	out, _, err := w.pull(s, m.with, engine.PullOptions{Since: w.acked[link{s.e.Site(), m.with.e.Site()}]}, r)
	if err != nil {
		return err
	}
	for _, m := range out {
		if err := w.deliver(m); err != nil {
			return err
		}
	}
	return w.look(m.with)
}

func (w *world) putBack(s *site, b *backup) error {
	w.stats.Restores++
	return w.closed(s, func() error {
		for name := range s.disk.Files() {
			s.disk.Put(name, nil)
		}
		for name, body := range b.files {
			s.disk.Put(name, body)
		}
		s.durable, s.ear, s.moment = maps.Clone(b.durable), b.ear, nil
		return nil
	})
}

// copy makes a new site: 0 by clone of a file, 1 by cp of the file alone, 2 by cp of the file and what is beside it, 3 an empty one.
func (w *world) copy(s *site, how int) error {
	if len(w.sites) >= w.o.Most {
		return nil
	}
	if how == 3 {
		return w.newSite().start()
	}
	if how == 0 { // what is not folded would become the clone's own, and the same rows would meet as two inserts
		_, err := s.e.Fold(context.Background())
		if s.hit() || err != nil {
			return s.done(err)
		}
		if err := w.learn(); err != nil {
			return err
		}
	}
	w.stats.Copies++
	w.strangers = w.strangers || how != 0
	n := w.newSite()
	err := w.closed(s, func() error {
		for name, b := range s.disk.Files() {
			n.disk.Put(name, b)
		}
		if how == 2 {
			n.notes.saved = slices.Clone(s.notes.saved)
		}
		n.ear = s.ear
		n.vague.Join(s.vague)
		return nil
	})
	if err != nil {
		return err
	}
	if err := n.start(); err != nil || how != 0 {
		return err
	}
	return w.expect(s, n)
}

// expect gives a clone an identity of its own, and tells its source of it.
func (w *world) expect(s, n *site) error {
	if _, err := n.e.Remint(context.Background()); err != nil {
		return err
	}
	has, err := n.e.Vector(context.Background())
	if err != nil {
		return err
	}
	defer s.spared()() // were it cut off, the clone would be one that nobody knows
	return s.done(s.e.Expect(context.Background(), n.e.Site(), has))
}
