package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/fts5"
	"github.com/ncruces/go-sqlite3/ext/rtree"

	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/zstd"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

// access says what a command wants to do with a database file.
type access int

const (
	toRead  access = iota + 1 // a file that cannot be written is opened read-only
	toWrite                   // a file that cannot be written is an error
)

// database is one open database file with its engine.
type database struct {
	path   string // as the user wrote it, for messages
	conn   *sqlite3.Conn
	engine *engine.Engine
}

// open opens an existing database file; it never creates one, so that a typing error leaves nothing behind.
func (a *app) open(ctx context.Context, path string, want access) (*database, error) {
	conn, err := a.openConn(ctx, path, want)
	if err != nil {
		return nil, inFile(path, err)
	}
	e, err := engine.Open(ctx, ncruces.NewConn(conn), a.engineOptions())
	if err != nil {
		conn.Close()
		return nil, inFile(path, err)
	}
	return &database{path: path, conn: conn, engine: e}, nil
}

func (a *app) engineOptions() *engine.Options {
	return &engine.Options{Compressor: zstd.New(), Progress: a.reporter()}
}

// Close may be called twice.
func (d *database) Close() error {
	if d == nil || d.conn == nil {
		return nil
	}
	err := errors.Join(d.engine.Close(), d.conn.Close())
	d.conn = nil
	return inFile(d.path, err)
}

// fail gives err the database's name.
func (d *database) fail(err error) error { return inFile(d.path, err) }

// openConn opens a plain connection with the settings that every command needs.
func (a *app) openConn(ctx context.Context, path string, want access) (*sqlite3.Conn, error) {
	if err := looksLikeDatabase(path); err != nil {
		return nil, err
	}
	flags := sqlite3.OPEN_READWRITE
	if err := writable(path); err != nil {
		if want == toWrite {
			return nil, err
		}
		flags = sqlite3.OPEN_READONLY
	}
	return a.connect(ctx, path, flags)
}

// connect opens path with these flags, whatever characters its name has.
func (a *app) connect(ctx context.Context, path string, flags sqlite3.OpenFlag) (*sqlite3.Conn, error) {
	// SQLite reads a name that starts with "file:" as a URI, in which ? # and % mean something, and ":memory:" as no file
	// at all. An absolute path starts with neither. https://sqlite.org/uri.html
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	conn, err := sqlite3.OpenFlags(full, flags)
	if err != nil {
		return nil, err
	}
	conn.SetInterrupt(ctx)
	if err := a.configure(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func (a *app) configure(conn *sqlite3.Conn) error {
	if err := conn.BusyTimeout(a.timeout); err != nil { // first: what follows may read the file
		return err
	}
	// The engine settles foreign keys itself; enforcing them here would refuse rows that arrive before their parents.
	// The journal mode is the user's business and stays as it is.
	if err := conn.Exec("PRAGMA foreign_keys = OFF"); err != nil {
		return err
	}
	// The library is built without "string" in double quotes; schemas written with the sqlite3 program may hold them.
	// https://sqlite.org/quirks.html#double_quoted_string_literals_are_accepted
	for _, c := range []sqlite3.DBConfig{sqlite3.DBCONFIG_DQS_DDL, sqlite3.DBCONFIG_DQS_DML} {
		if _, err := conn.Config(c, true); err != nil {
			return err
		}
	}
	// The modules that the sqlite3 program has built in: without them a schema that uses them cannot be read in full.
	return errors.Join(fts5.Register(conn), rtree.Register(conn))
}

// looksLikeDatabase tells a missing file, a folder and a file of another kind from a database, before SQLite, whose
// answers to these are "unable to open" and "file is not a database", gets to see it.
func looksLikeDatabase(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("no such file; nothing was created, look at the name")
	case err != nil:
		return reason(err)
	case info.IsDir():
		return errors.New("is a folder; name a database file")
	case !info.Mode().IsRegular():
		return errors.New("is not a regular file; name a database file")
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot be read: %w; look at its permissions", reason(err))
	}
	defer f.Close()
	head := make([]byte, 16)
	n, err := io.ReadFull(f, head)
	head = head[:n]
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		return nil // SQLite's form of a database that nobody has written to yet
	case bytes.Equal(head, []byte("SQLite format 3\x00")):
		return nil
	case looksLikePackages(head):
		return errors.New("holds packages and is not a database; use tributary inspect to look into it, tributary apply to apply it to a database")
	}
	return errors.New("not a SQLite database, or an encrypted one; name a database file")
}

// writable says why a file cannot be written, if so.
func writable(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("cannot be written: %w; this command writes, allow it to", reason(err))
	}
	return f.Close()
}

// reason is the operating system's error without the path, which inFile adds.
func reason(err error) error {
	if e := new(fs.PathError); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// openTwo opens two databases that must be two.
func (a *app) openTwo(ctx context.Context, first, second string, want access) (x, y *database, err error) {
	if sameFile(first, second) {
		return nil, nil, fmt.Errorf("%s and %s are the same file; name two databases", first, second)
	}
	if x, err = a.open(ctx, first, want); err != nil {
		return nil, nil, err
	}
	if y, err = a.open(ctx, second, want); err != nil {
		x.Close()
		return nil, nil, err
	}
	return x, y, nil
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
