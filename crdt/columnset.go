package crdt

import (
	"fmt"
	"iter"
	"math/bits"
	"slices"
)

// MaxColumns bounds the ordinals of a ColumnSet: SQLite's default limit of 2000 columns and some room.
const MaxColumns = 2048

// ColumnSet is a set of column ordinals. The zero value is empty. It is a value: copying one is safe, because
// the words beyond the first are never written after they are made. Ordinals below 64 cost no allocation.
type ColumnSet struct {
	word uint64
	more []uint64 // ordinals from 64 on; no zero word at the end, nil when empty
}

// FirstColumns is the set of ordinals 0 to n-1.
func FirstColumns(n int) ColumnSet {
	if n <= 0 {
		return ColumnSet{}
	}
	if n < 64 {
		return ColumnSet{word: 1<<n - 1}
	}
	s := ColumnSet{word: ^uint64(0)}
	if n -= 64; n > 0 {
		s.more = make([]uint64, (n+63)/64)
		for i := range s.more {
			s.more[i] = ^uint64(0)
		}
		if n%64 != 0 {
			s.more[len(s.more)-1] = 1<<(n%64) - 1
		}
	}
	return s
}

// Columns is the set of these ordinals.
func Columns(ordinals ...int) ColumnSet {
	var s ColumnSet
	for _, i := range ordinals {
		s.Add(i)
	}
	return s
}

// Add puts ordinal i into s. An ordinal below 0 or from MaxColumns on is a programmer's error and panics;
// decoders judge ordinals before they call it.
func (s *ColumnSet) Add(i int) {
	if i < 0 || i >= MaxColumns {
		panic(fmt.Sprintf("crdt: column ordinal %d", i))
	}
	if i < 64 {
		s.word |= 1 << i
		return
	}
	if s.Has(i) {
		return
	}
	i -= 64
	more := make([]uint64, max(len(s.more), i/64+1))
	copy(more, s.more)
	more[i/64] |= 1 << (i % 64)
	s.more = more
}

// Has says whether ordinal i is in s.
func (s ColumnSet) Has(i int) bool {
	if uint(i) < 64 {
		return s.word>>i&1 != 0
	}
	i -= 64
	return i >= 0 && i/64 < len(s.more) && s.more[i/64]>>(i%64)&1 != 0
}

// Union gives the ordinals that are in s or t.
func (s ColumnSet) Union(t ColumnSet) ColumnSet {
	u := ColumnSet{word: s.word | t.word}
	if len(s.more) < len(t.more) {
		s, t = t, s
	}
	if len(s.more) > 0 {
		u.more = slices.Clone(s.more)
		for i, w := range t.more {
			u.more[i] |= w
		}
	}
	return u
}

// Intersect gives the ordinals that are in s and t.
func (s ColumnSet) Intersect(t ColumnSet) ColumnSet {
	u := ColumnSet{word: s.word & t.word}
	if n := min(len(s.more), len(t.more)); n > 0 {
		u.more = slices.Clone(s.more[:n])
		for i := range u.more {
			u.more[i] &= t.more[i]
		}
		u.trim()
	}
	return u
}

// Minus gives the ordinals that are in s and not in t.
func (s ColumnSet) Minus(t ColumnSet) ColumnSet {
	u := ColumnSet{word: s.word &^ t.word}
	if len(s.more) > 0 {
		u.more = slices.Clone(s.more)
		for i := range u.more[:min(len(s.more), len(t.more))] {
			u.more[i] &^= t.more[i]
		}
		u.trim()
	}
	return u
}

func (s *ColumnSet) trim() {
	n := len(s.more)
	for n > 0 && s.more[n-1] == 0 {
		n--
	}
	if s.more = s.more[:n]; n == 0 {
		s.more = nil
	}
}

// IsEmpty says whether no ordinal is in s.
func (s ColumnSet) IsEmpty() bool { return s.word == 0 && len(s.more) == 0 }

// Len counts the ordinals.
func (s ColumnSet) Len() int {
	n := bits.OnesCount64(s.word)
	for _, w := range s.more {
		n += bits.OnesCount64(w)
	}
	return n
}

// Equal says whether s and t have the same ordinals.
func (s ColumnSet) Equal(t ColumnSet) bool { return s.word == t.word && slices.Equal(s.more, t.more) }

// Contains says whether all ordinals of t are in s.
func (s ColumnSet) Contains(t ColumnSet) bool {
	if t.word&^s.word != 0 || len(t.more) > len(s.more) {
		return false
	}
	for i, w := range t.more {
		if w&^s.more[i] != 0 {
			return false
		}
	}
	return true
}

// Overlaps says whether some ordinal is in both.
func (s ColumnSet) Overlaps(t ColumnSet) bool {
	if s.word&t.word != 0 {
		return true
	}
	for i := range min(len(s.more), len(t.more)) {
		if s.more[i]&t.more[i] != 0 {
			return true
		}
	}
	return false
}

// Bound is one more than the greatest ordinal, 0 for the empty set: the length of a slice that all ordinals index.
func (s ColumnSet) Bound() int {
	if n := len(s.more); n > 0 {
		return 64*n + bits.Len64(s.more[n-1])
	}
	return bits.Len64(s.word)
}

// Columns gives the ordinals, ascending.
func (s ColumnSet) Columns() iter.Seq[int] {
	return func(yield func(int) bool) {
		for w := s.word; w != 0; w &= w - 1 {
			if !yield(bits.TrailingZeros64(w)) {
				return
			}
		}
		for i, w := range s.more {
			for ; w != 0; w &= w - 1 {
				if !yield(64*(i+1) + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}

// Each calls f with the ordinals, ascending.
func (s ColumnSet) Each(f func(int)) {
	for i := range s.Columns() {
		f(i)
	}
}

// String gives the ordinals, for people.
func (s ColumnSet) String() string { return fmt.Sprint(slices.Collect(s.Columns())) }

// AppendBinary appends the set to b: the number of bytes that follow, then the bits, ordinal 0 in the lowest bit
// of the first byte. The last byte is not zero, so each set has one form.
func (s ColumnSet) AppendBinary(b []byte) []byte {
	n := (s.Bound() + 7) / 8
	b = appendUvarint(b, uint64(n))
	for i := range n {
		w := s.word
		if i >= 8 {
			w = s.more[i/8-1]
		}
		b = append(b, byte(w>>(i%8*8)))
	}
	return b
}

// DecodeColumnSet reads what AppendBinary wrote and gives the rest of b.
func DecodeColumnSet(b []byte) (s ColumnSet, rest []byte, err error) {
	n, rest, err := decodeUvarint(b)
	if err != nil {
		return s, b, err
	}
	if n > MaxColumns/8 {
		return s, b, fmt.Errorf("crdt: column set of %d bytes: %w", n, ErrLimit)
	}
	if uint64(len(rest)) < n {
		return s, b, fmt.Errorf("crdt: column set of %d bytes, %d there: %w", n, len(rest), ErrTruncated)
	}
	if n > 0 && rest[n-1] == 0 {
		return s, b, fmt.Errorf("crdt: column set ends with a zero byte: %w", ErrCorrupt)
	}
	if n > 8 {
		s.more = make([]uint64, (n-1)/8)
	}
	for i, c := range rest[:n] {
		if i < 8 {
			s.word |= uint64(c) << (i * 8)
		} else {
			s.more[i/8-1] |= uint64(c) << (i % 8 * 8)
		}
	}
	return s, rest[n:], nil
}
