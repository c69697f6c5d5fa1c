package crdt

import (
	"crypto/sha256"
	"fmt"
	"os"
	"testing"

	"pgregory.net/rapid"
)

func merged(a, b *Row) *Row {
	c := cloneRow(a)
	c.Merge(b)
	return &c
}

// checkLaws judges the laws over those pairs and, when asked, triples of states that have the last one in them.
func checkLaws(states []*Row, triples bool) error {
	below := func(a, b *Row) bool { return sameRow(merged(b, a), b) }
	newest := len(states) - 1
	for i, a := range states {
		for j, b := range states {
			ab := merged(a, b)
			if i == newest || j == newest {
				switch {
				case !sameRow(ab, merged(b, a)):
					return fmt.Errorf("not commutative:\n%v\nand\n%v", stateOf(a), stateOf(b))
				case i == j && !sameRow(ab, a):
					return fmt.Errorf("not idempotent:\n%v", stateOf(a))
				case !below(a, ab) || !below(b, ab):
					return fmt.Errorf("not an upper bound:\n%v\nand\n%v", stateOf(a), stateOf(b))
				}
				if err := wellFormed(ab); err != nil {
					return err
				}
			}
			if !triples {
				continue
			}
			aBelow := sameRow(ab, b)
			for k, c := range states {
				if i != newest && j != newest && k != newest {
					continue
				}
				bc := merged(b, c)
				if !sameRow(merged(ab, c), merged(a, bc)) {
					return fmt.Errorf("not associative:\n%v\nand\n%v\nand\n%v", stateOf(a), stateOf(b), stateOf(c))
				}
				if aBelow && !below(merged(a, c), bc) {
					return fmt.Errorf("not monotone:\n%v\nbelow\n%v\nboth with\n%v", stateOf(a), stateOf(b), stateOf(c))
				}
			}
		}
	}
	return nil
}

// history walks all histories of some depth over some sites. It hands the replicas' distinct states of each history
// to the laws; at each step the rows must be what the model says, and at the end all must converge to one.
type history struct {
	triples    bool
	statements int
	runs       int
	states     []*Row
	after      map[[16]byte]int // how many histories there are after a state of all replicas that was walked; nil: each is walked
}

// stateOfAll names what replicas know, by the model, which their rows agree with, and how many steps are left.
func stateOfAll(sites []*replica, depth int) (key [16]byte) {
	h := sha256.New()
	for _, r := range sites {
		fmt.Fprint(h, r.clock, r.version, r.model.inserts, r.model.updates, r.model.deletes, ";")
	}
	fmt.Fprint(h, depth)
	copy(key[:], h.Sum(nil))
	return key
}

func (h *history) walk(sites []*replica, depth int) error {
	if depth == 0 {
		h.runs++
		return h.finish(sites)
	}
	if h.after != nil { // steps of replicas that do not meet come to one state in any order
		key := stateOfAll(sites, depth)
		if n, ok := h.after[key]; ok {
			h.runs += n
			return nil
		}
		before := h.runs
		defer func() { h.after[key] = h.runs - before }()
	}
	for i, r := range sites {
		for kind := range h.statements {
			n := r.clone()
			if !n.step(kind) {
				continue
			}
			if err := h.next(sites, i, n, depth); err != nil {
				return err
			}
		}
		for j, o := range sites {
			if i == j || sameRow(merged(&r.row, &o.row), &r.row) {
				continue // nothing new to get
			}
			n := r.clone()
			n.observe(o)
			n.row.Merge(&o.row)
			if err := h.next(sites, i, n, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h *history) next(sites []*replica, i int, n *replica, depth int) error {
	if err := n.check(); err != nil {
		return err
	}
	known := len(h.states)
	for _, s := range h.states {
		if sameRow(s, &n.row) {
			known = -1
			break
		}
	}
	if known >= 0 {
		h.states = append(h.states, &n.row)
		if err := checkLaws(h.states, h.triples); err != nil {
			return err
		}
	}
	after := append([]*replica(nil), sites...)
	after[i] = n
	err := h.walk(after, depth-1)
	if known >= 0 {
		h.states = h.states[:known]
	}
	return err
}

func (h *history) finish(sites []*replica) error {
	// Every replica takes in the others, each in another order.
	var first *Row
	for i := range sites {
		n := sites[i].clone()
		for k := range sites {
			o := sites[(i+k)%len(sites)]
			n.model.merge(o.model)
			n.row.Merge(&o.row)
		}
		if err := n.check(); err != nil {
			return fmt.Errorf("after all merges: %w", err)
		}
		if first == nil {
			first = &n.row
		} else if !sameRow(first, &n.row) {
			return fmt.Errorf("diverged:\n%v\nand\n%v", stateOf(first), stateOf(&n.row))
		}
	}
	return nil
}

// size says when histories are walked: always, not in short tests, or only when it is asked for (TRIBUTARY_EXHAUSTIVE=1).
type size int

const (
	short size = iota
	long
	exhaustive
)

func TestLawsOverAllHistories(t *testing.T) {
	for _, c := range []struct {
		clocks            []int64 // of the sites' walls: equal ones, and one or the other ahead
		depth, statements int
		triples           bool
		size              size
	}{
		{[]int64{1, 1}, 4, 4, true, short},
		{[]int64{1, 1}, 5, 3, false, short},
		{[]int64{1, 9}, 5, 3, false, short},
		{[]int64{1, 1, 1}, 4, 3, false, short},
		{[]int64{9, 1}, 5, 3, true, long},
		{[]int64{1, 1}, 6, 3, false, long},
		{[]int64{1, 9, 5}, 4, 3, true, long},
		{[]int64{1, 1}, 5, 4, true, exhaustive},
		{[]int64{9, 5, 1}, 4, 4, true, exhaustive},
		{[]int64{1, 1}, 7, 4, false, exhaustive},
		{[]int64{1, 9}, 7, 4, false, exhaustive},
		{[]int64{9, 1}, 7, 4, false, exhaustive},
		{[]int64{1, 1, 1}, 5, 4, false, exhaustive},
		{[]int64{1, 9, 5}, 5, 4, false, exhaustive},
		{[]int64{9, 5, 1}, 5, 4, false, exhaustive},
	} {
		if c.size == long && testing.Short() || c.size == exhaustive && os.Getenv("TRIBUTARY_EXHAUSTIVE") == "" {
			continue
		}
		t.Run(fmt.Sprintf("sites=%d/depth=%d/clocks=%v/triples=%v", len(c.clocks), c.depth, c.clocks, c.triples), func(t *testing.T) {
			t.Parallel()
			var sites []*replica
			for i, now := range c.clocks {
				sites = append(sites, newReplica(byte(i+1), now))
			}
			// The first site's row is known to all, as otherwise most of a short history is spent on getting there.
			for _, known := range []bool{false, true} {
				if known {
					sites[0].insert()
					for _, s := range sites[1:] {
						s.observe(sites[0])
						s.row.Merge(&sites[0].row)
					}
				}
				h := history{triples: c.triples, statements: c.statements, states: []*Row{{}, &sites[0].row}}
				if c.size == exhaustive {
					h.after = map[[16]byte]int{}
				}
				if err := h.walk(sites, c.depth); err != nil {
					t.Fatal(err)
				}
				t.Logf("%d histories, known to all at the start: %t, states of all replicas: %d", h.runs, known, len(h.after))
			}
		})
	}
}

// TestLawsOfLongHistories samples what is too long to enumerate.
func TestLawsOfLongHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sites []*replica
		for i := range 3 {
			sites = append(sites, newReplica(byte(i+1), rapid.Int64Range(1, 3).Draw(t, "now")))
		}
		states := []*Row{{}}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			i := rapid.IntRange(0, 2).Draw(t, "site")
			r := sites[i]
			if kind := rapid.IntRange(0, 6).Draw(t, "kind"); kind < 4 {
				r.step(kind)
			} else if j := (i + kind - 3) % 3; j != i {
				r.observe(sites[j])
				r.row.Merge(&sites[j].row)
			}
			r.now += rapid.Int64Range(0, 1).Draw(t, "passed")
			if err := r.check(); err != nil {
				t.Fatal(err)
			}
			if len(states) < 8 || rapid.Bool().Draw(t, "keep") {
				s := cloneRow(&r.row)
				states = append(states[max(0, len(states)-7):], &s)
			}
		}
		for i := range states {
			if err := checkLaws(states[:i+1], true); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestEquivocation has one stamp with two contents: the replicas still agree.
func TestEquivocation(t *testing.T) {
	life := func(vs ...Value) *Row {
		return &Row{Lives: []Incarnation{{Birth: Write{Stamp: stampOf(5, 1, 1)}, Has: FirstColumns(len(vs)), Values: vs}}}
	}
	a, b := life(Int(1), TextString("b")), life(Int(2), TextString("a"))
	ab := merged(a, b)
	if !sameRow(ab, merged(b, a)) || !sameRow(ab, life(Int(2), TextString("b"))) {
		t.Errorf("got %v and %v", ab, merged(b, a))
	}
	later := life(Int(0), Int(0))
	later.Lives[0].Birth.Time = 6
	if got := merged(a, later); !sameRow(got, later) || !sameRow(merged(later, a), later) {
		t.Errorf("two times of one insert: got %v", got)
	}
}
