package engine

import (
	"slices"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// triggerSchema is a trigger that is not ours.
type triggerSchema struct {
	Name, SQL string
	Writes    []string // tables and views that its body writes
	resolves  bool     // a statement of its body, or a table that it writes, says what to do about conflicts
	refuses   bool     // it can raise an error, ignore a row, or end the transaction
}

// readTriggers fills Triggers and chained.
func (t *tableSchema) readTriggers(c Conn) (err error) {
	if t.Triggers, err = triggersOn(c, t.Name); err != nil {
		return err
	}
	seen := map[string]bool{sqltext.FoldName(t.Name): true}
	for list := t.Triggers; len(list) > 0; {
		var next []triggerSchema
		for i := range list {
			for _, name := range list[i].Writes {
				sql, err := tableText(c, name)
				if err != nil {
					return err
				}
				list[i].resolves = list[i].resolves || resolvesConflicts(sql)
				list[i].refuses = list[i].refuses || hasWord(sql, "ROLLBACK")
				f := sqltext.FoldName(name)
				if seen[f] {
					continue
				}
				seen[f] = true
				more, err := triggersOn(c, name)
				if err != nil {
					return err
				}
				next = append(next, more...)
			}
		}
		t.chained = append(t.chained, list...)
		list = next
	}
	return nil
}

// triggersOn are the user's triggers of a table or view.
func triggersOn(c Conn, name string) (out []triggerSchema, err error) {
	err = queryRows(c, `SELECT name, sql FROM main.sqlite_master WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE ORDER BY name`, 2, func(r []crdt.Value) error {
		if tr := (triggerSchema{Name: text(r[0]), SQL: text(r[1])}); !reservedName(tr.Name) {
			tr.Writes, tr.resolves = triggerWrites(tr.SQL), resolvesConflicts(tr.SQL)
			tr.refuses = hasWord(tr.SQL, "RAISE") || hasWord(tr.SQL, "ROLLBACK") // https://sqlite.org/lang_createtrigger.html#the_raise_function
			out = append(out, tr)
		}
		return nil
	}, crdt.TextString(name))
	return out, err
}

func tableText(c Conn, name string) (sql string, err error) {
	err = queryRows(c, `SELECT sql FROM main.sqlite_master WHERE type = 'table' AND name = ?1 COLLATE NOCASE`, 1, func(r []crdt.Value) error {
		sql = text(r[0])
		return nil
	}, crdt.TextString(name))
	return sql, err
}

func hasWord(sql, word string) bool {
	return slices.ContainsFunc(sqltext.Tokens(sql), func(t sqltext.Token) bool { return t.Is(word) })
}

// resolvesConflicts says whether the text of a table or a trigger may say what happens to a row that violates a
// constraint: UNIQUE ON CONFLICT IGNORE, INSERT OR REPLACE. https://sqlite.org/lang_conflict.html
func resolvesConflicts(sql string) bool {
	var before sqltext.Token
	for _, tok := range sqltext.Tokens(sql) {
		if before.Is("ON") && tok.Is("CONFLICT") || tok.Is("REPLACE") {
			return true
		}
		if before.Is("OR") {
			for _, word := range []string{"ROLLBACK", "ABORT", "FAIL", "IGNORE"} {
				if tok.Is(word) {
					return true
				}
			}
		}
		before = tok
	}
	return false
}

// triggerWrites lists the tables that the body of a trigger writes, in the order of their first mention.
func triggerWrites(sql string) []string {
	tokens := sqltext.Tokens(sql)
	begin := 0
	for begin < len(tokens) && !tokens[begin].Is("BEGIN") {
		begin++
	}
	seen := map[string]bool{}
	var out []string
	for i := begin; i < len(tokens); i++ {
		// Only the start of a statement counts: UPDATE also stands in ON CONFLICT DO UPDATE.
		if i <= begin || !tokens[i-1].Is("BEGIN") && !tokens[i-1].Is(";") && !tokens[i].Is("INTO") {
			continue
		}
		if n := writtenName(tokens[i:]); n != "" && !seen[sqltext.FoldName(n)] {
			seen[sqltext.FoldName(n)] = true
			out = append(out, n)
		}
	}
	return out
}

// writtenName reads the table from the start of an UPDATE [OR x] t, DELETE FROM t, or from the INTO of an INSERT
// (which a WITH may precede).
func writtenName(tokens []sqltext.Token) string {
	n := 0
	switch {
	case tokens[0].Is("INTO"):
		n = 1
	case tokens[0].Is("UPDATE"):
		if n = 1; len(tokens) > 2 && tokens[1].Is("OR") {
			n = 3
		}
	case tokens[0].Is("DELETE"):
		n = 2
	}
	if n == 0 || n >= len(tokens) || !tokens[n].IsName() {
		return ""
	}
	return tokens[n].Text
}
