package engine

import (
	"strings"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// readColumns fills Key, Columns and Generated. Collations come from the CREATE TABLE text, since no pragma reports
// those of columns; readIndexes corrects the key's, whose index may have its own.
func (t *tableSchema) readColumns(c Conn) error {
	collations := columnCollations(t.SQL)
	key := map[int64]columnSchema{}
	err := queryRows(c, `SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?1, 'main') ORDER BY cid`, 6, func(r []crdt.Value) error {
		col := columnSchema{Name: text(r[0]), Type: text(r[1]), NotNull: r[2].Int() != 0, Default: text(r[3])}
		col.Affinity = affinity(col.Type, t.Strict)
		col.Collation = "BINARY"
		if name := collations[sqltext.FoldName(col.Name)]; name != "" {
			col.Collation = name
		}
		switch pk, hidden := r[4].Int(), r[5].Int(); {
		case hidden > 1: // 2 virtual, 3 stored: https://sqlite.org/pragma.html#pragma_table_xinfo
			t.Generated = append(t.Generated, col.Name)
		case hidden == 1:
		case pk > 0:
			key[pk] = col
		default:
			t.Columns = append(t.Columns, col)
		}
		return nil
	}, crdt.TextString(t.Name))
	for i := int64(1); i <= int64(len(key)); i++ {
		t.Key = append(t.Key, key[i])
	}
	// Whether it really is an alias of the rowid shows in the lack of an index: see readIndexes.
	t.RowidKey = len(t.Key) == 1 && !t.WithoutRowid && sqltext.EqualName(t.Key[0].Type, "INTEGER")
	return err
}

// defaultSQL is the column's default as an expression. A bare word there is a text: DEFAULT active.
func (c *columnSchema) defaultSQL() string {
	tokens := sqltext.Tokens(c.Default)
	if len(tokens) == 0 {
		return "NULL"
	}
	if len(tokens) == 1 && (tokens[0].Kind == sqltext.Bare || tokens[0].Kind == sqltext.Quoted) {
		for _, word := range []string{"NULL", "TRUE", "FALSE", "CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP"} {
			if tokens[0].Is(word) {
				return c.Default
			}
		}
		return sqltext.Literal(tokens[0].Text)
	}
	return c.Default
}

// generatedColumn is a generated column and the expression that makes it.
type generatedColumn struct{ Name, Expr string }

// generatedInOrder lists the generated columns so that each comes after those that it is made of.
func (t *tableSchema) generatedInOrder() (out []generatedColumn) {
	if len(t.Generated) == 0 {
		return nil
	}
	g, exprs := triggerText{t: t}, generatedExprs(t.SQL)
	done := map[string]bool{}
	var add func(name string)
	add = func(name string) {
		f := sqltext.FoldName(name)
		if done[f] || exprs[f] == "" || !t.isGenerated(name) {
			return
		}
		done[f] = true
		_, columns := g.ofNew(exprs[f])
		for _, c := range columns {
			add(c)
		}
		out = append(out, generatedColumn{name, exprs[f]})
	}
	for _, name := range t.Generated {
		add(name)
	}
	return out
}

// generatedExprs maps folded names of generated columns to the expressions that a CREATE TABLE text gives them.
func generatedExprs(sql string) map[string]string {
	out := map[string]string{}
	for _, def := range definitions(sqltext.Tokens(sql)) {
		depth, from := 0, -1
		for i, tok := range def {
			switch {
			case tok.Is("("):
				if depth++; depth == 1 && i > 1 && def[i-1].Is("AS") {
					from = tok.End
				}
			case tok.Is(")"):
				if depth--; depth == 0 && from >= 0 {
					out[sqltext.FoldName(def[0].Text)] = sql[from:tok.Start]
					from = -1
				}
			}
		}
	}
	return out
}

// affinity follows https://sqlite.org/datatype3.html#determination_of_column_affinity
func affinity(declared string, strict bool) byte {
	d := strings.ToUpper(declared)
	has := func(s string) bool { return strings.Contains(d, s) }
	switch {
	case strict && d == "ANY": // stores what it is given: https://sqlite.org/stricttables.html
		return 'B'
	case has("INT"):
		return 'I'
	case has("CHAR"), has("CLOB"), has("TEXT"):
		return 'T'
	case has("BLOB"), d == "":
		return 'B'
	case has("REAL"), has("FLOA"), has("DOUB"):
		return 'R'
	}
	return 'N'
}

// tableOptions reads what follows the column list of a CREATE TABLE text, and whether a key is AUTOINCREMENT.
func tableOptions(sql string) (withoutRowid, strict, autoincrement bool) {
	depth := 0
	var before sqltext.Token
	for _, tok := range sqltext.Tokens(sql) {
		switch {
		case tok.Is("("):
			depth++
		case tok.Is(")"):
			depth--
		case tok.Is("AUTOINCREMENT"): // a true keyword: as a column's name it has to be quoted
			autoincrement = true
		case depth == 0 && tok.Is("ROWID") && before.Is("WITHOUT"):
			withoutRowid = true
		case depth == 0 && tok.Is("STRICT") && (before.Is(")") || before.Is(",")):
			strict = true
		}
		before = tok
	}
	return withoutRowid, strict, autoincrement
}

// columnCollations maps folded column names to the collations that a CREATE TABLE text gives them.
func columnCollations(sql string) map[string]string {
	out := map[string]string{}
	for _, def := range definitions(sqltext.Tokens(sql)) {
		depth := 0
		for i, tok := range def {
			switch {
			case tok.Is("("):
				depth++
			case tok.Is(")"):
				depth--
			case depth == 0 && i > 0 && tok.Is("COLLATE") && i+1 < len(def):
				out[sqltext.FoldName(def[0].Text)] = def[i+1].Text
			}
		}
	}
	return out
}

// definitions splits the first parenthesis of a statement at its commas: the column and constraint definitions of
// CREATE TABLE, the terms of CREATE INDEX.
func definitions(tokens []sqltext.Token) [][]sqltext.Token {
	var out [][]sqltext.Token
	depth, from := 0, 0
	for i, tok := range tokens {
		switch {
		case tok.Is("("):
			if depth++; depth == 1 {
				from = i + 1
			}
		case tok.Is(")"):
			if depth--; depth == 0 {
				return append(out, tokens[from:i])
			}
		case depth == 1 && tok.Is(","):
			out, from = append(out, tokens[from:i]), i+1
		}
	}
	return out
}
