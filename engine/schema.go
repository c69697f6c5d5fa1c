package engine

import (
	"fmt"
	"strings"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// columnSchema describes a column of a user's table.
type columnSchema struct {
	Name, Type, Collation string
	Affinity              byte // 'T', 'N', 'I', 'R' or 'B' (blob, also called none)
	NotNull               bool
	Default               string // SQL text, "" for none
}

// uniqueSchema is a UNIQUE constraint or index beyond the primary key.
type uniqueSchema struct {
	Name       string
	Columns    []string // "" for an expression
	Exprs      []string // SQL text of each term
	Collations []string
	Where      string // partial index: SQL text
}

// fkSchema is a foreign key that the table declares.
type fkSchema struct {
	ID                     int
	Parent                 string
	Columns, ParentColumns []string // resolved: where the parent's are implicit they are its primary key
	OnDelete, OnUpdate     string
}

// tableSchema is what replication has to know about a user's table, as SQLite reports it now.
type tableSchema struct {
	Name                           string         // as stored in sqlite_schema
	Key                            []columnSchema // primary key columns in key order
	Columns                        []columnSchema // all other, neither generated nor hidden, in cid order
	Generated                      []string
	WithoutRowid, Strict, RowidKey bool // RowidKey: one INTEGER PRIMARY KEY, alias of the rowid
	Autoincrement                  bool
	Unique                         []uniqueSchema // beyond the primary key
	ForeignKeys                    []fkSchema
	Triggers                       []triggerSchema // the user's
	chained                        []triggerSchema // these, and those of all that they write, and so on
	resolves                       bool            // some constraint has an ON CONFLICT clause
	SQL                            string
}

// readTable reads the schema of an ordinary table of the main database. ErrNoTable says that there is no table, view
// or virtual table of that name.
func readTable(c Conn, name string) (*tableSchema, error) {
	t := &tableSchema{Name: name}
	found, err := t.readDefinition(c, name)
	if err != nil {
		return nil, wrap("read the schema of "+name, err)
	}
	if err := refuseTable(c, t, found); err != nil {
		return nil, err
	}
	for _, read := range []func(Conn) error{t.readColumns, t.readIndexes, t.readForeignKeys, t.readTriggers} {
		if err := read(c); err != nil {
			return nil, wrap("read the schema of "+t.Name, err)
		}
	}
	return t, nil
}

// listTables lists the ordinary tables that a user made, in the order of their names.
func listTables(c Conn) ([]string, error) {
	var all []string
	err := queryRows(c, `SELECT name FROM main.sqlite_master WHERE type = 'table' AND rootpage > 0 ORDER BY name`, 1, func(r []crdt.Value) error {
		all = append(all, text(r[0]))
		return nil
	})
	if err != nil {
		return nil, wrap("list the tables", err)
	}
	shadow, err := shadowTables(c)
	if err != nil {
		return nil, wrap("list the tables", err)
	}
	users := all[:0]
	for _, name := range all {
		if !reservedName(name) && !shadow(name) {
			users = append(users, name)
		}
	}
	return users, nil
}

// found is what sqlite_schema says of a name.
type found struct {
	kind    string // "" when there is nothing of that name
	virtual bool
}

func (t *tableSchema) readDefinition(c Conn, name string) (f found, err error) {
	err = queryRows(c, `SELECT name, type, rootpage, sql FROM main.sqlite_master WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE`, 4, func(r []crdt.Value) error {
		t.Name, t.SQL = text(r[0]), text(r[3])
		f = found{kind: text(r[1]), virtual: r[2].Int() == 0}
		return nil
	}, crdt.TextString(name))
	t.WithoutRowid, t.Strict, t.Autoincrement = tableOptions(t.SQL)
	t.resolves = resolvesConflicts(t.SQL)
	return f, err
}

func refuseTable(c Conn, t *tableSchema, f found) error {
	refuse := func(why string) error { return fmt.Errorf("tributary: %s cannot be tracked: %s", t.Name, why) }
	switch {
	case f.kind == "":
		return fmt.Errorf("%w: %s", ErrNoTable, t.Name)
	case reservedName(t.Name):
		return refuse("names that begin with sqlite_ or tributary_ are not the user's")
	case f.kind == "view":
		return refuse("it is a view; track the tables that it reads")
	case f.virtual:
		return refuse("it is a virtual table; track the table that feeds it")
	}
	shadow, err := shadowTables(c)
	if err != nil {
		return wrap("read the schema of "+t.Name, err)
	}
	if shadow(t.Name) {
		return refuse("it is a shadow table, the storage of a virtual table")
	}
	return nil
}

func reservedName(name string) bool {
	name = sqltext.FoldName(name)
	return strings.HasPrefix(name, "sqlite_") || strings.HasPrefix(name, "tributary_")
}

// shadowSuffixes are those of the modules that come with SQLite. https://sqlite.org/vtab.html#the_xshadowname_method
var shadowSuffixes = map[string][]string{
	"fts3":      {"content", "segments", "segdir", "docsize", "stat"},
	"fts4":      {"content", "segments", "segdir", "docsize", "stat"},
	"fts5":      {"data", "idx", "content", "docsize", "config"},
	"rtree":     {"node", "rowid", "parent"},
	"rtree_i32": {"node", "rowid", "parent"},
	"geopoly":   {"node", "rowid", "parent"},
}

// shadowTables returns the test for tables that a virtual table owns. SQLite knows them (pragma_table_list, 3.37 or
// newer) only where the module is loaded; a database of a client that has FTS5 may be opened here without it. So the
// well-known ones are also told by their names.
func shadowTables(c Conn) (func(name string) bool, error) {
	shadow := map[string]bool{}
	// No error counts: an old library has no such function, and this is the lesser source.
	_ = queryRows(c, `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'`, 1, func(r []crdt.Value) error {
		shadow[sqltext.FoldName(text(r[0]))] = true
		return nil
	})
	err := queryRows(c, `SELECT name, sql FROM main.sqlite_master WHERE type = 'table' AND rootpage = 0`, 2, func(r []crdt.Value) error {
		for _, suffix := range shadowSuffixes[moduleOf(text(r[1]))] {
			shadow[sqltext.FoldName(text(r[0])+"_"+suffix)] = true
		}
		return nil
	})
	return func(name string) bool { return shadow[sqltext.FoldName(name)] }, err
}

// moduleOf reads the module's folded name from a CREATE VIRTUAL TABLE text.
func moduleOf(sql string) string {
	tokens := sqltext.Tokens(sql)
	for i := range tokens {
		if tokens[i].Is("USING") && i+1 < len(tokens) {
			return sqltext.FoldName(tokens[i+1].Text)
		}
	}
	return ""
}

// queryRows runs sql once and calls f with each row; the values are borrowed until f returns.
func queryRows(c Conn, sql string, columns int, f func([]crdt.Value) error, args ...crdt.Value) (err error) {
	s, err := c.Prepare(sql)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := s.Close(); err == nil {
			err = cerr
		}
	}()
	if err := s.Query(args...); err != nil {
		return err
	}
	row := make([]crdt.Value, columns)
	for {
		ok, err := s.Next(row)
		if err != nil || !ok {
			return err
		}
		if err := f(row); err != nil {
			return err
		}
	}
}

func text(v crdt.Value) string { return string(v.Bytes()) }
