// Package engine replicates the tables of one SQLite database over any connection that implements Conn.
//
// Terminology. A site is the identity of one replica database. A changeset is what one fold names: all local changes
// since the last fold, under one dot (site, version). The feed is the order in which rows changed at this replica,
// numbered by positions; a cursor is such a position. A package carries row changes from one replica's feed.
//
// The parts, in the order in which a change meets them: triggers append to the capture feed (triggers.go), a fold turns
// captured entries into clocks and a changeset (fold.go), a pull cuts the changed rows into packages (pull.go), an apply
// checks a package against the version vector and merges its rows (apply.go, merge.go), and constraints are settled so
// that every replica shows the same rows (settle.go). SCHEMA.md describes the shadow tables.
//
// Guarantees: no version ever names two contents, replicas with equal vectors show equal rows, a change is never visible
// before what its writer had seen, and nothing that cannot be shown is dropped: it is parked or quarantined. Non-goals:
// moving packages (transports) and speaking to a particular driver (vtab/ncruces).
package engine
