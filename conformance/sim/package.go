package sim

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tributary-db/tributary/crdt"
)

// judge holds what a package says against the model: each insert, write and delete in it must be one that some statement did, of that
// value and at that time. all are the lives that any version knows. So an error of a fold is found where it was made, not only where
// two sites come to show different rows.
func (w *world) judge(p *crdt.Package, all map[rowID]map[crdt.Dot]*life) error {
	if w.history.forked {
		return nil
	}
	own := p.Needs.Clone()
	own[p.Sender] = math.MaxInt64
	for i := range p.Rows {
		r := &p.Rows[i]
		t := &p.Tables[r.Table]
		if t.Name == "log" {
			continue
		}
		image := map[string]string{}
		for j, k := range t.Key {
			image[k] = quote(r.Key[j])
		}
		m := modelOf(t.Name)
		id := m.id(image)
		var bad []string
		for _, d := range r.Deleted {
			if p.LocalOnly && !slices.ContainsFunc(w.history.deletes(id, own), func(o crdt.Dot) bool { return o.Site == d.Site && o.Version >= d.Version }) {
				bad = append(bad, fmt.Sprintf("deletes the insert %s, which another site did", d))
			}
			for dot, l := range all[id] {
				if dot.Site == d.Site && dot.Version <= d.Version && !l.dead {
					bad = append(bad, fmt.Sprintf("deletes the insert %s, which no statement did", dot))
				}
			}
		}
		for j := range r.Lives {
			bad = append(bad, w.judgeLife(m, t, &r.Lives[j], all[id])...)
		}
		if bad != nil {
			return violation("model", "a package of %s says of %v: it %s", p.Sender, id, strings.Join(bad, "; "))
		}
	}
	return nil
}

func (w *world) judgeLife(m *modelTable, t *crdt.Table, life *crdt.LiveChange, row map[crdt.Dot]*life) (bad []string) {
	dot := life.Birth.Dot()
	l := row[dot]
	if l == nil {
		return []string{fmt.Sprintf("has the insert %s, which no statement did", dot)}
	}
	if life.Birth.Stamp.Time != l.birth.Time {
		bad = append(bad, fmt.Sprintf("has the insert %s at %s, and it was at %s", dot, life.Birth.Stamp.Time, l.birth.Time))
	}
	for c, name := range t.Columns {
		v, ok := life.Value(c)
		if !ok || w.uncertain(t.Name, name) {
			continue
		}
		stamp := life.Write(c).Stamp
		want, err := w.history.wrote(m, l, name, stamp)
		if got := quote(v); err == nil && got != want {
			err = fmt.Errorf("which is %s", want)
		}
		if err != nil {
			bad = append(bad, fmt.Sprintf("has %s = %s of %s at %s, %v", name, quote(v), stamp.Dot(), stamp.Time, err))
		}
	}
	return bad
}

// wrote is what a version wrote into a column of a life.
func (h *history) wrote(m *modelTable, l *life, column string, stamp crdt.Stamp) (string, error) {
	if stamp == l.birth {
		if v, ok := l.born[column]; ok {
			return v, nil
		}
		i := slices.IndexFunc(m.columns, func(c modelColumn) bool { return c.name == column })
		return m.columns[i].preset, nil // it was inserted where there was no such column
	}
	for _, e := range h.said[stamp.Dot()] {
		if v, ok := e.values[column]; ok && !e.birth && e.life == l.birth.Dot() && e.row == l.row {
			if e.stamp != stamp {
				return "", fmt.Errorf("which was at %s", e.stamp.Time)
			}
			return v, nil
		}
	}
	return "", fmt.Errorf("which no statement wrote: %+v", h.said[stamp.Dot()])
}

// deletes are the inserts of a row that were deleted up to these versions.
func (h *history) deletes(id rowID, upto crdt.VersionVector) (inserts []crdt.Dot) {
	for by, said := range h.said {
		for i := range said {
			if e := &said[i]; e.row == id && e.dead && upto[by.Site] >= by.Version {
				inserts = append(inserts, e.life)
			}
		}
	}
	return inserts
}

// quote writes a value as SQLite's quote does.
func quote(v crdt.Value) string {
	if v.Kind() == crdt.KindBlob {
		return fmt.Sprintf("X'%X'", v.Bytes())
	}
	return v.String()
}
