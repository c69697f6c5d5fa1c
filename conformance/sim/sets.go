package sim

import (
	"fmt"
	"slices"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// set is the packages of one pull.
type set struct {
	places []place
	starts bool        // at the beginning of what it covers
	sent   []crdt.Time // by part; later ones may be of a later state
	needs  crdt.VersionVector
	covers []crdt.Cover
}

// place is where a package stands in the feed of its sender.
type place struct {
	sender       crdt.Site
	since, until int64
	own          bool
}

// complete says that a set is applied of which all packages have come, if what it needs is there. In eventual mode a set of one package
// needs nothing.
func (w *world) complete(m message, mode engine.Mode) error {
	if m.set == nil || m.to.got.parts == nil || m.to.hit() || w.o.Skew > 0 || w.stats.Restores > 0 || w.strangers {
		return nil
	}
	g := &m.to.got
	if g.parts[m.set] == nil {
		g.parts[m.set] = map[int]bool{}
	}
	g.parts[m.set][m.part] = true
	has, ahead, err := m.to.has()
	if err != nil {
		return err
	}
	for s, parts := range g.parts {
		now := mode == engine.ModeEventual && s == m.set && s.starts && len(s.places) == 1
		if len(parts) < len(s.places) || !now && !has.Covers(s.needs) {
			continue
		}
		delete(g.parts, s)
		if s.lacksDeletes(has) || g.replaced(s) {
			continue
		}
		if first := s.places[0]; !s.starts { // it goes on from where a set ended that may not have come
			cursor, err := m.to.cursor(first.sender)
			if err != nil {
				return err
			}
			if cursor < first.since {
				continue
			}
		}
		for _, c := range s.covers {
			if !ahead.HasRange(crdt.Range{Site: c.Site, From: c.From, To: c.To}) && (now || has[c.Site] >= c.From-1) {
				return violation("liveness", "site %d has all %d packages of a set and what they need, and has not applied it: it has %v, and not version %d of %s", m.to.index, len(parts), ahead, c.To, c.Site)
			}
		}
	}
	return nil
}

// cursor is up to where a site says that it has a sender's feed, be it true or not.
func (s *site) cursor(sender crdt.Site) (int64, error) {
	return s.int(fmt.Sprintf("SELECT ifnull(max(cursor), 0) FROM tributary_peer p JOIN tributary_site s ON s.ord = p.site WHERE s.site = x'%x'", sender[:]))
}

// goesBy says that a site that has just been given a package goes by its cursor of the sender only if it has what lies before that: if
// not, what it is sent next from the beginning would be taken for what it has.
func (s *site) goesBy(p *crdt.Package) error {
	if p.Starts || p.Sender == s.e.Site() {
		return nil
	}
	has, _, err := s.has()
	if err != nil || has.Covers(p.Before) {
		return err
	}
	if cursor, err := s.cursor(p.Sender); err != nil || cursor < p.Since {
		return err
	}
	return violation("liveness", "site %d has not got all that lies before position %d of %s, and says that it has", s.index, p.Since, p.Sender)
}

// replaced says whether packages of a later state of their sender came to the places of some of a set. A set of own changes alone may
// have to be sent again also where it goes on from a part of all changes, and where another one ends the waiting of its first parts.
func (g *got) replaced(s *set) bool {
	for i, p := range s.places {
		if g.newest[p] > s.sent[i] || p.own && s.places[0].since > 0 {
			return true
		}
	}
	for p, sent := range g.newest {
		if i := slices.Index(s.places, p); p.own && s.places[0].own && p.sender == s.places[0].sender && (i < 0 || sent != s.sent[i]) {
			return true
		}
	}
	return false
}

// lacksDeletes says whether a receiver lacks deletes that the sender has forgotten: then it may wait for them for ever.
func (s *set) lacksDeletes(has crdt.VersionVector) bool {
	return slices.ContainsFunc(s.covers, func(c crdt.Cover) bool { return has[c.Site] < c.Forgotten })
}
