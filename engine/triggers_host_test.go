package engine_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

// shadowForTriggers is what triggers need of the shadow tables.
const shadowForTriggers = `
CREATE TABLE tributary_state(id INTEGER PRIMARY KEY CHECK (id = 1));
INSERT INTO tributary_state VALUES (1);
CREATE TABLE tributary_feed(pos INTEGER PRIMARY KEY, tbl INTEGER, mask, at INTEGER, k0, k1, k2, k3, k4);`

// captured is a database file with tracked tables, written by one of the hosts.
type captured struct {
	t    *testing.T
	file string
	host string
	db   *sqlite3.Conn
}

var captureHosts = []string{"sqlite3", "ncruces"}

// newCaptured makes a database with the tables that ddl creates, and tracks those named as 1, 2, ….
func newCaptured(t *testing.T, host, ddl string, tracked ...string) *captured {
	t.Helper()
	if host == "sqlite3" {
		if _, err := exec.LookPath("sqlite3"); err != nil {
			t.Skip("the sqlite3 program, which stands for a client without Tributary, is not installed")
		}
	}
	c := &captured{t: t, file: filepath.Join(t.TempDir(), "db"), host: host}
	db, err := sqlite3.Open(c.file)
	if err != nil {
		t.Fatal(err)
	}
	c.db = db
	t.Cleanup(func() { db.Close() })
	c.mustExec(shadowForTriggers)
	c.mustExec(ddl)
	for i, name := range tracked {
		s := c.table(name)
		for _, sql := range engine.TriggerSQL(s, int64(i+1), ordinalOf(s), len(s.Columns)) {
			c.mustExec(sql)
		}
	}
	return c
}

func ordinalOf(s *engine.TableSchema) func(string) int {
	names := map[string]int{}
	for i, col := range s.Columns {
		names[col.Name] = i
	}
	return func(name string) int {
		if i, ok := names[name]; ok {
			return i
		}
		return -1
	}
}

func (c *captured) table(name string) *engine.TableSchema {
	c.t.Helper()
	s, err := engine.ReadTable(ncruces.NewConn(c.db), name)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

func (c *captured) mustExec(sql string) {
	c.t.Helper()
	if err := c.db.Exec(sql); err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
}

var failedLine = regexp.MustCompile(`(?m)^.*rror.* near line (\d+).*`)

// run runs a script in one connection of the host, one statement a line. Those that begin with ! must fail, the others not.
func (c *captured) run(script string) {
	c.t.Helper()
	lines := strings.Split(strings.TrimSpace(script), "\n")
	want := map[string]bool{}
	for i, l := range lines {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "!") {
			want[fmt.Sprint(i+1)] = true
			l = l[1:]
		}
		lines[i] = l
	}
	got := map[string]string{}
	if c.host == "ncruces" {
		for i, l := range lines {
			if err := c.db.Exec(l); err != nil {
				got[fmt.Sprint(i+1)] = err.Error()
			}
		}
	} else {
		cmd := exec.Command("sqlite3", "-batch", "-init", "/dev/null", c.file)
		cmd.Stdin = strings.NewReader(strings.Join(lines, ";\n") + ";\n")
		var stderr strings.Builder
		cmd.Stderr = &stderr
		cmd.Run()
		for _, m := range failedLine.FindAllStringSubmatch(stderr.String(), -1) {
			got[m[1]] = m[0]
		}
		if stderr.Len() > 0 && len(got) == 0 {
			c.t.Fatal(stderr.String())
		}
	}
	for i, l := range lines {
		n := fmt.Sprint(i + 1)
		if _, failed := got[n]; failed != want[n] {
			c.t.Errorf("%s: %s: failed = %v (%s), want %v", c.host, l, failed, got[n], want[n])
		}
	}
}

// feed returns the feed since the last call, "table:mask key,key" for each row, and checks the clock of each.
func (c *captured) feed() string {
	c.t.Helper()
	const now = "CAST(strftime('%s', 'now') AS INTEGER) * 1000"
	rows := c.query(`SELECT tbl || ':' || mask || ' ' || quote(k0) || ifnull(',' || nullif(quote(k1), 'NULL'), '') || ifnull(',' || nullif(quote(k2), 'NULL'), '')
		|| ifnull(',' || nullif(quote(k3), 'NULL'), '') || ifnull(',' || nullif(quote(k4), 'NULL'), '')
		|| CASE WHEN typeof(at) = 'integer' AND at BETWEEN ` + now + ` - 60000 AND ` + now + ` + 2000 THEN '' ELSE ' at ' || quote(at) END FROM tributary_feed ORDER BY pos`)
	c.mustExec("DELETE FROM tributary_feed")
	return strings.Join(rows, "; ")
}

// query returns the first column.
func (c *captured) query(sql string) []string {
	c.t.Helper()
	s, err := ncruces.NewConn(c.db).Prepare(sql)
	if err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
	defer s.Close()
	if err := s.Query(); err != nil {
		c.t.Fatal(err)
	}
	var out []string
	var row [1]crdt.Value
	for {
		ok, err := s.Next(row[:])
		if err != nil {
			c.t.Fatalf("%s: %v", sql, err)
		}
		if !ok {
			return out
		}
		if row[0].Kind() == crdt.KindText {
			out = append(out, string(row[0].Bytes()))
		} else {
			out = append(out, row[0].String())
		}
	}
}

func (c *captured) want(what string) {
	c.t.Helper()
	if got := c.feed(); got != what {
		c.t.Errorf("%s: the feed has\n %s\nwant\n %s", c.host, got, what)
	}
}

// plan is the query plan of a statement with those of the triggers that it fires.
// https://sqlite.org/c3ref/c_dbconfig_defensive.html#sqlitedbconfigtriggereqp
func (c *captured) plan(statement string) []string {
	c.t.Helper()
	if _, err := c.db.Config(sqlite3.DBCONFIG_TRIGGER_EQP, true); err != nil {
		c.t.Fatal(err)
	}
	s, _, err := c.db.Prepare("EXPLAIN QUERY PLAN " + statement)
	if err != nil {
		c.t.Fatal(err)
	}
	defer s.Close()
	var out []string
	for s.Step() {
		out = append(out, s.ColumnText(3))
	}
	if err := s.Err(); err != nil {
		c.t.Fatal(err)
	}
	return out
}
