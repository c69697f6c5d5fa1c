package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/zstd"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

// work is a worker for what runs in the pure Go library: bare tables, and Tributary through the same SQL that its loadable
// extension understands. native/native.c does the same in C.
func work(kind, data, scratch string) error {
	d, err := readDataset(data)
	if err != nil {
		return err
	}
	fmt.Printf("version\tSQLite %s, ncruces %s\n", sqliteVersion(), dependency("github.com/ncruces/go-sqlite3"))
	s := &scenario{data: d, scratch: scratch, tracked: kind == "tributary"}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if err := s.run(); err != nil {
			return err
		}
		fmt.Printf("bytes\tmemory\t%d\nend\n", peakMemory())
	}
	return nil
}

func sqliteVersion() string {
	db, err := sqlite3.Open(":memory:")
	if err != nil {
		return err.Error()
	}
	defer db.Close()
	rows, err := query(db, "SELECT sqlite_version()")
	if err != nil {
		return err.Error()
	}
	return rows[0][0].(string)
}

func dependency(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == path {
				return d.Version
			}
		}
	}
	return "unknown"
}

// replica is a database with a connection that has Tributary's tables and functions, and one that has never heard of them.
type replica struct {
	db, writer *sqlite3.Conn
	stmts      map[string]*sqlite3.Stmt
	cursor     int64
}

func (s *scenario) open(name string) (*replica, error) {
	path := filepath.Join(s.scratch, name+".db")
	for _, end := range []string{"", "-wal", "-shm", "-tributary"} {
		os.Remove(path + end) // of the last run
	}
	r := &replica{stmts: map[string]*sqlite3.Stmt{}}
	var err error
	if r.writer, err = connect(path); err != nil {
		return nil, err
	}
	for _, t := range s.data.tables {
		if err := r.writer.Exec(t.ddl()); err != nil {
			return nil, fmt.Errorf("%s: %w", t.ddl(), err)
		}
	}
	if r.db = r.writer; !s.tracked {
		return r, nil
	}
	if r.db, err = connect(path); err != nil {
		return nil, err
	}
	if err := ncruces.Register(r.db, &engine.Options{Compressor: zstd.New()}); err != nil {
		return nil, err
	}
	sql := ""
	for _, t := range s.data.tables {
		sql += fmt.Sprintf("SELECT tributary_track('%s');", t.name)
	}
	return r, r.db.Exec(sql)
}

// join makes the streams from one replica to another. What the other wrote itself is not sent back to it.
func join(from, to *replica) error {
	site, err := query(to.db, "SELECT tributary_site()")
	if err != nil {
		return err
	}
	return errors.Join(
		from.db.Exec(fmt.Sprintf("CREATE VIRTUAL TABLE outbox USING stream_out(peer='other', exclude_sites='%s')", site[0][0])),
		to.db.Exec("CREATE VIRTUAL TABLE inbox USING stream_in(peer='other')"))
}

func connect(path string) (*sqlite3.Conn, error) {
	db, err := sqlite3.Open("file:" + path + "?_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	return db, db.Exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = OFF")
}

func (r *replica) close() error {
	var err error
	for _, q := range r.stmts {
		err = errors.Join(err, q.Close())
	}
	if r.db != r.writer {
		err = errors.Join(err, r.db.Close())
	}
	return errors.Join(err, r.writer.Close())
}

func (r *replica) prepare(db *sqlite3.Conn, sql string) (*sqlite3.Stmt, error) {
	if q := r.stmts[sql]; q != nil {
		return q, nil
	}
	q, _, err := db.Prepare(sql)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sql, err)
	}
	r.stmts[sql] = q
	return q, nil
}

func (t *table) ddl() string {
	var cols []string
	for i, c := range t.columns {
		def := fmt.Sprintf(`"%s" %s`, c, t.types[i])
		if i < t.keys {
			def += " NOT NULL"
		}
		cols = append(cols, def)
	}
	return fmt.Sprintf(`CREATE TABLE "%s"(%s, PRIMARY KEY("%s"))`, t.name, strings.Join(cols, ", "), strings.Join(t.columns[:t.keys], `", "`))
}

// statement is the SQL of an operation, in which parameter i + 1 is column i; empty if the table has no column to change.
func (t *table) statement(op string) string {
	set := func(from int, as string) string {
		var out []string
		for i := from; i < len(t.columns); i++ {
			out = append(out, fmt.Sprintf(as, t.columns[i], i+1))
		}
		return strings.Join(out, ", ")
	}
	var where []string
	for i, c := range t.columns[:t.keys] {
		where = append(where, fmt.Sprintf(`"%s" = ?%d`, c, i+1))
	}
	insert := fmt.Sprintf(`INSERT INTO "%s" VALUES (?1%s)`, t.name, strings.Repeat(", ?", len(t.columns)-1))
	switch {
	case op == "insert":
		return insert
	case op == "upsert" && t.keys == len(t.columns):
		return insert + " ON CONFLICT DO NOTHING"
	case op == "upsert":
		return fmt.Sprintf(`%s ON CONFLICT("%s") DO UPDATE SET %s`, insert, strings.Join(t.columns[:t.keys], `", "`), set(t.keys, `"%[1]s" = excluded."%[1]s"`))
	case op == "delete":
		return fmt.Sprintf(`DELETE FROM "%s" WHERE %s`, t.name, strings.Join(where, " AND "))
	case t.keys == len(t.columns):
		return ""
	case op == "update":
		return fmt.Sprintf(`UPDATE "%s" SET %s WHERE %s`, t.name, set(len(t.columns)-1, `"%s" = ?%d`), strings.Join(where, " AND "))
	}
	return fmt.Sprintf(`UPDATE "%s" SET %s WHERE %s`, t.name, set(t.keys, `"%s" = ?%d`), strings.Join(where, " AND "))
}

// write runs an operation for every row, batch of them in a transaction; 0: all in one.
func (r *replica) write(d *dataset, op string, generation, batch int) error {
	if err := r.writer.Exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	n := 0
	for _, t := range d.tables {
		sql := t.statement(op)
		if sql == "" {
			continue
		}
		q, err := r.prepare(r.writer, sql)
		if err != nil {
			return err
		}
		first, last := t.keys, len(t.columns)-1
		switch op {
		case "delete":
			last = -1
		case "update":
			first = last
		}
		for _, row := range t.rows {
			for i := range t.keys {
				err = errors.Join(err, bind(q, i+1, row[i], 0))
			}
			for i := first; i <= last; i++ {
				err = errors.Join(err, bind(q, i+1, row[i], generation))
			}
			if err = errors.Join(err, q.Exec()); err != nil {
				return fmt.Errorf("%s: %w", sql, err)
			}
			if n++; batch > 0 && n%batch == 0 {
				if err := r.writer.Exec("COMMIT; BEGIN IMMEDIATE"); err != nil {
					return err
				}
			}
		}
	}
	return r.writer.Exec("COMMIT")
}

// bind gives the value of a generation: the one in the data set, changed a little.
func bind(q *sqlite3.Stmt, p int, v any, generation int) error {
	switch v := v.(type) {
	case int64:
		return q.BindInt64(p, v+int64(generation))
	case float64:
		return q.BindFloat(p, v+float64(generation))
	case string:
		if generation > 0 {
			v = fmt.Sprintf("%s!%d", v, generation)
		}
		return q.BindText(p, v)
	}
	if generation > 0 {
		return q.BindInt64(p, int64(generation))
	}
	return q.BindNull(p)
}

// pull reads the packages that have come since the last pull.
func (r *replica) pull() (packages [][]byte, err error) {
	q, err := r.prepare(r.db, "SELECT package, cursor FROM outbox WHERE cursor > ?1")
	if err != nil {
		return nil, err
	}
	if err := q.BindInt64(1, r.cursor); err != nil {
		return nil, err
	}
	for q.Step() {
		packages = append(packages, q.ColumnBlob(0, nil))
		r.cursor = q.ColumnInt64(1)
	}
	return packages, errors.Join(q.Err(), q.Reset())
}

func (r *replica) apply(packages [][]byte) error {
	q, err := r.prepare(r.db, "INSERT INTO inbox(package) VALUES (?1)")
	for _, p := range packages {
		if err == nil {
			err = errors.Join(q.BindBlob(1, p), q.Exec())
		}
	}
	return err
}

// used is the size of what the file holds, in bytes, without free pages.
func (r *replica) used() (int64, error) {
	rows, err := query(r.writer, "SELECT (a.page_count - b.freelist_count) * c.page_size FROM pragma_page_count a, pragma_freelist_count b, pragma_page_size c")
	if err != nil {
		return 0, err
	}
	return rows[0][0].(int64), nil
}

// verify wants every row to have the last column of a generation, or no row to be there.
func (r *replica) verify(d *dataset, generation int) error {
	for _, t := range d.tables {
		last, g := len(t.columns)-1, generation
		if last < t.keys {
			g = 0
		}
		sql := fmt.Sprintf(`SELECT "%s" IS ?%d FROM "%s" WHERE %s`, t.columns[last], last+1, t.name, strings.SplitAfterN(t.statement("delete"), " WHERE ", 2)[1])
		if generation < 0 {
			sql = fmt.Sprintf(`SELECT ?1 IS NULL FROM "%s"`, t.name)
		}
		q, err := r.prepare(r.writer, sql)
		if err != nil {
			return err
		}
		for i, row := range t.rows {
			for c := 0; c < t.keys && generation >= 0; c++ {
				err = errors.Join(err, bind(q, c+1, row[c], 0))
			}
			if generation >= 0 && last >= t.keys {
				err = errors.Join(err, bind(q, last+1, row[last], g))
			}
			there := q.Step()
			right := there && q.ColumnBool(0)
			if err = errors.Join(err, q.Err(), q.Reset()); err != nil {
				return err
			}
			if generation < 0 && there || generation >= 0 && !right {
				return fmt.Errorf("table %s, row %d: the replica does not show what was written last (generation %d)", t.name, i, generation)
			}
		}
	}
	return nil
}

// phase measures f and prints it.
func phase(name string, rows int, f func() error) error {
	cpu, wall := cpuTime(), time.Now()
	if err := f(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	ns := time.Since(wall).Nanoseconds()
	fmt.Printf("phase\t%s\t%d\t%d\t%d\n", name, rows, ns, cpuTime()-cpu)
	return nil
}
