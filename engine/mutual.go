package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// mutualWait is a set of rows that are not shown, and which of them wait for which.
type mutualWait struct {
	rows []*hidden // in the order of their births
	at   map[*hidden]int
	gone []bool
	refs [][]int // by row and reference to rows that are not shown: how many of the set could be meant
	from [][]ref // by row: the references that could mean it
}

// ref is one reference of a row to rows that are not shown.
type ref struct{ row, n int }

// waitingOf finds who waits for whom, and drops what waits for rows that are neither shown nor in the set.
func (e *Engine) waitingOf(set []*hidden) (*mutualWait, error) {
	slices.SortFunc(set, byBirth)
	w := &mutualWait{rows: set, at: map[*hidden]int{}, gone: make([]bool, len(set)), refs: make([][]int, len(set)), from: make([][]ref, len(set))}
	for i, h := range set {
		w.at[h] = i
	}
	x := parentIndex{set: set, byColumns: map[string]map[string][]int{}}
	for i, h := range set {
		for j := range h.t.schema.ForeignKeys {
			fk := &h.t.schema.ForeignKeys[j]
			if !h.t.obeys(fk) {
				continue
			}
			if ok, err := e.parentShown(h, fk); err != nil {
				return nil, err
			} else if ok {
				continue
			}
			r, n := ref{i, len(w.refs[i])}, 0
			for _, k := range x.candidates(h, fk) {
				ok, err := e.isParent(set[k], h, fk)
				if err != nil {
					return nil, err
				}
				if ok {
					w.from[k] = append(w.from[k], r)
					n++
				}
			}
			w.refs[i] = append(w.refs[i], n)
		}
	}
	for i, refs := range w.refs {
		if slices.Contains(refs, 0) {
			w.drop(set[i])
		}
	}
	return w, nil
}

// drop takes a row out of the set, and all that then wait for nothing that is in it.
func (w *mutualWait) drop(h *hidden) {
	for todo := []int{w.at[h]}; len(todo) > 0; {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if w.gone[i] {
			continue
		}
		w.gone[i] = true
		for _, r := range w.from[i] {
			if w.refs[r.row][r.n]--; w.refs[r.row][r.n] == 0 {
				todo = append(todo, r.row)
			}
		}
	}
}

// left lists the rows that have not been dropped.
func (w *mutualWait) left() (out []*hidden) {
	for i, h := range w.rows {
		if !w.gone[i] {
			out = append(out, h)
		}
	}
	return out
}

// parentIndex finds rows of a set by the columns that foreign keys name.
type parentIndex struct {
	set       []*hidden
	byColumns map[string]map[string][]int
}

// candidates are the rows that h could refer to by a foreign key: those with equal values, or all where a value of h becomes
// another one in the comparison, as '5' does when the parent's column is an INTEGER.
func (x *parentIndex) candidates(h *hidden, fk *fkSchema) (out []int) {
	var cols []*columnSchema
	for i, k := range x.set {
		if !sqltext.EqualName(k.t.name, fk.Parent) {
			continue
		}
		if cols == nil {
			for _, c := range fk.ParentColumns {
				cols = append(cols, triggerText{t: k.t.schema}.columnNamed(c))
			}
			if id, ok := valuesOf(h, fk.Columns, cols, true); ok {
				return x.index(fk, cols)[id]
			}
		}
		out = append(out, i)
	}
	return out
}

// index has the rows of the parent by their values of the columns that a foreign key names.
func (x *parentIndex) index(fk *fkSchema, cols []*columnSchema) map[string][]int {
	name := sqltext.FoldName(fmt.Sprintf("%q", append([]string{fk.Parent}, fk.ParentColumns...)))
	if m := x.byColumns[name]; m != nil {
		return m
	}
	m := map[string][]int{}
	for i, k := range x.set {
		if sqltext.EqualName(k.t.name, fk.Parent) {
			id, _ := valuesOf(k, fk.ParentColumns, cols, false)
			m[id] = append(m[id], i)
		}
	}
	x.byColumns[name] = m
	return m
}

// valuesOf is the same for rows whose values are equal in columns like those given. It is of no use if one of them is generated,
// or is to be compared with a value to which it is converted first.
func valuesOf(h *hidden, names []string, like []*columnSchema, compared bool) (id string, ok bool) {
	var b []byte
	for i, name := range names {
		c, v := like[i], h.column(name)
		if c == nil || compared && c.converts(v.Kind()) {
			return "", false
		}
		b = crdt.AppendValue(b, sameInSQL(v, c.Collation))
	}
	return string(b), true
}

// converts says whether a value of a kind may become another one where it is compared with the column.
func (c *columnSchema) converts(k crdt.Kind) bool {
	return c.Affinity == 'T' && (k == crdt.KindInt || k == crdt.KindReal) || strings.IndexByte("NIR", c.Affinity) >= 0 && k == crdt.KindText
}
