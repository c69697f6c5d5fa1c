package engine

import (
	"fmt"
	"strings"

	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// maxKeyColumns bounds the key, since the feed has a column for each of its columns.
const maxKeyColumns = 100

// trackable says why a table cannot be tracked, and what to do about it.
func trackable(t *tableSchema) error {
	if len(t.Key) == 0 {
		return fmt.Errorf("%w: %s: rows are told apart by their key on every replica, which a rowid is not. "+
			"Make a table with one, for example CREATE TABLE new(id TEXT NOT NULL PRIMARY KEY DEFAULT (lower(hex(randomblob(16)))), …), "+
			"copy the rows with INSERT INTO new SELECT …, drop %s and rename the new table", ErrNoKey, t.Name, t.Name)
	}
	if len(t.Key) > maxKeyColumns {
		return fmt.Errorf("tributary: %s cannot be tracked: %d key columns, more than %d", t.Name, len(t.Key), maxKeyColumns)
	}
	if n := len(t.Key) + len(t.Columns); n > WideColumns {
		return fmt.Errorf("tributary: %s cannot be tracked: %d columns, more than %d", t.Name, n, WideColumns)
	}
	for _, k := range t.Key {
		switch sqltext.FoldName(k.Collation) {
		case "binary", "nocase", "rtrim":
		default:
			return fmt.Errorf("tributary: %s cannot be tracked: key column %s has the collation %s, which only programs that define it can use; "+
				"declare it COLLATE BINARY, NOCASE or RTRIM", t.Name, k.Name, k.Collation)
		}
	}
	return nil
}

// trackWarnings says what may surprise the owner of a table that can be tracked.
func trackWarnings(t *tableSchema) []string {
	var out []string
	warn := func(format string, args ...any) { out = append(out, t.Name+": "+fmt.Sprintf(format, args...)) }
	if t.RowidKey {
		warn("two replicas that insert while apart both take the next %s, and only one of the two rows can have it: the other is set aside in "+
			"tributary_quarantine. Use random keys, as in %s TEXT NOT NULL PRIMARY KEY DEFAULT (lower(hex(randomblob(16)))), or give each replica its own range of ids",
			t.Key[0].Name, sqltext.Ident(t.Key[0].Name))
	}
	for _, k := range t.Key {
		if !t.RowidKey && !k.NotNull {
			warn("rows whose key column %s is NULL are not replicated; declare it NOT NULL", k.Name)
		}
	}
	for _, u := range t.Unique {
		warn("UNIQUE (%s) can be violated by rows that two replicas wrote apart: one of them is set aside in tributary_quarantine", strings.Join(u.Exprs, ", "))
	}
	for _, tr := range t.Triggers {
		if len(tr.Writes) > 0 {
			warn("trigger %s writes %s; what it writes to tracked tables is replicated as any other write is, so make sure that it does not run again where a package is applied",
				tr.Name, strings.Join(tr.Writes, ", "))
		}
	}
	return out
}
