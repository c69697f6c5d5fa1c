package ncruces_test

import (
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"

	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/zstd"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

// Two databases are written apart and made equal with nothing but SQL. Any transport may stand between the SELECT that
// reads packages and the INSERT that applies them.
func Example() {
	folder, err := os.MkdirTemp("", "example")
	check(err)
	defer os.RemoveAll(folder)
	office, van := open(filepath.Join(folder, "office.db")), open(filepath.Join(folder, "van.db"))
	defer office.Close()
	defer van.Close()

	check(office.Exec(`INSERT INTO task VALUES ('a', 'buy tea', 0)`))
	carry(office, van)
	check(office.Exec(`UPDATE task SET title = 'buy green tea'`))
	check(van.Exec(`UPDATE task SET done = 1`))
	carry(office, van)
	carry(van, office)

	show(office)
	show(van)
	// Output:
	// a buy green tea 1
	// a buy green tea 1
}

// open makes a database with one tracked table and a stream in each direction.
func open(path string) *sqlite3.Conn {
	db, err := sqlite3.Open(path)
	check(err)
	check(ncruces.Register(db, &engine.Options{Compressor: zstd.New()}))
	check(db.Exec(`
		CREATE TABLE task(id TEXT PRIMARY KEY NOT NULL, title TEXT, done INT);
		SELECT tributary_track('task');
		CREATE VIRTUAL TABLE outbox USING stream_out(peer='other');
		CREATE VIRTUAL TABLE inbox USING stream_in(peer='other')`))
	return db
}

// carry brings everything that the receiver has not acknowledged.
func carry(from, to *sqlite3.Conn) {
	read, _, err := from.Prepare(`SELECT package, cursor FROM outbox`)
	check(err)
	defer read.Close()
	write, _, err := to.Prepare(`INSERT INTO inbox(package) VALUES (?)`)
	check(err)
	defer write.Close()
	var cursor int64
	for read.Step() {
		check(write.BindBlob(1, read.ColumnBlob(0, nil)))
		check(write.Exec()) // it has committed: the package is safe there
		cursor = read.ColumnInt64(1)
	}
	check(read.Reset()) // also reports why reading stopped early
	if cursor > 0 {
		check(from.Exec(fmt.Sprintf(`UPDATE outbox SET acked = %d`, cursor)))
	}
}

func show(db *sqlite3.Conn) {
	rows, _, err := db.Prepare(`SELECT id, title, done FROM task`)
	check(err)
	defer rows.Close()
	for rows.Step() {
		fmt.Println(rows.ColumnText(0), rows.ColumnText(1), rows.ColumnInt(2))
	}
	check(rows.Err())
}

// With database/sql, the driver registers Tributary on every connection of the pool.
func ExampleRegister() {
	folder, err := os.MkdirTemp("", "example")
	check(err)
	defer os.RemoveAll(folder)
	db, err := driver.Open("file:"+filepath.ToSlash(filepath.Join(folder, "office.db")), func(c *sqlite3.Conn) error {
		return ncruces.Register(c, nil)
	})
	check(err)
	defer db.Close()

	_, err = db.Exec(`CREATE TABLE task(id TEXT PRIMARY KEY NOT NULL, title TEXT)`)
	check(err)
	var warnings string
	check(db.QueryRow(`SELECT tributary_track('task')`).Scan(&warnings))
	_, err = db.Exec(`INSERT INTO task VALUES (?, ?)`, "a", "buy tea")
	check(err)
	var unfolded int
	var pending sql.NullInt64
	check(db.QueryRow(`SELECT unfolded, pending FROM tributary_status`).Scan(&unfolded, &pending))
	fmt.Println(warnings, unfolded, pending.Int64)
	// Output: [] 1 0
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
