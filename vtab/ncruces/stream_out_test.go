package ncruces

import (
	"fmt"
	"testing"

	"github.com/tributary-db/tributary/crdt"
)

func TestSelectResumesAfterAcked(t *testing.T) {
	s := newSite(t)
	s.want("SELECT cursor, rows FROM o", "1 0") // the first package of a site says that it exists
	s.exec("UPDATE o SET acked = 1")
	s.want("SELECT cursor, rows FROM o") // nothing more yet
	s.exec("INSERT INTO t VALUES (1, 'a')")
	s.want("SELECT rows, part, last, peer, acked FROM o", "1 0 1 'hub' 1")
	s.want("SELECT count(package) FROM o", "1") // not acknowledged: again
	s.exec("UPDATE o SET acked = (SELECT cursor FROM o)")
	s.want("SELECT count(package) FROM o", "0")
	s.exec("INSERT INTO t VALUES (2, 'b')")
	s.want("SELECT rows FROM o", "1")
	s.want("SELECT rows FROM o WHERE cursor > 0", "2")
	s.want("SELECT rows FROM o WHERE cursor >= 1", "2")
	s.want("SELECT rows FROM o WHERE cursor > (SELECT last_acked FROM o)", "1")
	s.want("SELECT rows FROM o WHERE cursor > NULL")
	s.want("SELECT rows FROM o WHERE cursor > '0'", "2")
	s.want("SELECT rows FROM o WHERE cursor > 'x'")
	s.want("SELECT rows FROM o WHERE cursor > 2.5", "1")
	s.want("SELECT rows FROM o WHERE cursor > 99999", "2") // a cursor from another life of the file
	s.want("SELECT rows FROM o ORDER BY cursor DESC", "1")
}

func TestUpdateWithoutPackages(t *testing.T) {
	s := newSite(t)
	s.exec("UPDATE o SET acked = 0")
	s.want("SELECT changes()", "1")
	s.exec("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')")
	s.exec("SELECT tributary_fold()")
	s.want("SELECT last_retrieved, last_sent, last_acked FROM o", "0 0 0")
	s.exec("UPDATE o SET acked = tributary_cursor()")
	s.want("SELECT count(package) FROM o", "0")
	s.exec("UPDATE o SET acked = tributary_cursor()") // nothing to return, still one row to update
	s.want("SELECT changes()", "1")
	s.want("SELECT last_acked = tributary_cursor(), last_sent = last_acked, last_retrieved = last_acked FROM o", "1 1 1")
	s.exec("UPDATE o SET acked = 1 WHERE peer = 'hub'")
	s.want("SELECT acked FROM o", "1")
	s.exec("UPDATE o SET acked = '2'") // a client that binds text
	s.want("SELECT acked FROM o", "2")
	if all(t, s.c, "SELECT sqlite_version() >= '3.50'")[0] == "1" { // older ones do not say which columns UPDATE … FROM sets
		s.exec("UPDATE o SET acked = x.n FROM (SELECT 2 AS n) AS x")
		s.want("SELECT acked FROM o", "2")
	}
	s.exec("UPDATE o SET last_sent = 3")
	s.want("SELECT last_sent, acked FROM o", "3 2")
	s.exec("BEGIN; UPDATE o SET acked = 0; ROLLBACK")
	s.want("SELECT acked FROM o", "2")
	s.exec("BEGIN; UPDATE o SET acked = 1; COMMIT")
	s.want("SELECT acked FROM o", "1")

	s.refused("not a cursor", "UPDATE o SET acked = 99")
	s.refused("not a cursor", "UPDATE o SET acked = -1")
	s.refused("not a cursor", "UPDATE o SET acked = NULL")
	s.refused("not a cursor", "UPDATE o SET acked = 'x'")
	s.refused("only acked and last_sent", "UPDATE o SET peer = 'x'")
	s.refused("stream_in", "INSERT INTO o(package) VALUES (x'00')")
	s.refused("stream_in", "DELETE FROM o")
	s.want("SELECT acked FROM o", "1")
}

func TestStateIsOneRow(t *testing.T) {
	s := newSite(t)
	s.want("SELECT count(*), max(cursor) FROM o", "1 0")
	s.exec("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
	s.want("SELECT count(*), max(cursor) FROM o", "1 0") // the state does not fold
	s.want("SELECT count(package) FROM o", "1")
	s.want("SELECT cursor = tributary_cursor(), last_acked FROM o", "1 0")
	s.want("SELECT count(*) FROM o WHERE cursor > 0", "1")
	s.want("SELECT count(*) FROM o WHERE cursor > last_acked", "1")
	s.want("SELECT count(*) FROM o WHERE cursor > tributary_cursor()", "0")
	s.want("SELECT last_retrieved = cursor FROM o", "1")
	s.exec("BEGIN; INSERT INTO t VALUES (3, 'c')")
	s.want("SELECT peer FROM o", "'hub'") // the state can be read anywhere
	s.exec("ROLLBACK")
}

func TestLimitOneLoopProgresses(t *testing.T) {
	s, to := newSite(t), newSite(t)
	s.exec("CREATE VIRTUAL TABLE small USING stream_out(max_bytes = 200)")
	for range 3 {
		s.exec("INSERT INTO t(v) SELECT randomblob(50) FROM (VALUES (1), (2), (3), (4), (5), (6), (7))")
		s.exec("SELECT tributary_fold()")
	}
	n := 0
	for ; ; n++ {
		p := s.packages("SELECT package FROM small LIMIT 1")
		if len(p) == 0 {
			break
		}
		if err := to.insert("i", p[0]); err != nil {
			t.Fatal(err)
		}
		s.exec("UPDATE small SET acked = last_retrieved")
		if n > 100 {
			t.Fatal("no end")
		}
	}
	if n < 4 {
		t.Errorf("%d packages: want more", n)
	}
	to.want("SELECT count(*) FROM t", "21")
	to.want("SELECT count(*) FROM tributary_pending", "0")
}

func TestManyPackagesInOneSelect(t *testing.T) {
	s, to := newSite(t), newSite(t)
	s.exec("CREATE VIRTUAL TABLE small USING stream_out(max_bytes = 200)")
	s.exec("INSERT INTO t(v) WITH n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT randomblob(50) FROM n")
	s.exec("UPDATE t SET v = randomblob(50)") // rows that stay as they came go out in chunks
	s.want("SELECT count(*) > 50, sum(rows), sum(last), max(part) = count(*) - 1 FROM small WHERE cursor > 0", "1 300 1 1")
	for _, p := range s.packages("SELECT package FROM small") {
		if err := to.insert("i", p); err != nil {
			t.Fatal(err)
		}
	}
	to.want("SELECT count(*) FROM t", "300")
	to.want("SELECT count(*) FROM tributary_pending", "0")
}

func TestRefusedWhereRowsCouldBeRolledBack(t *testing.T) {
	s := newSite(t)
	s.exec("INSERT INTO t VALUES (1, 'a'); CREATE TABLE box(p); CREATE TEMP TABLE tbox(p)")
	for _, begin := range []string{"BEGIN", "BEGIN IMMEDIATE", "SAVEPOINT x"} {
		s.exec(begin)
		s.refused("not inside a transaction", "SELECT package FROM o")
		s.exec("ROLLBACK")
	}
	s.refused("SELECT of its own", "INSERT INTO box SELECT package FROM o")
	s.refused("SELECT of its own", "INSERT INTO tbox SELECT package FROM o")
	s.refused("SELECT of its own", "CREATE TABLE box2 AS SELECT package FROM o")
	s.exec("INSERT INTO box VALUES (1)")
	s.refused("SELECT of its own", "UPDATE box SET p = (SELECT package FROM o)")
	s.refused("SELECT of its own", "INSERT INTO box SELECT tributary_fold()")
	s.want("SELECT * FROM box", "1")
	s.want("SELECT rows FROM o", "1")
}

// What the application writes between two rows goes out with its clock, or later, but never without.
func TestWritesBetweenRows(t *testing.T) {
	s, to := newSite(t), newSite(t)
	s.exec("CREATE VIRTUAL TABLE small USING stream_out(max_bytes = 200)")
	s.exec("INSERT INTO t(v) WITH n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 60) SELECT randomblob(50) FROM n")
	q := prepare(t, s.c, "SELECT package FROM small")
	if err := q.Query(); err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		var row [1]crdt.Value
		ok, err := q.Next(row[:])
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		if err := to.insert("i", row[0]); err != nil {
			t.Fatal(err)
		}
		if i < 60 {
			s.exec(fmt.Sprintf("UPDATE t SET v = %d WHERE k = %d", i, 60-i))
		}
		if i > 500 {
			t.Fatal("no end")
		}
	}
	for _, p := range s.packages("SELECT package FROM small") {
		if err := to.insert("i", p); err != nil {
			t.Fatal(err)
		}
	}
	want := all(t, s.c, "SELECT * FROM t ORDER BY k")
	to.want("SELECT * FROM t ORDER BY k", want...)
	s.want("SELECT tributary_check()", "'[]'")
	to.want("SELECT tributary_check()", "'[]'")
}

func TestReadOnlyReturnsWhatIsFolded(t *testing.T) {
	s := newSite(t)
	s.exec("INSERT INTO t VALUES (1, 'a'); SELECT tributary_fold()")
	ro := openSite(t, "file:"+s.file+"?mode=ro")
	ro.want("SELECT rows FROM o", "1")
	ro.exec("CREATE VIRTUAL TABLE temp.mine USING stream_out(since = 0)")
	ro.want("SELECT rows FROM mine", "1")
	ro.exec("UPDATE mine SET acked = 1")
	ro.want("SELECT rows FROM mine")
	ro.refused("readonly", "UPDATE o SET acked = 1")
	s.exec("INSERT INTO t VALUES (2, 'b')")
	ro.want("SELECT rows FROM o") // it cannot fold, and may not send values that are newer than their clocks
	s.exec("SELECT tributary_fold()")
	ro.want("SELECT rows FROM o", "2")
}

func TestSelectLeavesNoTrace(t *testing.T) {
	s := newSite(t)
	s.exec("CREATE TABLE plain(id INTEGER PRIMARY KEY, x); INSERT INTO plain(x) VALUES (1), (2), (3)")
	s.exec("INSERT INTO t VALUES (1, 'a')")
	s.exec("INSERT INTO plain VALUES (77, 0)")
	s.want("SELECT count(package) FROM o", "1")
	s.want("SELECT last_insert_rowid()", "77")
	s.exec("UPDATE o SET acked = 1")
	s.want("SELECT last_insert_rowid()", "77")
	for _, level := range []string{"0", "1", "2", "3"} {
		s.exec("PRAGMA synchronous = " + level + "; INSERT INTO t(v) VALUES ('b')")
		s.want("SELECT count(package) FROM o", "1")
		s.want("PRAGMA synchronous", level)
	}
}

func TestOptions(t *testing.T) {
	s := newSite(t)
	s.exec("CREATE TABLE u(k INTEGER PRIMARY KEY); SELECT tributary_track('u')")
	s.exec("INSERT INTO t VALUES (1, 'a'); INSERT INTO u VALUES (1)")
	self := all(t, s.c, "SELECT tributary_site()")[0]
	for i, test := range []struct{ arguments, query, want string }{
		{"tables='u'", "SELECT rows FROM s", "1"},
		{"tables='t, u'", "SELECT rows FROM s", "2"},
		{"local_only=1", "SELECT rows FROM s", "2"},
		{"exclude_sites=" + self, "SELECT rows FROM s", "0"},
		{"since=1", "SELECT since, rows FROM s", "1 1"},
		{"format='json'", "SELECT typeof(package), json_valid(package) FROM s", "'text' 1"},
		{"format=binary, max_bytes=1000", "SELECT typeof(package), json_valid(tributary_inspect(package)) FROM s", "'blob' 1"},
		{"", "SELECT peer FROM s", "''"},
	} {
		s.exec("CREATE VIRTUAL TABLE s USING stream_out(" + test.arguments + ")")
		if got := all(t, s.c, test.query); len(got) != 1 || got[0] != test.want {
			t.Errorf("%d: %s: got %q, want %q", i, test.arguments, got, test.want)
		}
		s.exec("DROP TABLE s")
	}
	s.exec("CREATE VIRTUAL TABLE s USING stream_out")
	s.want("SELECT rows FROM s", "2")
	for _, bad := range []string{"peer", "per='x'", "since=x", "since=-1", "format=xml", "exclude_sites=12", "local_only=2", "peer='a", "peer='a', peer='b'"} {
		if err := s.c.Exec("CREATE VIRTUAL TABLE b USING stream_out(" + bad + ")"); err == nil {
			t.Errorf("%s: want an error", bad)
		}
	}
}

// What was read may have arrived, although nobody has said so yet: a delete must not be forgotten before.
func TestCompactWaitsForAStreamThatWasRead(t *testing.T) {
	s := newSite(t)
	s.exec("INSERT INTO t VALUES (1, 'a')")
	s.want("SELECT tributary_compact() ->> 'blocked'", "''") // not in use
	s.want("SELECT rows FROM o", "1")
	s.exec("DELETE FROM t")
	s.want("SELECT tributary_compact() ->> 'tombstones'", "0")
	s.exec("UPDATE o SET acked = (SELECT max(cursor) FROM o)")
	s.want("SELECT tributary_compact() ->> 'tombstones'", "1")
}

// SQLite drops no table while the connection reads another, as a SELECT of packages does.
func TestSelectAfterTableIsDropped(t *testing.T) {
	s := newSite(t)
	s.exec("CREATE TABLE u(id INTEGER PRIMARY KEY, v); INSERT INTO u VALUES (1, 'a'); SELECT tributary_track('u'); UPDATE u SET v = 'b'; SELECT tributary_fold(); DROP TABLE u")
	s.want("SELECT count(package) FROM o", "1")
	s.exec("SELECT tributary_compact()")
	s.want("SELECT (SELECT count(*) FROM tributary_table) = count(*) FROM sqlite_schema WHERE type = 'table' AND name GLOB 'tributary_clock_*'", "1")
	s.want("SELECT tributary_check()", "'[]'")
}
