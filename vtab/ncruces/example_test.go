package ncruces_test

import (
	"database/sql"
	"fmt"
	"log"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"

	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/zstd"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

// With database/sql every connection of the pool is registered by the function that is handed to driver.Open.
func ExampleRegister_databaseSQL() {
	open := func() *sql.DB {
		db, err := driver.Open(":memory:", func(c *sqlite3.Conn) error {
			return ncruces.Register(c, &engine.Options{Compressor: zstd.New()})
		})
		if err != nil {
			log.Fatal(err)
		}
		db.SetMaxOpenConns(1) // each connection to :memory: has a database of its own
		for _, sql := range []string{
			"CREATE TABLE task(id TEXT NOT NULL PRIMARY KEY, title TEXT, done INT)",
			"SELECT tributary_track('task')",
			"CREATE VIRTUAL TABLE stream_out_peer USING stream_out(peer='peer')",
			"CREATE VIRTUAL TABLE stream_in_peer USING stream_in(peer='peer')",
		} {
			if _, err := db.Exec(sql); err != nil {
				log.Fatal(err)
			}
		}
		return db
	}
	phone, laptop := open(), open()
	defer phone.Close()
	defer laptop.Close()

	send := func(from, to *sql.DB) {
		rows, err := from.Query("SELECT package, cursor FROM stream_out_peer")
		if err != nil {
			log.Fatal(err)
		}
		var cursor int64
		for rows.Next() {
			var pkg []byte
			if err := rows.Scan(&pkg, &cursor); err != nil {
				log.Fatal(err)
			}
			if _, err := to.Exec("INSERT INTO stream_in_peer(package) VALUES (?)", pkg); err != nil {
				log.Fatal(err)
			}
		}
		if err := rows.Err(); err != nil {
			log.Fatal(err)
		}
		rows.Close()
		if _, err := from.Exec("UPDATE stream_out_peer SET acked = ?", cursor); err != nil {
			log.Fatal(err)
		}
	}

	phone.Exec("INSERT INTO task VALUES ('a', 'buy milk', 0)")
	send(phone, laptop)
	phone.Exec("UPDATE task SET title = 'buy oat milk'")
	laptop.Exec("UPDATE task SET done = 1")
	send(phone, laptop)
	send(laptop, phone)

	for _, db := range []*sql.DB{phone, laptop} {
		var title string
		var done bool
		if err := db.QueryRow("SELECT title, done FROM task").Scan(&title, &done); err != nil {
			log.Fatal(err)
		}
		fmt.Println(title, done)
	}
	// Output:
	// buy oat milk true
	// buy oat milk true
}

// A Go program that wants no SQL surface uses the engine directly.
func ExampleNewConn() {
	db, err := sqlite3.Open(":memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	ctx := db.GetInterrupt()
	e, err := engine.Open(ctx, ncruces.NewConn(db), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	if err := db.Exec("CREATE TABLE task(id TEXT NOT NULL PRIMARY KEY, title TEXT)"); err != nil {
		log.Fatal(err)
	}
	if _, err := e.Track(ctx, "task"); err != nil {
		log.Fatal(err)
	}
	if err := db.Exec("INSERT INTO task VALUES ('a', 'buy milk')"); err != nil {
		log.Fatal(err)
	}
	for p, err := range e.Pull(ctx, engine.PullOptions{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(p.Rows, "row, last:", p.Last)
	}
	// Output:
	// 1 row, last: true
}
