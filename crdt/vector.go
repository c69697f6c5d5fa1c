package crdt

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// VersionVector has, per site, the greatest version up to which all are known, without a gap.
// An entry of zero means the same as no entry. Reading a nil vector works; Join into one does not.
type VersionVector map[Site]Version

// Has says whether the changeset d is within v.
func (v VersionVector) Has(d Dot) bool { return d.Version <= v[d.Site] }

// Covers says whether v has all that w has.
func (v VersionVector) Covers(w VersionVector) bool {
	for s, n := range w {
		if n > v[s] {
			return false
		}
	}
	return true
}

// Join raises v to have all that w has.
func (v VersionVector) Join(w VersionVector) {
	for s, n := range w {
		if n > v[s] {
			v[s] = n
		}
	}
}

// Clone gives an independent copy, never nil.
func (v VersionVector) Clone() VersionVector {
	w := make(VersionVector, len(v))
	maps.Copy(w, v)
	return w
}

// Sites gives the sites with an entry above zero, sorted.
func (v VersionVector) Sites() []Site {
	sites := make([]Site, 0, len(v))
	for s, n := range v {
		if n > 0 {
			sites = append(sites, s)
		}
	}
	slices.SortFunc(sites, Site.Compare)
	return sites
}

// Equal says whether v and w have the same changesets.
func (v VersionVector) Equal(w VersionVector) bool { return v.Covers(w) && w.Covers(v) }

// MarshalJSON gives an object of site to version, sorted by site, without zero entries.
func (v VersionVector) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, s := range v.Sites() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, s.String()...)
		b = append(b, '"', ':')
		b = strconv.AppendUint(b, uint64(v[s]), 10)
	}
	return append(b, '}'), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (v *VersionVector) UnmarshalJSON(b []byte) error {
	var m map[Site]Version
	if err := json.Unmarshal(b, &m); err != nil {
		return fmt.Errorf("crdt: version vector: %w", err)
	}
	w := make(VersionVector, len(m))
	for s, n := range m {
		if n > MaxVersion {
			return fmt.Errorf("crdt: version vector: %v: version %d: %w", s, n, ErrLimit)
		}
		if n > 0 {
			w[s] = n
		}
	}
	*v = w
	return nil
}
