package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// findKnots finds for each table the tables of its knot: those that it refers to, be it through others, and that refer to it.
func (e *Engine) findKnots() {
	reach := map[*table]map[*table]bool{}
	for _, t := range e.tables {
		seen := map[*table]bool{}
		for todo := []*table{t}; len(todo) > 0; {
			x := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if x.schema == nil {
				continue
			}
			for i := range x.schema.ForeignKeys {
				fk := &x.schema.ForeignKeys[i]
				if p := e.byName[strings.ToLower(fk.Parent)]; p != nil && p.schema != nil && x.obeys(fk) && !seen[p] {
					seen[p] = true
					todo = append(todo, p)
				}
			}
		}
		reach[t] = seen
	}
	for _, t := range e.tables {
		if t.knot = nil; !reach[t][t] {
			continue
		}
		for _, p := range e.tables {
			if reach[t][p] && reach[p][t] {
				t.knot = append(t.knot, p)
			}
		}
	}
}

// untie shows of the rows of each knot of tables those that belong there, and sets the others aside.
func (e *Engine) untie(d *touched) (changed int, err error) {
	for _, t := range e.tables {
		if len(t.knot) == 0 || t.knot[0] != t || !slices.ContainsFunc(t.knot, func(p *table) bool { return d.concerns(e, p) }) {
			continue
		}
		for again := true; again; {
			n, refused, err := e.untieOnce(t.knot, d)
			if err != nil {
				return 0, err
			}
			changed += n
			again = refused
		}
	}
	return changed, nil
}

// tangle is what has to be looked at together: the rows that are not shown, those that are in their way, and what refers to these.
type tangle struct {
	rows   []*hidden
	shown  map[*hidden]bool
	member map[string]bool // by id
}

func (e *Engine) untieOnce(tables []*table, d *touched) (changed int, refused bool, err error) {
	g, err := e.tangleOf(tables, d)
	if err != nil || len(g.rows) == len(g.shown) {
		return 0, false, err
	}
	k, err := e.knotOf(g)
	if err != nil {
		return 0, false, err
	}
	in := k.choose()
	for i, h := range g.rows {
		if !in[i] && g.shown[h] {
			changed++
			if err := e.hide(h.t, h.key, reasonUnique, "", d); err != nil {
				return 0, false, err
			}
		}
	}
	for i, h := range g.rows {
		if in[i] && !g.shown[h] {
			if err := e.quietly(h.t, 1, func() error { return e.show(h, d) }); err != nil {
				return 0, false, err
			}
			if h.reason != "" { // by a constraint that nobody can weigh
				d.refused[h.id()], refused = true, true
				continue
			}
			changed++
		}
	}
	if refused {
		return changed, true, nil
	}
	for i, h := range g.rows {
		if !in[i] {
			if err := e.tellWhy(h); err != nil {
				return 0, false, err
			}
		}
	}
	return changed, false, nil
}

// tangleOf collects the rows of a knot of tables of which it is not certain that they are shown.
func (e *Engine) tangleOf(tables []*table, d *touched) (*tangle, error) {
	g := &tangle{shown: map[*hidden]bool{}, member: map[string]bool{}}
	for _, t := range tables {
		list, err := e.hiddenIn(t)
		if err != nil {
			return nil, err
		}
		for _, h := range list {
			if h.reason == reasonKey || d.refused[h.id()] {
				continue
			}
			c, known, err := e.clockOf(t, h.key)
			if err != nil {
				return nil, err
			}
			if known && c.hidden && c.birth.Dot() == h.inc.Birth.Dot() {
				g.rows = append(g.rows, h)
				g.member[h.id()] = true
			}
		}
	}
	add := func(h *hidden) error {
		if g.member[h.id()] {
			return nil
		}
		g.member[h.id()], g.shown[h] = true, true
		g.rows = append(g.rows, h)
		_, err := e.loadValues(h)
		return err
	}
	for i := 0; i < len(g.rows); i++ { // which grows
		h := g.rows[i]
		next := e.blockers
		if g.shown[h] {
			next = e.childrenOf
		}
		list, err := next(h)
		if err != nil {
			return nil, err
		}
		for _, x := range list {
			if err := add(x); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(g.rows, func(a, b *hidden) int {
		return cmp.Or(byBirth(a, b), strings.Compare(sqltext.FoldName(a.t.name), sqltext.FoldName(b.t.name)))
	})
	return g, nil
}

// childrenOf finds the rows of a shown row's knot that refer to it and are shown.
func (e *Engine) childrenOf(h *hidden) (out []*hidden, err error) {
	for _, t := range h.t.knot {
		for i := range t.schema.ForeignKeys {
			fk := &t.schema.ForeignKeys[i]
			if !sqltext.EqualName(fk.Parent, h.t.name) || !t.obeys(fk) {
				continue
			}
			var on []string
			var args []crdt.Value
			g, child := triggerText{t: h.t.schema}, triggerText{t: t.schema}
			for j, name := range fk.Columns {
				p, c := g.columnNamed(fk.ParentColumns[j]), child.columnNamed(name)
				plus := "+"
				if p != nil && c != nil && p.Affinity == c.Affinity && sqltext.EqualName(p.Collation, c.Collation) {
					plus = "" // the child's own index serves as well
				}
				on = append(on, fmt.Sprintf("p.%s = %st.%s", ident(fk.ParentColumns[j]), plus, ident(name)))
			}
			for j, k := range h.t.schema.Key {
				args = append(args, h.key[j])
				on = append(on, fmt.Sprintf("p.%s = ?%d", ident(k.Name), j+1))
			}
			names := t.keyNames("t.")
			list, err := e.list(fmt.Sprintf("SELECT %s FROM %s p CROSS JOIN %s t WHERE %s", strings.Join(names, ", "), ident(h.t.name), ident(t.name), strings.Join(on, " AND ")), len(names), args...)
			if err != nil {
				return nil, err
			}
			for _, key := range list {
				c, _, err := e.clockOf(t, key)
				if err != nil {
					return nil, err
				}
				out = append(out, &hidden{t: t, key: cloneKey(key), inc: c.incarnation()})
			}
		}
	}
	return out, nil
}

// knotOf finds out who is whose rival and who needs whom.
func (e *Engine) knotOf(g *tangle) (*knot, error) {
	k := &knot{rivals: make([][]int, len(g.rows)), needs: make([][][]int, len(g.rows))}
	holders := map[string][]int{}
	x := parentIndex{set: g.rows, byColumns: map[string]map[string][]int{}}
	for i, h := range g.rows {
		for _, u := range h.t.schema.Unique {
			value, err := e.uniqueValue(h, u)
			if err != nil {
				return nil, err
			}
			if value == "" {
				continue
			}
			name := fmt.Sprintf("%d %q %s", h.t.id, u.Name, value)
			for _, r := range holders[name] {
				k.rivals[i], k.rivals[r] = append(k.rivals[i], r), append(k.rivals[r], i)
			}
			holders[name] = append(holders[name], i)
		}
		for j := range h.t.schema.ForeignKeys {
			fk := &h.t.schema.ForeignKeys[j]
			if !h.t.obeys(fk) {
				continue
			}
			met, err := e.metOutside(h, fk, g)
			if err != nil {
				return nil, err
			}
			if met {
				continue
			}
			parents := []int{}
			for _, p := range x.candidates(h, fk) {
				ok, err := e.isParent(g.rows[p], h, fk)
				if err != nil {
					return nil, err
				}
				if ok {
					parents = append(parents, p)
				}
			}
			k.needs[i] = append(k.needs[i], parents)
		}
	}
	return k, nil
}

// uniqueValue is the same for rows that a unique index takes as equal; "" is equal to none.
func (e *Engine) uniqueValue(h *hidden, u uniqueSchema) (string, error) {
	row, args := h.asRow()
	where := ""
	if u.Where != "" {
		where = " WHERE " + u.Where
	}
	var b []byte
	n := len(u.Exprs)
	err := e.each(fmt.Sprintf("SELECT %s FROM %s%s", strings.Join(u.Exprs, ", "), row, where), n, func(r []crdt.Value) error {
		for i, v := range r[:n] {
			if v.IsNull() {
				b = nil
				return nil
			}
			b = crdt.AppendValue(b, sameInSQL(v, u.Collations[i]))
		}
		return nil
	}, args...)
	return string(b), err
}

// metOutside says whether a reference is NULL, or means a row that is shown whatever becomes of the tangle.
func (e *Engine) metOutside(h *hidden, fk *fkSchema, g *tangle) (bool, error) {
	p := e.tracked(fk.Parent)
	if p == nil || p.schema == nil || !slices.Contains(h.t.knot, p) {
		return e.parentShown(h, fk)
	}
	where, args := h.refersTo(fk)
	if where == "" {
		return true, nil
	}
	names := p.keyNames("")
	list, err := e.list(fmt.Sprintf("SELECT %s FROM %s WHERE %s", strings.Join(names, ", "), ident(p.name), where), len(names), args...)
	return slices.ContainsFunc(list, func(key []crdt.Value) bool { return !g.member[(&hidden{t: p, key: key}).id()] }), err
}

// tellWhy notes of a row that is not shown which reference is not met, or who has its unique value: the same on all replicas.
func (e *Engine) tellWhy(h *hidden) error {
	if fk, err := e.unmet(h); err != nil {
		return err
	} else if fk != nil {
		return e.tell(h, reasonForeign, orphanDetail(fk))
	}
	list, err := e.blockers(h)
	if err != nil || len(list) == 0 {
		return err
	}
	return e.tell(h, reasonUnique, heldBy(list[len(list)-1].key))
}

// isParent says whether p is the row that h refers to by a foreign key.
func (e *Engine) isParent(p, h *hidden, fk *fkSchema) (bool, error) {
	if !sqltext.EqualName(p.t.name, fk.Parent) {
		return false, nil
	}
	for i, c := range fk.Columns {
		if ok, err := e.refers(p.t.schema, fk.ParentColumns[i], p.column(fk.ParentColumns[i]), h.column(c)); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}
