package engine

import (
	"fmt"
	"strings"

	"github.com/tributary-db/tributary/crdt"
)

// show puts a whole row into the user's table, or sets it aside if a constraint refuses it. Of rows with one unique
// value the one inserted first stays: later ones are taken out for it. On return h.reason is "" if the row is shown.
// The caller writes quietly.
func (e *Engine) show(h *hidden, d *touched) error {
	cols := ordinals(h.inc.Has.Intersect(h.t.live()))
	row := append([]crdt.Value(nil), h.key...)
	for _, c := range cols {
		v, _ := h.inc.Value(c)
		row = append(row, v)
	}
	insert := func() error { return e.runRows([][]crdt.Value{row}, h.t.insertSQL(cols)) }
	err := insert()
	reason, detail := "", ""
	if isCode(err, codeConstraint) {
		refusal := err
		blockers, berr := e.blockers(h)
		if berr != nil {
			return berr
		}
		reason, detail = reasonOther, refusal.Error()
		later := true
		for _, b := range blockers {
			reason, detail = reasonUnique, "its unique values are held by the row with key "+keyText(b.key)
			later = later && byBirth(h, b) < 0
		}
		if err = nil; later && len(blockers) > 0 {
			for _, b := range blockers {
				if err := e.hide(h.t, b.key, reasonUnique, "its unique values are held by the row with key "+keyText(h.key), d); err != nil {
					return err
				}
			}
			if reason, detail = "", ""; isCode(insert(), codeConstraint) {
				reason, detail = reasonOther, refusal.Error()
			}
		}
	}
	if err != nil {
		return err
	}
	return e.noteShown(h, reason, detail, d)
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
	var names, own []string
	var args []crdt.Value
	for i, k := range h.t.schema.Key {
		names = append(names, "t."+ident(k.Name))
		args = append(args, h.key[i])
		own = append(own, fmt.Sprintf("?%d AS %s", len(args), ident(k.Name)))
	}
	h.t.live().Each(func(c int) {
		v, _ := h.inc.Value(c)
		args = append(args, v)
		own = append(own, fmt.Sprintf("?%d AS %s", len(args), ident(h.t.columns[c])))
	})
	row := "(SELECT " + strings.Join(own, ", ") + ")"
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
	return e.list(fmt.Sprintf("SELECT %s FROM %s t WHERE %s", strings.Join(names, ", "), ident(h.t.name), strings.Join(where, " AND ")), len(names), args...)
}
