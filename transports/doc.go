// Package transports defines what carries packages between replicas: the interface that the sync loop
// (engine/replicator) drives and every medium implements. The implementations are the packages below this folder.
//
// A transport sees sealed packages, names and cursors. It never sees SQL, rows or version vectors, and it may lose,
// repeat and reorder anything: the loop above it is idempotent, orders causally, and repairs what is missing. What a
// transport must not do is to alter a package without noticing, or to lose a position without saying so.
//
// Terminology. A log keeps packages in an order of its own; a cursor is a position in it, opaque to everybody else. An
// exchange is the other half: one replica asks another for what it lacks. A transport may have only one half. A database
// is named by the fleet, a site by the text of its identity; a transport treats both as text of any bytes.
//
// Non-goals: deciding what to send, merging, and signing. README.md tells how to write one.
package transports
