package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tributary-db/tributary/crdt"
)

// table is a tracked table: what is stored about it, and its schema as it stands now.
type table struct {
	id      int64
	name    string
	fresh   bool     // its rows were there when it was tracked, and stand in no chunk yet
	chunks  []*chunk // of its base rows, by key
	loose   string   // ids of foreign keys that this database did not obey when the table was tracked, ",1,4,"
	schema  *tableSchema
	columns []string // by ordinal; "" for a dropped column
	former  formerNames
	seen    string // fingerprint of the schema that the triggers were made for
	sql     tableSQL
	parent  bool     // some tracked table refers to it
	rests   *bool    // the user's triggers must not run while the engine writes; nil: not known yet
	byValue bool     // … by other columns than the key, so that an update can take the parent away
	knot    []*table // the tables that refer to it and to which it refers, be it through others, itself included; see knot.go

	encoding string   // of texts in the database
	listed   *keyList // keys of the chunk at listedAt; nil: it was only searched
	listedAt int64
	chunk    int // index that chunkFrom found last
}

// ordinal of a non-key column by name, -1 if there is none. SQLite compares names without regard to ASCII case.
func (t *table) ordinal(name string) int {
	for i, c := range t.columns {
		if c != "" && strings.EqualFold(c, name) {
			return i
		}
	}
	return -1
}

// live is the set of ordinals that name a column today.
func (t *table) live() crdt.ColumnSet {
	var s crdt.ColumnSet
	for i, c := range t.columns {
		if c != "" {
			s.Add(i)
		}
	}
	return s
}

// loadTables reads every tracked table and its present schema.
func (e *Engine) loadTables() error {
	e.tables, e.byName, e.byID = nil, map[string]*table{}, map[int64]*table{}
	rows, err := e.list("SELECT id, name, fresh, loose, schema FROM tributary_table ORDER BY name", 5)
	if err != nil {
		return err
	}
	for _, r := range rows {
		t := &table{id: r[0].Int(), name: string(r[1].Bytes()), fresh: r[2].Int() != 0, loose: string(r[3].Bytes()), seen: string(r[4].Bytes())}
		err := e.each("SELECT ord, name FROM tributary_column WHERE tbl = ?1 ORDER BY ord", 2, func(c []crdt.Value) error {
			for int64(len(t.columns)) <= c[0].Int() {
				t.columns = append(t.columns, "")
			}
			t.columns[c[0].Int()] = string(c[1].Bytes())
			return nil
		}, crdt.Int(t.id))
		if err != nil {
			return err
		}
		e.tables = append(e.tables, t)
		e.byName[strings.ToLower(t.name)], e.byID[t.id] = t, t
	}
	if err := e.readSignatures(); err != nil {
		return err
	}
	if err := e.loadFormer(); err != nil {
		return err
	}
	for _, t := range e.tables {
		if t.schema, err = e.schemaOf(t.name); err != nil {
			if !errors.Is(err, ErrNoTable) {
				return err
			}
			t.schema = nil // renamed or dropped: reconcile finds out which
			continue
		}
		t.sql = newTableSQL(t)
	}
	if err := e.loadChunks(); err != nil {
		return err
	}
	for _, t := range e.tables {
		if t.schema == nil {
			continue
		}
		for _, fk := range t.schema.ForeignKeys {
			if p := e.byName[strings.ToLower(fk.Parent)]; p != nil {
				p.parent = true
				p.byValue = p.byValue || p.schema != nil && !isKey(p.schema, fk.ParentColumns)
			}
		}
	}
	e.findKnots()
	return nil
}

// knownSchema is a schema as it was read, and the text that it was read from.
type knownSchema struct {
	signature string
	schema    *tableSchema
}

// readSignatures reads the text of all that belongs to each table in one pass. Schemas that were read before stay
// known as long as no table has changed or gone: reading them is slow, and there may be hundreds.
func (e *Engine) readSignatures() error {
	now := map[string]string{}
	err := e.each("SELECT lower(tbl_name), name || ifnull(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'tributary^_%' ESCAPE '^' ORDER BY rowid", 2, func(r []crdt.Value) error {
		now[string(r[0].Bytes())] += string(r[1].Bytes()) + ";"
		return nil
	})
	if err != nil {
		return err
	}
	for name, k := range e.known {
		if now[name] != k.signature {
			e.known = nil
			break
		}
	}
	if e.known == nil {
		e.known = map[string]knownSchema{}
	}
	e.signatures = now
	return nil
}

// schemaOf reads a tracked table's schema, unless it is known.
func (e *Engine) schemaOf(name string) (*tableSchema, error) {
	id := strings.ToLower(name)
	if k, ok := e.known[id]; ok {
		return k.schema, nil
	}
	s, err := readTable(e.conn, name)
	if err == nil {
		e.known[id] = knownSchema{e.signatures[id], s}
	}
	return s, err
}

// isKey says whether the columns are those of the primary key.
func isKey(s *tableSchema, columns []string) bool {
	for _, c := range columns {
		if !slices.ContainsFunc(s.Key, func(k columnSchema) bool { return strings.EqualFold(k.Name, c) }) {
			return false
		}
	}
	return len(columns) == len(s.Key)
}

// feedSQL appends an entry for a row with n key columns to the capture feed, as a trigger would.
func feedSQL(n int, mask any) string {
	var args []string
	for i := range n {
		args = append(args, fmt.Sprintf("?%d", i+2))
	}
	return fmt.Sprintf("INSERT INTO tributary_feed(tbl, mask, at, %s) VALUES (?1, %v, 0, %s)", keyColumns(n, ""), mask, strings.Join(args, ", "))
}

// tracked returns the tracked table of that name, nil if there is none.
func (e *Engine) tracked(name string) *table {
	t := e.byName[strings.ToLower(name)]
	if t == nil || t.schema == nil {
		return nil
	}
	return t
}

// tableSQL holds the statements of one tracked table that do not depend on which columns are written.
type tableSQL struct {
	keys    string // "id", "b" quoted
	clock   string // name of the clock table
	onKey   string // c.k0 = t."id" AND …
	onRows  string // c.k0 = r.c0 AND …
	lookup  string
	present string
	upsert  string
	remove  string

	removeRun string // of an INTEGER PRIMARY KEY, by bounds
}

const clockColumns = "pos, t, site, version, presence, cells"
const clockWidth = 6

func newTableSQL(t *table) tableSQL {
	var s tableSQL
	n := len(t.schema.Key)
	var names, onKey, onRows, onUser, rows, keys []string
	for i, k := range t.schema.Key {
		q := ident(k.Name)
		names = append(names, q)
		onKey = append(onKey, fmt.Sprintf("t.%s = c.k%d", q, i))
		onRows = append(onRows, fmt.Sprintf("c.k%d = r.c%d", i, i))
		onUser = append(onUser, fmt.Sprintf("t.%s = r.c%d", q, i))
		rows = append(rows, fmt.Sprintf("c%d", i))
		keys = append(keys, fmt.Sprintf("k%d", i))
	}
	s.keys, s.clock = strings.Join(names, ", "), clockTable(t.id)
	s.onKey, s.onRows = strings.Join(onKey, " AND "), strings.Join(onRows, " AND ")
	user := ident(t.name)
	// CROSS JOIN pins the order: package rows drive, the clock is looked up. https://sqlite.org/optoverview.html#manual_control_of_query_plans_using_cross_join
	s.lookup = fmt.Sprintf("SELECT r.rowid, c.pos, c.t, c.site, c.version, c.presence, c.cells FROM tributary_rows r CROSS JOIN %s c ON %s", s.clock, s.onRows)
	s.present = fmt.Sprintf("SELECT r.rowid FROM tributary_rows r CROSS JOIN %s t ON %s", user, strings.Join(onUser, " AND "))
	var vals []string
	for i := range clockWidth {
		vals = append(vals, fmt.Sprintf("c%d", n+i))
	}
	spelling := ""
	for i, k := range t.schema.Key {
		if k.respelled() {
			spelling += fmt.Sprintf("k%d = excluded.k%d, ", i, i)
		}
	}
	s.upsert = fmt.Sprintf("INSERT INTO %s(%s, %s) SELECT %s, %s FROM tributary_rows WHERE true ON CONFLICT (%s) DO UPDATE SET "+spelling+"pos = excluded.pos, t = excluded.t, site = excluded.site, version = excluded.version, presence = excluded.presence, cells = excluded.cells",
		s.clock, strings.Join(keys, ", "), clockColumns, strings.Join(rows, ", "), strings.Join(vals, ", "), strings.Join(keys, ", "))
	s.removeRun = fmt.Sprintf("DELETE FROM %s WHERE %s BETWEEN ?1 AND ?2", user, names[0])
	if n == 1 {
		s.remove = fmt.Sprintf("DELETE FROM %s WHERE %s IN (SELECT c0 FROM tributary_rows)", user, names[0])
	} else {
		s.remove = fmt.Sprintf("DELETE FROM %s WHERE (%s) IN (SELECT %s FROM tributary_rows)", user, strings.Join(names, ", "), strings.Join(rows, ", "))
	}
	return s
}

// insertSQL writes whole rows: the key, then the columns of the ordinals given, from tributary_rows.
// An existing row of the key is overwritten; its key too, for collations under which unlike keys are equal.
func (t *table) insertSQL(cols []int) string {
	n := len(t.schema.Key)
	names, vals, sets := []string{t.sql.keys}, []string{}, []string{}
	for i := range n + len(cols) {
		vals = append(vals, fmt.Sprintf("c%d", i))
	}
	for _, k := range t.schema.Key {
		if k.respelled() {
			sets = append(sets, fmt.Sprintf("%s = excluded.%s", ident(k.Name), ident(k.Name)))
		}
	}
	for _, c := range cols {
		q := ident(t.columns[c])
		names = append(names, q)
		sets = append(sets, fmt.Sprintf("%s = excluded.%s", q, q))
	}
	action := "NOTHING"
	if len(sets) > 0 {
		action = "UPDATE SET " + strings.Join(sets, ", ")
	}
	return fmt.Sprintf("INSERT%s INTO %s(%s) SELECT %s FROM %s WHERE true ON CONFLICT (%s) DO %s",
		t.orAbort(), ident(t.name), strings.Join(names, ", "), strings.Join(vals, ", "), rowsTable(n+len(cols)), t.sql.keys, action)
}

// updateSQL writes some columns of rows that exist.
func (t *table) updateSQL(cols []int) string {
	n := len(t.schema.Key)
	var sets, on []string
	for i, c := range cols {
		sets = append(sets, fmt.Sprintf("%s = r.c%d", ident(t.columns[c]), n+i))
	}
	for i, k := range t.schema.Key {
		on = append(on, fmt.Sprintf("%s.%s = r.c%d", ident(t.name), ident(k.Name), i))
	}
	return fmt.Sprintf("UPDATE%s %s SET %s FROM %s r WHERE %s", t.orAbort(), ident(t.name), strings.Join(sets, ", "), rowsTable(n+len(cols)), strings.Join(on, " AND "))
}

// orAbort makes a statement hold against the ON CONFLICT clauses of the table's constraints: a refused row must be an error, or
// IGNORE would drop it unseen, REPLACE take others away, and ROLLBACK end the transaction. Elsewhere it is left out, since it
// also holds against what the statements of the user's triggers say themselves. https://sqlite.org/lang_createtrigger.html
func (t *table) orAbort() string {
	if t.schema.resolves {
		return " OR ABORT"
	}
	return ""
}

// selectSQL reads the key and the columns of the rows whose keys are in tributary_rows, with their index there.
func (t *table) selectSQL(cols []int) string {
	names := []string{"r.rowid"}
	for _, k := range t.schema.Key {
		names = append(names, "t."+ident(k.Name))
	}
	for _, c := range cols {
		names = append(names, "t."+ident(t.columns[c]))
	}
	return strings.Replace(t.sql.present, "SELECT r.rowid", "SELECT "+strings.Join(names, ", "), 1)
}

// respelled says that two unlike values of a key column can be equal to SQLite: texts under another collation than
// BINARY, or the numbers 1 and 1.0 where no affinity makes them one.
func (c columnSchema) respelled() bool {
	return c.Affinity == 'B' || c.Collation != "" && !strings.EqualFold(c.Collation, "BINARY")
}

func ordinals(s crdt.ColumnSet) []int {
	out := make([]int, 0, s.Len())
	s.Each(func(i int) { out = append(out, i) })
	return out
}
