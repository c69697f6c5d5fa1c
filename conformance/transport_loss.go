package conformance

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tributary-db/tributary/transports"
)

func recreated(b *trial) {
	tr := b.log()
	b.lever("Recreate", b.m.Recreate != nil)
	b.publish(tr, packs("d", "a", 1, 40)...)
	at := b.read(tr, "d", nil, atLeast(40)).cursor
	b.m.Recreate(b.T)
	b.publish(b.open(), packs("d", "b", 41, 120)...)
	b.lost(b.open(), "d", at, "a log made anew")
	b.read(b.open(), "d", nil, atLeast(80)) // who begins anew gets what is there
}

func recreatedLive(b *trial) {
	tr := b.log()
	b.lever("Recreate", b.m.Recreate != nil)
	b.publish(tr, packs("d", "a", 1, 40)...)
	attached, ended := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	ctx, cancel := context.WithTimeout(b.Context(), b.patience)
	defer cancel()
	go func() {
		ended <- tr.Subscribe(ctx, "d", nil, func(batch transports.Batch) error {
			if batch.Live {
				once.Do(func() { close(attached) })
			}
			return nil
		})
	}()
	b.wait(attached, "live batch")
	b.m.Recreate(b.T)
	b.publish(b.open(), packs("d", "a", 41, 120)...)
	if err := <-ended; !errors.Is(err, transports.ErrCursorLost) {
		b.Fatalf("a log made anew under a subscriber: %v, want ErrCursorLost", err)
	}
}

func truncated(b *trial) {
	tr := b.log()
	b.lever("Truncate", b.m.Truncate != nil)
	b.publish(tr, pack("d", "a", 1))
	at := b.read(tr, "d", nil, atLeast(1)).cursor
	b.publish(tr, packs("d", "a", 2, 60)...)
	b.m.Truncate(b.T)
	b.lost(b.open(), "d", at, "a log truncated beyond the position")
	got := b.read(b.open(), "d", nil, caughtUp)
	if len(got.ids) < 20 || len(got.ids) >= 60 {
		b.Fatalf("a newcomer gets %d packages, want about half of 60", len(got.ids))
	}
}

func rolledBack(b *trial) {
	tr := b.log()
	b.lever("Rollback", b.m.Rollback != nil)
	b.publish(tr, packs("d", "a", 1, 30)...)
	var at transports.Cursor
	b.m.Rollback(b.T, func() {
		w := b.open()
		b.publish(w, packs("d", "a", 31, 40)...) // what the log will have forgotten
		at = b.read(w, "d", nil, atLeast(40)).cursor
	})
	w := b.open()
	b.publish(w, packs("d", "a", 41, 70)...) // others take the same positions, and more
	b.lost(w, "d", at, "a log restored to an earlier state")
}

func restart(b *trial) {
	tr, w := b.log(), b.open()
	b.lever("Restart", b.m.Restart != nil)
	const n = 200
	done := make(chan struct{})
	go func() {
		defer close(done)
		for v := uint64(1); v <= n; v++ {
			for p := pack("d", "a", v); b.Context().Err() == nil; {
				ctx, cancel := context.WithTimeout(b.Context(), 2*time.Second)
				err := w.Publish(ctx, p)
				cancel()
				if err == nil {
					break
				}
			}
			if v == 80 || v == 140 {
				b.m.Restart(b.T)
			}
		}
	}()
	ctx, cancel := context.WithTimeout(b.Context(), b.patience)
	defer cancel()
	versions := map[uint64]bool{}
	var at transports.Cursor
	for len(versions) < n && ctx.Err() == nil {
		err := tr.Subscribe(ctx, "d", at, func(batch transports.Batch) error {
			for _, p := range batch.Packages {
				versions[p.From] = true
			}
			if at = batch.Cursor; len(versions) == n {
				cancel()
			}
			return nil
		})
		if errors.Is(err, transports.ErrCursorLost) {
			b.Fatal("a restart that lost nothing is no reason for ErrCursorLost")
		}
	}
	<-done
	if len(versions) != n {
		b.Fatalf("%d of %d packages came over two restarts", len(versions), n)
	}
}

func corrupt(b *trial) {
	tr := b.log()
	b.lever("Corrupt", b.m.Corrupt != nil)
	b.publish(tr, packs("d", "a", 1, 3)...)
	b.m.Corrupt(b.T, "d", "a")
	b.publish(tr, packs("d", "b", 1, 1)...)
	got := b.read(b.open(), "d", nil, atLeast(3)) // read complains about packages that are not intact
	if len(got.ids) != 3 {
		b.Fatalf("%d packages, want the 3 that are intact", len(got.ids))
	}
}
