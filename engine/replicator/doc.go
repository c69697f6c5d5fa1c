// Package replicator keeps one database equal with the others of its fleet, in the background, over any number of
// transports: the sync loop. It imports the engine and the transports' interface, and knows no driver and no medium.
//
// Terminology. A link is the loop's end of one transport. What a link has seen is the set of versions that its log is
// known to hold or its peers to have; what this replica has and the link has not seen is published there. That one rule
// sends own changes, relays between transports, and stops: what came by a link counts as seen there, so nothing runs in
// circles. A record is what a link remembers in the database: cursor and seen, committed with the packages they speak of.
//
// The parts: watch.go notices commits of other programs, outbox.go publishes, inbox.go applies what comes, ask.go repairs
// by asking peers and answer.go answers them, snapmake.go and snaptake.go are for when no peer is there, health.go looks after the log and tells others of this site, state.go says
// how a link is doing.
//
// Guarantees: the loop starts and runs while a broker is away; a package that cannot be applied is kept aside
// (engine.Refuse) and never stops the ones behind it; what a log has lost is published again by its origin or asked for
// by its readers; nothing that arrives late, twice, damaged or out of order changes the result. Non-goals: choosing peers
// by network, encrypting, and merging, which is the engine's.
package replicator
