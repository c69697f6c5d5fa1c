package crdt

import (
	"crypto/sha256"
	"encoding/hex"
)

// Package is what travels between replicas: which changesets the receiver may count as applied afterwards, which
// it must have applied before, and the rows that changed. FORMAT.md specifies its bytes.
type Package struct {
	Starts    bool // the state at Since is a consistent one: this is the first part of a set
	Ends      bool // the state at Until is a consistent one: this is the last part of a set
	Bulk      bool // the set is too large to be applied at once, so its parts may be applied as they come
	LocalOnly bool // only changes of the sites that it covers are in it; mostly the sender's own

	Sender Site
	Scope  uint64 // hash of what the stream is about: some sites if LocalOnly, else some tables; 0 when everything is sent

	Since, Until int64 // the interval of the sender's cursor, after Since and up to Until; 0 <= Since <= Until
	Part         int   // number within the set, from 0
	Sent         Time  // the sender's clock when it came to the state that was read; a later state has a greater one

	Covers []Cover       // sorted by site and version, not overlapping
	Needs  VersionVector // what must have been applied before
	Before VersionVector // of which the sender's feed has something up to Since: who was not given that must have them; none if Starts
	Tables []Table       // none twice, but one name may be there with several sets of columns
	Rows   []RowChange   // grouped by table, in the order of Tables
}

// Cover says that the receiver may count these versions of a site as applied.
type Cover struct {
	Site     Site
	From, To Version
	Prev, ID ChainID // of version From-1 and of version To
	// Forgotten is From to To if the sender may have forgotten deletes that were made in versions From to Forgotten, so that they
	// are missing; 0: none. Who lacks some of these versions and has a row that was deleted there would keep it.
	Forgotten Version
}

// forgets is of how many of the versions, from the first on, deletes may be missing.
func (c *Cover) forgets() uint64 {
	if c.Forgotten == 0 {
		return 0
	}
	return uint64(c.Forgotten-c.From) + 1
}

// ChainID is the start of a hash over all changesets of a site up to one. Two contents under one dot have different
// ones, so the first replica that meets both notices. Zero means unknown.
type ChainID [8]byte

// IsZero says that the id is not known.
func (c ChainID) IsZero() bool { return c == ChainID{} }

// String gives 16 hex digits.
func (c ChainID) String() string { return hex.EncodeToString(c[:]) }

// Table names the columns of a table that the rows of a package speak of.
type Table struct {
	Name    string
	Key     []string // the columns that identify a row, at least one
	Columns []string // all others that travel; column ordinals index this
}

// RowChange is one row on the wire: a delta of Row.
type RowChange struct {
	Table   int     // index in Package.Tables
	Key     []Value // in the order of Table.Key
	Deleted []Dot   // as Row.Deleted
	Deleter Stamp   // the newest delete, for provenance; zero when Deleted is empty or the delete is not known
	Lives   []LiveChange
}

// LiveChange is the state of one incarnation, or the part of it that changed. Column ordinals index Table.Columns.
type LiveChange struct {
	// Full says that all columns of the table's dictionary are there. Else those of the groups are, and no others.
	Full bool
	Incarnation
}

// Compressor compresses the bodies of packages with zstd. It is an interface because this package imports nothing
// outside the standard library. Both methods append to dst.
type Compressor interface {
	Compress(dst, src []byte) []byte
	// Decompress fails when more than max bytes would come out, before it allocates them.
	Decompress(dst, src []byte, max int) ([]byte, error)
}

// SomeTables says that only changes of some tables are in the package, which therefore covers nothing.
func (p *Package) SomeTables() bool { return p.Scope != 0 && !p.LocalOnly }

// PackageID names a package by its bytes: message id, entity tag, file name and idempotency key.
func PackageID(b []byte) [32]byte { return sha256.Sum256(b) }
