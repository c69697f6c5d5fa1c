package crdt

import (
	"bytes"
	"encoding/hex"
	"fmt"
)

// Site is the durable identity of one replica database. The zero Site names nobody.
type Site [16]byte

// ParseSite reads the 32 hex digits that String writes. Digits of either case are taken,
// because people type them; only lower case is ever written.
func ParseSite(s string) (Site, error) {
	var site Site
	if len(s) != 2*len(site) {
		return Site{}, fmt.Errorf("crdt: site %.40q: want %d hex digits, got %d characters", s, 2*len(site), len(s))
	}
	if _, err := hex.Decode(site[:], []byte(s)); err != nil {
		return Site{}, fmt.Errorf("crdt: site %q: not hex digits", s)
	}
	return site, nil
}

// String gives 32 lower case hex digits.
func (s Site) String() string { return hex.EncodeToString(s[:]) }

// Compare orders sites by their bytes; the order has no meaning but is the same everywhere.
func (s Site) Compare(t Site) int { return bytes.Compare(s[:], t[:]) }

// IsZero says that s names nobody.
func (s Site) IsZero() bool { return s == Site{} }

// MarshalText gives what String gives.
func (s Site) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, s[:]), nil }

// UnmarshalText reads what ParseSite reads.
func (s *Site) UnmarshalText(text []byte) error {
	t, err := ParseSite(string(text))
	if err != nil {
		return err
	}
	*s = t
	return nil
}
