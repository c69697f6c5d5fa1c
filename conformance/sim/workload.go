package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"time"
)

// schema is what the application begins with. log is written once and never touched again, for the oracles; the other tables
// have few rows and many conflicts.
const schema = `
CREATE TABLE log(id TEXT PRIMARY KEY NOT NULL, origin TEXT, n INT, part INT, parts INT, saw TEXT);
CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, c);
CREATE TABLE customer(id TEXT PRIMARY KEY NOT NULL, email TEXT UNIQUE, name TEXT);
CREATE TABLE orders(id INTEGER PRIMARY KEY, customer TEXT REFERENCES customer(id) ON DELETE CASCADE, total REAL);
CREATE TABLE line(o INTEGER REFERENCES orders(id) ON DELETE CASCADE, n INTEGER, what BLOB, PRIMARY KEY (o, n)) WITHOUT ROWID;
CREATE TABLE link(id TEXT PRIMARY KEY NOT NULL, next TEXT UNIQUE REFERENCES link(id), v UNIQUE);
CREATE TABLE note(id TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, body, pinned INT);
CREATE UNIQUE INDEX pinned ON note(lower(body)) WHERE pinned = 1;
`

const baseRows = `
INSERT INTO t VALUES (1, 'base', 1, NULL), (2, 'base', 2, 2.5), (7, 'base', NULL, x'00');
INSERT INTO customer VALUES ('c1', 'e1', 'base'), ('c2', 'e2', 'base');
INSERT INTO orders VALUES (1, 'c1', 1.5), (2, 'c2', 2.5);
INSERT INTO line VALUES (1, 1, x'01');
INSERT INTO note VALUES ('a', 'B1', 1), ('b', 'B2', 1);
`

// migrations are the versions of the schema after the first. Every site gets all of them, in this order, at a time of its own.
var migrations = []string{
	"ALTER TABLE t ADD COLUMN d DEFAULT 7",
	"CREATE TABLE extra(k TEXT PRIMARY KEY NOT NULL, v)",
	"ALTER TABLE t ADD COLUMN e TEXT",
	"ALTER TABLE t DROP COLUMN b",
}

// dropsAt is the version of the schema that has lost a column: changes of it stay parked.
const dropsAt = 4

// migrate brings the schema to a version, if it is not there yet.
func (s *site) migrate(to int) error {
	to = min(to, len(migrations))
	if s.level >= to {
		return nil
	}
	err := s.app.Exec(fmt.Sprintf("BEGIN; %s; PRAGMA user_version = %d; COMMIT", strings.Join(migrations[s.level:to], ";"), to+1))
	if err != nil {
		return err
	}
	s.level = to
	s.w.ledger.forgetful = s.w.ledger.forgetful || s.level >= dropsAt
	return s.track() // the engine notices new columns by itself
}

// real is later than any virtual time and earlier than any real one: triggers read the real clock.
var real = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

// write runs a few statements of the application: alone, in a transaction, or in one that is rolled back. Those in a transaction
// also write to the log.
func (s *site) write(r *rand.Rand) error {
	edits := 1 + r.IntN(5)
	if s.w.o.Focus == Imports {
		// Rows of an import may share the time of the last of them; so that the model need not know which do, a version has one time.
		if _, err := s.e.Fold(context.Background()); err != nil || s.hit() {
			return err
		}
		if err := s.w.learn(); err != nil {
			return err
		}
		if r.IntN(2) == 0 {
			edits = 1
		}
	}
	switch r.IntN(8) {
	case 0, 1, 2: // each for itself; a constraint may refuse it
		for range edits {
			if err := s.app.Exec("BEGIN"); err != nil {
				return err
			}
			if err := s.tell(s.edit(r)); err != nil && !refused(err) {
				return err
			}
			if err := s.stamp(); err != nil {
				return err
			}
			if err := s.app.Exec("COMMIT"); err != nil {
				return err
			}
		}
		return nil
	case 3: // nothing of this may ever be seen
		sql := "BEGIN; INSERT INTO log VALUES ('rolled back', 'rolled back', 1, 1, 1, '');"
		for range edits {
			sql += s.edit(r) + ";"
		}
		err := s.app.Exec(sql + "ROLLBACK")
		if err != nil && refused(err) {
			return s.app.Exec("ROLLBACK")
		}
		return err
	}
	saw, err := s.seen()
	if err != nil {
		return err
	}
	var begin strings.Builder
	begin.WriteString("BEGIN;")
	parts := 1 + r.IntN(3)
	for p := range parts {
		fmt.Fprintf(&begin, "INSERT INTO log VALUES ('%s/%d/%d', '%s', %d, %d, %d, '%s');", s.origin, s.n+1, p, s.origin, s.n+1, p, parts, saw)
	}
	if err := s.app.Exec(begin.String()); err != nil {
		return err
	}
	for range edits {
		if err := s.app.Exec("SAVEPOINT one"); err != nil {
			return err
		}
		end := "RELEASE one"
		if err := s.tell(s.edit(r)); err != nil {
			if !refused(err) {
				return err
			}
			end = "ROLLBACK TO one; RELEASE one"
		}
		if err := s.app.Exec(end); err != nil {
			return err
		}
	}
	if err := s.stamp(); err != nil {
		return err
	}
	if err := s.app.Exec("COMMIT"); err != nil {
		return err
	}
	s.n++
	return nil
}

// stamp moves what the triggers took from the real clock to the site's own.
func (s *site) stamp() error {
	return s.app.Exec(fmt.Sprintf("UPDATE tributary_feed SET at = %d WHERE at > %d", s.now().UnixMilli(), real))
}

// seen is what the log shows of each origin: "o1:3 o2:1".
func (s *site) seen() (string, error) {
	log, err := s.readLog()
	if err != nil {
		return "", err
	}
	var out []string
	for origin, n := range log.newest {
		out = append(out, fmt.Sprintf("%s:%d", origin, n))
	}
	sort.Strings(out)
	return strings.Join(out, " "), nil
}

// refused says that a constraint of the application refused a statement: that is an edit too.
func refused(err error) bool { return strings.Contains(err.Error(), "constraint failed") }

func (s *site) edit(r *rand.Rand) string {
	if sql := s.focused(r); sql != "" {
		return sql
	}
	c, o, l, x := r.IntN(4), r.IntN(4), r.IntN(3), r.IntN(1000)
	id := string(rune('a' + r.IntN(4)))
	switch r.IntN(24) {
	case 0:
		return fmt.Sprintf("INSERT INTO t(id, a, c) VALUES (%d, 'i%d', %d)", r.IntN(8), x, x)
	case 1:
		return fmt.Sprintf("INSERT OR REPLACE INTO t(id, a) VALUES (%d, 'r%d')", r.IntN(8), x)
	case 2, 3:
		return fmt.Sprintf("UPDATE t SET a = 'a%d' WHERE id = %d", x, r.IntN(8))
	case 4:
		return fmt.Sprintf("UPDATE t SET c = %d.5, a = 'c%d' WHERE id %% 3 = %d", x, x, r.IntN(3))
	case 5:
		return fmt.Sprintf("DELETE FROM t WHERE id = %d", r.IntN(8))
	case 6:
		return fmt.Sprintf("UPDATE t SET id = %d WHERE id = %d", r.IntN(8), r.IntN(8))
	case 7: // columns that only some versions of the schema have
		switch {
		case s.level >= 3 && r.IntN(2) == 0:
			return fmt.Sprintf("UPDATE t SET e = 'e%d' WHERE id = %d", x, r.IntN(8))
		case s.level >= 1:
			return fmt.Sprintf("UPDATE t SET d = %d WHERE id = %d", x, r.IntN(8))
		}
		return fmt.Sprintf("UPDATE t SET c = NULL WHERE id = %d", r.IntN(8))
	case 8:
		if s.level < dropsAt {
			return fmt.Sprintf("UPDATE t SET b = %d WHERE id = %d", x, r.IntN(8))
		}
		return fmt.Sprintf("INSERT INTO t(id, a, d, e) VALUES (%d, 'w%d', %d, 'e') ON CONFLICT DO UPDATE SET d = excluded.d", r.IntN(8), x, x)
	case 9:
		if s.level >= 2 {
			return fmt.Sprintf("INSERT INTO extra VALUES ('%s', %d) ON CONFLICT DO UPDATE SET v = excluded.v", id, x)
		}
		return "UPDATE t SET a = a" // changes nothing
	case 10:
		return fmt.Sprintf("INSERT INTO customer VALUES ('c%d', 'e%d', 'n%d')", c, r.IntN(4), x)
	case 11:
		return fmt.Sprintf("INSERT OR REPLACE INTO customer VALUES ('c%d', 'e%d', 'r%d')", c, r.IntN(4), x)
	case 12:
		return fmt.Sprintf("UPDATE OR REPLACE customer SET email = 'e%d' WHERE id = 'c%d'", r.IntN(4), c)
	case 13:
		return fmt.Sprintf("UPDATE customer SET name = 'u%d' WHERE id = 'c%d'", x, c)
	case 14:
		return fmt.Sprintf("DELETE FROM customer WHERE id = 'c%d'", c)
	case 15, 16:
		return fmt.Sprintf("INSERT INTO orders VALUES (%d, 'c%d', %d.5)", o, c, x)
	case 17:
		return fmt.Sprintf("UPDATE orders SET total = %d, customer = 'c%d' WHERE id = %d", x, c, o)
	case 18:
		return fmt.Sprintf("DELETE FROM orders WHERE id = %d", o)
	case 19:
		return fmt.Sprintf("INSERT INTO line VALUES (%d, %d, x'%02x')", o, l, x%256)
	case 20:
		return fmt.Sprintf("UPDATE orders SET id = %d WHERE id = %d", r.IntN(4), o)
	case 21:
		return fmt.Sprintf("INSERT INTO note VALUES ('%s', 'B%d', %d) ON CONFLICT (id) DO UPDATE SET body = excluded.body", id, r.IntN(4), r.IntN(2))
	case 22:
		return fmt.Sprintf("UPDATE note SET id = upper(id), pinned = %d WHERE id = '%s'", r.IntN(2), id)
	}
	return fmt.Sprintf("UPDATE OR REPLACE note SET body = 'b%d', pinned = 1 WHERE id = '%s'", r.IntN(4), id)
}
