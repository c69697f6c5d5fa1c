package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/tributary-db/tributary/crdt"
)

// Reasons for which an alive row is in tributary_hidden instead of the user's table.
const (
	reasonKey     = "key"         // another insert of the same key is shown
	reasonUnique  = "unique"      // a row inserted earlier holds a unique value
	reasonForeign = "foreign key" // the row that it refers to is not there
	reasonOther   = "constraint"  // NOT NULL, CHECK, STRICT types or a trigger of the user refused it
)

const (
	detailKey  = "another insert of this key was written later"
	detailSame = "another insert of this key says the same" // a twin
	detailWas  = "another insert of this key said the same" // before it was changed; this one has not been
)

// hidden is one alive incarnation that the user's table does not show, whole.
type hidden struct {
	t              *table
	key            []crdt.Value
	inc            crdt.Incarnation // with values by ordinal
	reason, detail string
}

// id names the row of an incarnation among those of all tables.
func (h *hidden) id() string { return fmt.Sprintf("%d %s", h.t.id, h.t.keyBlob(h.key)) }

// keyBlob identifies a key the way SQLite compares it: keys that are equal under the columns' collations have one blob.
func (t *table) keyBlob(key []crdt.Value) []byte {
	var b []byte
	for i, v := range key {
		b = crdt.AppendValue(b, sameInSQL(v, t.schema.Key[i].Collation))
	}
	return b
}

// sameInSQL is one value for all that SQLite takes as equal under a collation.
func sameInSQL(v crdt.Value, collation string) crdt.Value {
	switch v.Kind() {
	case crdt.KindReal:
		if f := v.Real(); f == math.Trunc(f) && f >= -1<<63 && f < 1<<63 {
			return crdt.Int(int64(f))
		}
	case crdt.KindText:
		switch strings.ToUpper(collation) {
		case "NOCASE":
			return crdt.Text(asciiLower(v.Bytes()))
		case "RTRIM":
			return crdt.Text(bytes.TrimRight(v.Bytes(), " "))
		}
	}
	return v
}

// asciiLower folds as NOCASE does: the 26 letters of ASCII. https://sqlite.org/datatype3.html#collating_sequences
func asciiLower(b []byte) []byte {
	out := bytes.Clone(b)
	for i, c := range out {
		if 'A' <= c && c <= 'Z' {
			out[i] = c + 'a' - 'A'
		}
	}
	return out
}

// encodeHidden writes key, clock and values of an incarnation.
func (e *Engine) encodeHidden(h *hidden) ([]byte, error) {
	b := binary.AppendUvarint(nil, uint64(len(h.key)))
	for _, v := range h.key {
		b = crdt.AppendValue(b, v)
	}
	b = binary.AppendUvarint(b, uint64(h.inc.Birth.Time))
	b, err := e.appendCells(b, h.inc.Birth.Pos, h.inc.Newer, 0)
	if err != nil {
		return nil, err
	}
	b = h.inc.Has.AppendBinary(b)
	h.inc.Has.Each(func(i int) {
		v, _ := h.inc.Value(i)
		b = crdt.AppendValue(b, v)
	})
	return b, nil
}

func (e *Engine) decodeHidden(t *table, site int64, version int64, reason, detail string, body []byte) (*hidden, error) {
	h := &hidden{t: t, reason: reason, detail: detail}
	r := reader{b: body}
	for n := r.count(); n > 0 && !r.bad; n-- {
		h.key = append(h.key, r.value())
	}
	h.inc.Birth.Stamp = crdt.Stamp{Time: crdt.Time(r.uint()), Site: e.siteOf(site), Version: crdt.Version(version)}
	h.inc.Birth.Pos, h.inc.Newer = e.readCells(&r, nil, 0)
	r.columns().Each(func(i int) { h.inc.SetValue(i, r.value()) })
	if r.bad {
		return nil, errClock
	}
	return h, nil
}

// putHidden stores or replaces a hidden incarnation.
func (e *Engine) putHidden(h *hidden) error {
	body, err := e.encodeHidden(h)
	if err != nil {
		return err
	}
	ord, err := e.ordinal(h.inc.Birth.Site)
	if err != nil {
		return err
	}
	return e.run("INSERT INTO tributary_hidden(tbl, key, site, version, reason, detail, row) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (tbl, key, site, version) DO UPDATE SET reason = excluded.reason, detail = excluded.detail, row = excluded.row",
		crdt.Int(h.t.id), crdt.Blob(h.t.keyBlob(h.key)), crdt.Int(ord), crdt.Int(int64(h.inc.Birth.Version)), crdt.TextString(h.reason), crdt.TextString(h.detail), crdt.Blob(body))
}

// dropHidden forgets one hidden incarnation of a key.
func (e *Engine) dropHidden(t *table, key []crdt.Value, birth crdt.Dot) error {
	ord, err := e.ordinal(birth.Site)
	if err != nil {
		return err
	}
	return e.run("DELETE FROM tributary_hidden WHERE tbl = ?1 AND key = ?2 AND site = ?3 AND version = ?4",
		crdt.Int(t.id), crdt.Blob(t.keyBlob(key)), crdt.Int(ord), crdt.Int(int64(birth.Version)))
}

// hiddenOf reads the hidden incarnations of one key.
func (e *Engine) hiddenOf(t *table, key []crdt.Value) ([]*hidden, error) {
	return e.readHidden("WHERE tbl = ?1 AND key = ?2", crdt.Int(t.id), crdt.Blob(t.keyBlob(key)))
}

// hiddenIn reads all hidden incarnations of a table.
func (e *Engine) hiddenIn(t *table) ([]*hidden, error) {
	return e.readHidden("WHERE tbl = ?1", crdt.Int(t.id))
}

func (e *Engine) readHidden(where string, args ...crdt.Value) ([]*hidden, error) {
	rows, err := e.list("SELECT tbl, site, version, reason, detail, row FROM tributary_hidden "+where+" ORDER BY tbl, key, site, version", 6, args...)
	if err != nil {
		return nil, err
	}
	var out []*hidden
	for _, r := range rows {
		t := e.byID[r[0].Int()]
		if t == nil || t.schema == nil {
			continue
		}
		h, err := e.decodeHidden(t, r[1].Int(), r[2].Int(), string(r[3].Bytes()), string(r[4].Bytes()), r[5].Bytes())
		if err == nil {
			err = e.fillDefaults(h)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, nil
}

// preset is a column's default value.
func (e *Engine) preset(t *table, ord int) (crdt.Value, error) {
	return e.one("SELECT " + t.defaultOf(ord))
}

// fillDefaults gives an incarnation that was set aside before a column was added the value that the user's table would have
// given it: the column's default.
func (e *Engine) fillDefaults(h *hidden) error {
	for _, c := range ordinals(h.t.live().Minus(h.inc.Has)) {
		v, err := e.preset(h.t, c)
		if err != nil {
			return err
		}
		h.inc.SetValue(c, v.Clone())
	}
	return nil
}
