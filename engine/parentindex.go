package engine

import (
	"fmt"
	"strings"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

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
