package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tributary-db/tributary/crdt"
)

// park keeps changes that have no place here yet, as a package of their own: they are passed on to other replicas as
// they are, and merged once the table or column is there. What was applied here before is not parked again, or two replicas that
// both lack the place would hand it to and fro for ever, each time as something new.
func (a *applier) park(p *crdt.Package, dict crdt.Table, rows []crdt.RowChange, reason string) error {
	if len(rows) == 0 {
		return nil
	}
	if a.replaying {
		return a.parkAll(p.Sender, dict, rows, reason)
	}
	v, err := a.e.vector()
	if err != nil {
		return err
	}
	told := v.Clone()
	for _, c := range a.covers {
		told[c.Site] = max(told[c.Site], c.To)
	}
	var news []crdt.RowChange
	for i := range rows {
		fresh := reason != reasonInsert && isNews(&rows[i], v)
		loose := fresh && a.covers != nil && isNews(&rows[i], told)
		if fresh && !loose {
			news = append(news, rows[i])
			continue
		}
		// A row that lives again does not say which delete it saw, and what lacks its insert or is not covered by its set may be
		// of versions that nobody ever covers, so only its contents can tell whether it was here.
		if loose || reason == reasonInsert || len(rows[i].Deleted) > 0 && rows[i].Deleter.IsZero() {
			if err := a.parkAll(crdt.Site{}, dict, rows[i:i+1], reason); err != nil {
				return err
			}
		}
	}
	return a.parkAll(p.Sender, dict, news, reason)
}

// reasonInsert is the reason of changes whose insert has not come.
const reasonInsert = "its insert has not come"

// isNews says whether any write or delete of a change is beyond a vector.
func isNews(r *crdt.RowChange, v crdt.VersionVector) bool {
	if !r.Deleter.IsZero() && !v.Has(r.Deleter.Dot()) {
		return true
	}
	for i := range r.Lives {
		if !v.Has(r.Lives[i].Birth.Dot()) {
			return true
		}
		for _, g := range r.Lives[i].Newer {
			if !v.Has(g.Write.Dot()) {
				return true
			}
		}
	}
	return false
}

// parkAll stores changes as one package, unless the very same package is there.
func (a *applier) parkAll(sender crdt.Site, dict crdt.Table, rows []crdt.RowChange, reason string) error {
	if len(rows) == 0 {
		return nil
	}
	out := &crdt.Package{Starts: true, Ends: true, Sender: sender, Tables: []crdt.Table{dict}}
	for _, r := range rows {
		r.Table = 0
		out.Rows = append(out.Rows, r)
	}
	body, err := out.Append(nil, a.e.opt.Compressor)
	if err != nil {
		return fmt.Errorf("parking %d rows: %w", len(rows), err)
	}
	if sender.IsZero() {
		known, err := a.e.one("SELECT EXISTS (SELECT 1 FROM tributary_unknown WHERE rows = 1 AND body = ?2 AND tbl = ?1)", crdt.TextString(dict.Name), crdt.Blob(body))
		if err != nil || known.Int() != 0 {
			return err
		}
	}
	a.r.Parked += len(rows)
	at := a.parkedAt // what is parked again keeps its position: it is news to nobody
	if a.parkedAt = 0; at == 0 {
		a.pos++
		at = a.pos
	}
	return a.e.run("INSERT INTO tributary_unknown(pos, tbl, reason, rows, body) VALUES (?1, ?2, ?3, ?4, ?5)",
		crdt.Int(at), crdt.TextString(dict.Name), crdt.TextString(reason), crdt.Int(int64(len(rows))), crdt.Blob(body))
}

// replay merges parked changes again after a schema change or when their reason may have gone.
func (a *applier) replay() error {
	again, err := a.e.meta("replay")
	if err != nil {
		return err
	}
	rows, err := a.e.list("SELECT pos, tbl, reason FROM tributary_unknown ORDER BY pos", 3)
	if err != nil {
		return err
	}
	for _, r := range rows {
		missing := string(r[2].Bytes()) == reasonInsert
		if again.Int() == 0 && !missing || a.e.meant(string(r[1].Bytes())) == nil {
			continue
		}
		v, err := a.e.one("SELECT body FROM tributary_unknown WHERE pos = ?1", r[0])
		if err != nil {
			return err
		}
		p, err := crdt.DecodePackage(v.Bytes(), a.e.opt.Compressor, crdt.DefaultLimits())
		if err != nil {
			return fmt.Errorf("parked changes at %d: %w", r[0].Int(), err)
		}
		if err := a.e.run("DELETE FROM tributary_unknown WHERE pos = ?1", r[0]); err != nil {
			return err
		}
		parked := a.r.Parked
		a.replaying, a.parkedAt = true, r[0].Int()
		if err := a.rows(p); err != nil {
			return err
		}
		a.r.Parked, a.replaying, a.parkedAt = parked, false, 0
	}
	if again.Int() == 0 {
		return nil
	}
	return a.e.setMeta("replay", crdt.Int(0))
}

// replayParked is replay for a fold that has just noticed a new schema. It says whether that has taken positions.
func (e *Engine) replayParked() (moved bool, err error) {
	again, err := e.meta("replay")
	if err != nil || again.Int() == 0 {
		return false, err
	}
	a := &applier{e: e, r: &ApplyResult{}, touched: newTouched()}
	before, err := e.pos()
	if err != nil {
		return false, err
	}
	a.pos = before
	if err := a.replay(); err != nil {
		return false, err
	}
	if err := e.setPos(a.pos); err != nil {
		return false, err
	}
	if err := e.reconsider(a.touched); err != nil {
		return false, err
	}
	return a.pos != before, e.settle(a.touched)
}

// reconsider has another look at rows with several incarnations in tables that have lost a column: another one may be the last
// written now.
func (e *Engine) reconsider(d *touched) error {
	for _, t := range e.tables {
		if t.schema == nil || !slices.Contains(t.columns, "") {
			continue
		}
		n := len(t.schema.Key)
		// The flag of siblings is the third bit of the first byte.
		err := e.each(fmt.Sprintf("SELECT %s FROM %s WHERE presence IS NOT NULL AND substr(hex(presence), 2, 1) IN ('4', '5', '6', '7')", keyColumns(n, ""), t.sql.clock), n, func(key []crdt.Value) error {
			d.promote(t, key)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// parkedKeys are the keys of a table's rows of which changes are parked; nil: it cannot be told.
func (e *Engine) parkedKeys(t *table) (*keySet, error) {
	set := newKeySet(t)
	rows, err := e.list("SELECT tbl, body FROM tributary_unknown", 2)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if e.meant(string(r[0].Bytes())) != t { // as replay finds it
			continue
		}
		p, err := crdt.DecodePackage(r[1].Bytes(), e.opt.Compressor, crdt.DefaultLimits())
		if err != nil {
			return nil, fmt.Errorf("parked changes: %w", err)
		}
		for i := range p.Rows {
			m, _ := mapColumns(t, p.Tables[p.Rows[i].Table])
			if m == nil {
				return nil, nil // another key
			}
			if key := m.apply(&p.Rows[i]).Key; t.names(key) {
				set.add(key)
			}
		}
	}
	return set, nil
}

// ParkedInfo describes changes of one table that wait for a table or a column.
type ParkedInfo struct {
	Table  string `json:"table"`
	Key    string `json:"key"` // the first row's
	Rows   int    `json:"rows"`
	Reason string `json:"reason"`
	Cursor int64  `json:"cursor"`
}

// Parked lists what waits for a table or column.
func (e *Engine) Parked(ctx context.Context) ([]ParkedInfo, error) {
	if err := e.load(ctx); errors.Is(err, ErrNoDatabase) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	rows, err := e.list("SELECT pos, tbl, reason, rows, body FROM tributary_unknown ORDER BY pos", 5)
	if err != nil {
		return nil, err
	}
	var out []ParkedInfo
	for _, r := range rows {
		i := ParkedInfo{Cursor: r[0].Int(), Table: string(r[1].Bytes()), Reason: string(r[2].Bytes()), Rows: int(r[3].Int())}
		if p, err := crdt.DecodePackage(r[4].Bytes(), e.opt.Compressor, crdt.DefaultLimits()); err == nil && len(p.Rows) > 0 {
			i.Key = keyText(p.Rows[0].Key)
		}
		out = append(out, i)
	}
	return out, nil
}

// keyText shows a key to people.
func keyText(key []crdt.Value) string {
	parts := make([]string, len(key))
	for i, v := range key {
		parts[i] = v.String()
	}
	return strings.Join(parts, ", ")
}
