package crdt

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// since makes the delta of what r has from its feed after a position, as an engine does.
func (r *replica) since(pos int64) *RowChange {
	c := &RowChange{Deleted: slices.Clone(r.row.Deleted)}
	for k := range r.row.Lives {
		i := r.row.Lives[k].clone()
		l := LiveChange{Full: i.Birth.Pos > pos, Incarnation: i}
		if !l.Full {
			l.Has = i.Since(pos)
			l.Newer = nil
			for _, g := range i.Newer {
				if g.Write.Pos > pos {
					l.Newer = append(l.Newer, g)
				}
			}
		}
		if l.Full || len(l.Newer) > 0 {
			c.Lives = append(c.Lives, l)
		}
	}
	return c
}

// receive takes a delta in at a new position of r's own feed.
func (r *replica) receive(t *rapid.T, c *RowChange) {
	own := *c
	own.Lives = nil
	for _, l := range c.Lives {
		l.Incarnation = l.clone()
		l.Birth.Pos = r.pos
		for k := range l.Newer {
			l.Newer[k].Write.Pos = r.pos
		}
		own.Lives = append(own.Lives, l)
	}
	before := cloneRow(&r.row)
	e, err := r.row.MergeChange(&own)
	if err != nil {
		t.Fatalf("%v\nrow %v\ndelta %+v", err, stateOf(&r.row), own)
	}
	checkEffect(t, &before, &r.row, e)
}

// checkEffect compares what a merge says that it did with what it did.
func checkEffect(t *rapid.T, before, after *Row, e Effect) {
	if e.Was != before.visibleDot() || e.Is != after.visibleDot() || e.Changed == sameRow(before, after) {
		t.Fatalf("effect %+v from\n%v\nto\n%v", e, stateOf(before), stateOf(after))
	}
	if e.Was != e.Is || e.Is.IsZero() {
		return
	}
	a, b := before.Lives[before.Visible()], after.Lives[after.Visible()]
	for c := range modelColumns {
		if want := a.Write(c).Stamp != b.Write(c).Stamp; e.Columns.Has(c) != want {
			t.Fatalf("effect on column %d: %v, want %v", c, !want, want)
		}
	}
}

// TestDeltas lets replicas send each other what is new since last time, again and again older deltas too.
func TestDeltas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n = 3
		var sites [n]*replica
		var cursors [n][n]int64
		var past [n][]*RowChange
		for i := range sites {
			sites[i] = newReplica(byte(i+1), rapid.Int64Range(1, 3).Draw(t, "now"))
		}
		pull := func(i, j int) {
			to, from := sites[i], sites[j]
			c := from.since(cursors[i][j])
			cursors[i][j] = from.pos
			to.observe(from)
			to.receive(t, c)
			past[i] = append(past[i], c)
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			i := rapid.IntRange(0, n-1).Draw(t, "site")
			switch kind := rapid.IntRange(0, 8).Draw(t, "kind"); {
			case kind < 4:
				sites[i].step(kind)
			case kind < 8:
				pull(i, (i+1+kind%2)%n)
			case len(past[i]) > 0:
				sites[i].pos++
				sites[i].receive(t, rapid.SampledFrom(past[i]).Draw(t, "again"))
			}
			if err := sites[i].check(); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			for i := range sites {
				for j := range sites {
					if i != j {
						pull(i, j)
					}
				}
			}
		}
		for _, s := range sites {
			if err := s.check(); err != nil {
				t.Fatal(err)
			}
			if !sameRow(&s.row, &sites[0].row) {
				t.Fatalf("diverged:\n%v\nand\n%v", stateOf(&s.row), stateOf(&sites[0].row))
			}
		}
	})
}

func TestMissingBirth(t *testing.T) {
	update := &RowChange{Deleted: []Dot{{site(2), 3}}, Lives: []LiveChange{{Incarnation: Incarnation{
		Birth: Write{Stamp: stampOf(5, 1, 1)}, Newer: []CellGroup{{Columns(0), Write{Stamp: stampOf(6, 2, 4)}}},
		Has: Columns(0), Values: []Value{Int(1)}}}}}
	var r Row
	if _, err := r.MergeChange(update); !errors.Is(err, ErrMissingBirth) {
		t.Fatalf("unknown insert: %v", err)
	}
	if !sameRow(&r, &Row{}) {
		t.Fatalf("refused, but changed: %v", r)
	}
	r.Delete(Dot{site(1), 1})
	if _, err := r.MergeChange(update); err != nil || r.Alive() || !r.Covered(Dot{site(2), 3}) {
		t.Fatalf("update of a deleted insert: %v, %v", err, r)
	}
}

func TestVisible(t *testing.T) {
	life := func(birth Stamp, groups ...Stamp) Incarnation {
		i := Incarnation{Birth: Write{Stamp: birth}}
		for c, g := range groups {
			i.Set(Columns(c), Write{Stamp: g})
		}
		return i
	}
	for name, c := range map[string]struct {
		row  Row
		want int
	}{
		"dead":                    {Row{Deleted: []Dot{{site(1), 1}}}, -1},
		"later insert":            {Row{Lives: []Incarnation{life(stampOf(1, 1, 1)), life(stampOf(2, 2, 1))}}, 1},
		"later update of earlier": {Row{Lives: []Incarnation{life(stampOf(1, 1, 1), stampOf(3, 1, 2)), life(stampOf(2, 2, 1))}}, 0},
		"tie":                     {Row{Lives: []Incarnation{life(stampOf(1, 1, 1), stampOf(3, 1, 2)), life(stampOf(2, 2, 1), stampOf(3, 1, 2))}}, 1},
	} {
		if got := c.row.Visible(); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}
