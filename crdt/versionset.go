package crdt

import (
	"fmt"
	"maps"
	"slices"
	"sort"
)

// Range is the versions From to To of a site, both included.
type Range struct {
	Site     Site
	From, To Version
}

// String gives "site:from-to".
func (r Range) String() string { return fmt.Sprintf("%v:%d-%d", r.Site, r.From, r.To) }

type interval struct{ from, to Version }

// VersionSet is an exact set of changesets: what a VersionVector says, and what is known beyond a gap.
// The zero value is empty. Its size is that of its gaps, not of its contents.
type VersionSet struct {
	sites map[Site][]interval // sorted, and no two touch
}

// Add puts a range into the set. Versions that do not exist (0, or above MaxVersion) are left out.
func (s *VersionSet) Add(r Range) {
	from, to := max(r.From, 1), min(r.To, MaxVersion)
	if from > to {
		return
	}
	if s.sites == nil {
		s.sites = map[Site][]interval{}
	}
	l := s.sites[r.Site]
	// Everything from i up to j overlaps the new interval or touches it and melts into it.
	i := sort.Search(len(l), func(i int) bool { return l[i].to+1 >= from })
	j := i + sort.Search(len(l)-i, func(j int) bool { return l[i+j].from > to+1 })
	if i < j {
		from, to = min(from, l[i].from), max(to, l[j-1].to)
	}
	s.sites[r.Site] = slices.Replace(l, i, j, interval{from, to})
}

// Has says whether the changeset d is in the set.
func (s *VersionSet) Has(d Dot) bool {
	return d.Version > 0 && s.HasRange(Range{d.Site, d.Version, d.Version})
}

// HasRange says whether the whole range is in the set. A range without versions is in every set.
func (s *VersionSet) HasRange(r Range) bool {
	if r.From > r.To {
		return true
	}
	l := s.sites[r.Site]
	i := sort.Search(len(l), func(i int) bool { return l[i].to >= r.To })
	return i < len(l) && l[i].from <= r.From
}

// Prefix gives what is there from 1 on without a gap.
func (s *VersionSet) Prefix() VersionVector {
	v := VersionVector{}
	for site, l := range s.sites {
		if l[0].from == 1 {
			v[site] = l[0].to
		}
	}
	return v
}

// Ranges gives the set as its longest ranges, sorted by site and version.
func (s *VersionSet) Ranges() []Range {
	var ranges []Range
	for _, site := range slices.SortedFunc(maps.Keys(s.sites), Site.Compare) {
		for _, i := range s.sites[site] {
			ranges = append(ranges, Range{site, i.from, i.to})
		}
	}
	return ranges
}
