package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// candidates are the rows of a child table, as t, among which orphans are looked for: a FROM clause, which may read
// rows from tributary_rows.
type candidates struct {
	from string
	rows [][]crdt.Value
}

// hideOrphans sets aside rows whose parents are gone: rows just written, and children of rows just removed.
func (e *Engine) hideOrphans(d *touched) (hiddenRows int, err error) {
	for _, id := range d.ids() {
		t, w := e.byID[id], d.tables[id]
		if t == nil || t.schema == nil {
			continue
		}
		ups, dels, imported := w.upserts, w.deletes, w.imported
		w.upserts, w.deletes, w.imported = nil, nil, nil
		written := imported
		if len(ups) > 0 {
			written = append(written, candidates{strings.TrimPrefix(t.sql.present, "SELECT r.rowid FROM "), ups})
		}
		for _, c := range written {
			for i := range t.schema.ForeignKeys {
				n, err := e.hideOrphansOf(t, &t.schema.ForeignKeys[i], c, d)
				if err != nil {
					return 0, err
				}
				hiddenRows += n
			}
		}
		if len(dels) == 0 {
			continue
		}
		for _, child := range e.tables {
			if child.schema == nil {
				continue
			}
			for i := range child.schema.ForeignKeys {
				fk := &child.schema.ForeignKeys[i]
				if !sqltext.EqualName(fk.Parent, t.name) {
					continue
				}
				n, err := e.hideOrphansOf(child, fk, child.referring(fk, t, dels), d)
				if err != nil {
					return 0, err
				}
				hiddenRows += n
			}
		}
	}
	return hiddenRows, nil
}

// rangeSQL is the rows of a range, whose first and last key are one row of tributary_rows.
func (t *table) rangeSQL() string {
	var lo, hi []string
	n := len(t.schema.Key)
	for i := range n {
		lo, hi = append(lo, fmt.Sprintf("r.c%d", i)), append(hi, fmt.Sprintf("r.c%d", n+i))
	}
	row := "(" + strings.Join(t.keyNames("t."), ", ") + ")"
	return fmt.Sprintf("%s r CROSS JOIN %s t ON %s >= (%s) AND %s <= (%s)", rowsTable(2*n), ident(t.name), row, strings.Join(lo, ", "), row, strings.Join(hi, ", "))
}

// referring are the rows that refer to the given rows of the parent. It is all rows where these are named by other
// columns than the parent's key, or compare in another way than in the child.
func (t *table) referring(fk *fkSchema, parent *table, keys [][]crdt.Value) candidates {
	all := candidates{from: ident(t.name) + " t"}
	if !isKey(parent.schema, fk.ParentColumns) || len(fk.Columns) != len(fk.ParentColumns) {
		return all
	}
	var on []string
	for i, name := range fk.ParentColumns {
		at := slices.IndexFunc(parent.schema.Key, func(c columnSchema) bool { return sqltext.EqualName(c.Name, name) })
		key, child := parent.schema.Key[at], triggerText{t: t.schema}.columnNamed(fk.Columns[i])
		if child == nil || child.Affinity != key.Affinity {
			return all
		}
		collate := ""
		if key.Collation != "" {
			collate = " COLLATE " + key.Collation
		}
		on = append(on, fmt.Sprintf("t.%s = r.c%d%s", ident(fk.Columns[i]), at, collate))
	}
	return candidates{fmt.Sprintf("tributary_rows r CROSS JOIN %s t ON %s", ident(t.name), strings.Join(on, " AND ")), keys}
}

// hideOrphansOf sets aside the orphans of one foreign key.
func (e *Engine) hideOrphansOf(t *table, fk *fkSchema, among candidates, d *touched) (int, error) {
	if !t.obeys(fk) {
		return 0, nil
	}
	parent, err := e.schemaOf(fk.Parent)
	if err != nil {
		return 0, nil // no such parent: SQLite itself could not enforce it either
	}
	var names []string
	for _, k := range t.schema.Key {
		names = append(names, "t."+ident(k.Name))
	}
	if among.rows != nil {
		e.conn.SetRows(&Rows{Data: among.rows})
		defer e.conn.SetRows(nil)
	}
	orphans, err := e.list(orphanSQL(parent, *fk, "SELECT DISTINCT "+strings.Join(names, ", "), among.from), len(names))
	if err != nil {
		return 0, err
	}
	for _, key := range orphans {
		if err := e.hide(t, key, reasonForeign, orphanDetail(fk), d); err != nil {
			return 0, err
		}
	}
	return len(orphans), nil
}

func orphanDetail(fk *fkSchema) string {
	return fmt.Sprintf("no row in %s for (%s)", fk.Parent, strings.Join(fk.Columns, ", "))
}

// orphanSQL selects from the rows t of a child those whose foreign key has no row in the parent.
// A foreign key with a NULL in it refers to nothing. https://sqlite.org/foreignkeys.html#fk_composite
// The + takes from the child's column its affinity, so that the parent's counts alone, as in SQLite's own look-up.
func orphanSQL(parent *tableSchema, fk fkSchema, what, from string) string {
	var on, set []string
	for i, c := range fk.Columns {
		on = append(on, fmt.Sprintf("p.%s = +t.%s", ident(fk.ParentColumns[i]), ident(c)))
		set = append(set, fmt.Sprintf("t.%s IS NOT NULL", ident(c)))
	}
	return fmt.Sprintf("%s FROM %s WHERE %s AND NOT EXISTS (SELECT 1 FROM %s p WHERE %s)", what, from, strings.Join(set, " AND "), ident(parent.Name), strings.Join(on, " AND "))
}

// refers says whether value, in a child, is a reference to want, in a column of the parent: by the affinity and the
// collation of that column, as SQLite looks it up. https://sqlite.org/foreignkeys.html#fk_indexes
func (e *Engine) refers(parent *tableSchema, column string, want, value crdt.Value) (bool, error) {
	c := triggerText{t: parent}.columnNamed(column)
	if want.Kind() == value.Kind() && want.Compare(value) == 0 || c == nil {
		return c != nil, nil
	}
	collate := ""
	if c.Collation != "" {
		collate = " COLLATE " + c.Collation
	}
	equal, err := e.one(fmt.Sprintf("SELECT %s = ?2%s", c.typed("?1", want.Kind()), collate), want, value)
	return equal.Int() == 1, err
}
