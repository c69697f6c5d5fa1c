package sim

import (
	"fmt"
	"math/rand/v2"
)

// Focus is what the edits of a world are mostly about. Where everything may happen, what takes three things at once hardly ever
// does: every other world is about few things, and has them often.
type Focus string

// The foci.
const (
	Anything Focus = ""
	Alike    Focus = "alike"   // few keys and values: equal inserts meet, updates change nothing
	Parts    Focus = "parts"   // sets of many small packages, of which some are of own changes alone
	Columns  Focus = "columns" // some sites get new columns early, others late, and hand on what they do not know
	Imports  Focus = "imports" // many rows at once, in ranges that meet and overlap: base rows
	Knots    Focus = "knots"   // rows that refer to each other, and push each other out
	Deletes  Focus = "deletes" // few rows come and go, deletes are forgotten, and files come back that have not heard of them
)

var foci = []Focus{Alike, Parts, Columns, Imports, Knots, Deletes}

// draw gives a world its focus, and takes from the options what would keep it from it.
func (o *Options) draw(r *rand.Rand) {
	n := o.Seed % uint64(len(foci)+1) // in turn, so that few worlds have them all
	if n == 0 {
		return
	}
	o.Focus = foci[n-1]
	o.Events, o.Sites, o.Most = 20+o.Events/3, min(o.Sites, 3), 4
	switch o.Focus {
	case Alike:
		o.Compact, o.Restores, o.Eventual, o.Sites = true, false, false, 3
	case Deletes:
		o.Compact, o.Restores, o.Crashes, o.Eventual, o.Loss = true, true, false, false, o.Loss/4
	case Parts:
		o.MaxBytes, o.Events = 60+r.IntN(100), 10+o.Events/2
		if r.IntN(2) == 0 {
			o.MaxPending = int64(300 + r.IntN(2000))
		}
	case Columns:
		o.Schema, o.Compact, o.Eventual, o.Sites = true, true, false, 3 // rows come in two forms, which belong together
		if r.IntN(2) == 0 {
			o.MaxBytes = 60 + r.IntN(200)
		}
	case Imports:
		o.MaxBytes = 1500 + r.IntN(20000)
		o.MaxPending = 0
	}
}

// focused draws an edit that the focus of the world wants, "" for any.
func (s *site) focused(r *rand.Rand) string {
	if r.IntN(5) == 0 {
		return ""
	}
	switch s.w.o.Focus {
	case Alike:
		return s.alike(r)
	case Parts:
		return s.parts(r)
	case Deletes:
		return s.deletes(r)
	case Columns:
		return s.columns(r)
	case Imports:
		return s.imports(r)
	case Knots:
		return s.knots(r)
	}
	return ""
}

// alike is an edit of one of three rows, with one of two values. What one draw gives two sites may differ in the value.
func (s *site) alike(r *rand.Rand) string {
	id, x := r.IntN(3), (r.IntN(2)+s.index)%2
	switch r.IntN(16) {
	case 0, 1, 2, 3:
		if s.level >= 1 {
			return fmt.Sprintf("INSERT INTO t(id, a, c, d) VALUES (%d, 'i', 0, %d)", id, 7+x)
		}
		return fmt.Sprintf("INSERT INTO t(id, a, c) VALUES (%d, 'i', 0)", id)
	case 4:
		return fmt.Sprintf("INSERT OR REPLACE INTO t(id, a) VALUES (%d, 'i')", id)
	case 5, 6:
		return fmt.Sprintf("UPDATE t SET a = 'a%d' WHERE id = %d", x, id)
	case 7:
		return fmt.Sprintf("UPDATE t SET c = %d WHERE id <> %d", x, id)
	case 8, 9, 11, 12:
		return fmt.Sprintf("DELETE FROM t WHERE id = %d", id)
	case 13:
		if s.level >= 1 {
			return fmt.Sprintf("UPDATE t SET d = %d WHERE id = %d", 7+x, id)
		}
		return fmt.Sprintf("UPDATE t SET id = %d WHERE id = %d", r.IntN(3), id)
	case 10:
		return fmt.Sprintf("INSERT INTO customer VALUES ('c%d', 'e%d', 'n')", id, x)
	}
	return "UPDATE t SET a = a"
}

// parts is an edit of few rows, or of several at once. Rows that are deleted and inserted again in one version are among them.
func (s *site) parts(r *rand.Rand) string {
	id, x := r.IntN(6), r.IntN(1000)
	letter := string(rune('a' + r.IntN(3)))
	switch r.IntN(10) {
	case 0, 1:
		return fmt.Sprintf("INSERT INTO t(id, a, c) VALUES (%d, 'i%d', 'kept')", id, x)
	case 2:
		return fmt.Sprintf("INSERT OR IGNORE INTO t(id, a) VALUES (%d, 'n%d'), (%d, 'n%d'), (%d, 'n%[2]d')", id, x, (id+1)%6, x, (id+2)%6)
	case 3:
		return fmt.Sprintf("DELETE FROM t WHERE id = %d", id)
	case 4, 5:
		return fmt.Sprintf("UPDATE t SET a = 'u%d' WHERE id = %d", x, id)
	case 6:
		return fmt.Sprintf("UPDATE t SET c = %d WHERE id %% 2 = %d", x, id%2)
	case 7:
		return fmt.Sprintf("INSERT OR IGNORE INTO note VALUES ('%s', 'n%d', 0)", letter, x)
	case 8:
		return fmt.Sprintf("UPDATE note SET id = CASE WHEN id = lower(id) THEN upper(id) ELSE lower(id) END WHERE id = '%s'", letter)
	}
	return fmt.Sprintf("UPDATE note SET body = 'b%d' WHERE id = '%s'", x, letter)
}

// deletes is an edit after which a row is there or not, or a write to one.
func (s *site) deletes(r *rand.Rand) string {
	id, x := r.IntN(8), r.IntN(1000)
	switch r.IntN(6) {
	case 0, 1:
		return fmt.Sprintf("INSERT INTO t(id, a) VALUES (%d, 'i%d')", id, x)
	case 2:
		return fmt.Sprintf("UPDATE t SET a = 'u%d' WHERE id = %d", x, id)
	}
	return fmt.Sprintf("DELETE FROM t WHERE id IN (%d, %d)", id, (id+3)%8)
}

// columns is an edit of a table that changes its form.
func (s *site) columns(r *rand.Rand) string {
	id, x := r.IntN(4), r.IntN(1000)
	kind := r.IntN(8)
	switch {
	case kind < 2 && s.level >= 3:
		return fmt.Sprintf("INSERT INTO t(id, a, d, e) VALUES (%d, 'i%d', %[2]d, 'e%[2]d')", id, x)
	case kind < 2 && s.level >= 1:
		return fmt.Sprintf("INSERT INTO t(id, a, d) VALUES (%d, 'i%d', %[2]d)", id, x)
	case kind < 2:
		return fmt.Sprintf("INSERT INTO t(id, a) VALUES (%d, 'i%d')", id, x)
	case kind == 2:
		return fmt.Sprintf("DELETE FROM t WHERE id = %d", id)
	case kind == 3 && s.level < dropsAt && x%2 == 0: // the last word on a row, and of a column that soon is not there
		return fmt.Sprintf("UPDATE t SET b = %d WHERE id = %d", x, id)
	case kind == 3:
		return fmt.Sprintf("UPDATE t SET a = 'a%d' WHERE id = %d", x, id)
	case kind == 4 && s.level >= 3:
		return fmt.Sprintf("UPDATE t SET e = 'e%d', d = %d WHERE id = %d", x, x, id)
	case kind <= 5 && s.level >= 3:
		return fmt.Sprintf("UPDATE t SET e = 'e%d' WHERE id = %d", x, id)
	case kind <= 6 && s.level >= 1:
		return fmt.Sprintf("UPDATE t SET d = %d WHERE id = %d", x, id)
	case s.level < dropsAt:
		return fmt.Sprintf("UPDATE t SET b = %d WHERE id = %d", x, id)
	}
	return fmt.Sprintf("UPDATE t SET c = %d WHERE id = %d", x, id)
}

// imports is an edit of many rows, or of one among them.
func (s *site) imports(r *rand.Rand) string {
	x, from, step, n := r.IntN(1000), 100+20*r.IntN(8), 1+r.IntN(2), 66+r.IntN(20)
	id := 100 + r.IntN(300)
	series := fmt.Sprintf("WITH RECURSIVE s(i) AS (SELECT %d UNION ALL SELECT i + %d FROM s LIMIT %d) SELECT", from, step, n)
	if r.IntN(4) == 0 {
		series = fmt.Sprintf("WITH RECURSIVE s(i) AS (SELECT %d UNION ALL SELECT i - %d FROM s LIMIT %d) SELECT", from+step*n, step, n)
	}
	switch r.IntN(24) {
	case 0, 1:
		return fmt.Sprintf("INSERT INTO t(id, a, c) %s i, 'm%d', i %% 5 FROM s", series, x)
	case 2, 3:
		return fmt.Sprintf("INSERT OR IGNORE INTO t(id, a, c) %s i, 'n%d', i %% 5 FROM s", series, x)
	case 4:
		return fmt.Sprintf("INSERT OR REPLACE INTO t(id, a) %s i, 'r%d' FROM s", series, x)
	case 5, 18, 19:
		return fmt.Sprintf("INSERT OR IGNORE INTO orders(id, customer, total) %s i, 'c' || (i %% 3), i + 0.5 FROM s", series)
	case 6, 20, 21:
		return fmt.Sprintf("INSERT OR IGNORE INTO note(id, body, pinned) %s char(65 + i * 7 %% 3 %% 2 * 32 + i %% 26) || (i / 26), 'm%d', 0 FROM s", series, x)
	case 7:
		return fmt.Sprintf("DELETE FROM t WHERE id BETWEEN %d AND %d", id, id+r.IntN(100))
	case 8:
		return fmt.Sprintf("DELETE FROM t WHERE id >= 100 AND id %% 7 = %d", r.IntN(7))
	case 9:
		return fmt.Sprintf("UPDATE t SET a = 'u%d' WHERE id >= 100 AND id %% 5 = %d", x, r.IntN(5))
	case 10:
		return fmt.Sprintf("INSERT INTO t(id, a) VALUES (%d, 'o%d')", id, x)
	case 11:
		return fmt.Sprintf("INSERT OR REPLACE INTO t(id, a) VALUES (%d, 'p%d')", id, x)
	case 12:
		return fmt.Sprintf("DELETE FROM orders WHERE id BETWEEN %d AND %d", id, id+r.IntN(60))
	case 13:
		return fmt.Sprintf("UPDATE t SET id = id + 1 WHERE id = %d", id)
	case 14:
		return fmt.Sprintf("INSERT OR IGNORE INTO customer VALUES ('c%d', 'e%d', 'n')", x%4, x%4)
	case 15, 22:
		return fmt.Sprintf("DELETE FROM note WHERE id = '%c%d'", 'a'+rune(x%26), 3+r.IntN(14))
	case 16, 23:
		return fmt.Sprintf("UPDATE note SET body = 'u%d' WHERE id = '%c%d'", x, 'A'+rune(x%26), 3+r.IntN(14))
	}
	return fmt.Sprintf("DELETE FROM customer WHERE id = 'c%d'", x%4)
}

// knots is an edit of rows that refer to each other, no two to one.
func (s *site) knots(r *rand.Rand) string {
	letter := func() string { return string(rune('a' + r.IntN(5))) }
	switch r.IntN(10) {
	case 0, 1:
		return fmt.Sprintf("INSERT INTO link VALUES ('%s', NULL, %d)", letter(), r.IntN(6))
	case 2, 3:
		return fmt.Sprintf("INSERT INTO link VALUES ('%s', '%s', %d)", letter(), letter(), r.IntN(6))
	case 4:
		return fmt.Sprintf("INSERT OR REPLACE INTO link VALUES ('%s', '%s', %d)", letter(), letter(), r.IntN(6))
	case 5:
		return fmt.Sprintf("UPDATE link SET next = '%s' WHERE id = '%s'", letter(), letter())
	case 6:
		return fmt.Sprintf("UPDATE OR REPLACE link SET next = '%s' WHERE id = '%s'", letter(), letter())
	case 7:
		return fmt.Sprintf("UPDATE link SET next = NULL WHERE id = '%s'", letter())
	case 8:
		return fmt.Sprintf("UPDATE link SET v = %d WHERE id = '%s'", r.IntN(6), letter())
	}
	return fmt.Sprintf("DELETE FROM link WHERE id = '%s'", letter())
}
