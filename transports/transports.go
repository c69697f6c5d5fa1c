package transports

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"time"
)

// Package is one sealed unit of replication with the little that a carrier may know of it. Whoever makes or receives a
// Package owns Body.
type Package struct {
	DB   string // which database of the fleet
	Site string // who published it
	// From and To are the publisher's own versions in it, both included; From > To: none. To is the newest version
	// that the publisher has put on this log so far, also then.
	From, To uint64
	ID       string // PackageID(Body): the same for every retry, and nobody can guess it beforehand
	Body     []byte
}

// PackageID names a package by its bytes: 64 hex digits of SHA-256.
func PackageID(body []byte) string {
	h := sha256.Sum256(body)
	return hex.EncodeToString(h[:])
}

// Intact reports whether the body is the one that the ID was made of. A transport that finds a package that is not
// leaves it out: what is missing is asked for, what is wrong would have to be noticed first.
func (p *Package) Intact() bool { return p.ID == PackageID(p.Body) }

// Cursor is a position in a log: opaque, owned by the transport, at most 64 KiB. nil is the beginning. It is stored in
// the transaction that applies the packages before it.
type Cursor []byte

// Batch is what a subscriber receives: packages, and the position behind them.
type Batch struct {
	Packages []Package
	Cursor   Cursor
	// Live: when the batch was cut, the log held nothing newer. A log that has nothing new for a subscriber says so
	// once, with a batch without packages.
	Live bool
}

// Durability is what Publish promises when it returns nil.
type Durability int

const (
	Handed     Durability = iota + 1 // given to the network
	Accepted                         // a broker has it, perhaps in memory
	Synced                           // it is on one disk
	Replicated                       // a majority of brokers has it
)

func (d Durability) String() string {
	return [...]string{"unknown", "handed", "accepted", "synced", "replicated"}[d]
}

// Caps says what a transport can do. It does not change while the transport is open.
type Caps struct {
	Log        bool // Publish and Subscribe work
	Exchange   bool // Serve and Ask work
	SiteOrder  bool // packages of one site arrive in the order in which they were published
	MaxPackage int  // largest body in bytes; 0: no limit below memory
	Durability Durability
}

// Log is the half that reaches everybody.
type Log interface {
	// Publish returns nil once all packages are as durable as Caps says, in this order. It may be repeated with the same
	// packages: the log then has them once, or delivers them twice. ErrTooLarge comes before anything is sent.
	// Packages are read, not kept.
	Publish(ctx context.Context, ps ...Package) error

	// Subscribe calls h with what is behind the cursor and goes on with what comes, one batch at a time, until ctx ends
	// (then it returns nil), h fails (then that error), the medium fails (then an error, and the caller subscribes again),
	// or the position means nothing any more (ErrCursorLost), because the log was truncated beyond it, made anew or
	// restored to an earlier state. It finds that out at the start, and while it runs within a minute.
	//
	// Delivery is at least once. While h runs no second call comes; a slow h slows the transport, and never makes it drop
	// anything without ErrCursorLost. The packages belong to h.
	Subscribe(ctx context.Context, db string, from Cursor, h func(Batch) error) error
}

// Request asks for what the asker lacks.
type Request struct {
	DB       string
	Site     string // who asks
	Peer     string // who shall answer; "": anybody
	Have     []byte // what the asker has; opaque here
	MaxBytes int    // about how long the answer may be; 0: the transport's own limit
}

// Answerer yields the packages that answer a request. It may be called concurrently.
type Answerer func(context.Context, Request) iter.Seq2[Package, error]

// Exchange is the half that catches up: without state, one bounded answer to each request. The asker asks again until
// an answer is empty.
type Exchange interface {
	// Serve answers requests for a database as a site until ctx ends (nil) or the medium fails.
	Serve(ctx context.Context, db, site string, answer Answerer) error

	// Ask returns one answer, whole: at least one package if the peer yields any, and no more than MaxBytes beyond that.
	// ErrNoPeer: nobody answered. An error of the peer's Answerer is returned as text. Peers other than the asker answer.
	Ask(ctx context.Context, r Request) ([]Package, error)
}

// Transport is both halves. What Caps says is missing returns errors.ErrUnsupported. All methods may be called
// concurrently.
type Transport interface {
	Caps() Caps
	Log
	Exchange
	// Close ends all calls in progress, with ErrClosed or their own error, and waits for what the transport started.
	// Closing twice is harmless.
	Close() error
}

// Tailer is a transport whose log can be asked for the newest package of a site, without its body. A publisher learns
// from it that the log has lost what it once accepted. The zero Package: the log has none of the site.
type Tailer interface {
	Tail(ctx context.Context, db, site string) (Package, error)
}

// Sighting is what a site last told of itself.
type Sighting struct {
	DB   string    `json:"db"`
	Site string    `json:"site"`
	At   time.Time `json:"at"`   // when, by the clock of whoever keeps it
	Info []byte    `json:"info"` // JSON, at most 16 KiB; see package engine/replicator
}

// Registry is a transport that remembers the last word of each site.
type Registry interface {
	Announce(ctx context.Context, s Sighting) error
	// Sites lists them by site.
	Sites(ctx context.Context, db string) ([]Sighting, error)
}

// Counter is a transport that counts what it noticed: "corrupt", "forged", "reconnects" and the like.
type Counter interface {
	Counts() map[string]int64
}
