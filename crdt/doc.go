// Package crdt has the values that Tributary replicates and the rules by which they merge.
//
// It is pure: no I/O, no clock, no randomness, no goroutines, nothing but the standard library. Nothing in it is safe
// for concurrent use while one of the users writes. Bytes from elsewhere never make it panic, and never make it
// allocate more than a bounded multiple of what they bring (see Limits).
//
// # Words
//
// A [Site] is one replica. A [Version] counts its changesets, and a [Dot] names one of them for ever.
// A [VersionVector] or [VersionSet] says which changesets are known. A [Stamp] orders writes by hybrid time.
// A [Row] is a merged state, a [RowChange] a delta of one, and a [Package] is what travels.
//
// # The merge rule
//
// Each insert of a row that is not alive where it is inserted makes a new [Incarnation], named by the insert's dot.
// Updates stamp columns of the incarnation that their writer saw; a delete adds the incarnation that it saw to
// [Row.Deleted]. So:
//
//   - a delete wins over all it saw and over updates made at the same time, as those belong to what it deleted;
//   - an insert made at the same time as a delete survives, because it is another incarnation;
//   - two inserts of one key made at the same time are two incarnations. The one written last is shown and the other
//     is kept whole, so no row is ever melted from columns of two inserts that nobody wrote together, and when the
//     shown one is deleted by somebody who knew only of it, the other is still there;
//   - within an incarnation the last writer of each column wins.
//
// A state could instead keep one set of columns per key and, beside it, two version maps that say when it was
// inserted and deleted. That is smaller where inserts collide, but the columns of deleted rows must then be kept
// to merge with what comes later, and two inserts melt. Here all that stays of a dead row is one dot per site that
// inserted it, and the state is a product of simple lattices: Deleted is a pointwise maximum, each incarnation
// a maximum per column, and Deleted covering an incarnation is final. The merge is a join by construction.
//
// # Guarantees
//
// [Row.Merge] of full states is commutative, associative, idempotent and monotone. Deltas ([Row.MergeChange])
// give the same result in any order that brings an incarnation's insert before its updates, however often.
// Every encoding is canonical: what decodes encodes to the same bytes.
package crdt
