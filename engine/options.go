package engine

import (
	"crypto/rand"
	"io"
	"time"

	"github.com/tributary-db/tributary/crdt"
)

// Options adjusts an Engine; nil means all defaults.
type Options struct {
	// Now is the wall clock. nil: time.Now.
	Now func() time.Time
	// MaxSkew is how far ahead of Now a received stamp may be before its package waits. 0: 60 s.
	MaxSkew time.Duration
	// Compressor packs package bodies. nil: packages are not compressed, and compressed ones are refused.
	Compressor crdt.Compressor
	// Random makes site ids, nonces and chain ids. nil: crypto/rand.
	Random io.Reader
	// Identity keeps the evidence beside the database that it has not been copied. nil: a side file NAME-tributary,
	// and nothing for a database in memory.
	Identity IdentityStore
	// Progress is told of long work, at most about ten times a second. nil: silent.
	Progress func(Progress)
	// MaxPending bounds the bytes of packages that wait in tributary_pending. 0: 256 MiB.
	MaxPending int64
}

// Progress is one report of long work; Total is 0 while it is unknown.
type Progress struct {
	Step        string
	Done, Total int64
}

const (
	defaultMaxSkew    = 60 * time.Second
	defaultMaxPending = 256 << 20
	defaultMaxBytes   = 256 << 10
)

func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.Now == nil {
		out.Now = time.Now
	}
	if out.MaxSkew == 0 {
		out.MaxSkew = defaultMaxSkew
	}
	if out.Random == nil {
		out.Random = rand.Reader
	}
	if out.MaxPending == 0 {
		out.MaxPending = defaultMaxPending
	}
	if out.Identity == nil {
		out.Identity = SideFile{}
	}
	return out
}

// reporter thins progress reports to one per interval.
type reporter struct {
	to   func(Progress)
	now  func() time.Time
	last time.Time
}

func (r *reporter) report(step string, done, total int64) {
	if r.to == nil {
		return
	}
	if t := r.now(); t.Sub(r.last) >= 100*time.Millisecond {
		r.last = t
		r.to(Progress{Step: step, Done: done, Total: total})
	}
}
