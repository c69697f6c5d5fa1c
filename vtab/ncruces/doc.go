// Package ncruces runs Tributary inside github.com/ncruces/go-sqlite3, SQLite in pure Go.
//
// It is a host: it implements [engine.Conn] over a connection and registers the table modules and functions of package
// vtab on it. It translates and decides nothing: what a stream does is written in package vtab, what replication does in
// package engine, and only SQLite's result codes, callbacks and memory rules are known here.
//
// Every callback into Go recovers from panics and reports them as an SQL error, because a panic that unwinds through
// SQLite leaves the connection with statements that nobody can finalize.
//
// A connection must not be used by two goroutines at once, nor may anything that this package makes for it.
package ncruces
