// Package conformance holds what every host of Tributary must do, as scenarios that a user can read.
//
// A scenario (scripts/*.txt) names a few sites, writes to them through a connection that has never heard of
// Tributary, moves packages between them and says what must be there afterwards. README.md lists the commands.
// A host is the pair of such a plain writer and an [engine.Conn]; its tests call [RunAll] with a [Host] of their own, so
// this package imports no driver.
//
// Every site is checked when its scenario ends: engine.Check, PRAGMA integrity_check and PRAGMA foreign_key_check must
// be clean, whatever the scenario was about.
package conformance
