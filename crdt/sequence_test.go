package crdt

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestSequence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SliceOf(rapid.OneOf(rapid.Uint64Range(0, 1), rapid.Uint64())).Draw(t, "numbers")
		for range rapid.IntRange(0, 4).Draw(t, "repeats") {
			at := rapid.IntRange(0, len(v)).Draw(t, "at")
			v = slices.Insert(v, at, slices.Repeat([]uint64{rapid.Uint64Range(0, 1).Draw(t, "number")}, rapid.IntRange(1, 9).Draw(t, "times"))...)
		}
		b := appendSequence(nil, v)
		r := reader{b: b}
		var got []uint64
		for _, run := range r.sequence(len(v), ^uint64(0)) {
			got = append(got, slices.Repeat([]uint64{run.value}, run.count)...)
		}
		if r.err != nil || r.off != len(b) || !slices.Equal(got, v) {
			t.Fatalf("%x: %v: got %v, want %v", b, r.err, got, v)
		}
	})
}

// TestSequenceHasOneForm reads all short byte strings: what is taken must be what is written.
func TestSequenceHasOneForm(t *testing.T) {
	alphabet := []byte{0, 1, 2, 3, 4, 6, 8, 9, 10, 11, 13}
	b := make([]byte, 5)
	taken := 0
	var walk func(i int)
	walk = func(i int) {
		if i < len(b) {
			for _, c := range alphabet {
				b[i] = c
				walk(i + 1)
			}
			return
		}
		for n := range 9 {
			r := reader{b: b}
			var v []uint64
			for _, run := range r.sequence(n, 10) {
				v = append(v, slices.Repeat([]uint64{run.value}, run.count)...)
			}
			if r.err == nil {
				taken++
				if got := appendSequence(nil, v); !bytes.Equal(got, b[:r.off]) {
					t.Fatalf("%x of %d numbers: got %x", b[:r.off], n, got)
				}
			}
		}
	}
	walk(0)
	if taken == 0 {
		t.Fatal("nothing was taken")
	}
}
