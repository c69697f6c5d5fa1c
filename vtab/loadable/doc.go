// Package loadable runs Tributary inside any program that uses SQLite: it is the loadable extension.
//
// Like vtab/ncruces it is a host. It implements [engine.Conn] over the connection of a foreign program and registers the
// modules and functions of package vtab on it; it translates and decides nothing. README.md says how it is built, where
// it runs and where not.
//
// Two languages share the work. C calls SQLite and is called by it (call.c, module.c, host.c); Go is what decides. The
// border between them is crossed once for a row, an argument list or a batch, never for a value: arguments are gathered
// in C and read by Go in place, rows are written by Go into a buffer of the cursor and served from there.
//
// Memory. What C gets from Go is a handle, never a pointer to follow; what Go gets from C is borrowed until the call
// returns, or for a row until the next call on its statement. Everything of a connection is freed when SQLite frees the
// modules and functions that were registered on it.
//
// Every callback into Go recovers from panics and reports them as an SQL error. A connection must not be used by two
// threads at once; which thread uses it may change.
//
// Without cgo the package is empty, so that the rest of the module builds and is tested without a C compiler.
package loadable
