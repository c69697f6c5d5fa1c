package ncruces

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/vtab"
)

const streams = "SELECT json_extract(value, '$.name'), json_extract(value, '$.kind'), json_extract(value, '$.last_acked') " +
	"FROM tributary_status, json_each(streams)"

func TestStreamsPersist(t *testing.T) {
	s := newSite(t)
	s.exec("INSERT INTO t VALUES (1, 'a'); SELECT tributary_fold(); UPDATE o SET acked = 1")
	s.want(streams, "'i' 'in' 0", "'o' 'out' 1")
	openSite(t, s.file).want("SELECT peer, acked FROM o", "'hub' 1")
	s.exec("ALTER TABLE o RENAME TO Out2")
	s.want(streams, "'i' 'in' 0", "'Out2' 'out' 1")
	s.want("SELECT acked FROM out2", "1")
	s.exec("UPDATE out2 SET acked = 0")
	s.want(streams, "'i' 'in' 0", "'Out2' 'out' 0")
	s.exec("ALTER TABLE i RENAME TO o; DROP TABLE out2; DROP TABLE o")
	s.want(streams)
	s.exec("CREATE VIRTUAL TABLE o USING stream_out(peer='again')")
	s.want("SELECT peer, acked FROM o", "'again' 0")
}

func TestStreamDDLRollsBack(t *testing.T) {
	s := newSite(t)
	s.exec("INSERT INTO t VALUES (1, 'a'); SELECT tributary_fold(); UPDATE o SET acked = 1")
	s.exec("BEGIN; DROP TABLE o; ROLLBACK")
	s.want("SELECT acked FROM o", "1")
	s.exec("BEGIN; ALTER TABLE o RENAME TO p; ROLLBACK")
	s.want("SELECT acked FROM o", "1")
	s.exec("UPDATE o SET acked = 0")
	s.want(streams, "'i' 'in' 0", "'o' 'out' 0")
	s.exec("BEGIN; CREATE VIRTUAL TABLE p USING stream_out(); ROLLBACK")
	s.refused("no such table", "SELECT * FROM p")
	s.want(streams, "'i' 'in' 0", "'o' 'out' 0")
}

func TestStreamBeforeFirstTrack(t *testing.T) {
	s := openSite(t, t.TempDir()+"/new.db")
	s.want("SELECT tributary_site(), tributary_version(), tributary_vector(), tributary_cursor()", "NULL 0 '{}' 0")
	s.exec("CREATE VIRTUAL TABLE o USING stream_out(peer='hub')")
	s.want("SELECT peer, cursor FROM o", "'hub' 0")
	s.exec("CREATE TABLE t(k INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a'); SELECT tributary_track('t')")
	s.want("SELECT rows FROM o", "1")
}

func TestTemporaryStreams(t *testing.T) {
	s := newSite(t)
	s.exec("CREATE VIRTUAL TABLE temp.mine USING stream_out(peer='x'); CREATE VIRTUAL TABLE temp.in1 USING stream_in()")
	s.exec("INSERT INTO t VALUES (1, 'a')")
	s.want("SELECT rows FROM mine", "1")
	s.exec("UPDATE mine SET acked = last_retrieved")
	s.want("SELECT count(package) FROM mine", "0")
	s.exec("CREATE TABLE other(x)") // a new schema connects the table again
	s.want("SELECT peer, acked FROM mine", "'x' 1")
	s.exec("ALTER TABLE mine RENAME TO yours")
	s.want("SELECT peer, acked FROM yours", "'x' 1")
	s.want(streams, "'i' 'in' 0", "'o' 'out' 0") // nothing in the database
	a := newSite(t)
	a.exec("INSERT INTO t VALUES (2, 'b')")
	if err := s.insert("in1", a.packages("SELECT package FROM o")[0]); err != nil {
		t.Fatal(err)
	}
	s.want("SELECT k FROM t ORDER BY k", "1", "2")
	s.exec("BEGIN")
	s.breakApply()
	a.exec("INSERT INTO t VALUES (3, 'c')")
	if err := s.insert("in1", a.packages("SELECT package FROM o")[0]); err == nil {
		t.Fatal("want an error")
	}
	s.refused("half way", "COMMIT")
	s.want("SELECT k FROM t ORDER BY k", "1", "2")
	s.exec("DROP TABLE yours; DROP TABLE in1")
	s.exec("ATTACH ':memory:' AS aux")
	s.refused("main or temp", "CREATE VIRTUAL TABLE aux.o USING stream_out()")
}

func TestDirectOnly(t *testing.T) {
	s := newSite(t)
	for _, sql := range []string{
		"SELECT peer FROM o", "SELECT package FROM o", "SELECT site FROM i", "SELECT * FROM tributary_status", "SELECT * FROM tributary_changes",
		"SELECT * FROM tributary_pending", "SELECT * FROM tributary_parked", "SELECT * FROM tributary_quarantine", "SELECT * FROM tributary_host",
		"SELECT tributary_site()", "SELECT tributary_version()", "SELECT tributary_vector()", "SELECT tributary_cursor()", "SELECT tributary_check()",
		"SELECT tributary_fold()", "SELECT tributary_track('t')", "SELECT tributary_track_all()", "SELECT tributary_untrack('t')",
		"SELECT tributary_compact()", "SELECT tributary_forget_peer('x')", "SELECT tributary_inspect(NULL)",
	} {
		s.exec("PRAGMA trusted_schema = ON; CREATE VIEW v AS " + sql)
		s.refused("unsafe use", "SELECT * FROM v")
		s.exec("DROP VIEW v")
	}
	for _, sql := range []string{"UPDATE o SET acked = 0", "INSERT INTO i(package) VALUES (new.x)"} {
		s.exec("CREATE TABLE p(x); CREATE TRIGGER pt AFTER INSERT ON p BEGIN " + sql + "; END")
		s.refused("unsafe use", "INSERT INTO p VALUES (1)")
		s.exec("DROP TABLE p")
	}
}

func TestListings(t *testing.T) {
	s := newSite(t)
	site := all(t, s.c, "SELECT tributary_site()")[0]
	s.exec("CREATE TABLE u(a TEXT, b, c UNIQUE, PRIMARY KEY (a, b)) WITHOUT ROWID; INSERT INTO u VALUES ('x', 1, 1); SELECT tributary_track('u')")
	s.exec("INSERT INTO t VALUES (1, 'a'), (2, 'b'); SELECT tributary_fold()")
	s.exec("UPDATE t SET v = 'c' WHERE k = 1; DELETE FROM t WHERE k = 2; INSERT INTO u VALUES ('y', 2, 2); SELECT tributary_fold()")
	s.want(`SELECT "table", key, kind, columns, site = tributary_site(), version FROM tributary_changes`,
		"'u' NULL 'base' NULL 1 1", "'t' '[1]' 'update' '[\"v\"]' 1 3", "'t' '[2]' 'delete' NULL 1 3", "'u' '[\"y\",2]' 'insert' NULL 1 3")
	s.want("SELECT count(*) FROM tributary_changes WHERE cursor > (SELECT min(cursor) FROM tributary_changes)", "3")
	s.want("SELECT count(*) FROM tributary_changes WHERE cursor > tributary_cursor()", "0")
	s.want("SELECT count(*) FROM tributary_changes WHERE cursor < 0", "0")
	s.want("SELECT site, version, unfolded, pending, parked, quarantined, json_valid(vector), json_valid(tables) FROM tributary_status",
		site+" 3 0 0 0 0 1 1")

	a := newSite(t)
	a.exec("CREATE TABLE u(a TEXT, b, c UNIQUE, PRIMARY KEY (a, b)) WITHOUT ROWID; CREATE TABLE w(k INTEGER PRIMARY KEY); SELECT tributary_track_all()")
	a.exec("INSERT INTO u VALUES ('z', 3, 1); INSERT INTO w VALUES (1), (2)")
	send(a, s)
	s.want(`SELECT "table", key, rows, reason IS NULL FROM tributary_parked`, "'w' '1' 2 0")
	s.want(`SELECT "table", key, row FROM tributary_quarantine`, `'u' '["z",3]' '{"a":"z","b":3,"c":1}'`)
	s.want("SELECT parked, quarantined FROM tributary_status", "2 1")
	s.exec("CREATE TABLE w(k INTEGER PRIMARY KEY); SELECT tributary_track('w'); SELECT tributary_fold()")
	s.want("SELECT count(*) FROM w", "2")
	s.want("SELECT count(*) FROM tributary_parked", "0")
}

func TestLongFeed(t *testing.T) {
	const rows = 3000 // several batches
	a, s := newSite(t), newSite(t)
	a.exec(fmt.Sprintf("INSERT INTO t(v) WITH n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT i FROM n", rows))
	send(a, s)
	for _, s := range []*site{a, s} {
		s.want("SELECT count(*), count(DISTINCT key), max(cursor) <= tributary_cursor() FROM tributary_changes", fmt.Sprint(rows, rows, 1))
		s.want("SELECT count(*) FROM (SELECT cursor < lag(cursor) OVER () AS bad FROM tributary_changes ORDER BY cursor) WHERE bad", "0")
		s.want("SELECT count(*) FROM (SELECT * FROM tributary_changes LIMIT 3)", "3")
	}
}

func TestFunctions(t *testing.T) {
	s := newSite(t)
	s.exec("INSERT INTO t VALUES (1, 'a')")
	s.want("SELECT tributary_fold()", `'{"version":1,"rows":1}'`)
	s.want("SELECT tributary_fold()", `'{"version":0,"rows":0}'`)
	s.want("SELECT tributary_version(), tributary_cursor(), json_extract(tributary_vector(), '$.' || tributary_site())", "1 1 1")
	s.want("SELECT tributary_track('t')", "'[]'")
	s.exec("CREATE TABLE nokey(x); CREATE TABLE w(k INTEGER PRIMARY KEY)")
	s.want("SELECT json_extract(j, '$.tracked'), json_array_length(j, '$.warnings') FROM (SELECT tributary_track_all() AS j)", `'["t","w"]' 2`)
	s.want("SELECT tributary_untrack('w')", "NULL")
	s.want("SELECT json_array_length(tables) FROM tributary_status", "1")
	s.refused("not tracked", "SELECT tributary_untrack('w')")
	s.refused("no such table", "SELECT tributary_track('nope')")
	s.refused("as text", "SELECT tributary_track(NULL)")
	s.refused("32 hex digits", "SELECT tributary_forget_peer('x')")
	s.refused("not another site", "SELECT tributary_forget_peer(tributary_site())")
	s.want("SELECT json_extract(tributary_compact(), '$.tombstones'), tributary_check(), tributary_inspect(NULL)", "0 '[]' NULL")
	s.want("SELECT json_extract(tributary_inspect(package), '$.sender') = tributary_site() FROM o", "1")
	s.refused("inspect", "SELECT tributary_inspect(x'00')")

	// Inside a transaction, with a rollback that nobody tells the engine of.
	s.exec("BEGIN; CREATE TABLE x(k INTEGER PRIMARY KEY); SELECT tributary_track('x'); INSERT INTO x VALUES (1); SELECT tributary_fold(); ROLLBACK")
	s.want("SELECT tributary_version(), json_array_length(tables) FROM tributary_status", "1 1")
	s.exec("BEGIN; INSERT INTO t VALUES (2, 'b'); SELECT tributary_fold(); COMMIT")
	s.want("SELECT tributary_version(), tributary_check()", "2 '[]'")
}

func TestCloseFreesTheEngine(t *testing.T) {
	s := newSite(t)
	s.exec("INSERT INTO t VALUES (1, 'a')")
	s.want("SELECT count(package) FROM o", "1")
	left, _, err := s.db.Prepare("SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.Close(); !errors.Is(err, sqlite3.BUSY) {
		t.Fatalf("a statement is left: got %v", err)
	}
	// The connection has stayed open, and works.
	s.exec("INSERT INTO t VALUES (2, 'b')")
	s.want("SELECT rows FROM o", "2")
	left.Close()
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRegisterTwice(t *testing.T) {
	db := open(t, ":memory:")
	for range 2 {
		if err := Register(db, nil); err != nil {
			t.Fatal(err)
		}
	}
	e, err := engine.Open(t.Context(), NewConn(db), nil) // beside the one that Register opens
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	c := NewConn(db)
	if err := c.Exec("CREATE TABLE t(k INTEGER PRIMARY KEY, v); SELECT tributary_track('t'); INSERT INTO t VALUES (1, 'a'); CREATE VIRTUAL TABLE o USING stream_out()"); err != nil {
		t.Fatal(err)
	}
	if r, err := e.Fold(t.Context()); err != nil || r.Rows != 1 {
		t.Fatal(r, err)
	}
	want(t, all(t, c, "SELECT rows FROM o"), "1")
}

func TestInterrupt(t *testing.T) {
	s := newSite(t)
	s.exec("INSERT INTO t VALUES (1, 'a')")
	q := prepare(t, s.c, "SELECT package FROM o")
	ctx, cancel := context.WithCancel(t.Context())
	s.db.SetInterrupt(ctx)
	cancel()
	err := q.Run()
	s.db.SetInterrupt(context.Background())
	if !errors.Is(err, sqlite3.INTERRUPT) {
		t.Errorf("got %v", err)
	}
	s.want("SELECT rows FROM o", "1")
}

// bad panics wherever it is called.
type bad struct{}

func (bad) Declaration() string                                   { return "CREATE TABLE x(a)" }
func (bad) Plan(ix *vtab.Index) error                             { ix.Cost = 1; return nil }
func (bad) Open() vtab.Cursor                                     { return bad{} }
func (bad) Filter(context.Context, vtab.Plan, []crdt.Value) error { return nil }
func (bad) Fill(context.Context, vtab.RowWriter) (bool, error)    { panic("fill") }
func (bad) Close() error                                          { panic("close") }
func (bad) Create(context.Context) error                          { return nil }
func (bad) Destroy(context.Context) error                         { panic("destroy") }
func (bad) Rename(context.Context, string) error                  { panic("rename") }
func (bad) Update(context.Context, vtab.Update) error             { panic("update") }
func (bad) Begin() error                                          { return nil }
func (bad) Sync() error                                           { return nil }
func (bad) Commit()                                               { panic("commit") }
func (bad) Rollback()                                             { panic("rollback") }
func (bad) Savepoint(int)                                         {}
func (bad) Release(int)                                           { panic("release") }
func (bad) RollbackTo(int)                                        { panic("rollback to") }

func TestPanicsInCallbacks(t *testing.T) {
	s := newSite(t)
	h, err := hostOf(s.db)
	if err != nil {
		t.Fatal(err)
	}
	connect := func(a vtab.Arguments) (vtab.Table, error) {
		if len(a.List) > 0 && a.List[0] != "" {
			panic("connect")
		}
		return bad{}, nil
	}
	for _, m := range []vtab.Module{{Name: "bad", Connect: connect}, {Name: "worse", Connect: func(vtab.Arguments) (vtab.Table, error) { panic("eponymous") }, Eponymous: true}} {
		if err := registerModule(h, m); err != nil {
			t.Fatal(err)
		}
	}
	if err := registerFunction(h, vtab.Function{Name: "worst", Call: func(context.Context, []crdt.Value) (crdt.Value, error) { panic("function") }}); err != nil {
		t.Fatal(err)
	}
	s.exec("CREATE VIRTUAL TABLE b USING bad()")
	for sql, why := range map[string]string{
		"CREATE VIRTUAL TABLE c USING bad(x)": "connect",
		"SELECT * FROM worse":                 "eponymous",
		"SELECT worst()":                      "function",
		"SELECT * FROM b":                     "fill",
		"UPDATE b SET a = 1":                  "fill",
		"INSERT INTO b VALUES (1)":            "update",
		"ALTER TABLE b RENAME TO d":           "rename",
	} {
		err := s.c.Exec(sql)
		if err == nil || !strings.Contains(err.Error(), "internal error: "+why) {
			t.Errorf("%s: got %v", sql, err)
		}
	}
	s.exec("DROP TABLE b")
	s.want("SELECT tributary_check()", "'[]'")
}
