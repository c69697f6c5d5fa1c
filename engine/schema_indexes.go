package engine

import (
	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// readIndexes fills Unique and corrects what only the primary key's index knows.
func (t *tableSchema) readIndexes(c Conn) error {
	type index struct {
		name, origin string
		partial      bool
	}
	var list []index
	err := queryRows(c, `SELECT name, origin, partial FROM pragma_index_list(?1, 'main') WHERE "unique" ORDER BY seq DESC`, 3, func(r []crdt.Value) error {
		list = append(list, index{text(r[0]), text(r[1]), r[2].Int() != 0})
		return nil
	}, crdt.TextString(t.Name))
	if err != nil {
		return err
	}
	for _, x := range list {
		u, err := t.readIndex(c, x.name)
		if err != nil {
			return err
		}
		if x.origin != "pk" {
			t.Unique = append(t.Unique, u)
			continue
		}
		t.RowidKey = false // INTEGER PRIMARY KEY DESC has an index of its own: https://sqlite.org/lang_createtable.html#rowid
		for i := range t.Key {
			t.Key[i].Collation = u.Collations[i]
		}
	}
	return nil
}

func (t *tableSchema) readIndex(c Conn, name string) (uniqueSchema, error) {
	u := uniqueSchema{Name: name}
	var sql string
	err := queryRows(c, `SELECT sql FROM main.sqlite_master WHERE type = 'index' AND name = ?1`, 1, func(r []crdt.Value) error {
		sql = text(r[0]) // NULL for the index of a constraint, which has neither expressions nor a WHERE
		return nil
	}, crdt.TextString(name))
	if err != nil {
		return u, err
	}
	terms, where := indexTerms(sql)
	u.Where = where
	err = queryRows(c, `SELECT seqno, cid, name, coll FROM pragma_index_xinfo(?1, 'main') WHERE "key" ORDER BY seqno`, 4, func(r []crdt.Value) error {
		column, expr := text(r[2]), ""
		switch cid := r[1].Int(); {
		case cid == -1 && t.RowidKey: // the rowid under its own name
			column = t.Key[0].Name
		case cid < 0:
			column = ""
			if n := r[0].Int(); n < int64(len(terms)) {
				expr = terms[n]
			}
		}
		if column != "" {
			expr = sqltext.Ident(column)
		}
		u.Columns, u.Exprs, u.Collations = append(u.Columns, column), append(u.Exprs, expr), append(u.Collations, text(r[3]))
		return nil
	}, crdt.TextString(name))
	return u, err
}

// indexTerms returns the terms of a CREATE INDEX text without their COLLATE and direction, and its WHERE.
func indexTerms(sql string) (terms []string, where string) {
	tokens := sqltext.Tokens(sql)
	for _, def := range definitions(tokens) {
		if n := len(def); n > 1 && (def[n-1].Is("ASC") || def[n-1].Is("DESC")) {
			def = def[:n-1]
		}
		if n := len(def); n > 2 && def[n-2].Is("COLLATE") {
			def = def[:n-2]
		}
		if len(def) > 0 {
			terms = append(terms, sql[def[0].Start:def[len(def)-1].End])
		}
	}
	depth := 0
	for i, tok := range tokens {
		switch {
		case tok.Is("("):
			depth++
		case tok.Is(")"):
			depth--
		case depth == 0 && tok.Is("WHERE") && i+1 < len(tokens):
			return terms, sql[tokens[i+1].Start:tokens[len(tokens)-1].End]
		}
	}
	return terms, ""
}

// readForeignKeys fills ForeignKeys. SQLite numbers them from the last that was declared, so that the numbers change when a
// column with another is added. Here the first that was declared is 0.
func (t *tableSchema) readForeignKeys(c Conn) error {
	err := queryRows(c, `SELECT id, "table", "from", "to", on_update, on_delete FROM pragma_foreign_key_list(?1, 'main') ORDER BY id, seq`, 6, func(r []crdt.Value) error {
		id := int(r[0].Int())
		if n := len(t.ForeignKeys); n == 0 || t.ForeignKeys[n-1].ID != id {
			t.ForeignKeys = append(t.ForeignKeys, fkSchema{ID: id, Parent: text(r[1]), OnUpdate: text(r[4]), OnDelete: text(r[5])})
		}
		f := &t.ForeignKeys[len(t.ForeignKeys)-1]
		f.Columns = append(f.Columns, text(r[2]))
		if !r[3].IsNull() {
			f.ParentColumns = append(f.ParentColumns, text(r[3]))
		}
		return nil
	}, crdt.TextString(t.Name))
	if err != nil {
		return err
	}
	for i := range t.ForeignKeys {
		f := &t.ForeignKeys[i]
		f.ID = len(t.ForeignKeys) - 1 - i
		if len(f.ParentColumns) > 0 {
			continue
		}
		// A parent that does not exist (yet) leaves them empty.
		err := queryRows(c, `SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE pk > 0 ORDER BY pk`, 1, func(r []crdt.Value) error {
			f.ParentColumns = append(f.ParentColumns, text(r[0]))
			return nil
		}, crdt.TextString(f.Parent))
		if err != nil {
			return err
		}
	}
	return nil
}
