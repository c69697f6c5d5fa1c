package engine

import "slices"

// knot is a set of rows of tables that refer to each other in a circle, as a table does that refers to itself. There a row that
// gives way to another because of a UNIQUE value can be the one without which that other cannot be shown, so "the one inserted
// first" and "not without its parent" have to be weighed together, for all these rows at once. The rows are numbered in the order
// of their births. What is chosen depends on nothing else than what is said here, and rows that have no rival and stand on
// such rows are chosen always: so it does not matter which of them are left out and taken as shown.
type knot struct {
	rivals [][]int   // by row: the rows that have one of its unique values
	needs  [][][]int // by row and reference: the rows of the set that could be meant, where none outside is
}

// choose says which rows are shown: each with all that it refers to, no two rivals, and none left out that could be there. The
// one born first has its way, unless it or one that had its way before could not be shown then.
func (k *knot) choose() []bool {
	c := k.start()
	for more := true; more; {
		won := append([]bool(nil), c.in...)
		c.bringBack()
		for i := range k.rivals {
			rivals := c.rivalsOf(i)
			if !c.in[i] || len(rivals) == 0 {
				continue
			}
			won[i] = true
			if out := c.drop(rivals...); slices.ContainsFunc(out, func(o int) bool { return won[o] }) {
				c.undo(out)
				for _, o := range c.drop(i) {
					won[o] = false
				}
			}
		}
		more = c.grown() || c.addOne()
	}
	return c.in
}

// choice is a set of rows that changes while it is looked for. Rows whose references are not met leave it at once.
type choice struct {
	k      *knot
	in     []bool
	met    [][]int // by row and reference: how many rows that could be meant are in
	asks   [][]ask // by row: the references that could mean it
	before int     // how many were in when grown was asked last
}

type ask struct{ row, reference int }

func (k *knot) start() *choice {
	n := len(k.rivals)
	c := &choice{k: k, in: make([]bool, n), met: make([][]int, n), asks: make([][]ask, n)}
	for i, needs := range k.needs {
		c.met[i] = make([]int, len(needs))
		for j, parents := range needs {
			for _, p := range parents {
				c.asks[p] = append(c.asks[p], ask{i, j})
			}
		}
	}
	return c
}

// bringBack adds all rows that have no rival there and can be there together, apart from being rivals.
func (c *choice) bringBack() {
	var back, out []int
	for i := range c.in {
		if !c.in[i] && len(c.rivalsOf(i)) == 0 {
			back = append(back, i)
		}
	}
	c.undo(back)
	for _, i := range back {
		if c.lacks(i) {
			out = append(out, i)
		}
	}
	c.drop(out...)
}

// addOne adds the first row that can be there with those that are. Rows that are brought back together may all have lost.
func (c *choice) addOne() bool {
	for i := range c.in {
		if c.in[i] || len(c.rivalsOf(i)) > 0 {
			continue
		}
		if c.undo([]int{i}); !c.lacks(i) {
			c.before++
			return true
		}
		c.drop(i)
	}
	return false
}

func (c *choice) lacks(i int) bool {
	for _, n := range c.met[i] {
		if n == 0 {
			return true
		}
	}
	return false
}

// drop takes rows out, and all that then refer to none that is in. It returns who left.
func (c *choice) drop(rows ...int) (out []int) {
	for todo := rows; len(todo) > 0; {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !c.in[i] {
			continue
		}
		c.in[i] = false
		out = append(out, i)
		for _, a := range c.asks[i] {
			if c.met[a.row][a.reference]--; c.met[a.row][a.reference] == 0 {
				todo = append(todo, a.row)
			}
		}
	}
	return out
}

// undo puts rows in.
func (c *choice) undo(rows []int) {
	for _, i := range rows {
		c.in[i] = true
		for _, a := range c.asks[i] {
			c.met[a.row][a.reference]++
		}
	}
}

func (c *choice) rivalsOf(i int) (out []int) {
	for _, r := range c.k.rivals[i] {
		if c.in[r] {
			out = append(out, r)
		}
	}
	return out
}

// grown says whether there are more rows in than when it was asked last.
func (c *choice) grown() bool {
	n := 0
	for _, in := range c.in {
		if in {
			n++
		}
	}
	more := n > c.before
	c.before = n
	return more
}
