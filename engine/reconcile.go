package engine

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

func ident(name string) string { return sqltext.Ident(name) }

// fingerprint changes whenever the capture triggers would.
func fingerprint(s *tableSchema) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %v %v %v\n", s.Name, s.Key, s.Columns, s.Generated)
	for _, u := range s.Unique {
		fmt.Fprintf(h, "%q\n", u)
	}
	if s.cascadesToItself() {
		fmt.Fprintln(h, "cascades")
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:12])
}

// reconcile notices schema changes that were made since the triggers were: tables renamed, dropped or built anew,
// columns added, dropped or renamed, unique indexes. It returns for each changed table the columns that the triggers
// did not know, in which every captured update may have written.
func (e *Engine) reconcile() (map[int64]crdt.ColumnSet, error) {
	if e.reconciled == e.cookie {
		return nil, nil
	}
	added := map[int64]crdt.ColumnSet{}
	changed := false
	for _, t := range append([]*table(nil), e.tables...) {
		did, err := e.reconcileTable(t, added)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", t.name, err)
		}
		changed = changed || did
	}
	if changed {
		if err := e.reload(); err != nil {
			return nil, err
		}
		if err := e.setMeta("replay", crdt.Int(1)); err != nil {
			return nil, err
		}
	}
	e.reconciled = e.cookie
	return added, nil
}

func (e *Engine) reconcileTable(t *table, added map[int64]crdt.ColumnSet) (changed bool, err error) {
	host, err := e.one("SELECT tbl_name FROM sqlite_schema WHERE type = 'trigger' AND name = ?1", crdt.TextString(triggerNames(t.id)[0]))
	if err != nil {
		return false, err
	}
	switch on := string(host.Bytes()); {
	case t.schema == nil && host.IsNull():
		return true, e.untrack(t) // dropped, and its triggers with it
	case t.schema == nil:
		if t.schema, err = readTable(e.conn, on); err != nil {
			return false, err
		}
		if err := e.noteFormer(t, formerTable, t.name); err != nil {
			return false, err
		}
		t.name = on // ALTER TABLE … RENAME TO took the triggers along
		if err := e.run("UPDATE tributary_table SET name = ?2 WHERE id = ?1", crdt.Int(t.id), crdt.TextString(on)); err != nil {
			return false, err
		}
	case host.IsNull() || !strings.EqualFold(on, t.name):
		return true, e.rebuilt(t)
	}
	if fingerprint(t.schema) == t.seen {
		return false, nil
	}
	if len(t.schema.Key) != e.clockKeys(t) {
		return true, e.rebuilt(t)
	}
	if err := e.noteKey(t); err != nil {
		return false, err
	}
	set, err := e.reconcileColumns(t)
	if err != nil {
		return false, err
	}
	added[t.id] = set
	if err := e.makeTriggers(t); err != nil {
		return false, err
	}
	t.sql = newTableSQL(t)
	// A REPLACE may have evicted rows through a unique index that the old triggers did not know.
	return true, e.logMissing(t)
}

// logMissing logs a delete for every row that should be shown, but is not in the table.
func (e *Engine) logMissing(t *table) error {
	if err := e.run(t.missingSQL(), crdt.Int(t.id)); err != nil {
		return err
	}
	return e.missingRows(t, func(key []crdt.Value) error { return e.log(t, maskDelete, key) })
}

// log appends an entry to the feed, as a trigger would. mask is SQL text.
func (e *Engine) log(t *table, mask any, key []crdt.Value) error {
	return e.run(feedSQL(len(key), mask), append([]crdt.Value{crdt.Int(t.id)}, key...)...)
}

// missingSQL is logMissing for the rows that have a clock.
func (t *table) missingSQL() string {
	n := len(t.schema.Key)
	return fmt.Sprintf("INSERT INTO tributary_feed(tbl, mask, at, %s) SELECT ?1, %d, 0, %s FROM %s c LEFT JOIN %s t ON %s WHERE t.%s IS NULL",
		keyColumns(n, ""), maskDelete, keyColumns(n, "c."), t.sql.clock, ident(t.name), t.sql.onKey, ident(t.schema.Key[0].Name))
}

// clockKeys is the number of key columns that the clock table has.
func (e *Engine) clockKeys(t *table) int {
	n, _ := e.one(fmt.Sprintf("SELECT count(*) FROM pragma_table_info('%s') WHERE name GLOB 'k[0-9]*'", clockTable(t.id)))
	return int(n.Int())
}

// reconcileColumns brings the stored columns in line with the schema and returns the ordinals that are new.
// A rename keeps its ordinal: SQLite has rewritten the column's name inside our trigger, which tells it from a column
// dropped and another one added.
func (e *Engine) reconcileColumns(t *table) (added crdt.ColumnSet, err error) {
	names := map[string]bool{}
	for _, c := range t.schema.Columns {
		names[sqltext.FoldName(c.Name)] = true
	}
	sql, err := e.one("SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = ?1", crdt.TextString(triggerNames(t.id)[1]))
	if err != nil {
		return added, err
	}
	now := triggerColumns(string(sql.Bytes()))
	for ord, was := range t.columns {
		if was == "" || names[sqltext.FoldName(was)] && !renamedAway(now, ord, was) {
			continue
		}
		name := crdt.Null()
		t.columns[ord] = ""
		if is, ok := now[ord]; ok && names[sqltext.FoldName(is)] {
			t.columns[ord], name = is, crdt.TextString(is)
			if err := e.noteFormer(t, ord, was); err != nil {
				return added, err
			}
		}
		if err := e.run("UPDATE tributary_column SET name = ?3 WHERE tbl = ?1 AND ord = ?2", crdt.Int(t.id), crdt.Int(int64(ord)), name); err != nil {
			return added, err
		}
	}
	for _, c := range t.schema.Columns {
		if t.ordinal(c.Name) >= 0 {
			continue
		}
		added.Add(len(t.columns))
		if err := e.run("INSERT INTO tributary_column(tbl, ord, name) VALUES (?1, ?2, ?3)", crdt.Int(t.id), crdt.Int(int64(len(t.columns))), crdt.TextString(c.Name)); err != nil {
			return added, err
		}
		t.columns = append(t.columns, c.Name)
	}
	return added, nil
}

// renamedAway says that the trigger now calls the column of this ordinal something else, though a column of the old
// name exists again.
func renamedAway(now map[int]string, ord int, was string) bool {
	is, ok := now[ord]
	return ok && !sqltext.EqualName(is, was)
}

// rebuilt takes over a table that was made anew under its old name (create, copy, drop, rename), which leaves no
// triggers: writes since then were not captured. What cannot be known is stamped as early as causality allows, so that
// it wins against all this site has seen and loses against later writes of others.
func (e *Engine) rebuilt(t *table) error {
	if len(t.schema.Key) != e.clockKeys(t) {
		name := t.name
		if err := e.untrack(t); err != nil {
			return err
		}
		_, err := e.track(name)
		return err
	}
	if err := e.forgetKey(t); err != nil {
		return err
	}
	added, err := e.reconcileColumns(t)
	if err != nil {
		return err
	}
	if err := e.makeTriggers(t); err != nil {
		return err
	}
	t.sql = newTableSQL(t)
	if t.fresh { // what is there now is what will count as there from the beginning
		return nil
	}
	var keys []string
	for i, k := range t.keyNames("t.") {
		keys = append(keys, fmt.Sprintf("%s = ?%d", k, i+2))
	}
	into := fmt.Sprintf("INSERT INTO tributary_feed(tbl, mask, at, %s) SELECT ?1, %s, 0, %s FROM ", keyColumns(len(t.schema.Key), ""), rebuiltMask(t, added), strings.Join(t.keyNames("t."), ", "))
	if err := e.run(into+fmt.Sprintf("%s c CROSS JOIN %s t ON %s", t.sql.clock, ident(t.name), t.sql.onKey), crdt.Int(t.id)); err != nil {
		return err
	}
	one := into + fmt.Sprintf("%s t WHERE %s", ident(t.name), strings.Join(keys, " AND "))
	err = e.unclockedRows(t, func(key []crdt.Value, base bool) error {
		if base {
			return e.run(one, append([]crdt.Value{crdt.Int(t.id)}, key...)...)
		}
		return e.log(t, maskInsert, key)
	})
	if err != nil {
		return err
	}
	return e.logMissing(t)
}

// rebuiltMask is the SQL of the mask of a row t in a table that was made anew: every column may have been written. Only a
// column that is new here was not where it has its default, or it would win over values that were parked for it.
func rebuiltMask(t *table, added crdt.ColumnSet) string {
	var words []string
	for from := 0; from == 0 || from < len(t.columns); from += maskBits {
		var bits int64
		word := ""
		for i := from; i < min(from+maskBits, len(t.columns)); i++ {
			c := triggerText{t: t.schema}.columnNamed(t.columns[i])
			if !added.Has(i) || c == nil {
				bits |= 1 << (i - from)
				continue
			}
			word += fmt.Sprintf(" | ((t.%s IS NOT (%s) COLLATE BINARY) << %d)", ident(c.Name), c.defaultSQL(), i-from)
		}
		words = append(words, fmt.Sprintf("(%d%s)", bits, word))
	}
	return strings.Join(words, " || ',' || ")
}

// addMask adds the columns of a captured mask: an integer of bits, or for wide tables integers of maskBits bits each,
// joined by commas.
func addMask(s *crdt.ColumnSet, mask crdt.Value) error {
	word := func(w, at int64) {
		for i := range maskBits {
			if w&(1<<i) != 0 {
				s.Add(int(at) + i)
			}
		}
	}
	if mask.Kind() == crdt.KindInt {
		word(mask.Int(), 0)
		return nil
	}
	for i, part := range strings.Split(string(mask.Bytes()), ",") {
		var w int64
		if _, err := fmt.Sscan(part, &w); err != nil {
			return fmt.Errorf("tributary: mask %q in the feed: run check", mask.Bytes())
		}
		word(w, int64(i)*maskBits)
	}
	return nil
}
