package engine

import (
	"fmt"
	"strings"
)

// precedes says whether h takes the place of b, which has one of its unique values: the one inserted first does. But not of
// a row that it refers to, be it through others: without that one h could not be shown either, so each would make room
// for the other for ever. More are the rows that will be shown together with h.
func (e *Engine) precedes(h, b *hidden, more []*hidden) (bool, error) {
	if byBirth(h, b) >= 0 {
		return false, nil
	}
	needs, err := e.needs(h, b, more)
	return !needs, err
}

// needs says whether h refers to b, through any number of rows that are shown or among more.
func (e *Engine) needs(h, b *hidden, more []*hidden) (bool, error) {
	if !e.refersToItself(h.t) {
		return false, nil
	}
	seen := map[string]bool{}
	for todo := []*hidden{h}; len(todo) > 0; {
		x := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for i := range x.t.schema.ForeignKeys {
			fk := &x.t.schema.ForeignKeys[i]
			if !x.t.obeys(fk) {
				continue
			}
			parents, err := e.parentsOf(x, fk, more)
			if err != nil {
				return false, err
			}
			for _, p := range parents {
				id := p.id()
				if id == b.id() {
					return true, nil
				}
				if !seen[id] {
					seen[id] = true
					todo = append(todo, p)
				}
			}
		}
	}
	return false, nil
}

// refersToItself says whether rows of a table can refer to others of it, be it through other tables.
func (e *Engine) refersToItself(t *table) bool {
	seen := map[*table]bool{}
	for todo := []*table{t}; len(todo) > 0; {
		x := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for i := range x.schema.ForeignKeys {
			fk := &x.schema.ForeignKeys[i]
			p := e.tracked(fk.Parent)
			if p == t && x.obeys(fk) {
				return true
			}
			if p != nil && p.schema != nil && x.obeys(fk) && !seen[p] {
				seen[p] = true
				todo = append(todo, p)
			}
		}
	}
	return false
}

// parentsOf finds the row that h refers to by a foreign key, if it is shown or among more.
func (e *Engine) parentsOf(h *hidden, fk *fkSchema, more []*hidden) (out []*hidden, err error) {
	p := e.tracked(fk.Parent)
	if p == nil || p.schema == nil {
		return nil, nil
	}
	where, args := h.refersTo(fk)
	if where == "" {
		return nil, nil
	}
	names := p.keyNames("")
	list, err := e.list(fmt.Sprintf("SELECT %s FROM %s WHERE %s", strings.Join(names, ", "), ident(p.name), where), len(names), args...)
	if err != nil {
		return nil, err
	}
	for _, key := range list {
		g := &hidden{t: p, key: cloneKey(key)}
		if _, err := e.loadValues(g); err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	for _, g := range more {
		if ok, err := e.isParent(g, h, fk); err != nil {
			return nil, err
		} else if ok {
			out = append(out, g)
		}
	}
	return out, nil
}
