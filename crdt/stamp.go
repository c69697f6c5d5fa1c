package crdt

import "cmp"

// Stamp orders writes: the time first, then the site and version, so that two writes never tie unless they are one.
// All the columns that one changeset writes in a row share one stamp, so two changesets never mix within a row by chance.
type Stamp struct {
	Time    Time
	Site    Site
	Version Version
}

// Compare orders stamps by time, site and version.
func (s Stamp) Compare(t Stamp) int {
	if s.Time != t.Time {
		return cmp.Compare(s.Time, t.Time)
	}
	if c := s.Site.Compare(t.Site); c != 0 {
		return c
	}
	return cmp.Compare(s.Version, t.Version)
}

// IsZero says that s is no write's stamp.
func (s Stamp) IsZero() bool { return s == Stamp{} }

// Dot names the changeset of the write.
func (s Stamp) Dot() Dot { return Dot{s.Site, s.Version} }

// String gives time and dot, for people.
func (s Stamp) String() string { return s.Time.String() + " " + s.Dot().String() }

// Write is a stamp with the place at which this replica got the write.
type Write struct {
	Stamp

	// Pos is this replica's own feed position. It answers "is this newer than a peer's cursor", is carried along,
	// and is no part of the merged state, of any comparison or of the wire.
	Pos int64
}
