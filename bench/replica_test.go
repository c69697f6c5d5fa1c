package bench

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/zstd"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

// database is a file with a connection that writes as a program does that knows nothing of Tributary.
type database struct {
	b  *testing.B
	db *sqlite3.Conn
	// stmts are the statements of write, by SQL text.
	stmts map[string]*sqlite3.Stmt
}

// openDatabase opens a file in WAL mode, as programs that care for speed do.
func openDatabase(b *testing.B, path, ddl string) *database {
	b.Helper()
	db, err := sqlite3.Open("file:" + path + "?_pragma=busy_timeout(10000)")
	if err != nil {
		b.Fatal(err)
	}
	d := &database{b: b, db: db, stmts: map[string]*sqlite3.Stmt{}}
	b.Cleanup(d.close)
	d.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = OFF;" + ddl)
	return d
}

func (d *database) close() {
	for _, q := range d.stmts {
		q.Close()
	}
	d.stmts = nil
	if d.db != nil {
		if err := d.db.Close(); err != nil {
			d.b.Error(err)
		}
	}
	d.db = nil
}

func (d *database) exec(sql string) {
	d.b.Helper()
	if err := d.db.Exec(sql); err != nil {
		d.b.Fatalf("%s: %v", sql, err)
	}
}

func (d *database) prepare(sql string) *sqlite3.Stmt {
	d.b.Helper()
	if q := d.stmts[sql]; q != nil {
		return q
	}
	q, _, err := d.db.Prepare(sql)
	if err != nil {
		d.b.Fatalf("%s: %v", sql, err)
	}
	d.stmts[sql] = q
	return q
}

// number is the one integer that a query returns.
func (d *database) number(sql string) int64 {
	d.b.Helper()
	q := d.prepare(sql)
	defer q.Reset()
	if !q.Step() {
		d.b.Fatalf("%s: %v", sql, q.Err())
	}
	return q.ColumnInt64(0)
}

// used is the size of what the file holds, in bytes, without free pages.
func (d *database) used() int64 {
	return d.number("SELECT (a.page_count - b.freelist_count) * c.page_size FROM pragma_page_count a, pragma_freelist_count b, pragma_page_size c")
}

// op is what a program does to a row.
type op string

const (
	opInsert op = "insert"
	opUpdate op = "update" // of one column
	opAll    op = "update-all"
	opDelete op = "delete"
	opUpsert op = "upsert"
)

// write runs one statement for each of the rows lo to hi, tx of them in a transaction.
func (d *database) write(s shape, table string, o op, lo, hi, tx int) {
	d.b.Helper()
	sql := map[op]func(string) string{opInsert: s.insertSQL, opUpdate: s.updateSQL, opAll: s.upsertSQL, opDelete: s.deleteSQL, opUpsert: s.upsertSQL}[o](table)
	q := d.prepare(sql)
	for i := lo; i < hi; {
		if tx > 1 {
			d.exec("BEGIN IMMEDIATE")
		}
		for range min(tx, hi-i) {
			var err error
			switch o {
			case opUpdate:
				if err = q.BindInt64(1, int64(generation)+int64(i)); err == nil {
					_, err = s.bindKey(q, 2, i)
				}
			case opDelete:
				_, err = s.bindKey(q, 1, i)
			case opAll:
				if err = s.bindRow(q, i+generation); err == nil {
					_, err = s.bindKey(q, 1, i)
				}
			default:
				err = s.bindRow(q, i)
			}
			if err == nil {
				err = q.Exec()
			}
			if err != nil {
				d.b.Fatalf("%s: row %d: %v", sql, i, err)
			}
			i++
		}
		if tx > 1 {
			d.exec("COMMIT")
		}
	}
}

// generation makes each round of updates write other values. Benchmarks run one after the other.
var generation = 1 << 20

// load fills tables quickly: one transaction, and no benchmark measures it.
func (d *database) load(s shape, table string, lo, hi int) {
	d.write(s, table, opInsert, lo, hi, hi-lo)
}

// replica is a database whose tables are tracked, with an engine on a connection of its own.
type replica struct {
	*database
	path string
	conn *sqlite3.Conn
	e    *engine.Engine
}

// compressed is the compressor that the command and the extension use.
func compressed() crdt.Compressor { return zstd.New() }

// newReplica tracks all tables of ddl. z may be nil: no compression.
func newReplica(b *testing.B, name, ddl string, z crdt.Compressor) *replica {
	b.Helper()
	r := &replica{path: filepath.Join(b.TempDir(), name+".db")}
	r.database = openDatabase(b, r.path, ddl)
	r.attach(z)
	if _, _, err := r.e.TrackAll(b.Context()); err != nil {
		b.Fatal(err)
	}
	r.fold() // the first fold makes an empty version, which is no part of what is measured
	return r
}

// attach opens the engine.
func (r *replica) attach(z crdt.Compressor) {
	r.b.Helper()
	conn, err := sqlite3.Open("file:" + r.path + "?_pragma=busy_timeout(10000)")
	if err != nil {
		r.b.Fatal(err)
	}
	r.conn = conn
	if r.e, err = engine.Open(r.b.Context(), ncruces.NewConn(conn), &engine.Options{Compressor: z}); err != nil {
		r.b.Fatal(err)
	}
	r.b.Cleanup(r.detach)
}

// detach may be called twice.
func (r *replica) detach() {
	if r.conn == nil {
		return
	}
	r.e.Close()
	if err := r.conn.Close(); err != nil {
		r.b.Error(err)
	}
	r.conn = nil
}

// close frees the files before the benchmark ends, which may run many iterations.
func (r *replica) close() {
	r.detach()
	r.database.close()
}

// pair is two empty replicas of one schema.
func pair(b *testing.B, ddl string, z crdt.Compressor) (from, to *replica) {
	b.Helper()
	return newReplica(b, "from", ddl, z), newReplica(b, "to", ddl, z)
}

func (r *replica) fold() engine.FoldResult {
	r.b.Helper()
	res, err := r.e.Fold(r.b.Context())
	if err != nil {
		r.b.Fatal(err)
	}
	return res
}

// pulled is the outcome of one pull.
type pulled struct {
	packages [][]byte
	bytes    int
	rows     int
	cursor   int64
}

func (r *replica) pull(o engine.PullOptions) (out pulled) {
	r.b.Helper()
	out.cursor = o.Since
	for p, err := range r.e.Pull(r.b.Context(), o) {
		if err != nil {
			r.b.Fatal(err)
		}
		out.packages = append(out.packages, p.Package)
		out.bytes += len(p.Package)
		out.rows += p.Rows
		out.cursor = p.Cursor
	}
	return out
}

// apply applies packages and wants all of them in this state at the end.
func (r *replica) apply(packages [][]byte, want engine.ApplyState) {
	r.b.Helper()
	var got engine.ApplyState
	for _, p := range packages {
		res, err := r.e.Apply(r.b.Context(), p, engine.ApplyOptions{})
		if err != nil {
			r.b.Fatal(err)
		}
		got = res.State
	}
	if got != want && len(packages) > 0 {
		r.b.Fatalf("the last package is %v, want %v", got, want)
	}
}

func (r *replica) sync(other *replica) engine.SyncResult {
	r.b.Helper()
	res, err := engine.Sync(r.b.Context(), r.e, other.e, engine.SyncOptions{})
	if err != nil {
		r.b.Fatal(err)
	}
	return res
}

// tables is the schema of so many small tables, called t0, t1, ...
func tables(n int) (ddl string) {
	for i := range n {
		ddl += five.ddl(fmt.Sprint("t", i))
	}
	return ddl
}
