package crdt

import (
	"slices"
	"testing"
)

func TestIncarnationSet(t *testing.T) {
	i := Incarnation{Birth: Write{stampOf(1, 1, 1), 10}}
	at := func(s Time, pos int64) Write { return Write{stampOf(s, 1, Version(s)), pos} }
	i.Set(Columns(0, 1, 2), at(2, 20))
	i.Set(Columns(1), at(3, 30))
	i.Set(Columns(70), at(4, 40))
	i.Set(Columns(2, 70), at(5, 50))
	i.Set(Columns(), at(6, 60))
	i.Set(Columns(9), Write{stampOf(1, 1, 1), 70}) // the insert itself
	want := map[int]int64{0: 20, 1: 30, 2: 50, 70: 50, 9: 10, 500: 10}
	for c, pos := range want {
		if got := i.Write(c).Pos; got != pos {
			t.Errorf("column %d: position %d, want %d", c, got, pos)
		}
	}
	if len(i.Newer) != 3 || i.Newest().Pos != 50 {
		t.Errorf("got %+v", i.Newer)
	}
	if got := i.Since(20); !slices.Equal(slices.Collect(got.Columns()), []int{1, 2, 70}) {
		t.Errorf("since 20: %v", got)
	}
	// The rest of a write that came before: all of it is newer than a peer that has seen the first part alone.
	i.Set(Columns(5), at(3, 90))
	if got := i.Since(80); !slices.Equal(slices.Collect(got.Columns()), []int{1, 5}) {
		t.Errorf("since 80: %v", got)
	}
	i.Set(Columns(6), at(3, 85))
	if got := i.Write(6).Pos; got != 90 {
		t.Errorf("an older position: %d", got)
	}
}

func TestIncarnationMergeValues(t *testing.T) {
	ours := Incarnation{Birth: Write{Stamp: stampOf(1, 1, 1)}, Has: Columns(0, 1), Values: []Value{Int(1), Int(2)}}
	theirs := Incarnation{Birth: ours.Birth, Has: Columns(0, 1, 2), Values: []Value{Int(10), Int(20), Int(30)}}
	theirs.Set(Columns(1, 2), Write{Stamp: stampOf(2, 2, 1)})
	won := ours.Merge(&theirs, false)
	if !won.Equal(Columns(1, 2)) {
		t.Errorf("won %v", won)
	}
	for c, want := range []Value{Int(1), Int(20)} {
		if got, ok := ours.Value(c); !ok || !got.Equal(want) {
			t.Errorf("column %d: %v, want %v", c, got, want)
		}
	}
	if _, ok := ours.Value(2); ok {
		t.Error("took a value that it does not keep")
	}
	// A stamp without its value leaves none at hand.
	stampOnly := Incarnation{Birth: ours.Birth, Newer: []CellGroup{{Columns(0), Write{Stamp: stampOf(3, 2, 2)}}}}
	if won := ours.Merge(&stampOnly, false); !won.Equal(Columns(0)) || !ours.Has.Equal(Columns(1)) {
		t.Errorf("won %v, has %v", won, ours.Has)
	}
	// Values elsewhere: stamps alone.
	bare := Incarnation{Birth: ours.Birth}
	if won := bare.Merge(&theirs, true); !won.Equal(Columns(1, 2)) || !bare.Has.IsEmpty() || len(bare.Newer) != 1 {
		t.Errorf("won %v, got %+v", won, bare)
	}
	if won := bare.Merge(&theirs, true); !won.IsEmpty() {
		t.Errorf("a duplicate won %v", won)
	}
}
