package crdt

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestColumnSet compares with a map.
func TestColumnSet(t *testing.T) {
	ordinals := rapid.SliceOf(rapid.OneOf(rapid.IntRange(0, 70), rapid.IntRange(0, MaxColumns-1)))
	check := func(t *rapid.T, what string, s ColumnSet, want map[int]bool) {
		t.Helper()
		sorted := slices.Sorted(maps.Keys(want))
		bound := 0
		if len(sorted) > 0 {
			bound = sorted[len(sorted)-1] + 1
		}
		if !slices.Equal(slices.Collect(s.Columns()), sorted) || s.Len() != len(want) || s.IsEmpty() != (len(want) == 0) || s.Bound() != bound {
			t.Fatalf("%s: got %v, want %v", what, s, sorted)
		}
		for _, i := range []int{-1, 0, 63, 64, 65, MaxColumns - 1, MaxColumns} {
			if s.Has(i) != want[i] {
				t.Fatalf("%s: has %d: %v", what, i, s.Has(i))
			}
		}
		if !s.Equal(Columns(sorted...)) {
			t.Fatalf("%s: two forms of one set", what)
		}
		b := s.AppendBinary([]byte("x"))[1:]
		back, rest, err := DecodeColumnSet(append(bytes.Clone(b), 7))
		if err != nil || len(rest) != 1 || !back.Equal(s) {
			t.Fatalf("%s: %x: %v, %v", what, b, back, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := ordinals.Draw(t, "a"), ordinals.Draw(t, "b")
		s, u := Columns(a...), Columns(b...)
		inA, inB := map[int]bool{}, map[int]bool{}
		for _, i := range a {
			inA[i] = true
		}
		for _, i := range b {
			inB[i] = true
		}
		union, both, minus := maps.Clone(inA), map[int]bool{}, map[int]bool{}
		maps.Copy(union, inB)
		contains := true
		for i := range inA {
			if inB[i] {
				both[i] = true
			} else {
				minus[i] = true
			}
		}
		for i := range inB {
			contains = contains && inA[i]
		}
		check(t, "set", s, inA)
		check(t, "union", s.Union(u), union)
		check(t, "intersection", s.Intersect(u), both)
		check(t, "difference", s.Minus(u), minus)
		if s.Contains(u) != contains || s.Overlaps(u) != (len(both) > 0) || s.Equal(u) != maps.Equal(inA, inB) {
			t.Fatalf("%v and %v: contains %v, overlaps %v, equal %v", s, u, s.Contains(u), s.Overlaps(u), s.Equal(u))
		}
		// A copy stays as it was, whatever is added to the set.
		c := s
		s.Add(rapid.IntRange(0, MaxColumns-1).Draw(t, "add"))
		check(t, "copy", c, inA)
		n := rapid.IntRange(0, MaxColumns).Draw(t, "first")
		first := map[int]bool{}
		for i := range n {
			first[i] = true
		}
		check(t, "first", FirstColumns(n), first)
	})
}

func TestColumnSetDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		s := Columns(0, 63)
		u := s.Union(FirstColumns(64)).Minus(Columns(5)).Intersect(s)
		if !u.Has(63) || s.Len() != 2 {
			t.Fail()
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestDecodeColumnSetErrors(t *testing.T) {
	for _, c := range []struct {
		b    string
		want error
	}{{"", ErrTruncated}, {"\x01", ErrTruncated}, {"\x01\x00", ErrCorrupt}, {"\x80\x00", ErrCorrupt}, {"\x81\x02", ErrLimit}} {
		if _, _, err := DecodeColumnSet([]byte(c.b)); !errors.Is(err, c.want) {
			t.Errorf("%x: got %v, want %v", c.b, err, c.want)
		}
	}
}
