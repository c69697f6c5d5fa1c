package crdt

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Version counts the changesets of one site, from 1. Zero means none.
type Version uint64

// MaxVersion is the greatest Version. It leaves two bits free, so that differences and zigzag codes of versions never overflow.
const MaxVersion Version = 1 << 62

// Dot names one changeset for ever.
type Dot struct {
	Site    Site
	Version Version
}

// Compare orders dots by site, then version.
func (d Dot) Compare(e Dot) int {
	if c := d.Site.Compare(e.Site); c != 0 {
		return c
	}
	return cmp.Compare(d.Version, e.Version)
}

// IsZero says that d names no changeset.
func (d Dot) IsZero() bool { return d == Dot{} }

// String gives "site:version".
func (d Dot) String() string {
	return d.Site.String() + ":" + strconv.FormatUint(uint64(d.Version), 10)
}

// ParseDot reads what String writes.
func ParseDot(s string) (Dot, error) {
	left, right, ok := strings.Cut(s, ":")
	if !ok {
		return Dot{}, fmt.Errorf("crdt: dot %.60q: want site:version", s)
	}
	site, err := ParseSite(left)
	if err != nil {
		return Dot{}, err
	}
	v, err := strconv.ParseUint(right, 10, 64)
	if err != nil || Version(v) > MaxVersion {
		return Dot{}, fmt.Errorf("crdt: dot %.60q: bad version", s)
	}
	return Dot{site, Version(v)}, nil
}

// MarshalText gives what String gives.
func (d Dot) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what ParseDot reads.
func (d *Dot) UnmarshalText(text []byte) error {
	e, err := ParseDot(string(text))
	if err != nil {
		return err
	}
	*d = e
	return nil
}
