package sim

import "slices"

// knotted is the part of the model for a table that refers to itself and has unique values: the row that gives way can be the
// one without which the other cannot be shown. Rows are numbered in the order of their births. The one born first has its way,
// unless it, or one that had its way before, could not be shown then; who can be there is there.
type knotted struct {
	values [][]string // what no two may have
	needs  []int      // the row that it refers to: its number, none or missing
}

const (
	none    = -1
	missing = -2
)

// knotOf numbers the rows of a table that refers to itself, which are given in the order of their births.
func knotOf(t *modelTable, rows []rowID, images map[rowID]seen) *knotted {
	k := &knotted{}
	for _, id := range rows {
		need := none
		if p := t.parent(images[id].image); p != (rowID{}) {
			if need = slices.Index(rows, p); need < 0 {
				need = missing
			}
		}
		k.values, k.needs = append(k.values, t.unique(images[id].image)), append(k.needs, need)
	}
	return k
}

func (k *knotted) choose() []bool {
	in := make([]bool, len(k.values))
	for {
		before := slices.Clone(in)
		won := slices.Clone(in)
		for i := range in {
			if !before[i] && !k.opposed(before, i) {
				in[i] = true
			}
		}
		in = k.closed(in)
		for i := range in {
			if !in[i] || !k.opposed(in, i) {
				continue
			}
			won[i] = true
			without := slices.Clone(in)
			for j := range in {
				without[j] = in[j] && (j == i || !k.rivals(i, j))
			}
			if without = k.closed(without); slices.ContainsFunc(left(in, without), func(j int) bool { return won[j] }) {
				without = slices.Clone(in)
				without[i] = false
				without = k.closed(without)
				for _, j := range left(in, without) {
					won[j] = false
				}
			}
			in = without
		}
		if count(in) <= count(before) && !k.addOne(in) {
			return in
		}
	}
}

// addOne adds the first row that can be there with those that are.
func (k *knotted) addOne(in []bool) bool {
	for i := range in {
		if !in[i] && !k.opposed(in, i) && (k.needs[i] == none || k.needs[i] == i || k.needs[i] >= 0 && in[k.needs[i]]) {
			in[i] = true
			return true
		}
	}
	return false
}

// opposed says whether another row that is in has the value of this one.
func (k *knotted) opposed(in []bool, i int) bool {
	for j := range in {
		if j != i && in[j] && k.rivals(i, j) {
			return true
		}
	}
	return false
}

// rivals says whether two rows have a value in common that no two may have.
func (k *knotted) rivals(i, j int) bool {
	return slices.ContainsFunc(k.values[i], func(v string) bool { return slices.Contains(k.values[j], v) })
}

// closed leaves out all rows that refer to none that is in.
func (k *knotted) closed(in []bool) []bool {
	out := slices.Clone(in)
	for again := true; again; {
		again = false
		for i, n := range k.needs {
			if out[i] && (n == missing || n >= 0 && !out[n]) {
				out[i], again = false, true
			}
		}
	}
	return out
}

// left are the rows that are in one set and not in the other.
func left(was, is []bool) (out []int) {
	for i := range was {
		if was[i] && !is[i] {
			out = append(out, i)
		}
	}
	return out
}

func count(in []bool) (n int) {
	for _, yes := range in {
		if yes {
			n++
		}
	}
	return n
}
