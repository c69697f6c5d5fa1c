package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// randomKnot has rivals in groups, as holders of one value are, and references to few rows, itself among them.
func randomKnot(r *rand.Rand, n int) *knot {
	k := &knot{rivals: make([][]int, n), needs: make([][][]int, n)}
	for range r.IntN(n) {
		var group []int
		for i := range n {
			if r.IntN(n) < 2 {
				group = append(group, i)
			}
		}
		for _, a := range group {
			for _, b := range group {
				if a != b {
					k.rivals[a] = append(k.rivals[a], b)
				}
			}
		}
	}
	for i := range n {
		for range r.IntN(3) {
			parents := []int{}
			for range 1 + r.IntN(2) {
				parents = append(parents, r.IntN(n))
			}
			if r.IntN(12) == 0 {
				parents = nil
			}
			slices.Sort(parents)
			k.needs[i] = append(k.needs[i], slices.Compact(parents))
		}
	}
	return k
}

func (k *knot) supported(i int, in []bool) bool {
	for _, parents := range k.needs[i] {
		if !slices.ContainsFunc(parents, func(p int) bool { return p == i || in[p] }) {
			return false
		}
	}
	return true
}

func (k *knot) opposed(i int, in []bool) bool {
	return slices.ContainsFunc(k.rivals[i], func(r int) bool { return in[r] })
}

// TestKnot looks at what is chosen of random knots: nobody with a rival or without what it refers to, nobody left out who could
// be added, and the same with some of the certain rows taken as given.
func TestKnot(t *testing.T) {
	for seed := range uint64(20000) {
		r := rand.New(rand.NewPCG(seed, 1))
		k := randomKnot(r, 2+r.IntN(9))
		in := k.choose()
		fail := func(format string, args ...any) {
			t.Fatalf("seed %d: %s\nrivals %v\nneeds %v\nchosen %v", seed, fmt.Sprintf(format, args...), k.rivals, k.needs, in)
		}
		for i := range in {
			switch {
			case in[i] && k.opposed(i, in):
				fail("%d has a rival", i)
			case in[i] && !k.supported(i, in):
				fail("%d lacks what it refers to", i)
			case !in[i] && !k.opposed(i, in) && k.supported(i, in):
				fail("%d could be there", i)
			}
		}
		// Any set without rivals whose members refer to members is certain.
		certain := make([]bool, len(in))
		for i := range in {
			certain[i] = len(k.rivals[i]) == 0 && r.IntN(4) > 0
		}
		for again := true; again; {
			again = false
			for i := range in {
				if certain[i] && !k.supported(i, certain) {
					certain[i], again = false, true
				}
			}
		}
		rest, at := &knot{}, map[int]int{}
		for i := range in {
			if !certain[i] {
				at[i] = len(at)
			} else if !in[i] {
				fail("%d is certain", i)
			}
		}
		for i := range in {
			if certain[i] {
				continue
			}
			rivals, needs := []int{}, [][]int{}
			for _, x := range k.rivals[i] {
				rivals = append(rivals, at[x])
			}
			for _, parents := range k.needs[i] {
				left := []int{}
				met := false
				for _, p := range parents {
					if met = met || certain[p]; !certain[p] {
						left = append(left, at[p])
					}
				}
				if !met {
					needs = append(needs, left)
				}
			}
			rest.rivals, rest.needs = append(rest.rivals, rivals), append(rest.needs, needs)
		}
		part := rest.choose()
		for i, j := range at {
			if part[j] != in[i] {
				fail("without the certain rows %v, %d is %v", certain, i, part[j])
			}
		}
	}
}

// TestKnotOrder: the first has its way, unless it needs the other, be it through a third.
func TestKnotOrder(t *testing.T) {
	for _, c := range []struct {
		name string
		k    knot
		want []bool
	}{
		{"the first", knot{[][]int{{1}, {0}}, [][][]int{{}, {}}}, []bool{true, false}},
		{"it needs the second", knot{[][]int{{1}, {0}}, [][][]int{{{1}}, {}}}, []bool{false, true}},
		{"through a third", knot{[][]int{{1}, {0}, {}}, [][][]int{{{2}}, {}, {{1}}}}, []bool{false, true, true}},
		{"it could do without", knot{[][]int{{1}, {0}, {}}, [][][]int{{{1, 2}}, {}, {}}}, []bool{true, false, true}},
		{"each needs the other", knot{[][]int{{1}, {0}}, [][][]int{{{1}}, {{0}}}}, []bool{false, false}},
		{"the first of all needs it", knot{[][]int{{1}, {0}, {3}, {2}}, [][][]int{{{3}}, {}, {}, {}}}, []bool{true, false, false, true}},
		{"itself", knot{[][]int{{1}, {0}}, [][][]int{{{0, 1}}, {{0, 1}}}}, []bool{true, false}},
		{"a circle", knot{[][]int{{}, {}}, [][][]int{{{1}}, {{0}}}}, []bool{true, true}},
		{"who lost against one that is gone comes back", knot{[][]int{{1}, {0, 2}, {1}}, [][][]int{{}, {}, {}}}, []bool{true, false, true}},
	} {
		if got := c.k.choose(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
