package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/engine"
)

// fileError says in which file something went wrong.
type fileError struct {
	path string
	err  error
}

func (e *fileError) Error() string { return e.path + ": " + plain(e.err) }
func (e *fileError) Unwrap() error { return e.err }

// inFile adds the file's name, once, and turns SQLite's terse codes into what the user can do about them.
func inFile(path string, err error) error {
	if err == nil || errors.Is(err, errNo) {
		return err
	}
	if known := new(fileError); errors.As(err, &known) {
		return err
	}
	return &fileError{path, advise(err)}
}

// plain is the text of err without the prefixes by which packages sign their errors.
func plain(err error) string { return unsigned(err.Error()) }

func unsigned(s string) string {
	for _, p := range []string{"tributary: ", "sqlite3: ", "SQL logic error: "} {
		s = strings.TrimPrefix(s, p)
		s = strings.ReplaceAll(s, ": "+p, ": ")
	}
	return s
}

// message is the one line that the user sees: what, where, what to do.
func message(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return "tributary: interrupted; nothing is half done, run the command again to go on"
	}
	return "tributary: " + plain(err)
}

// sqliteCode is SQLite's primary result code in err, or 0.
// https://sqlite.org/rescode.html
func sqliteCode(err error) sqlite3.ErrorCode {
	if host := engine.ErrorCode(nil); errors.As(err, &host) {
		return sqlite3.ErrorCode(host.SQLiteCode() & 0xff)
	}
	var code sqlite3.ErrorCode
	errors.As(err, &code)
	return code
}

// advised is an error whose code has been explained already.
type advised struct {
	advice string
	err    error
}

func (e *advised) Error() string { return fmt.Sprintf("%s (%s)", e.advice, plain(e.err)) }
func (e *advised) Unwrap() error { return e.err }

// advice holds, per code, what happened and what to do.
var advice = map[sqlite3.ErrorCode]string{
	sqlite3.BUSY:     "busy: another program holds its lock; try again, or wait longer with --timeout 30s",
	sqlite3.LOCKED:   "busy: another connection of this program holds its lock; try again",
	sqlite3.NOTADB:   "not a SQLite database, or an encrypted one; name a database file",
	sqlite3.CORRUPT:  "the database file is damaged; run PRAGMA integrity_check on it and restore a good copy",
	sqlite3.READONLY: "cannot be written; allow writing to the file and to its folder",
	sqlite3.FULL:     "the disk is full; make room and run the command again",
	sqlite3.CANTOPEN: "cannot be opened; look at the permissions of the file and of its folder",
	sqlite3.IOERR:    "the operating system failed to read or write; look whether the disk is full or failing",
	sqlite3.NOMEM:    "out of memory",
}

func advise(err error) error {
	if known := new(advised); errors.As(err, &known) {
		return err
	}
	code := sqliteCode(err)
	if errors.Is(err, syscall.ENOSPC) { // the driver does not always tell it from other failures
		code = sqlite3.FULL
	}
	if text, ok := advice[code]; ok {
		return &advised{text, err}
	}
	return err
}
