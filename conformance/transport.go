package conformance

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tributary-db/tributary/transports"
)

// Medium gives TestTransport a medium of its own and levers to hurt it. What a medium cannot do is named in Cannot, with
// the reason; a lever that is missing without one fails the suite.
type Medium struct {
	// Open opens another handle on the same medium. The suite closes it.
	Open func(t *testing.T) transports.Transport

	Truncate func(t *testing.T)                  // loses the older half of what the log holds
	Recreate func(t *testing.T)                  // the same log, empty and new, as after delete and create
	Rollback func(t *testing.T, between func())  // runs between, then brings back the state before it
	Restart  func(t *testing.T)                  // the broker goes away and comes back with what it had
	Corrupt  func(t *testing.T, db, site string) // damages the newest package that the site has published

	// Cannot names levers ("Truncate") that this medium has no way to pull, and why; "Snapshots" if it keeps none.
	Cannot map[string]string
	// Patience bounds every wait. 0: 30 s.
	Patience time.Duration
}

// TestTransport checks everything that package transports asks of a transport. open makes a new, empty medium for each
// case. Halves that Caps says are missing must say errors.ErrUnsupported.
func TestTransport(t *testing.T, open func(t *testing.T) *Medium) {
	for _, c := range []struct {
		name string
		run  func(*trial)
	}{
		{"log/round trip", roundTrip},
		{"log/fan out", fanOut},
		{"log/databases apart", apart},
		{"log/live is told", liveTold},
		{"log/resume", resume},
		{"log/retry", retry},
		{"log/handler error", handlerError},
		{"log/slow handler", slowHandler},
		{"log/two at once", twoAtOnce},
		{"log/too large", tooLarge},
		{"log/cancel leaves nothing", cancelLeavesNothing},
		{"log/close ends it", closeEndsLog},
		{"log/foreign cursor", foreignCursor},
		{"log/tail", tail},
		{"loss/recreated", recreated},
		{"loss/recreated while attached", recreatedLive},
		{"loss/truncated", truncated},
		{"loss/rolled back", rolledBack},
		{"loss/restart", restart},
		{"loss/corrupt", corrupt},
		{"exchange/nobody", exchangeNobody},
		{"exchange/answers", exchangeAnswers},
		{"exchange/one peer", exchangeDirected},
		{"exchange/errors", exchangeErrors},
		{"exchange/close ends it", closeEndsExchange},
		{"registry", registry},
		{"snapshot/round trip", snapshotRoundTrip},
		{"snapshot/newest first", snapshotOrder},
		{"snapshot/whole or not at all", snapshotWhole},
		{"snapshot/none", snapshotNone},
		{"snapshot/cursor", snapshotCursor},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &trial{T: t, m: open(t)}
			if b.patience = b.m.Patience; b.patience == 0 {
				b.patience = 30 * time.Second
			}
			c.run(b)
		})
	}
}

// trial is one case on one medium.
type trial struct {
	*testing.T
	m        *Medium
	patience time.Duration
}

func (b *trial) open() transports.Transport {
	b.Helper()
	tr := b.m.Open(b.T)
	b.Cleanup(func() {
		if err := tr.Close(); err != nil {
			b.Errorf("Close: %v", err)
		}
	})
	return tr
}

// log opens a handle, or ends the case if the transport has no log and says so.
func (b *trial) log() transports.Transport {
	b.Helper()
	tr := b.open()
	if tr.Caps().Log {
		return tr
	}
	if err := tr.Publish(b.Context(), pack("d", "a", 1)); !errors.Is(err, errors.ErrUnsupported) {
		b.Fatalf("Publish of a transport without a log: %v, want errors.ErrUnsupported", err)
	}
	err := tr.Subscribe(b.Context(), "d", nil, func(transports.Batch) error { return nil })
	if !errors.Is(err, errors.ErrUnsupported) {
		b.Fatalf("Subscribe of a transport without a log: %v, want errors.ErrUnsupported", err)
	}
	b.Skip("the transport has no log, and says so")
	return nil
}

func (b *trial) exchange() transports.Transport {
	b.Helper()
	tr := b.open()
	if tr.Caps().Exchange {
		return tr
	}
	if _, err := tr.Ask(b.Context(), transports.Request{DB: "d", Site: "a"}); !errors.Is(err, errors.ErrUnsupported) {
		b.Fatalf("Ask of a transport without an exchange: %v, want errors.ErrUnsupported", err)
	}
	if err := tr.Serve(b.Context(), "d", "a", nil); !errors.Is(err, errors.ErrUnsupported) {
		b.Fatalf("Serve of a transport without an exchange: %v, want errors.ErrUnsupported", err)
	}
	b.Skip("the transport has no exchange, and says so")
	return nil
}

// lever makes sure that a lever is there, or that its absence has a reason.
func (b *trial) lever(name string, there bool) {
	b.Helper()
	if there {
		return
	}
	if why := b.m.Cannot[name]; why != "" {
		b.Skipf("no lever %s: %s", name, why)
	}
	b.Fatalf("no lever %s, and Medium.Cannot gives no reason", name)
}

// pack makes a package with a body of its own, of the given length or of 20 bytes.
func pack(db, site string, version uint64, size ...int) transports.Package {
	n := 20
	if len(size) > 0 {
		n = size[0]
	}
	body := make([]byte, n)
	rand.Read(body)
	return transports.Package{DB: db, Site: site, From: version, To: version, ID: transports.PackageID(body), Body: body}
}

func packs(db, site string, from, to uint64) (out []transports.Package) {
	for v := from; v <= to; v++ {
		out = append(out, pack(db, site, v))
	}
	return out
}

func (b *trial) publish(tr transports.Transport, ps ...transports.Package) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), b.patience)
	defer cancel()
	if err := tr.Publish(ctx, ps...); err != nil {
		b.Fatalf("Publish: %v", err)
	}
}

// received is what one subscription brought.
type received struct {
	all    []transports.Package // as they came
	ids    map[string]bool
	cursor transports.Cursor
	live   bool // of the last batch
}

func (r *received) versions() (out []uint64) {
	for _, p := range r.all {
		out = append(out, p.From)
	}
	return out
}

// read subscribes until done says so.
func (b *trial) read(tr transports.Transport, db string, from transports.Cursor, done func(*received) bool) *received {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), b.patience)
	defer cancel()
	r := &received{ids: map[string]bool{}, cursor: from}
	ended := false
	err := tr.Subscribe(ctx, db, from, func(batch transports.Batch) error {
		for _, p := range batch.Packages {
			if !p.Intact() {
				b.Errorf("package %d of site %q came damaged", p.From, p.Site)
			}
			r.ids[p.ID] = true
		}
		r.all = append(r.all, batch.Packages...)
		if batch.Cursor == nil {
			b.Error("a batch without a cursor")
		}
		r.cursor, r.live = batch.Cursor, batch.Live
		if done(r) {
			ended = true
			cancel()
		}
		return nil
	})
	if err != nil {
		b.Fatalf("Subscribe: %v", err)
	}
	if !ended {
		b.Fatalf("only %d packages within %v, live: %v", len(r.ids), b.patience, r.live)
	}
	return r
}

func atLeast(n int) func(*received) bool { return func(r *received) bool { return len(r.ids) >= n } }

func caughtUp(r *received) bool { return r.live }

// lost expects that the position means nothing any more.
func (b *trial) lost(tr transports.Transport, db string, from transports.Cursor, what string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), b.patience)
	defer cancel()
	err := tr.Subscribe(ctx, db, from, func(batch transports.Batch) error {
		if len(batch.Packages) > 0 {
			return fmt.Errorf("%d packages came instead, from version %d on", len(batch.Packages), batch.Packages[0].From)
		}
		return nil
	})
	if !errors.Is(err, transports.ErrCursorLost) {
		b.Fatalf("%s: %v, want ErrCursorLost", what, err)
	}
}
