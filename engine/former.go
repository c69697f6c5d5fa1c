package engine

import (
	"slices"
	"strings"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// Packages name tables and columns. Replicas rename them one after the other, and meanwhile those that have not done so yet
// send the names of before. So names are kept that a table, its columns and its key have had, and are understood as long as
// nothing else is called so. A table that was made anew under its name keeps those of its columns, and not those of its key,
// which may be another one.

// formerTable and formerKey are numbers in tributary_former beside the ordinals of columns; a key column i is formerKey - i.
const (
	formerTable = -1
	formerKey   = -2
)

// formerNames are the ordinals, or such numbers, of the names that a table's columns have had.
type formerNames map[string][]int

func (f formerNames) find(name string, is func(ord int) bool) int {
	list := f[sqltext.FoldName(name)]
	if i := slices.IndexFunc(list, is); i >= 0 && !slices.ContainsFunc(list[i+1:], is) {
		return list[i]
	}
	return formerTable
}

// column is the ordinal of the column that had a name, -1 if there is none or it is not clear which.
func (f formerNames) column(name string) int {
	return f.find(name, func(ord int) bool { return ord >= 0 })
}

// key is the index of the key column that had a name, or less than 0.
func (f formerNames) key(name string) int {
	if ord := f.find(name, func(ord int) bool { return ord <= formerKey }); ord != formerTable {
		return formerKey - ord
	}
	return -1
}

// loadFormer reads the former names of the tables that have been read. Those of columns that were dropped since mean nothing.
func (e *Engine) loadFormer() error {
	e.byFormer = map[string]*table{}
	return e.each("SELECT tbl, ord, name FROM tributary_former", 3, func(r []crdt.Value) error {
		t, ord, name := e.byID[r[0].Int()], int(r[1].Int()), sqltext.FoldName(string(r[2].Bytes()))
		switch {
		case t == nil:
		case ord == formerTable && e.signatures[strings.ToLower(name)] == "":
			if _, two := e.byFormer[name]; two {
				t = nil
			}
			e.byFormer[name] = t
		case ord <= formerKey, ord >= 0 && ord < len(t.columns) && t.columns[ord] != "":
			if t.former == nil {
				t.former = formerNames{}
			}
			t.former[name] = append(t.former[name], ord)
		}
		return nil
	})
}

// meant is the tracked table of a name in a package, nil if there is none.
func (e *Engine) meant(name string) *table {
	if t := e.tracked(name); t != nil {
		return t
	}
	if t := e.byFormer[sqltext.FoldName(name)]; t != nil && t.schema != nil {
		return t
	}
	return nil
}

// renamed is the ordinal of the column that a package calls by a former name, -1 if there is none.
func (t *table) renamed(name string, dict crdt.Table) int {
	ord := t.former.column(name)
	if ord < 0 || t.schema.hasColumn(name) || slices.ContainsFunc(dict.Columns, func(n string) bool { return sqltext.EqualName(n, t.columns[ord]) }) {
		return -1
	}
	return ord
}

func (e *Engine) noteFormer(t *table, ord int, name string) error {
	return e.run("INSERT OR IGNORE INTO tributary_former(tbl, ord, name) VALUES (?1, ?2, ?3)", crdt.Int(t.id), crdt.Int(int64(ord)), crdt.TextString(name))
}

// noteKey notes what the key is called, for the time when that is its former name.
func (e *Engine) noteKey(t *table) error {
	for i, k := range t.schema.Key {
		if err := e.noteFormer(t, formerKey-i, k.Name); err != nil {
			return err
		}
	}
	return nil
}

// forgetKey notes what the key is called, and that it never had another name.
func (e *Engine) forgetKey(t *table) error {
	if err := e.run("DELETE FROM tributary_former WHERE tbl = ?1 AND ord <= ?2", crdt.Int(t.id), crdt.Int(formerKey)); err != nil {
		return err
	}
	return e.noteKey(t)
}
