package engine

import (
	"fmt"
	mathbits "math/bits"
	"strconv"
	"strings"

	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// The triggers of a tracked table write which rows changed, and nothing else, to tributary_feed. They run in whatever
// SQLite the writer has (3.24 or newer) with whatever settings, so they are plain SQL without extension functions.
//
// Masks in the feed: the changed columns of an update as bits by ordinal, or one of these.
const (
	maskInsert = -1
	maskDelete = -2
	maskTouch  = 0 // look at the row: nothing that the trigger knows has changed
)

// maskBits is the number of columns in one integer of a mask. Tables with more columns have a mask of several integers
// as decimal text joined by ',', ordinals 0 to 59 first: SQLite's integers have 64 bits with the sign.
const maskBits = 60

// feedTime is the wall clock in Unix milliseconds, as SQL of every SQLite. It is exact: SQLite's clock is in integer
// milliseconds, a Julian day in a double is off by 0.03 ms at most, and the half rounds. Without an argument it is now, and
// there is no text to be read. https://sqlite.org/lang_datefunc.html
const feedTime = "CAST(julianday() * 86400000.0 - 210866759999999.5 AS INTEGER)"

// triggerNames are all the triggers that a tracked table can have; some tables need fewer.
func triggerNames(id int64) []string {
	kinds := []string{"insert", "update", "rekey", "delete", "evict_insert", "evict_update", "evict_rowid", "evict_key"}
	for i, k := range kinds {
		kinds[i] = triggerName(id, k)
	}
	return kinds
}

func triggerName(id int64, kind string) string { return fmt.Sprintf("tributary_%d_%s", id, kind) }

// triggerSQL returns the CREATE TRIGGER statements of a table. ordinal numbers its columns for the mask (-1: not known,
// left out); columns is the number of ordinals in use, dropped ones included.
//
// No two of them fire for one change in an order that matters, since SQLite does not define that order.
// Nothing holds them back while the engine writes what came from elsewhere: it takes out what they log (quietly). To look
// for a sign that it does would cost each write of everybody else a tenth.
func triggerSQL(t *tableSchema, id int64, ordinal func(column string) int, columns int) []string {
	g := triggerText{t: t, id: id}
	out := []string{
		g.trigger("insert", "AFTER INSERT", g.keyNotNull("NEW"), g.logValues(fmt.Sprint(maskInsert), "NEW")),
		g.trigger("update", "AFTER UPDATE", append(g.keyNotNull("NEW"), "NOT "+g.keyChanged()), g.logValues(g.mask(ordinal, columns), "NEW")),
		g.trigger("delete", "AFTER DELETE", g.keyNotNull("OLD"), g.logValues(fmt.Sprint(maskDelete), "OLD")),
		g.trigger("rekey", "AFTER UPDATE OF "+g.keyAssigned(), []string{g.keyChanged()}, g.logRekey(maskDelete, "OLD")+g.logRekey(maskInsert, "NEW")),
	}
	return append(out, g.evictions()...)
}

// triggerText generates the triggers of one table.
type triggerText struct {
	t  *tableSchema
	id int64
}

// trigger is a CREATE TRIGGER statement; it runs where all of when is true.
func (g triggerText) trigger(kind, event string, when []string, body string) string {
	condition := ""
	if len(when) > 0 {
		condition = " WHEN " + strings.Join(when, " AND ")
	}
	return fmt.Sprintf("CREATE TRIGGER %s %s ON %s%s BEGIN%s END", triggerName(g.id, kind), event, sqltext.Ident(g.t.Name), condition, body)
}

// into is the start of the statement that appends to the feed.
func (g triggerText) into() string {
	return fmt.Sprintf(" INSERT INTO tributary_feed(tbl, mask, at, %s)", keyColumns(len(g.t.Key), ""))
}

func (g triggerText) logValues(mask, row string) string {
	return fmt.Sprintf("%s VALUES (%d, %s, %s, %s);", g.into(), g.id, mask, feedTime, g.key(row))
}

// logRekey logs one half of a changed key; a half with NULL in it is no replicated row.
func (g triggerText) logRekey(mask int, row string) string {
	where := ""
	if c := g.keyNotNull(row); len(c) > 0 {
		where = " WHERE " + strings.Join(c, " AND ")
	}
	return fmt.Sprintf("%s SELECT %d, %d, %s, %s%s;", g.into(), g.id, mask, feedTime, g.key(row), where)
}

// key lists the key columns of a row: NEW."a", NEW."b".
func (g triggerText) key(row string) string {
	var terms []string
	for _, k := range g.t.Key {
		terms = append(terms, row+"."+sqltext.Ident(k.Name))
	}
	return strings.Join(terms, ", ")
}

// keyNotNull is NEW.a IS NOT NULL for each key column that can be NULL: such rows are not replicated, because
// NULL keys do not tell rows apart. https://sqlite.org/nulls.html
func (g triggerText) keyNotNull(row string) (terms []string) {
	for _, k := range g.t.Key {
		if !g.t.RowidKey && !k.NotNull {
			terms = append(terms, fmt.Sprintf("%s.%s IS NOT NULL", row, sqltext.Ident(k.Name)))
		}
	}
	return terms
}

func (g triggerText) keyChanged() string {
	var terms []string
	for _, k := range g.t.Key {
		terms = append(terms, differs(k))
	}
	return "(" + strings.Join(terms, " OR ") + ")"
}

// keyAssigned lists the names by which a statement can assign to the key. SQLite compares the list with the words of the
// statement, so the rowid's own names have to be in it; if another column has such a name, the condition sorts it out. https://sqlite.org/lang_createtable.html#rowid
func (g triggerText) keyAssigned() string {
	var names []string
	for _, k := range g.t.Key {
		names = append(names, sqltext.Ident(k.Name))
	}
	if g.t.RowidKey {
		for _, alias := range []string{"rowid", "oid", "_rowid_"} {
			if !sqltext.EqualName(alias, g.t.Key[0].Name) {
				names = append(names, alias)
			}
		}
	}
	return strings.Join(names, ", ")
}

// hasColumn reports whether the table has a column of that name, generated ones included.
func (t *tableSchema) hasColumn(name string) bool {
	for _, list := range [][]columnSchema{t.Key, t.Columns} {
		for _, c := range list {
			if sqltext.EqualName(c.Name, name) {
				return true
			}
		}
	}
	return t.isGenerated(name)
}

func (t *tableSchema) isGenerated(name string) bool {
	for _, n := range t.Generated {
		if sqltext.EqualName(n, name) {
			return true
		}
	}
	return false
}

// differs compares a column's old and new value exactly: without the column's collation, and where the column stores
// both 1 and 1.0, which are equal, by class too.
func differs(c columnSchema) string { return compared(c, "IS NOT", "OR") }

// same is the opposite.
func same(c columnSchema) string { return compared(c, "IS", "AND") }

func compared(c columnSchema, is, also string) string {
	q := sqltext.Ident(c.Name)
	s := fmt.Sprintf("OLD.%s %s NEW.%s", q, is, q)
	if !sqltext.EqualName(c.Collation, "BINARY") {
		s += " COLLATE BINARY"
	}
	if c.Affinity == 'B' {
		s += fmt.Sprintf(" %s typeof(OLD.%s) %s typeof(NEW.%s)", also, q, is, q)
	}
	return "(" + s + ")"
}

// mask is the expression for the changed columns of an update.
//
// It survives ALTER TABLE DROP COLUMN, which otherwise refuses while a trigger names the column. The columns are named in
// an inner scalar subquery, whose FROM-less scope leaves NEW and OLD to the trigger; when the trigger's row has no such column
// any more, the search goes on in the outer FROM, where tables called new and old have a 0 of that name: no bit.
// That FROM costs next to nothing: no row of it is ever wanted, so SQLite opens no table, and a count of no rows still
// makes one row of the mask. https://sqlite.org/lang_aggfunc.html
// RENAME COLUMN rewrites OLD.x and NEW.x but not the aliases, so a column that was renamed can only be dropped after the
// engine has made the triggers anew.
//
// Columns go two by two through nested CASEs, which take 9 steps of SQLite's machine; a comparison, a shift and an OR for each of
// the two take 16. Three in a nest would save little more, and the text doubles with each.
func (g triggerText) mask(ordinal func(string) int, columns int) string {
	words := make([][]maskBit, max(1, (columns+maskBits-1)/maskBits))
	var fallback []string
	for _, c := range g.t.Columns {
		n := ordinal(c.Name)
		if n < 0 {
			continue
		}
		words[n/maskBits] = append(words[n/maskBits], maskBit{same(c), 1 << (n % maskBits)})
		fallback = append(fallback, "0 AS "+sqltext.Ident(c.Name))
	}
	if len(fallback) == 0 {
		return strconv.Itoa(maskTouch)
	}
	text := make([]string, len(words))
	for i, w := range words {
		text[i] = maskWord(w)
	}
	names := strings.Join(fallback, ", ")
	none := fmt.Sprintf("FROM (SELECT %s FROM tributary_state) AS new, (SELECT %s FROM tributary_state) AS old WHERE 0", names, names)
	if len(text) == 1 {
		return fmt.Sprintf("(SELECT (SELECT %s) + count(*) %s)", text[0], none)
	}
	return fmt.Sprintf("(SELECT (SELECT %s) || substr('', count(*)) %s)", strings.Join(text, " || ',' || "), none)
}

// maskBit is what one column gives to a mask: the bit, unless same.
type maskBit struct {
	same string
	bit  int64
}

func maskWord(bits []maskBit) string {
	var terms []string
	for ; len(bits) > 1; bits = bits[2:] {
		a, b := bits[0], bits[1]
		terms = append(terms, fmt.Sprintf("CASE WHEN %[1]s THEN CASE WHEN %[2]s THEN 0 ELSE %[3]d END WHEN %[2]s THEN %[4]d ELSE %[5]d END", a.same, b.same, b.bit, a.bit, a.bit|b.bit))
	}
	for _, a := range bits {
		terms = append(terms, fmt.Sprintf("CASE WHEN %s THEN 0 ELSE %d END", a.same, a.bit))
	}
	if len(terms) == 0 {
		return "0"
	}
	return "(" + strings.Join(terms, " | ") + ")"
}

// triggerColumns reads back from the stored text of an update trigger which column each ordinal stands for. SQLite
// rewrites the text when a column is renamed, so this tells a rename apart from a drop and an add.
// Columns that were dropped are still in it.
func triggerColumns(sql string) map[int]string {
	out := map[int]string{}
	tokens := sqltext.Tokens(sql)
	for len(tokens) > 0 && !tokens[0].Is("BEGIN") {
		tokens = tokens[1:]
	}
	word, depth := 0, 0
	var names [2]string // of an outer CASE, and of one in it
	var bits []int64    // what they give: 0 and the bit, or 0, the bit of the inner name, that of the outer, both
	keep := func(name string, bit int64) { out[word*maskBits+mathbits.TrailingZeros64(uint64(bit))] = name }
	for i, tok := range tokens {
		switch {
		case tok.Is("CASE"):
			if depth++; depth == 1 {
				names, bits = [2]string{}, nil
			}
		case (depth == 1 || depth == 2) && tok.Is("OLD") && i+2 < len(tokens) && tokens[i+1].Is("."):
			if names[depth-1] == "" { // the outer CASE looks at the inner column too
				names[depth-1] = tokens[i+2].Text
			}
		case tok.Is("THEN"), tok.Is("ELSE"):
			if bit, err := strconv.ParseInt(tokens[min(i+1, len(tokens)-1)].Text, 10, 64); err == nil {
				bits = append(bits, bit)
			}
		case tok.Is("END"):
			if depth--; depth == 0 && len(bits) == 2 {
				keep(names[0], bits[1])
			} else if depth == 0 && len(bits) == 4 {
				keep(names[0], bits[2])
				keep(names[1], bits[1])
			}
		case tok.Is("||") && i > 0 && tokens[i-1].Kind == sqltext.String:
			word++
		}
	}
	return out
}
