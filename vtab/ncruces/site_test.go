package ncruces

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/zstd"
)

// site is a replica that is spoken to in SQL only.
type site struct {
	t    testing.TB
	db   *sqlite3.Conn
	c    engine.Conn
	file string
}

// newSite makes a database file with a tracked table t(k, v) and the streams o and i.
func newSite(t testing.TB) *site {
	t.Helper()
	s := openSite(t, filepath.Join(t.TempDir(), "site.db"))
	s.exec("PRAGMA journal_mode = wal; CREATE TABLE t(k INTEGER PRIMARY KEY, v)")
	s.exec("SELECT tributary_track('t')")
	s.exec("CREATE VIRTUAL TABLE o USING stream_out(peer='hub'); CREATE VIRTUAL TABLE i USING stream_in(peer='hub')")
	return s
}

// openSite opens one more connection.
func openSite(t testing.TB, file string) *site {
	t.Helper()
	if s := openExtension(t, file); s != nil {
		return s
	}
	db := open(t, file)
	if err := Register(db, &engine.Options{Compressor: zstd.New()}); err != nil {
		t.Fatal(err)
	}
	return &site{t, db, NewConn(db), strings.TrimSuffix(strings.TrimPrefix(file, "file:"), "?mode=ro")}
}

func (s *site) exec(sql string) {
	s.t.Helper()
	if err := s.c.Exec(sql); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

// refused runs SQL that must fail, with a message that says why.
func (s *site) refused(why, sql string) {
	s.t.Helper()
	err := s.c.Exec(sql)
	if err == nil || !strings.Contains(err.Error(), why) {
		s.t.Fatalf("%s: got %v, want an error that says %q", sql, err, why)
	}
}

func (s *site) want(sql string, rows ...string) {
	s.t.Helper()
	got := all(s.t, s.c, sql)
	if strings.Join(got, "\n") != strings.Join(rows, "\n") {
		s.t.Fatalf("%s\n got %q\nwant %q", sql, got, rows)
	}
}

// packages reads packages as values.
func (s *site) packages(sql string, args ...crdt.Value) (out []crdt.Value) {
	s.t.Helper()
	q, err := s.c.Prepare(sql)
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	defer q.Close()
	if err := q.Query(args...); err != nil {
		s.t.Fatal(err)
	}
	for {
		var row [1]crdt.Value
		ok, err := q.Next(row[:])
		if err != nil {
			s.t.Fatalf("%s: %v", sql, err)
		}
		if !ok {
			return out
		}
		out = append(out, row[0].Clone())
	}
}

// insert puts a package into a stream_in table.
func (s *site) insert(stream string, pkg crdt.Value) error {
	q, err := s.c.Prepare("INSERT INTO " + stream + "(package) VALUES (?1)")
	if err != nil {
		return err
	}
	defer q.Close()
	return q.Run(pkg)
}

// send moves all packages from one site to another.
func send(from, to *site) {
	from.t.Helper()
	for _, p := range from.packages("SELECT package FROM o WHERE cursor > 0") {
		if err := to.insert("i", p); err != nil {
			from.t.Fatal(err)
		}
	}
}
