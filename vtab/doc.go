// Package vtab is Tributary's SQL surface: virtual tables and functions over package engine. It knows no driver; a host
// (vtab/ncruces) translates between these modules and SQLite's callbacks, and decides nothing.
//
// # Streams
//
// A stream is a virtual table in the user's schema. Its bookkeeping is a row of the engine's stream table: it is made
// by CREATE VIRTUAL TABLE, follows ALTER TABLE RENAME and goes with DROP TABLE. A stream in the temp schema is kept in
// memory and ends with its connection, which is how a read-only database is read. Other schemas have no streams.
//
//	CREATE VIRTUAL TABLE stream_out_hub USING stream_out(peer='hub', exclude_sites='…', format='binary');
//	SELECT package, cursor FROM stream_out_hub WHERE cursor > ?;
//	UPDATE stream_out_hub SET acked = ?;
//
// # The two faces of stream_out
//
// SQLite runs an UPDATE of a virtual table by scanning it first, and calls xUpdate for every row found. An
// acknowledgement must work when there is nothing to send, must not build packages to throw them away, and must change
// one thing once. So what a query sees depends on the columns that it uses, which SQLite tells the planner:
//
//   - A query that uses one of package, rows, part and last reads packages: one row for each, in order of cursor,
//     beginning after the cursor that is asked for (cursor > ?, cursor >= ?), or else after the last acknowledged one.
//   - Any other query reads the stream's own state: always exactly one row, where cursor is the newest position of the
//     feed. UPDATE … SET acked = ? is such a query. So are SELECT last_acked, cursor FROM s, which shows how far the
//     peer is behind, and SELECT count(*) FROM s WHERE cursor > ?, which is 1 if something is new that
//     has been folded, and costs nothing.
//
// Reading packages folds first, and commits what it folded with a synced log before the first package comes out. It is
// refused inside a transaction and inside a writing statement, where rows could be rolled back after they were sent. On
// a read-only connection it returns what has been folded, and nothing while something still waits to be folded. The
// state row never folds and can be read and updated anywhere; an UPDATE inside a transaction is rolled back with it,
// which only means that packages are sent again.
//
// While another connection writes, a SELECT that has to fold waits as long as the connection's busy timeout allows,
// though no longer than about 40 seconds.
//
// Packages are built a few at a time while rows are read, never in between, so that what the application writes between
// two rows cannot leak into a package half way. LIMIT 1 builds one. last_retrieved is known to its connection at once
// and stored with the next UPDATE. The first SELECT stores that the stream is in use, so that compaction waits for its peer.
//
// # stream_in
//
// INSERT INTO stream_in_x(package) VALUES (?) applies a package, in the transaction of the statement or in the one
// around it. An INSERT that fails half way inside an explicit transaction may leave writes that SQLite does not undo;
// then the table is broken: every further INSERT and the COMMIT fail, and the transaction is rolled back as a whole.
// ROLLBACK, or ROLLBACK TO a savepoint from before the failure, mends it.
//
// # Safety
//
// Every module and function is direct-only: a view or trigger in a schema that somebody else wrote cannot reach it.
// Modules may be used by one goroutine at a time, like the connection they belong to.
package vtab
