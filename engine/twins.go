package engine

import (
	"slices"

	"github.com/tributary-db/tributary/crdt"
)

// Twins are inserts of one key that say the same: of copies of one file that were tracked apart, or of rows that a program
// puts into every new database. One is shown, the others are set aside and not listed. Some replica may change one of them
// before it has heard of the rest, so none is dropped while that can be: dropping is a delete, which beats such a change.
//
// A replica that has known two as twins takes the one that is not changed later as a twin still: people saw one row, changed
// it, and do not expect what it was before to come back when they delete it. This is not seen from what the inserts say now,
// so it is listed then, and a replica that meets them only later takes them for two. Neither have two been twins of which only now
// the value of a column comes that tells them apart.

func twins(detail string) bool { return detail == detailSame || detail == detailWas }

// details says of each incarnation why it is not shown when v is.
func (e *Engine) details(s *rowState, v int) ([]string, error) {
	out := make([]string, len(s.row.Lives))
	before := func(l *crdt.Incarnation) bool {
		d := l.Birth.Dot()
		h := s.reasons[d]
		return !slices.Contains(s.told, d) && (d == s.clock.birth.Dot() || h != nil && twins(h.detail))
	}
	for i := range s.row.Lives {
		l := &s.row.Lives[i]
		same, err := e.sameValues(s.t, l, &s.row.Lives[v])
		switch {
		case err != nil:
			return nil, err
		case same:
			out[i] = detailSame
		case len(l.Newer) == 0 && before(l) && before(&s.row.Lives[v]):
			out[i] = detailWas
		default:
			out[i] = detailKey
		}
	}
	return out, nil
}

// sameValues compares all columns that the table has. What came without one has its default.
func (e *Engine) sameValues(t *table, a, b *crdt.Incarnation) (bool, error) {
	for _, c := range ordinals(t.live()) {
		x, inA := a.Value(c)
		y, inB := b.Value(c)
		if inA != inB {
			preset, err := e.preset(t, c)
			if err != nil {
				return false, err
			}
			if !inA {
				x = preset
			} else {
				y = preset
			}
		}
		if !x.Equal(y) {
			return false, nil
		}
	}
	return true, nil
}

// dropTwins drops twins of which every member knows all that was ever written: a member that does writes to the one shown.
func (e *Engine) dropTwins(stable crdt.VersionVector) error {
	pos, err := e.pos()
	if err != nil {
		return err
	}
	touched, before := newTouched(), pos
	place := func(c *clock) {
		pos++
		c.pos = pos
	}
	for at := []crdt.Value{crdt.Int(0), crdt.Blob(nil)}; ; {
		list, err := e.list("SELECT DISTINCT tbl, key FROM tributary_hidden WHERE detail IN (?1, ?2) AND (tbl, key) > (?3, ?4) ORDER BY tbl, key LIMIT 1000", 2,
			crdt.TextString(detailSame), crdt.TextString(detailWas), at[0], at[1])
		if err != nil {
			return err
		}
		if len(list) == 0 {
			break
		}
		for _, r := range list {
			if err := e.dropTwinsOf(r[0], r[1], stable, place, touched); err != nil {
				return err
			}
		}
		at = list[len(list)-1]
	}
	if pos == before {
		return nil
	}
	if err := e.setPos(pos); err != nil {
		return err
	}
	if err := e.settle(touched); err != nil {
		return err
	}
	_, err = e.fold() // which tells the others
	return err
}

func (e *Engine) dropTwinsOf(tbl, keyBlob crdt.Value, stable crdt.VersionVector, place func(*clock), touched *touched) error {
	list, err := e.readHidden("WHERE tbl = ?1 AND key = ?2", tbl, keyBlob)
	if err != nil || len(list) == 0 {
		return err
	}
	t, key := list[0].t, list[0].key
	// A column that is missing here may tell them apart.
	parked, err := e.one("SELECT EXISTS (SELECT 1 FROM tributary_unknown WHERE tbl = ?1)", crdt.TextString(t.name))
	if err != nil || parked.Int() != 0 {
		return err
	}
	c, known, err := e.clockOf(t, key)
	if err != nil || !known || c.dead {
		return err
	}
	s, err := e.loadRow(t, key, c, true)
	if err != nil {
		return err
	}
	v := s.row.Visible()
	details, err := e.details(s, v)
	if err != nil {
		return err
	}
	var drop []crdt.Dot
	for i := range s.row.Lives {
		l := &s.row.Lives[i]
		known := stable.Has(l.Birth.Dot())
		for _, g := range l.Newer {
			known = known && stable.Has(g.Write.Dot())
		}
		if !known {
			return nil
		}
		if i != v && twins(details[i]) {
			drop = append(drop, l.Birth.Dot())
		}
	}
	// A delete of a site's insert covers the earlier ones of that site, which may say something else.
	drop = slices.DeleteFunc(slices.Clone(drop), func(d crdt.Dot) bool {
		return slices.ContainsFunc(s.row.Lives, func(l crdt.Incarnation) bool {
			return l.Birth.Site == d.Site && l.Birth.Version < d.Version && !slices.Contains(drop, l.Birth.Dot())
		})
	})
	if len(drop) == 0 {
		return nil
	}
	for _, d := range drop {
		s.row.Delete(d)
	}
	if err := e.log(t, maskAbsorb, s.key); err != nil {
		return err
	}
	return e.quietly(t, 1, func() error { return e.storeRow(s, place, touched) })
}

// withTwins adds to what a delete covers the twins of the row: who deletes the one that is shown means them all.
func (e *Engine) withTwins(t *table, key []crdt.Value, deleted []crdt.Dot) ([]crdt.Dot, error) {
	list, err := e.hiddenOf(t, key)
	if err != nil {
		return nil, err
	}
	for _, h := range list {
		if twins(h.detail) {
			deleted = withDeleted(deleted, h.inc.Birth.Dot())
		}
	}
	return deleted, nil
}

// wereTwins marks the inserts beside a row that was updated: they do not say the same any more.
func (e *Engine) wereTwins(t *table, key []crdt.Value) error {
	return e.run("UPDATE tributary_hidden SET detail = ?3 WHERE tbl = ?1 AND key = ?2 AND detail = ?4",
		crdt.Int(t.id), crdt.Blob(t.keyBlob(key)), crdt.TextString(detailWas), crdt.TextString(detailSame))
}

// twin says whether a row that was set aside says the same as the one in its place.
func (e *Engine) twin(h *hidden, primary crdt.Dot) (bool, error) {
	list, err := e.hiddenOf(h.t, h.key)
	if err != nil {
		return false, err
	}
	for _, p := range list {
		if p.inc.Birth.Dot() == primary {
			return e.sameValues(h.t, &h.inc, &p.inc)
		}
	}
	p := &hidden{t: h.t, key: cloneKey(h.key)}
	if found, err := e.loadValues(p); err != nil || !found {
		return false, err
	}
	return e.sameValues(h.t, &h.inc, &p.inc)
}
