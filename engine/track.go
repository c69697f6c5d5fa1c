package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// TableInfo describes a tracked table.
type TableInfo struct {
	Name    string   `json:"name"`
	Key     []string `json:"key"`
	Columns []string `json:"columns"`
	Rows    int64    `json:"rows"`
}

// Track starts capturing a table's changes. Rows that are there already need no work: they share the table's base clock,
// so tracking takes the same time whatever the table's size. Tracking a tracked table changes nothing.
func (e *Engine) Track(ctx context.Context, name string) (warnings []string, err error) {
	err = e.change(ctx, func() error {
		if warnings, err = e.track(name); err != nil {
			return err
		}
		return e.takeIn()
	})
	return warnings, wrap("track "+name, err)
}

// TrackAll tracks every table that can be; warnings say which could not, and why.
func (e *Engine) TrackAll(ctx context.Context) (tracked, warnings []string, err error) {
	err = e.change(ctx, func() error {
		names, err := listTables(e.conn)
		if err != nil {
			return err
		}
		for _, n := range names {
			w, err := e.track(n)
			warnings = append(warnings, w...)
			if errors.Is(err, ErrNoKey) {
				warnings = append(warnings, fmt.Sprintf("%s is not tracked: %v", n, err))
				continue
			} else if err != nil {
				return err
			}
			tracked = append(tracked, n)
		}
		return e.takeIn()
	})
	return tracked, warnings, wrap("track", err)
}

// takeIn takes in that tables are tracked, and what others have sent of them before. Later it would meet rows that are written now.
func (e *Engine) takeIn() error {
	if err := e.reload(); err != nil {
		return err
	}
	if parked, err := e.one("SELECT EXISTS (SELECT 1 FROM tributary_unknown)"); err != nil || parked.Int() == 0 {
		return err
	}
	_, err := e.fold()
	return err
}

// change runs f in one write transaction with the shadow tables in place and the identity verified.
func (e *Engine) change(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if e.conn.ReadOnly() {
		return ErrReadOnly
	}
	err := e.foreignKeysOff(false, func() error {
		return e.durable(false, func() error {
			err := e.load(ctx)
			if errors.Is(err, ErrNoDatabase) {
				err = e.create(ctx)
			}
			if err != nil {
				return err
			}
			if err := e.verifyIdentity(); err != nil {
				return err
			}
			return f()
		})
	})
	return e.done(err)
}

// done ends a write transaction of the engine: on success the versions that it folded are noted beside the database.
func (e *Engine) done(err error) error {
	switch {
	case err != nil:
		e.forget()
		e.checked, e.folded = false, 0 // what was minted or folded is rolled back
	case e.conn.InTransaction():
		e.forget()
		e.checked, e.folded = false, 0 // the caller may still roll it back
	default:
		e.committed = e.reconciled
		if e.folded == 0 {
			break
		}
		if pos, err := e.pos(); err == nil {
			e.witness(e.folded, pos)
		}
		e.folded = 0
	}
	return err
}

// create makes the shadow tables and the identity.
func (e *Engine) create(ctx context.Context) error {
	if err := e.conn.Exec(shadowSQL); err != nil {
		return err
	}
	site, err := e.newSite()
	if err != nil {
		return err
	}
	for _, m := range []struct {
		key   string
		value crdt.Value
	}{{"format", crdt.Int(schemaFormat)}, {"self", crdt.Int(1)}, {"clock", crdt.Int(0)}, {"pos", crdt.Int(0)}, {"next_table", crdt.Int(1)}} {
		if err := e.setMeta(m.key, m.value); err != nil {
			return err
		}
	}
	if err := e.run("INSERT INTO tributary_site(ord, site) VALUES (1, ?1)", crdt.Blob(site[:])); err != nil {
		return err
	}
	if err := e.load(ctx); err != nil {
		return err
	}
	return e.newNonce()
}

func (e *Engine) track(name string) (warnings []string, err error) {
	s, err := readTable(e.conn, name)
	if err != nil {
		return nil, err
	}
	if e.byName[strings.ToLower(s.Name)] != nil {
		return nil, nil
	}
	if err := trackable(s); err != nil {
		return nil, err
	}
	warnings = trackWarnings(s)
	id, err := e.meta("next_table")
	if err != nil {
		return nil, err
	}
	t := &table{id: id.Int(), name: s.Name, schema: s}
	for _, c := range s.Columns {
		t.columns = append(t.columns, c.Name)
	}
	if err := e.setMeta("next_table", crdt.Int(t.id+1)); err != nil {
		return nil, err
	}
	if warnings, err = e.looseForeignKeys(t, warnings); err != nil {
		return nil, err
	}
	before, err := e.meta(untrackedKey(s.Name))
	if err != nil {
		return nil, err
	}
	if !before.IsNull() {
		warnings = append(warnings, s.Name+": it was tracked here before, and the history of then is gone: what other replicas wrote then does not come again, so that they may show other rows than this one. To make them equal, make this file anew with clone, or the others")
	}
	rows, err := e.one(fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM %s)", ident(s.Name)))
	if err != nil {
		return nil, err
	}
	if err := e.run("INSERT INTO tributary_table(id, name, fresh, loose, schema) VALUES (?1, ?2, ?3, ?4, '')",
		crdt.Int(t.id), crdt.TextString(t.name), rows, crdt.TextString(t.loose)); err != nil {
		return nil, err
	}
	for i, c := range t.columns {
		if err := e.run("INSERT INTO tributary_column(tbl, ord, name) VALUES (?1, ?2, ?3)", crdt.Int(t.id), crdt.Int(int64(i)), crdt.TextString(c)); err != nil {
			return nil, err
		}
	}
	if err := e.noteKey(t); err != nil {
		return nil, err
	}
	for _, sql := range clockSQL(t.id, s) {
		if err := e.conn.Exec(sql); err != nil {
			return nil, err
		}
	}
	if err := e.widenFeed(len(s.Key)); err != nil {
		return nil, err
	}
	if err := e.makeTriggers(t); err != nil {
		return nil, err
	}
	if err := e.setMeta("replay", crdt.Int(1)); err != nil { // changes of the table may have come before it was tracked
		return nil, err
	}
	return warnings, nil
}

// reload reads the tables anew after the engine itself has changed the schema.
func (e *Engine) reload() error {
	e.ready = false
	return e.load(context.Background())
}

// widenFeed gives tributary_feed a column for each part of the widest key.
func (e *Engine) widenFeed(n int) error {
	have, err := e.one("SELECT count(*) FROM pragma_table_info('tributary_feed') WHERE name GLOB 'k[0-9]*'")
	if err != nil {
		return err
	}
	for i := have.Int(); i < int64(n); i++ {
		if err := e.conn.Exec(fmt.Sprintf("ALTER TABLE tributary_feed ADD COLUMN k%d", i)); err != nil {
			return err
		}
	}
	return nil
}

// makeTriggers replaces the capture triggers of a table by those that fit its present schema.
func (e *Engine) makeTriggers(t *table) error {
	if err := e.dropTriggers(t.id); err != nil {
		return err
	}
	for _, sql := range triggerSQL(t.schema, t.id, t.ordinal, len(t.columns)) {
		if err := e.conn.Exec(sql); err != nil {
			return err
		}
	}
	return e.run("UPDATE tributary_table SET schema = ?2 WHERE id = ?1", crdt.Int(t.id), crdt.TextString(fingerprint(t.schema)))
}

func (e *Engine) dropTriggers(id int64) error {
	for _, n := range triggerNames(id) {
		if err := e.conn.Exec("DROP TRIGGER IF EXISTS " + n); err != nil {
			return err
		}
	}
	return nil
}

// looseForeignKeys finds the foreign keys that the table's rows do not obey today. Merging must not hide rows that
// were shown before, so such a key is not enforced between replicas.
func (e *Engine) looseForeignKeys(t *table, warnings []string) ([]string, error) {
	t.loose = ","
	for _, fk := range t.schema.ForeignKeys {
		if parent, err := readTable(e.conn, fk.Parent); err == nil && len(fk.ParentColumns) == len(fk.Columns) {
			q, err := e.one("SELECT EXISTS (" + orphanSQL(parent, fk, "SELECT 1", ident(t.name)+" t") + ")")
			if err != nil {
				return nil, err
			}
			if q.Int() == 0 {
				continue
			}
		}
		t.loose += fmt.Sprintf("%d,", fk.ID)
		warnings = append(warnings, fmt.Sprintf("%s: rows refer to rows of %s that do not exist; this foreign key (%s) is not enforced when changes are merged",
			t.name, fk.Parent, strings.Join(fk.Columns, ", ")))
	}
	return warnings, nil
}

// Untrack stops capturing a table and forgets its clocks. The rows stay.
func (e *Engine) Untrack(ctx context.Context, name string) error {
	return wrap("untrack "+name, e.change(ctx, func() error {
		t := e.byName[strings.ToLower(name)]
		if t == nil {
			return fmt.Errorf("%w: %s", ErrNotTracked, name)
		}
		if _, err := e.fold(); err != nil { // what was captured so far still goes out under the last version
			return err
		}
		return e.untrack(t)
	}))
}

// untrackedKey is the key in tributary_meta that says that a table was tracked once.
func untrackedKey(name string) string { return "untracked " + sqltext.FoldName(name) }

func (e *Engine) untrack(t *table) error {
	if err := e.setMeta(untrackedKey(t.name), crdt.Int(1)); err != nil {
		return err
	}
	if err := e.dropTriggers(t.id); err != nil {
		return err
	}
	if err := e.Close(); err != nil { // a table cannot be dropped under its statements
		return err
	}
	if err := e.dropClock(clockTable(t.id)); err != nil {
		return err
	}
	for _, sql := range []string{"DELETE FROM tributary_column WHERE tbl = ?1", "DELETE FROM tributary_former WHERE tbl = ?1", "DELETE FROM tributary_feed WHERE tbl = ?1",
		"DELETE FROM tributary_base WHERE tbl = ?1", "DELETE FROM tributary_hidden WHERE tbl = ?1", "DELETE FROM tributary_table WHERE id = ?1"} {
		if err := e.run(sql, crdt.Int(t.id)); err != nil {
			return err
		}
	}
	return e.reload()
}

// dropClock drops a clock table. SQLite drops nothing while the connection runs a SELECT, which may be the one that reads a
// stream: then the table is made empty, and compact drops it.
func (e *Engine) dropClock(name string) error {
	err := e.conn.Exec("DROP TABLE IF EXISTS " + name)
	if isCode(err, codeLocked) {
		err = e.conn.Exec("DELETE FROM " + name)
	}
	return err
}

// dropLeftClocks drops the clock tables that dropClock has left.
func (e *Engine) dropLeftClocks() error {
	left, err := e.list("SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'tributary_clock_[0-9]*' AND CAST(substr(name, 17) AS INTEGER) NOT IN (SELECT id FROM tributary_table)", 1)
	if err != nil {
		return err
	}
	for _, r := range left {
		if err := e.dropClock(ident(string(r[0].Bytes()))); err != nil {
			return err
		}
	}
	return nil
}

// Tables lists the tracked tables by name.
func (e *Engine) Tables(ctx context.Context) ([]TableInfo, error) {
	if err := e.load(ctx); errors.Is(err, ErrNoDatabase) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var out []TableInfo
	for _, t := range e.tables {
		if t.schema == nil {
			continue
		}
		n, err := e.one("SELECT count(*) FROM " + ident(t.name))
		if err != nil {
			return nil, err
		}
		i := TableInfo{Name: t.name, Rows: n.Int()}
		for _, k := range t.schema.Key {
			i.Key = append(i.Key, k.Name)
		}
		for _, c := range t.columns {
			if c != "" {
				i.Columns = append(i.Columns, c)
			}
		}
		out = append(out, i)
	}
	return out, nil
}
