package engine

import (
	"fmt"
	"strings"
)

// schemaFormat is the version of the shadow tables; it only grows. SCHEMA.md has a paragraph on each.
const schemaFormat = 1

// shadowSQL creates the shadow tables. They are part of the on-disk format: see SCHEMA.md.
const shadowSQL = `
CREATE TABLE tributary_meta(key TEXT NOT NULL PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE tributary_state(id INTEGER PRIMARY KEY CHECK (id = 1));
INSERT INTO tributary_state VALUES (1);
CREATE TABLE tributary_site(ord INTEGER PRIMARY KEY, site BLOB NOT NULL UNIQUE);
CREATE TABLE tributary_table(id INTEGER PRIMARY KEY, name TEXT NOT NULL COLLATE NOCASE UNIQUE, fresh INTEGER NOT NULL, loose TEXT NOT NULL, schema TEXT NOT NULL);
CREATE TABLE tributary_column(tbl INTEGER NOT NULL, ord INTEGER NOT NULL, name TEXT, PRIMARY KEY (tbl, ord)) WITHOUT ROWID;
CREATE TABLE tributary_former(tbl INTEGER NOT NULL, ord INTEGER NOT NULL, name TEXT NOT NULL COLLATE NOCASE, PRIMARY KEY (tbl, ord, name)) WITHOUT ROWID;
CREATE TABLE tributary_feed(pos INTEGER PRIMARY KEY, tbl INTEGER, mask, at INTEGER, k0);
CREATE TABLE tributary_base(pos INTEGER PRIMARY KEY, tbl INTEGER NOT NULL, t INTEGER NOT NULL, site INTEGER NOT NULL, version INTEGER NOT NULL,
 lo BLOB NOT NULL, hi BLOB NOT NULL, keys BLOB NOT NULL);
CREATE TABLE tributary_changeset(site INTEGER NOT NULL, version INTEGER NOT NULL, pos INTEGER NOT NULL, time INTEGER NOT NULL,
 id BLOB NOT NULL, PRIMARY KEY (site, version)) WITHOUT ROWID;
CREATE INDEX tributary_changeset_pos ON tributary_changeset(pos);
CREATE TABLE tributary_ahead(site INTEGER NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL, PRIMARY KEY (site, lo)) WITHOUT ROWID;
CREATE TABLE tributary_hidden(tbl INTEGER NOT NULL, key BLOB NOT NULL, site INTEGER NOT NULL, version INTEGER NOT NULL,
 reason TEXT NOT NULL, detail TEXT NOT NULL, row BLOB NOT NULL, PRIMARY KEY (tbl, key, site, version)) WITHOUT ROWID;
CREATE TABLE tributary_unknown(pos INTEGER PRIMARY KEY, tbl TEXT NOT NULL COLLATE NOCASE, reason TEXT NOT NULL, rows INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX tributary_unknown_one ON tributary_unknown(body) WHERE rows = 1;
CREATE TABLE tributary_waiting(sender BLOB NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL, upon INTEGER NOT NULL, part INTEGER NOT NULL, flags INTEGER NOT NULL,
 bytes INTEGER NOT NULL, reason TEXT NOT NULL, lacks_site BLOB NOT NULL, lacks INTEGER NOT NULL, body BLOB, PRIMARY KEY (sender, since, until, upon));
CREATE TABLE tributary_peer(site INTEGER PRIMARY KEY, cursor INTEGER NOT NULL, upon TEXT NOT NULL, ack TEXT NOT NULL, retired INTEGER NOT NULL, error TEXT NOT NULL);
CREATE TABLE tributary_stream(name TEXT NOT NULL COLLATE NOCASE PRIMARY KEY, kind TEXT NOT NULL, peer TEXT NOT NULL, options TEXT NOT NULL,
 since INTEGER NOT NULL, last_retrieved INTEGER NOT NULL, last_sent INTEGER NOT NULL, last_acked INTEGER NOT NULL, last_error TEXT NOT NULL) WITHOUT ROWID;
`

// keyColumns returns "k0, k1, …" for n key columns, each with the prefix.
func keyColumns(n int, prefix string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%sk%d", prefix, i)
	}
	return b.String()
}

// clockTable is the name of the clock table of a tracked table.
func clockTable(id int64) string { return fmt.Sprintf("tributary_clock_%d", id) }

// clockSQL creates the clock table: the key columns have the user's own declared type and collation, without which
// SQLite could not use its index for a join on the key and every look-up would scan.
func clockSQL(id int64, s *tableSchema) []string {
	var defs, keys []string
	for i, k := range s.Key {
		d := fmt.Sprintf("k%d %s", i, clockType(k))
		if k.Collation != "" && !strings.EqualFold(k.Collation, "BINARY") {
			d += " COLLATE " + k.Collation
		}
		if !s.RowidKey {
			d += " NOT NULL"
		}
		defs = append(defs, d)
		keys = append(keys, fmt.Sprintf("k%d", i))
	}
	body := "pos INTEGER NOT NULL, t INTEGER NOT NULL, site INTEGER NOT NULL, version INTEGER NOT NULL, presence BLOB, cells BLOB"
	name := clockTable(id)
	var create string
	if s.RowidKey {
		create = fmt.Sprintf("CREATE TABLE %s(k0 INTEGER PRIMARY KEY, %s)", name, body)
	} else {
		create = fmt.Sprintf("CREATE TABLE %s(%s, %s, PRIMARY KEY (%s)) WITHOUT ROWID", name, strings.Join(defs, ", "), body, strings.Join(keys, ", "))
	}
	return []string{create, fmt.Sprintf("CREATE INDEX %s_pos ON %s(pos)", name, name)}
}

// clockType is a declared type with the affinity of the user's key column. STRICT's ANY would get NUMERIC affinity in
// an ordinary table, so affinities are spelled by a type that is sure to have them.
func clockType(c columnSchema) string {
	switch c.Affinity {
	case 'T':
		return "TEXT"
	case 'N':
		return "NUMERIC"
	case 'I':
		return "INTEGER"
	case 'R':
		return "REAL"
	}
	return "BLOB"
}
