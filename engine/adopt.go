package engine

import (
	"fmt"
	"strings"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// Base rows of another replica stay base rows here, if they come in the order of their keys into a table that has no base
// rows of its own: they get no clock rows, and a new replica that is filled by packages is as small as one made by clone.
// They arrive over several packages, so such a base has an end: beyond the key table.upto no row can be a base row yet.

// inBase says whether a row of that key, if it has no clock, can be a base row.
func (t *table) inBase(key []crdt.Value) bool {
	return t.base.Version > 0 && (t.upto == nil || compareKeys(key, t.upto) <= 0)
}

// beyond is the condition that a row t comes after the end of the base, whose key is in the parameters from ?n on.
func (t *table) beyond(n int) string {
	var names, params []string
	for i, k := range t.schema.Key {
		names, params = append(names, "t."+ident(k.Name)), append(params, fmt.Sprintf("?%d", n+i))
	}
	return fmt.Sprintf("(%s) > (%s)", strings.Join(names, ", "), strings.Join(params, ", "))
}

// adopt takes row i as a base row, if it is one that comes next and nothing is known of its key.
func (b *batch) adopt(i int) bool {
	r, t := &b.rows[i], b.t
	if b.known[i] || b.base[i] || len(r.Deleted) > 0 || len(r.Lives) != 1 || b.a.replaying {
		return false
	}
	l := &r.Lives[0]
	if !l.Full || l.Birth.Time != 0 || len(l.Newer) > 0 || !t.ordered(r.Key) {
		return false
	}
	switch {
	case t.base.Version == 0:
		t.base, t.basePos = l.Birth.Stamp, 0
	case t.base != l.Birth.Stamp || t.upto == nil || compareKeys(r.Key, t.upto) <= 0:
		return false
	}
	t.upto = r.Key
	b.adopted++
	return true
}

// ordered says whether SQLite orders the key, as this table stores it, in the way compareKeys does.
func (t *table) ordered(key []crdt.Value) bool {
	for i, v := range key {
		c := t.schema.Key[i]
		number := v.Kind() == crdt.KindInt || v.Kind() == crdt.KindReal
		switch {
		case c.Collation != "" && !sqltext.EqualName(c.Collation, "BINARY"), c.Affinity == 'T' && v.Kind() != crdt.KindText, c.Affinity != 'T' && c.Affinity != 'B' && !number:
			return false
		}
	}
	return true
}

// chunk gives the rows that were adopted since the last one a place in the feed, as a range of keys.
func (b *batch) chunk() error {
	if b.adopted == 0 {
		return nil
	}
	e, t := b.a.e, b.t
	ord, err := e.ordinal(t.base.Site)
	if err != nil {
		return err
	}
	b.a.pos++
	t.basePos = b.a.pos
	t.upto = cloneKey(t.upto)
	var key []byte
	for _, v := range t.upto {
		key = crdt.AppendValue(key, v)
	}
	if err := e.run("INSERT INTO tributary_base(pos, tbl, upto) VALUES (?1, ?2, ?3)", crdt.Int(t.basePos), crdt.Int(t.id), crdt.Blob(key)); err != nil {
		return err
	}
	if err := e.run("UPDATE tributary_table SET base_site = ?2, base_version = ?3, base_pos = ?4 WHERE id = ?1",
		crdt.Int(t.id), crdt.Int(ord), crdt.Int(int64(t.base.Version)), crdt.Int(t.basePos)); err != nil {
		return err
	}
	e.bases = t.basePos // see foldBases
	return e.setMeta("bases", crdt.Int(t.basePos))
}

// loadUpto reads how far the bases have come that end.
func (e *Engine) loadUpto() error {
	return e.each("SELECT tbl, upto FROM tributary_base WHERE upto IS NOT NULL AND pos IN (SELECT max(pos) FROM tributary_base GROUP BY tbl)", 2, func(r []crdt.Value) error {
		t := e.byID[r[0].Int()]
		if t == nil {
			return nil
		}
		t.upto = nil
		rd := reader{b: r[1].Bytes()}
		for len(rd.b) > 0 && !rd.bad {
			t.upto = append(t.upto, rd.value())
		}
		if rd.bad {
			return errClock
		}
		return nil
	})
}
