package ncruces

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/engine"
)

func TestPackagesArrive(t *testing.T) {
	for _, format := range []string{"binary", "json"} {
		a, b := newSite(t), newSite(t)
		a.exec("DROP TABLE o; CREATE VIRTUAL TABLE o USING stream_out(format='" + format + "')")
		a.exec("INSERT INTO t VALUES (1, 'a'), (2, x'00ff'), (3, NULL), (4, 2.5), (5, 9223372036854775807)")
		send(a, b)
		b.want("SELECT * FROM t ORDER BY k", all(t, a.c, "SELECT * FROM t ORDER BY k")...)
		origin := all(t, a.c, "SELECT tributary_site()")[0]
		b.want("SELECT * FROM i", origin+" 1 NULL 0 NULL")
		send(a, b) // a duplicate
		b.want("SELECT changes()", "1")
		b.exec("UPDATE t SET v = 'b' WHERE k = 1; DELETE FROM t WHERE k = 2")
		send(b, a)
		a.want("SELECT * FROM t ORDER BY k", all(t, b.c, "SELECT * FROM t ORDER BY k")...)
		for _, s := range []*site{a, b} {
			s.want("SELECT tributary_check()", "'[]'")
		}
	}
}

func TestPackagesThatAreNone(t *testing.T) {
	s := newSite(t)
	for _, test := range []struct {
		value string
		code  sqlite3.ErrorCode
	}{
		{"NULL", sqlite3.MISMATCH}, {"7", sqlite3.MISMATCH}, {"x''", sqlite3.MISMATCH}, {"''", sqlite3.MISMATCH},
		{"'{}'", sqlite3.MISMATCH}, {"'{'", sqlite3.MISMATCH}, {"'TRIB'", sqlite3.MISMATCH}, {"randomblob(200)", sqlite3.MISMATCH},
	} {
		err := s.c.Exec("INSERT INTO i(package) VALUES (" + test.value + ")")
		if !errors.Is(err, test.code) || !strings.Contains(err.Error(), "tributary: ") {
			t.Errorf("%s: got %v, want code %d", test.value, err, test.code)
		}
	}
	s.want("SELECT site, last_error IS NULL FROM i", "NULL 0")
	s.refused("only the column package", "INSERT INTO i(site, package) VALUES ('x', x'00')")
	s.refused("INSERT INTO", "DELETE FROM i WHERE 1")
	s.refused("INSERT INTO", "UPDATE i SET package = x'00'")
	other := newSite(t)
	other.exec("INSERT INTO t VALUES (1, 'a')")
	send(other, s)
	s.want("SELECT last_error FROM i", "NULL") // the next one that is accepted clears it
}

func TestEarlyPackagesWait(t *testing.T) {
	a, b := newSite(t), newSite(t)
	a.exec("INSERT INTO t VALUES (1, 'a')")
	first := a.packages("SELECT package FROM o")
	a.exec("UPDATE o SET acked = last_retrieved; INSERT INTO t VALUES (2, 'b')")
	second := a.packages("SELECT package FROM o")
	b.exec("CREATE VIRTUAL TABLE ordered USING stream_in(mode='ordered')")
	b.exec("CREATE VIRTUAL TABLE eventual USING stream_in(mode='eventual')")
	if err := b.insert("ordered", second[0]); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Fatalf("ordered: got %v", err)
	}
	origin := all(t, a.c, "SELECT tributary_site()")[0]
	b.want("SELECT site, applied, last_error IS NULL FROM ordered", origin+" 0 0")
	if err := b.insert("i", second[0]); err != nil {
		t.Fatal(err)
	}
	b.want("SELECT count(*) FROM t", "0")
	b.want("SELECT sender, since, until, reason LIKE '%version 1%', json_valid(covers), json_valid(needs) FROM tributary_pending", origin+" 1 2 1 1 1")
	if err := b.insert("i", first[0]); err != nil {
		t.Fatal(err)
	}
	b.want("SELECT count(*) FROM t", "2")
	b.want("SELECT count(*) FROM tributary_pending", "0")

	c := newSite(t)
	c.exec("CREATE VIRTUAL TABLE eventual USING stream_in(mode='eventual')")
	if err := c.insert("eventual", second[0]); err != nil {
		t.Fatal(err)
	}
	c.want("SELECT k FROM t", "2")
	c.want("SELECT gaps FROM eventual WHERE gaps IS NOT NULL")
}

func TestInsertSelectAppliesManyPackages(t *testing.T) {
	for _, keys := range []string{"1", "0"} {
		for _, sync := range []string{"2", "1"} {
			refers := sync == "2" // foreign keys are switched off only where there are any
			a, b := newSite(t), newSite(t)
			b.exec("CREATE TABLE box1(p); CREATE TABLE box2(p); PRAGMA foreign_keys = " + keys + "; PRAGMA synchronous = " + sync)
			put := prepare(t, b.c, "INSERT INTO box1 VALUES (?1)")
			put2 := prepare(t, b.c, "INSERT INTO box2 VALUES (?1)")
			for i := range 6 {
				a.exec(fmt.Sprintf("INSERT INTO t VALUES (%d, 'x')", i))
				p := a.packages("SELECT package FROM o")
				a.exec("UPDATE o SET acked = last_retrieved")
				if err := []engine.Stmt{put, put2}[i/3].Run(p[0]); err != nil {
					t.Fatal(err)
				}
			}
			const union = "INSERT INTO i(package) SELECT p FROM box1 UNION ALL SELECT p FROM box2"
			if refers {
				b.exec("CREATE TABLE child(k REFERENCES t(k))")
			}
			if keys == "0" || !refers {
				b.exec(union)
			} else {
				// Applying switches foreign keys off and on, and SQLite lets no statement that began before open
				// another table after that. Nothing of it stays.
				b.refused("abort", union)
				b.want("SELECT count(*) FROM t", "0")
				b.exec("INSERT INTO i(package) SELECT p FROM box1; INSERT INTO i(package) SELECT p FROM box2")
			}
			b.want("SELECT count(*) FROM t", "6")
			b.want("PRAGMA foreign_keys", keys)
			b.want("PRAGMA synchronous", sync)
			b.want("SELECT tributary_check()", "'[]'")
		}
	}
}

// breakApply makes applying fail in the middle, after its first write.
func (s *site) breakApply() {
	s.exec("CREATE TRIGGER fail BEFORE INSERT ON tributary_changeset WHEN new.site > 1 BEGIN SELECT raise(FAIL, 'disk on fire'); END")
}

func TestHalfAppliedPackageIsNeverCommitted(t *testing.T) {
	a := newSite(t)
	a.exec("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
	pkg := a.packages("SELECT package FROM o")[0]
	// INSERT … VALUES has no statement journal, INSERT … SELECT has one: SQLite undoes that by itself.
	const insert = "INSERT INTO i(package) VALUES ((SELECT p FROM box))"
	for name, test := range map[string]struct {
		before, insert, after, commit string
		committed                     bool
		own                           string // rows of the application's own after all is over
	}{
		"autocommit":             {"", insert, "", "", false, "0"},
		"autocommit, or fail":    {"", "INSERT OR FAIL INTO i(package) VALUES ((SELECT p FROM box))", "", "", false, "0"},
		"autocommit, or ignore":  {"", "INSERT OR IGNORE INTO i(package) VALUES ((SELECT p FROM box))", "", "", false, "0"},
		"commit":                 {"BEGIN; INSERT INTO plain VALUES (1)", insert, "", "COMMIT", false, "0"},
		"undone by SQLite":       {"BEGIN; INSERT INTO plain VALUES (1)", "INSERT INTO i(package) SELECT p FROM box", "", "COMMIT", true, "1"},
		"commit, or fail":        {"BEGIN; INSERT INTO plain VALUES (1)", "INSERT OR FAIL INTO i(package) VALUES ((SELECT p FROM box))", "", "COMMIT", false, "0"},
		"rollback":               {"BEGIN; INSERT INTO plain VALUES (1)", insert, "", "ROLLBACK", true, "0"},
		"release":                {"SAVEPOINT a; INSERT INTO plain VALUES (1)", insert, "", "RELEASE a", false, "0"},
		"rolled back to before":  {"BEGIN; INSERT INTO plain VALUES (1); SAVEPOINT a", insert, "ROLLBACK TO a", "COMMIT", true, "1"},
		"rolled back to after":   {"BEGIN; INSERT INTO plain VALUES (1)", insert, "SAVEPOINT a; ROLLBACK TO a", "COMMIT", false, "0"},
		"released":               {"BEGIN; SAVEPOINT a; INSERT INTO plain VALUES (1)", insert, "RELEASE a; SAVEPOINT b; ROLLBACK TO b", "COMMIT", false, "0"},
		"rolled back to outer":   {"SAVEPOINT a; INSERT INTO plain VALUES (1)", insert, "ROLLBACK TO a; INSERT INTO plain VALUES (2)", "RELEASE a", true, "1"},
		"another insert after":   {"BEGIN; INSERT INTO plain VALUES (1)", insert, "INSERT INTO plain VALUES (2)", "COMMIT", false, "0"},
		"nested, rolled back to": {"BEGIN; SAVEPOINT a; INSERT INTO plain VALUES (1); SAVEPOINT b", insert, "ROLLBACK TO a", "COMMIT", true, "0"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.exec("CREATE TABLE plain(x); CREATE TABLE box(p)")
			put := prepare(t, s.c, "INSERT INTO box VALUES (?1)")
			if err := put.Run(pkg); err != nil {
				t.Fatal(err)
			}
			s.breakApply()
			s.exec(test.before)
			s.refused("disk on fire", test.insert)
			if s.c.InTransaction() && test.after == "" && test.insert == insert {
				s.refused("half way", insert) // once broken, it takes nothing more
			}
			s.exec(test.after)
			err := s.c.Exec(test.commit)
			if s.c.InTransaction() {
				if err == nil {
					t.Error("still in a transaction after", test.commit)
				}
				s.exec("ROLLBACK")
			}
			if test.commit != "" && test.committed != (err == nil) {
				t.Errorf("%s: got %v", test.commit, err)
			}
			s.want("SELECT count(*) FROM t", "0")
			s.want("SELECT count(*) FROM plain", test.own)
			s.want("SELECT tributary_check()", "'[]'")
			// It is mended: the same package goes in when the fault is gone.
			s.exec("DROP TRIGGER fail")
			s.exec("BEGIN; " + insert + "; COMMIT")
			s.want("SELECT count(*) FROM t", "2")
			s.want("SELECT tributary_check()", "'[]'")
		})
	}
}

func TestInsertInTransaction(t *testing.T) {
	a, b := newSite(t), newSite(t)
	a.exec("INSERT INTO t VALUES (1, 'a')")
	p := a.packages("SELECT package FROM o")[0]
	b.exec("BEGIN")
	if err := b.insert("i", p); err != nil {
		t.Fatal(err)
	}
	b.want("SELECT count(*) FROM t", "1")
	b.exec("ROLLBACK")
	b.want("SELECT count(*) FROM t", "0")
	b.exec("BEGIN")
	if err := b.insert("i", p); err != nil {
		t.Fatal(err)
	}
	b.exec("COMMIT")
	b.want("SELECT count(*) FROM t", "1")
	b.exec("BEGIN; SAVEPOINT s; INSERT INTO t VALUES (2, 'b')")
	if err := b.insert("i", p); err != nil {
		t.Fatal(err)
	}
	b.exec("ROLLBACK TO s; COMMIT; INSERT INTO t VALUES (3, 'c')")
	send(b, a)
	a.want("SELECT k FROM t ORDER BY k", "1", "3")
	for _, s := range []*site{a, b} {
		s.want("SELECT tributary_check()", "'[]'")
	}
}

// A new site is first heard of in a transaction that is rolled back; what the engine has learned must go too.
func TestRolledBackSitesAreForgotten(t *testing.T) {
	a, b, c := newSite(t), newSite(t), newSite(t)
	a.exec("INSERT INTO t VALUES (1, 'a')")
	b.exec("INSERT INTO t VALUES (2, 'b')")
	pa, pb := a.packages("SELECT package FROM o")[0], b.packages("SELECT package FROM o")[0]
	c.exec("BEGIN")
	if err := errors.Join(c.insert("i", pa), c.insert("i", pb)); err != nil {
		t.Fatal(err)
	}
	c.exec("ROLLBACK")
	if err := errors.Join(c.insert("i", pb), c.insert("i", pa)); err != nil {
		t.Fatal(err)
	}
	c.want("SELECT k FROM t ORDER BY k", "1", "2")
	c.want("SELECT tributary_check()", "'[]'")
	fresh := openSite(t, c.file)
	fresh.want("SELECT tributary_vector()", all(t, c.c, "SELECT tributary_vector()")...)
}

func TestTwoConnections(t *testing.T) {
	a, b := newSite(t), newSite(t)
	b2 := openSite(t, b.file)
	a.exec("INSERT INTO t VALUES (1, 'a')")
	p := a.packages("SELECT package FROM o")[0]
	if err := b.insert("i", p); err != nil {
		t.Fatal(err)
	}
	b2.want("SELECT * FROM t", "1 'a'")
	if err := b2.insert("i", p); err != nil { // a duplicate for the other connection too
		t.Fatal(err)
	}
	b2.exec("INSERT INTO t VALUES (2, 'b')")
	b.want("SELECT count(package) FROM o", "1")
	b.exec("UPDATE o SET acked = last_retrieved")
	b2.want("SELECT last_acked = cursor, last_retrieved = cursor FROM o", "1 1")
	b2.want("SELECT count(package) FROM o", "0")
	b2.exec("CREATE TABLE u(k INTEGER PRIMARY KEY, v); SELECT tributary_track('u'); INSERT INTO u VALUES (1, 1)")
	b.want("SELECT rows FROM o", "1")
	b2.exec("DROP TABLE o")
	b.refused("no such table", "SELECT * FROM o")
	// Busy: the error is SQLite's own, so that the caller knows to try again.
	b2.exec("BEGIN IMMEDIATE")
	a.exec("INSERT INTO t VALUES (3, 'c')")
	p = a.packages("SELECT package FROM o")[0]
	if err := b.insert("i", p); !errors.Is(err, sqlite3.BUSY) {
		t.Errorf("got %v, want BUSY", err)
	}
	b2.exec("COMMIT")
	if err := b.insert("i", p); err != nil {
		t.Error(err)
	}
}

// The second connection has read the table before the first one gave its rows their version.
func TestBaseIsFoldedOnce(t *testing.T) {
	a := newSite(t)
	a.exec("CREATE TABLE big(k INTEGER PRIMARY KEY, v); INSERT INTO big VALUES (1, 1), (2, 2); SELECT tributary_track('big')")
	b := openSite(t, a.file)
	b.want("SELECT tributary_version()", "0")
	a.want("SELECT rows FROM o", "2")
	b.want("SELECT rows FROM o", "2")
	b.want("SELECT kind, version FROM tributary_changes", "'base' 1")
}

// TestInsertSelectOfManyRows: packages whose rows are many are applied by statements that open tables meanwhile too, and while
// another statement is read that does.
func TestInsertSelectOfManyRows(t *testing.T) {
	for _, sql := range []string{
		"INSERT INTO i(package) SELECT p FROM box WHERE k <= 2 UNION ALL SELECT p FROM box WHERE k > 2",
		"INSERT INTO i(package) SELECT (SELECT p FROM box WHERE k = b.k) FROM box b",
		"INSERT INTO i(package) VALUES ((SELECT p FROM box WHERE k = 1)), ((SELECT p FROM box WHERE k = 2)), ((SELECT p FROM box WHERE k = 3)), ((SELECT p FROM box WHERE k = 4))",
	} {
		a, b := newSite(t), newSite(t)
		b.exec("CREATE TABLE box(k INTEGER PRIMARY KEY, p)")
		put := prepare(t, b.c, "INSERT INTO box(p) VALUES (?1)")
		for i := range 4 {
			a.exec(fmt.Sprintf("WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 600) INSERT INTO t SELECT i + %d, 'x' FROM n", 1000*i))
			p := a.packages("SELECT package FROM o")
			a.exec("UPDATE o SET acked = last_retrieved")
			if err := put.Run(p[0]); err != nil {
				t.Fatal(err)
			}
		}
		b.exec(sql)
		b.want("SELECT count(*) FROM t", "2400")
		b.want("SELECT count(*) FROM tributary_feed", "0")
		b.want("SELECT tributary_check()", "'[]'")
	}
}
