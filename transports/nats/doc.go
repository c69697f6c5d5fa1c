// Package nats carries packages over NATS JetStream. It is the client only; package embedded starts a server in the
// process. JetStream is a cache of the change log: the truth is in the SQLite files, and whatever a server forgets is
// published again or asked for.
//
// Layout, with tokens that are the name itself where that is [A-Za-z0-9_-]{1,64}, else "x-" and its bytes in hex:
//
//	crdt.v1.<part>.<db>.<scope>.<site>   packages; stream CRDT-<fleet>-<part>; part is 0 and scope is - for now
//	here.v1.<db>.<site>                  what a site last told of itself; stream CRDT-<fleet>-HERE
//	snap.v1.<db>.<site>.<slot>.<n>       chunks of snapshots that a site has made, and "head", which tells of them;
//	                                     stream CRDT-<fleet>-SNAP
//	ask.v1.<db>                          requests to anybody (queue group "ask")
//	ask.v1.<db>.<site>                   requests to one site
//
// One subject for each site makes it possible to allow a site to publish as itself and as nobody else (README.md), and to
// ask for its newest package. The stream is limited by age and bytes and drops the oldest; nobody but the administrator
// can delete or purge, and nothing can be rolled up.
//
// A position is the stream's creation time, a sequence, and the time at which the message at that sequence was stored:
// a server that lost its newest messages gives their sequences to others, and says nothing. It is verified when a
// subscription starts, after each loss of the connection, and every Options.Verify.
//
// A package above one chunk (256 KiB) is published as an atomic batch, so its chunks appear together or not at all;
// where the stream does not allow that, chunks go one by one, and readers leave out groups that are not whole.
//
// Snapshots are not in an Object Store: that needs rollups, by which who may write one object can wipe all of them. Here a
// site has a few slots of its own on a stream that keeps one message for each subject, and fills the oldest again.
package nats
