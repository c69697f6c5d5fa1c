package engine

import (
	"github.com/tributary-db/tributary/crdt"
)

// A set can have one row in two forms: as its sender has it, and as it was parked there for a column that the sender lacks.
// Each has the insert, and columns that the other has not. What comes first makes the row, with defaults for the rest; the
// rest has the stamps of the insert, and would count as known.

// forms are those of one table in one set, as far as it is applied at once.
type forms struct {
	made []form
	now  int            // the form at hand
	more crdt.ColumnSet // columns that it has, and the one that made the row of the last question has not
}

// form is some columns, and the keys of the rows that were made with them.
type form struct {
	has  crdt.ColumnSet
	keys *keySet
}

// inForms finds the tables of which a set may have rows in several forms: those that a package has with other columns than
// before, or with other columns than there are here while more packages are to come.
func (a *applier) inForms(p *crdt.Package) {
	if p.Starts {
		a.twice = nil
	}
	met := map[*table]bool{}
	for _, dict := range p.Tables {
		t := a.e.meant(dict.Name)
		if t == nil || a.twice[t] != nil {
			continue
		}
		again := met[t]
		met[t] = true
		if !again && p.Ends {
			continue
		}
		if m, _ := mapColumns(t, dict); m != nil && (again || !m.has().Contains(t.live())) {
			if a.twice == nil {
				a.twice = map[*table]*forms{}
			}
			a.twice[t] = &forms{}
		}
	}
}

// has are the columns here for which a package has values.
func (m *columnMap) has() (s crdt.ColumnSet) {
	for _, ord := range m.local {
		if ord >= 0 {
			s.Add(ord)
		}
	}
	return s
}

// next goes on to rows with other columns.
func (f *forms) next(t *table, m *columnMap) *forms {
	if f == nil {
		return nil
	}
	has := m.has()
	for f.now = 0; f.now < len(f.made); f.now++ {
		if f.made[f.now].has.Equal(has) {
			return f
		}
	}
	f.made = append(f.made, form{has, newKeySet(t)})
	return f
}

// inserted notes that a row is new.
func (f *forms) inserted(key []crdt.Value) {
	if f != nil {
		f.made[f.now].keys.add(key)
	}
}

// later says whether another form has made a row, with fewer columns than this one.
func (f *forms) later(key []crdt.Value) bool {
	if f == nil {
		return false
	}
	for i := range f.made {
		if more := f.made[f.now].has.Minus(f.made[i].has); !more.IsEmpty() && f.made[i].keys.has(key) {
			f.more = more
			return true
		}
	}
	return false
}
