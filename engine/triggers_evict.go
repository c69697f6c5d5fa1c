package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// evictions are the triggers that log rows which a REPLACE removes because a UNIQUE index holds them to equal the new
// row. No delete trigger fires for those unless recursive_triggers is on. https://sqlite.org/lang_conflict.html
//
// They run before the write, when it is not known whether the statement replaces, so they only log a touch: the fold
// sees whether the row is gone. NEW's key is not excluded in the insert trigger, since it is not known there yet (an
// INTEGER PRIMARY KEY to be assigned reads -1).
func (g triggerText) evictions() []string {
	var onInsert, onUpdate strings.Builder
	var columns []string
	for _, u := range g.t.Unique {
		e := g.eviction(u)
		onInsert.WriteString(e.touch(""))
		onUpdate.WriteString(e.touch(g.notOld()))
		columns = append(columns, e.columns...)
	}
	out := append(g.evictionByRowid(), g.evictionByKey()...)
	if len(columns) == 0 {
		return out
	}
	return append(out,
		g.trigger("evict_insert", "BEFORE INSERT", nil, onInsert.String()),
		g.trigger("evict_update", "BEFORE UPDATE"+g.assigned(columns), nil, onUpdate.String()),
	)
}

// evictionByRowid is for tables that have a rowid beside their key: an update that assigns to it may REPLACE too. Others do not
// fire the trigger. There is none for inserts, which it would make slower by a twentieth: see README, limits.
func (g triggerText) evictionByRowid() []string {
	if g.t.WithoutRowid || g.t.RowidKey {
		return nil
	}
	var names []string
	for _, alias := range []string{"rowid", "oid", "_rowid_"} {
		if !g.t.hasColumn(alias) {
			names = append(names, alias)
		}
	}
	if len(names) == 0 {
		return nil
	}
	when := append(g.keyNotNull("tributary_t"), fmt.Sprintf("tributary_t.%s = NEW.%s%s", names[0], names[0], g.notOld()))
	return []string{g.trigger("evict_rowid", "BEFORE UPDATE OF "+strings.Join(names, ", "), nil,
		fmt.Sprintf("%s SELECT %d, %d, %s, %s FROM %s AS tributary_t WHERE %s;", g.into(), g.id, maskTouch, feedTime, g.key("tributary_t"), sqltext.Ident(g.t.Name), strings.Join(when, " AND ")))}
}

// evictionByKey is for tables that refer to themselves with ON DELETE CASCADE. An update that takes the key of a row in its place
// removes what refers to that row, and so perhaps the row that it is about: then it ends, and _rekey does not fire.
func (g triggerText) evictionByKey() []string {
	if !g.t.cascadesToItself() {
		return nil
	}
	var same []string
	for _, k := range g.t.Key {
		q := sqltext.Ident(k.Name)
		same = append(same, fmt.Sprintf("tributary_t.%s = NEW.%s", q, q))
	}
	return []string{g.trigger("evict_key", "BEFORE UPDATE OF "+g.keyAssigned(), []string{g.keyChanged()},
		fmt.Sprintf("%s SELECT %d, %d, %s, %s FROM %s AS tributary_t WHERE %s;", g.into(), g.id, maskTouch, feedTime, g.key("tributary_t"), sqltext.Ident(g.t.Name), strings.Join(same, " AND ")))}
}

func (t *tableSchema) cascadesToItself() bool {
	return slices.ContainsFunc(t.ForeignKeys, func(f fkSchema) bool {
		return strings.EqualFold(f.OnDelete, "CASCADE") && sqltext.EqualName(f.Parent, t.Name)
	})
}

// assigned is " OF a, b" for columns whose assignment can change a unique term. Generated columns change with any
// other, so with one of them there is no list.
func (g triggerText) assigned(columns []string) string {
	seen := map[string]bool{}
	var names []string
	for _, c := range columns {
		if g.t.isGenerated(c) {
			return ""
		}
		if f := sqltext.FoldName(c); !seen[f] {
			seen[f] = true
			names = append(names, c)
		}
	}
	if g.t.RowidKey && seen[sqltext.FoldName(g.t.Key[0].Name)] {
		return "" // the rowid has more names than its column's
	}
	return " OF " + sqltext.Idents(names)
}

// notOld excludes the row that an update is about.
func (g triggerText) notOld() string {
	var terms []string
	for _, k := range g.t.Key {
		q := sqltext.Ident(k.Name)
		terms = append(terms, fmt.Sprintf("tributary_t.%s IS NOT OLD.%s", q, q))
	}
	return " AND (" + strings.Join(terms, " OR ") + ")"
}

// eviction is what the triggers need to know of one unique index.
type eviction struct {
	g       triggerText
	terms   []string // "a" = NEW."a"
	columns []string // that the terms name
}

func (g triggerText) eviction(u uniqueSchema) eviction {
	e := eviction{g: g}
	if u.Where != "" {
		// The planner takes a partial index where its WHERE is a term: https://sqlite.org/partialindex.html
		// Whether NEW fulfils it is not asked: a column of NEW has no affinity in a comparison.
		_, columns := g.ofNew(u.Where)
		e.terms = append(e.terms, "("+u.Where+")")
		e.columns = append(e.columns, columns...)
	}
	for i, expr := range u.Exprs {
		value, columns := g.ofNew(expr)
		if u.Columns[i] == "" {
			expr, value = "("+expr+")", "("+value+")"
		}
		e.terms = append(e.terms, fmt.Sprintf("%s COLLATE %s = %s", expr, sqltext.Ident(u.Collations[i]), value))
		e.columns = append(e.columns, columns...)
	}
	return e
}

// touch logs the row that has the unique terms of NEW. The terms stand in a subquery inside a FROM with a table "new" of
// NULLs, for the same reason and in the same way as in mask: once its index is gone, a column can be dropped.
func (e eviction) touch(except string) string {
	g := e.g
	var nulls []string
	for _, c := range e.columns {
		nulls = append(nulls, "NULL AS "+sqltext.Ident(c))
	}
	if len(nulls) == 0 {
		return "" // an index of a constant
	}
	outer, inner := g.key("tributary_o"), g.key("tributary_t")
	left := outer
	if len(g.t.Key) > 1 {
		left = "(" + outer + ")"
	}
	return fmt.Sprintf("%s SELECT %d, %d, %s, %s FROM (SELECT %s FROM tributary_state) AS new, %s AS tributary_o WHERE %s = (SELECT %s FROM %s AS tributary_t WHERE %s%s);",
		g.into(), g.id, maskTouch, feedTime, outer, strings.Join(unique(nulls), ", "), sqltext.Ident(g.t.Name),
		left, inner, sqltext.Ident(g.t.Name), strings.Join(e.terms, " AND "), except)
}

func unique(list []string) []string {
	seen := map[string]bool{}
	out := list[:0:0]
	for _, s := range list {
		if f := sqltext.FoldName(s); !seen[f] {
			seen[f] = true
			out = append(out, s)
		}
	}
	return out
}

func (g triggerText) columnNamed(name string) *columnSchema {
	for _, list := range [][]columnSchema{g.t.Key, g.t.Columns} {
		for i := range list {
			if sqltext.EqualName(list[i].Name, name) {
				return &list[i]
			}
		}
	}
	return nil
}

// ofNew rewrites an expression over the table's columns into one over the row that a REPLACE makes of NEW, and lists the
// columns that it names. Index expressions cannot qualify names, so every name that is a column's means the column, but
// for the few words that the grammar takes first. https://sqlite.org/expridx.html
func (g triggerText) ofNew(expr string) (rewritten string, columns []string) {
	var b strings.Builder
	end := 0
	tokens := sqltext.Tokens(expr)
	for i, tok := range tokens {
		if tok.Kind != sqltext.Bare && tok.Kind != sqltext.Quoted || !g.t.hasColumn(tok.Text) || notAColumn(tokens, i) {
			continue
		}
		b.WriteString(expr[end:tok.Start])
		value, made := g.newValue(tok.Text)
		b.WriteString(value)
		end = tok.End
		columns = append(append(columns, tok.Text), made...)
	}
	b.WriteString(expr[end:])
	return b.String(), columns
}

// newValue is a column of that row, and the columns that a generated one is made of. REPLACE puts the default in place of
// a forbidden NULL after a BEFORE trigger has run, and so after the generated columns that it sees were made.
func (g triggerText) newValue(name string) (value string, columns []string) {
	value = "NEW." + sqltext.Ident(name)
	if c := g.columnNamed(name); c != nil {
		if c.hasSubstitute() {
			value = fmt.Sprintf("ifnull(%s, (%s))", value, c.storedDefault())
		}
		return value, nil
	}
	made, columns := g.ofNew(generatedExprs(g.t.SQL)[sqltext.FoldName(name)])
	var nulls []string
	for _, c := range unique(columns) {
		if k := g.columnNamed(c); k != nil && k.hasSubstitute() {
			nulls = append(nulls, "NEW."+sqltext.Ident(c)+" IS NULL")
		}
	}
	if len(nulls) > 0 {
		value = fmt.Sprintf("CASE WHEN %s THEN (%s) ELSE %s END", strings.Join(nulls, " OR "), made, value)
	}
	return value, columns
}

// hasSubstitute says whether REPLACE turns NULL into the default. https://sqlite.org/lang_conflict.html
func (c *columnSchema) hasSubstitute() bool { return c.NotNull && c.Default != "" }

// storedDefault is a default that is a literal as the column stores it: a TEXT column makes '5' of 5.
func (c *columnSchema) storedDefault() string {
	d := c.defaultSQL()
	_, err := strconv.ParseFloat(strings.Trim(d, "'"), 64)
	switch {
	case err != nil:
		return d
	case c.Affinity == 'T':
		return "CAST(" + d + " AS TEXT)"
	case c.Affinity == 'R':
		return "CAST(" + d + " AS REAL)"
	case c.Affinity != 'B':
		return "CAST(CAST(" + d + " AS TEXT) AS NUMERIC)" // 100 of 1e2, too
	}
	return d
}

// notAColumn reports whether a name stands where no column can: before the parenthesis of a call, after COLLATE, in the
// type of a CAST, or as one of the operators that are also allowed as bare names.
func notAColumn(tokens []sqltext.Token, i int) bool {
	if i+1 < len(tokens) && tokens[i+1].Is("(") {
		return true
	}
	if i == 0 {
		return false
	}
	if before := tokens[i-1]; before.Is("COLLATE") {
		return true
	}
	for j := i - 1; j >= 0 && (tokens[j].Kind == sqltext.Bare || tokens[j].Kind == sqltext.Quoted); j-- {
		if tokens[j].Is("AS") {
			return true
		}
	}
	for _, op := range []string{"LIKE", "GLOB", "REGEXP", "MATCH", "ESCAPE", "END"} {
		if tokens[i].Is(op) {
			return !tokens[i-1].Is("AND") && !tokens[i-1].Is("OR") && (tokens[i-1].Kind != sqltext.Operator || tokens[i-1].Is(")"))
		}
	}
	return false
}
