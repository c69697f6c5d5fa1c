package engine

import (
	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// A package can have one row in two forms: as its sender has it, and as it was parked there for a column that the sender lacks.
// Each has the insert, and columns that the other has not. What comes first makes the row, with defaults for the rest; the
// rest has the stamps of the insert, and would count as known.

// forms are those of one table in one package.
type forms struct {
	keys *keySet        // rows that a form before has made
	had  crdt.ColumnSet // columns that forms before have
	more crdt.ColumnSet // columns that the form at hand has, and no form before
}

// inForms finds the tables of which a package has rows in several forms.
func (a *applier) inForms(p *crdt.Package) (out map[*table]*forms) {
	for i := range p.Tables {
		for j := range i {
			if !sqltext.EqualName(p.Tables[i].Name, p.Tables[j].Name) {
				continue
			}
			if t := a.e.tracked(p.Tables[i].Name); t != nil {
				if out == nil {
					out = map[*table]*forms{}
				}
				out[t] = &forms{keys: newKeySet(t)}
			}
		}
	}
	return out
}

// next goes on to rows with other columns.
func (f *forms) next(m *columnMap) *forms {
	if f == nil {
		return nil
	}
	f.more = crdt.ColumnSet{}
	for _, ord := range m.local {
		if ord >= 0 && !f.had.Has(ord) {
			f.more.Add(ord)
		}
	}
	f.more.Each(f.had.Add)
	return f
}

// inserted notes that a row is new.
func (f *forms) inserted(key []crdt.Value) {
	if f != nil {
		f.keys.add(key)
	}
}

// later says whether a form before has made a row, which has not all the columns of this one.
func (f *forms) later(key []crdt.Value) bool { return f != nil && !f.more.IsEmpty() && f.keys.has(key) }
