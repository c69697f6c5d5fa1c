package conformance

import (
	"io"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// Host is one way of running the engine on SQLite.
type Host interface {
	// Conn opens the database for an engine, with a busy timeout, and returns what closes it.
	Conn(path string) (engine.Conn, io.Closer, error)
	// Writer opens the database, creating it if need be, as a program that knows nothing of Tributary does: none of our
	// functions or modules are registered.
	Writer(path string) (Writer, error)
	// Compressor is what the host's packages are compressed with, nil for not at all.
	Compressor() crdt.Compressor
}

// Writer is a plain connection.
type Writer interface {
	// Exec runs one or more statements; the first that fails ends it.
	// A transaction that the statements leave open is rolled back when Exec returns, as if the client had quit.
	Exec(sql string) error
	// Query calls f with each row of one statement; the values are valid during the call.
	Query(sql string, f func(row []crdt.Value) error) error
	Close() error
}
