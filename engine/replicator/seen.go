package replicator

import (
	"encoding/json"

	"github.com/tributary-db/tributary/crdt"
)

// seen is the set of versions that a link's log holds or its peers have. The zero value is empty.
type seen struct{ set crdt.VersionSet }

func (s *seen) add(site crdt.Site, from, to crdt.Version) {
	s.set.Add(crdt.Range{Site: site, From: from, To: to})
}

func (s *seen) covers(list []crdt.Cover) {
	for _, c := range list {
		s.add(c.Site, c.From, c.To)
	}
}

// atLeast adds all versions of a vector.
func (s *seen) atLeast(v crdt.VersionVector) {
	for site, n := range v {
		s.add(site, 1, n)
	}
}

// lacks gives the sites of which v has versions that were not seen.
func (s *seen) lacks(v crdt.VersionVector) (sites []crdt.Site) {
	for _, site := range v.Sites() {
		if !s.set.HasRange(crdt.Range{Site: site, From: 1, To: v[site]}) {
			sites = append(sites, site)
		}
	}
	return sites
}

// prefix is what was seen without a gap.
func (s *seen) prefix() crdt.VersionVector { return s.set.Prefix() }

// reduce forgets what a log has lost: of the site own all beyond to, of all others everything but floor.
func (s *seen) reduce(own crdt.Site, to crdt.Version, floor crdt.VersionVector) {
	var out seen
	out.atLeast(floor)
	for _, r := range s.set.Ranges() {
		if r.Site == own {
			out.add(own, r.From, min(r.To, to))
		}
	}
	*s = out
}

func (s seen) clone() (out seen) {
	for _, r := range s.set.Ranges() {
		out.set.Add(r)
	}
	return out
}

// MarshalJSON gives {site: [[from, to], ...]}.
func (s seen) MarshalJSON() ([]byte, error) {
	m := map[string][][2]crdt.Version{}
	for _, r := range s.set.Ranges() {
		m[r.Site.String()] = append(m[r.Site.String()], [2]crdt.Version{r.From, r.To})
	}
	return json.Marshal(m)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *seen) UnmarshalJSON(b []byte) error {
	var m map[crdt.Site][][2]crdt.Version
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	*s = seen{}
	for site, list := range m {
		for _, r := range list {
			s.add(site, r[0], r[1])
		}
	}
	return nil
}
