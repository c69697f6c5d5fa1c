// Command sync is one half of a sync over standard input and output, in a program that uses the SQLite driver
// github.com/mattn/go-sqlite3: sync FILE call|answer.
package main

import (
	"bufio"
	"database/sql"
	"encoding/hex"
	"fmt"
	"log"
	"os"

	"github.com/mattn/go-sqlite3"
)

func main() {
	library := os.Getenv("TRIBUTARY")
	if library == "" {
		library = "./tributary"
	}
	sql.Register("tributary", &sqlite3.SQLiteDriver{Extensions: []string{library}})
	if err := run(os.Args[1], os.Args[2] == "call"); err != nil {
		log.Fatal(err)
	}
}

type peer struct {
	db    *sql.DB
	lines *bufio.Reader
}

func run(file string, call bool) error {
	db, err := sql.Open("tributary", "file:"+file+"?_busy_timeout=10000")
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE IF NOT EXISTS task(id TEXT PRIMARY KEY NOT NULL, title TEXT, done INT);
		SELECT tributary_track('task');
		CREATE VIRTUAL TABLE IF NOT EXISTS outbox USING stream_out(peer='friend');
		CREATE VIRTUAL TABLE IF NOT EXISTS inbox USING stream_in(peer='friend')`); err != nil {
		return err
	}
	p := peer{db, bufio.NewReader(os.Stdin)}
	first, second := p.receive, p.send
	if call {
		first, second = second, first
	}
	if err := first(); err != nil {
		return err
	}
	return second()
}

func (p peer) read() (line string, err error) {
	line, err = p.lines.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the other side has gone: %w", err)
	}
	return line[:len(line)-1], nil
}

func (p peer) send() error {
	rows, err := p.db.Query("SELECT package, cursor FROM outbox")
	if err != nil {
		return err
	}
	defer rows.Close()
	var packages [][]byte
	var cursors []int64
	for rows.Next() {
		packages, cursors = append(packages, nil), append(cursors, 0)
		if err := rows.Scan(&packages[len(packages)-1], &cursors[len(cursors)-1]); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for i := range packages {
		fmt.Println(hex.EncodeToString(packages[i]))
		if answer, err := p.read(); err != nil || answer != "ok" {
			return fmt.Errorf("the other side has not taken a package: %q, %v", answer, err)
		}
		if _, err := p.db.Exec("UPDATE outbox SET acked = ?", cursors[i]); err != nil {
			return err
		}
	}
	fmt.Println()
	return nil
}

func (p peer) receive() error {
	for {
		line, err := p.read()
		if err != nil || line == "" {
			return err
		}
		bytes, err := hex.DecodeString(line)
		if err != nil {
			return err
		}
		if _, err := p.db.Exec("INSERT INTO inbox(package) VALUES (?)", bytes); err != nil {
			return err
		}
		fmt.Println("ok")
	}
}
