package engine

import (
	"cmp"
	"context"
	"fmt"

	"github.com/tributary-db/tributary/crdt"
)

// CompactResult counts what a compaction removed.
type CompactResult struct {
	Tombstones int    `json:"tombstones"`
	Changesets int    `json:"changesets"`
	Blocked    string `json:"blocked"` // what keeps the rest from going, "" for nothing
}

// Compact forgets what every member is known to have: tombstones, inserts that say the same as another, and the part of
// the changeset log that no cursor of a stream needs; and what waits for parts that cannot come any more. A member's
// acknowledgement is what it said of itself in a package that has been applied here, so all that it wrote before is here
// too; with that rule no forgotten delete can come back. A member that stays silent keeps all that from going until
// ForgetPeer retires it. A tombstone also waits for the streams through which something was sent, whose peers may never
// answer: until they have acknowledged it.
func (e *Engine) Compact(ctx context.Context) (r CompactResult, err error) {
	err = e.change(ctx, func() error {
		if err := e.acknowledge(); err != nil {
			return err
		}
		stable, blocked, err := e.stable()
		if err != nil {
			return err
		}
		if err := e.dropTwins(stable); err != nil {
			return err
		}
		acked, unread, err := e.streamsAcked()
		if err != nil {
			return err
		}
		r.Blocked = cmp.Or(blocked, unread)
		read, err := e.vectorAt(acked) // whole versions: a part of one may have been acknowledged
		if err != nil {
			return err
		}
		for s, v := range stable {
			stable[s] = min(v, read[s])
		}
		forgotten := crdt.VersionVector{}
		for _, t := range e.tables {
			if t.schema == nil || len(stable) == 0 {
				continue
			}
			n, waits, err := e.compactTable(t, stable, acked, forgotten)
			if err != nil {
				return fmt.Errorf("table %s: %w", t.name, err)
			}
			r.Tombstones += n
			if waits {
				r.Blocked = cmp.Or(r.Blocked, fmt.Sprintf("changes of deleted rows of table %s are parked; tributary_parked says what they need", t.name))
			}
		}
		if r.Tombstones > 0 {
			if err := e.noteForgotten(forgotten); err != nil {
				return err
			}
		}
		if err := e.dropEnded(); err != nil {
			return err
		}
		if err := e.dropLeftClocks(); err != nil {
			return err
		}
		if _, err := e.dropSuperseded(); err != nil {
			return err
		}
		r.Changesets, err = e.compactLog()
		return err
	})
	return r, wrap("compact", err)
}

// acknowledge folds, and makes a version even if nothing has changed here when others' changes have come since the
// last: it is this site's word that it has them.
func (e *Engine) acknowledge() error {
	news, err := e.one("SELECT max(pos) > ifnull((SELECT max(pos) FROM tributary_changeset WHERE site = ?1), 0) FROM tributary_changeset WHERE site <> ?1", crdt.Int(e.self))
	if err != nil {
		return err
	}
	if news.Int() == 0 {
		_, err = e.fold()
	} else {
		_, err = e.beat(e.fold)
	}
	return err
}

// stable is what every member has applied, as far as is known: the pointwise minimum of the acknowledgements.
func (e *Engine) stable() (v crdt.VersionVector, blocked string, err error) {
	if v, err = e.vector(); err != nil {
		return nil, "", err
	}
	acks := map[crdt.Site]crdt.VersionVector{}
	retired := map[crdt.Site]bool{}
	err = e.each("SELECT site, ack, retired FROM tributary_peer", 3, func(r []crdt.Value) error {
		s := e.siteOf(r[0].Int())
		retired[s] = r[2].Int() != 0
		ack := crdt.VersionVector{}
		if len(r[1].Bytes()) > 0 {
			if err := ack.UnmarshalJSON(r[1].Bytes()); err != nil {
				return err
			}
		}
		acks[s] = ack
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	made := v.Clone()
	for _, m := range e.sites[1:] {
		if m == e.site || retired[m] || m.IsZero() {
			continue
		}
		if _, heard := acks[m]; made[m] == 0 && !heard {
			continue // an identity of this file that was given up, as a clone's first, before it named anything
		}
		for _, s := range v.Sites() {
			if s == m {
				continue // its own changes it has
			}
			if acks[m][s] < v[s] {
				v[s] = acks[m][s]
				blocked = fmt.Sprintf("site %s has acknowledged version %d of site %s", m, acks[m][s], s)
			}
		}
	}
	return v, blocked, nil
}

// streamsAcked is the position up to which all outbound streams that are in use have been acknowledged, and which is behind.
func (e *Engine) streamsAcked() (pos int64, behind string, err error) {
	if pos, err = e.pos(); err != nil {
		return 0, "", err
	}
	err = e.each("SELECT name, last_acked FROM tributary_stream WHERE kind = 'out' AND max(last_retrieved, last_sent, last_acked) > 0", 2, func(r []crdt.Value) error {
		if at := r[1].Int(); at < pos {
			pos, behind = at, fmt.Sprintf("the peer of stream %s has acknowledged position %d; drop the stream if nobody reads it any more", r[0].Bytes(), at)
		}
		return nil
	})
	return pos, behind, err
}

// compactTable removes the tombstones up to a position that all members have: the delete and every insert that it saw. Those
// of rows of which a change is parked stay: when that is merged, here or where it is passed on to, nothing else would say that
// they are deleted. What goes is noted in forgotten.
func (e *Engine) compactTable(t *table, stable crdt.VersionVector, upto int64, forgotten crdt.VersionVector) (n int, waits bool, err error) {
	k := len(t.schema.Key)
	parked, err := e.parkedKeys(t)
	if err != nil || parked == nil {
		return 0, true, err
	}
	var keys [][]crdt.Value
	err = e.each(fmt.Sprintf("SELECT %s, %s FROM %s WHERE presence IS NOT NULL", keyColumns(k, ""), clockColumns, t.sql.clock), k+clockWidth, func(r []crdt.Value) error {
		var c clock
		if err := e.decodeClock(r[k:], &c); err != nil {
			return err
		}
		if !c.dead || c.pos > upto || !stable.Has(c.birth.Dot()) {
			return nil
		}
		for _, d := range c.deleted {
			if !stable.Has(d) {
				return nil
			}
		}
		if parked.has(r[:k]) {
			waits = true
			return nil
		}
		keys = append(keys, cloneKey(r[:k]))
		for _, d := range append(c.deleted, c.birth.Dot()) {
			if d.Version > 0 { // who deleted it may not be known
				forgotten[d.Site] = max(forgotten[d.Site], d.Version)
			}
		}
		return nil
	})
	if err != nil || len(keys) == 0 {
		return 0, waits, err
	}
	cols := ""
	for i := range k {
		if i > 0 {
			cols += ", "
		}
		cols += fmt.Sprintf("c%d", i)
	}
	if err := e.unlist(t, keys); err != nil {
		return 0, waits, err
	}
	return len(keys), waits, e.runRows(keys, fmt.Sprintf("DELETE FROM %s WHERE (%s) IN (SELECT %s FROM tributary_rows)", t.sql.clock, keyColumns(k, ""), cols))
}

// compactLog removes changesets that say nothing a later one of their site does not say, for any cursor in use. The
// newest of each site stays, and so do the boundaries that acknowledged streams stand on.
func (e *Engine) compactLog() (int, error) {
	low, err := e.one("SELECT min(last_acked) FROM tributary_stream WHERE kind = 'out'")
	if err != nil || low.IsNull() || low.Int() == 0 {
		return 0, err
	}
	where := " FROM tributary_changeset WHERE pos < ?1 AND site <> ?2 AND version < (SELECT max(version) FROM tributary_changeset c WHERE c.site = tributary_changeset.site AND c.pos <= ?1)"
	n, err := e.one("SELECT count(*)"+where, low, crdt.Int(e.self))
	if err != nil || n.Int() == 0 {
		return 0, err
	}
	if err := e.setMeta("compacted", low); err != nil { // see since.go
		return 0, err
	}
	return int(n.Int()), e.run("DELETE"+where, low, crdt.Int(e.self))
}

// Expect counts a replica among the members before anything has come from it: one that was just made from this one, and
// has what the vector says. Otherwise a delete that it has not seen could be forgotten, and the row would come back with it.
func (e *Engine) Expect(ctx context.Context, s crdt.Site, has crdt.VersionVector) error {
	return wrap("expect "+s.String(), e.change(ctx, func() error {
		ord, err := e.ordinal(s)
		if err != nil {
			return err
		}
		ack, err := has.MarshalJSON()
		if err != nil {
			return err
		}
		return e.run("INSERT INTO tributary_peer(site, cursor, upon, ack, retired, error) VALUES (?1, 0, '', ?2, 0, '') ON CONFLICT (site) DO NOTHING", crdt.Int(ord), crdt.Text(ack))
	}))
}

// ForgetPeer retires a member: compaction no longer waits for it. Should it come back after something was forgotten,
// it must be made anew with clone, or deleted rows that it still holds could return.
func (e *Engine) ForgetPeer(ctx context.Context, s crdt.Site) error {
	return wrap("forget peer", e.change(ctx, func() error {
		ord, ok := e.ords[s]
		if !ok || s == e.site {
			return fmt.Errorf("tributary: %s is not another site that this database knows; status lists them", s)
		}
		return e.run("INSERT INTO tributary_peer(site, cursor, upon, ack, retired, error) VALUES (?1, 0, '', '', 1, '') ON CONFLICT (site) DO UPDATE SET retired = 1", crdt.Int(ord))
	}))
}
