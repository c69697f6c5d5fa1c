package engine

import (
	"fmt"
	"strings"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// show puts a whole row into the user's table, or sets it aside if a constraint refuses it. Of rows with one unique
// value the one inserted first stays: later ones are taken out for it, but for those of knots, which untie weighs. On return
// h.reason is "" if the row is shown. The caller writes quietly.
func (e *Engine) show(h *hidden, d *touched) error {
	cols := ordinals(h.inc.Has.Intersect(h.t.live()))
	row := append([]crdt.Value(nil), h.key...)
	for _, c := range cols {
		v, _ := h.inc.Value(c)
		row = append(row, v)
	}
	insert := func() error { return e.writeUser(h.t, [][]crdt.Value{row}, h.t.insertSQL(cols)) }
	err := insert()
	reason, detail := "", ""
	if isUnique(err) { // SQLite asks the other constraints first: a row that one of them refuses takes no place
		reason, detail = reasonOther, err.Error()
		blockers, berr := e.blockers(h)
		if berr != nil {
			return berr
		}
		older := len(blockers) > 0 && !d.refused[h.id()] && len(h.t.knot) == 0
		for _, b := range blockers {
			reason, detail = reasonUnique, heldBy(b.key)
			older = older && byBirth(h, b) < 0
		}
		err = nil
		if older {
			for _, b := range blockers {
				if err := e.hide(h.t, b.key, reasonUnique, heldBy(h.key), d); err != nil {
					return err
				}
			}
			reason, detail, err = "", "", insert()
		}
	}
	if isCode(err, codeConstraint) {
		reason, detail, err = reasonOther, err.Error(), nil
		d.refused[h.id()] = true
	}
	if err != nil {
		return err
	}
	return e.noteShown(h, reason, detail, d)
}

func heldBy(key []crdt.Value) string {
	return "its unique values are held by the row with key " + keyText(key)
}

// noteShown brings clock and tributary_hidden in line with whether the row is shown.
func (e *Engine) noteShown(h *hidden, reason, detail string, d *touched) error {
	c, known, err := e.clockOf(h.t, h.key)
	if err != nil {
		return err
	}
	was := c.hidden
	h.reason, h.detail = reason, detail
	c.hidden = reason != ""
	if c.hidden {
		err = e.putHidden(h)
	} else if was {
		err = e.dropHidden(h.t, h.key, h.inc.Birth.Dot())
	}
	if err != nil {
		return err
	}
	if c.hidden == was && (known || c.pos != 0) {
		return nil
	}
	if !c.hidden {
		d.upsert(h.t, h.key, true)
	} else {
		d.delete(h.t, h.key)
	}
	return e.putClock(h.t, h.key, &c)
}

// blockers finds the shown rows that hold a unique value of h.
func (e *Engine) blockers(h *hidden) ([]*hidden, error) {
	var out []*hidden
	seen := map[string]bool{string(h.t.keyBlob(h.key)): true}
	for _, u := range h.t.schema.Unique {
		rows, err := e.blockersOf(h, u)
		if err != nil {
			return nil, err
		}
		for _, key := range rows {
			id := string(h.t.keyBlob(key))
			if seen[id] {
				continue
			}
			seen[id] = true
			c, _, err := e.clockOf(h.t, key)
			if err != nil {
				return nil, err
			}
			out = append(out, &hidden{t: h.t, key: key, inc: c.incarnation()})
		}
	}
	return out, nil
}

// blockersOf finds the rows that equal h in one unique index. The terms of an index may be expressions, so they are
// computed by SQL over h's own values, which stand in for a row.
func (e *Engine) blockersOf(h *hidden, u uniqueSchema) ([][]crdt.Value, error) {
	var names []string
	for _, k := range h.t.schema.Key {
		names = append(names, "t."+ident(k.Name))
	}
	where, args := h.equalIn(u)
	return e.list(fmt.Sprintf("SELECT %s FROM %s t WHERE %s", strings.Join(names, ", "), ident(h.t.name), where), len(names), args...)
}

// equalIn is the condition that a row t equals h in a unique index, and its arguments.
func (h *hidden) equalIn(u uniqueSchema) (sql string, args []crdt.Value) {
	row, args := h.asRow()
	var where []string
	for i, x := range u.Exprs {
		collate := ""
		if i < len(u.Collations) && u.Collations[i] != "" {
			collate = " COLLATE " + u.Collations[i]
		}
		where = append(where, fmt.Sprintf("%s = (SELECT %s FROM %s)%s", x, x, row, collate))
	}
	if u.Where != "" {
		where = append(where, "("+u.Where+")", fmt.Sprintf("(SELECT %s FROM %s)", u.Where, row))
	}
	return strings.Join(where, " AND "), args
}

// asRow is a subquery of one row with h's values under the names of their columns, and its arguments. In comparisons they
// count as in the table: with its affinities and collations, and with its generated columns.
func (h *hidden) asRow() (sql string, args []crdt.Value) {
	var terms []string
	add := func(c *columnSchema, name string, v crdt.Value) {
		args = append(args, v)
		term := fmt.Sprintf("?%d", len(args))
		if c != nil {
			term = c.typed(term, v.Kind())
			if !sqltext.EqualName(c.Collation, "BINARY") {
				term += " COLLATE " + ident(c.Collation)
			}
		}
		terms = append(terms, term+" AS "+ident(name))
	}
	for i := range h.t.schema.Key {
		k := &h.t.schema.Key[i]
		add(k, k.Name, h.key[i])
	}
	g := triggerText{t: h.t.schema}
	h.t.live().Each(func(c int) {
		v, _ := h.inc.Value(c)
		add(g.columnNamed(h.t.columns[c]), h.t.columns[c], v)
	})
	sql = "(SELECT " + strings.Join(terms, ", ") + ")"
	for _, c := range h.t.schema.generatedInOrder() {
		sql = fmt.Sprintf("(SELECT *, (%s) AS %s FROM %s)", c.Expr, ident(c.Name), sql)
	}
	return sql, args
}

// typed gives a term the affinity of the column, where that leaves a value of this kind as it is.
func (c *columnSchema) typed(term string, k crdt.Kind) string {
	switch {
	case c.Affinity == 'T' && k == crdt.KindText:
		return "CAST(" + term + " AS TEXT)"
	case c.Affinity != 'T' && c.Affinity != 'B' && (k == crdt.KindInt || k == crdt.KindReal):
		return "CAST(" + term + " AS NUMERIC)"
	}
	return term
}
