package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/tributary-db/tributary/transports"
)

func roundTrip(b *trial) {
	w, r := b.log(), b.open()
	const db, site = "shop/2 ü.*>%", "s.1>* =/"
	sent := []transports.Package{pack(db, site, 1, 0), pack(db, site, 2, 1), pack(db, site, 3, 256), pack(db, site, 4, 1<<20)}
	if limit := w.Caps().MaxPackage; limit == 0 || limit > 5<<20 {
		sent = append(sent, pack(db, site, 5, 5<<20+1))
	}
	sent = append(sent, pack(db, site, 6))
	sent[len(sent)-1].From = 7 // nothing of its own in it
	for _, p := range sent {
		before := bytes.Clone(p.Body)
		b.publish(w, p)
		if !bytes.Equal(before, p.Body) {
			b.Fatal("Publish changed the body")
		}
	}
	got := b.read(r, db, nil, atLeast(len(sent)))
	if !w.Caps().SiteOrder {
		slices.SortFunc(got.all, func(x, y transports.Package) int { return int(x.To) - int(y.To) })
	}
	for i, p := range sent {
		g := got.all[i]
		if !bytes.Equal(g.Body, p.Body) || g.ID != p.ID || g.DB != db || g.Site != site || g.From != p.From || g.To != p.To {
			b.Fatalf("package %d: got %q %q %d-%d with %d bytes, want %d-%d with %d", i, g.DB, g.Site, g.From, g.To, len(g.Body), p.From, p.To, len(p.Body))
		}
	}
}

func fanOut(b *trial) {
	const writers, readers, each = 5, 3, 60
	var wg sync.WaitGroup
	b.log()
	for s := range writers {
		tr := b.open()
		wg.Go(func() {
			for _, p := range packs("d", fmt.Sprint("site", s), 1, each) {
				if err := tr.Publish(b.Context(), p); err != nil {
					b.Errorf("Publish: %v", err)
				}
			}
		})
	}
	for range readers {
		tr := b.open()
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(b.Context(), b.patience)
			defer cancel()
			last, n := map[string]uint64{}, 0
			err := tr.Subscribe(ctx, "d", nil, func(batch transports.Batch) error {
				for _, p := range batch.Packages {
					if tr.Caps().SiteOrder && p.From > last[p.Site]+1 {
						return fmt.Errorf("site %s: %d after %d", p.Site, p.From, last[p.Site])
					}
					if p.From == last[p.Site]+1 || !tr.Caps().SiteOrder {
						last[p.Site] = p.From
						n++
					}
				}
				if n == writers*each {
					cancel()
				}
				return nil
			})
			if err != nil || n != writers*each {
				b.Errorf("%d of %d packages, %v", n, writers*each, err)
			}
		})
	}
	wg.Wait()
}

func apart(b *trial) {
	tr := b.log()
	b.publish(tr, packs("x", "a", 1, 3)...)
	b.publish(tr, packs("y", "a", 1001, 1001)...)
	b.publish(tr, packs("xy", "a", 2001, 2001)...)
	if got := b.read(tr, "y", nil, caughtUp); !slices.Equal(got.versions(), []uint64{1001}) {
		b.Fatalf("versions %v of another database came", got.versions())
	}
}

func liveTold(b *trial) {
	tr := b.log()
	b.read(tr, "d", nil, caughtUp)          // an empty log says so
	const n = transports.BatchPackages + 50 // more than one batch
	b.publish(tr, packs("d", "a", 1, n)...)
	got := b.read(tr, "d", nil, caughtUp)
	if len(got.all) != n {
		b.Fatalf("live after %d packages of %d", len(got.all), n)
	}
	if got := b.read(tr, "d", got.cursor, caughtUp); len(got.all) != 0 {
		b.Fatalf("%d packages behind the last cursor", len(got.all))
	}
}

func resume(b *trial) {
	tr := b.log()
	b.publish(tr, packs("d", "a", 1, 50)...)
	first := b.read(tr, "d", nil, atLeast(50))
	b.publish(tr, packs("d", "a", 51, 80)...)
	b.publish(tr, packs("d", "b", 1, 1)...)
	got := b.read(b.open(), "d", first.cursor, atLeast(31))
	if len(got.all) != 31 || !slices.Contains(got.versions(), 51) || slices.Contains(got.versions(), 50) {
		b.Fatalf("went on with %d packages: %v", len(got.all), got.versions())
	}
}

func retry(b *trial) {
	tr := b.log()
	p, q := pack("d", "a", 1), pack("d", "a", 2)
	for range 5 {
		b.publish(tr, p)
	}
	b.publish(tr, p, q)
	b.publish(b.open(), p, q)
	if got := b.read(tr, "d", nil, func(r *received) bool { return r.live && len(r.ids) == 2 }); len(got.all) != 2 {
		b.Fatalf("%d packages after retries of 2", len(got.all))
	}
}

func handlerError(b *trial) {
	tr := b.log()
	b.publish(tr, pack("d", "a", 1))
	boom := errors.New("boom")
	if err := tr.Subscribe(b.Context(), "d", nil, func(transports.Batch) error { return boom }); !errors.Is(err, boom) {
		b.Fatalf("got %v, want the handler's error", err)
	}
}

// slowHandler lets much pile up while the handler stands still.
func slowHandler(b *trial) {
	tr, w := b.log(), b.open()
	const n = 300
	published := make(chan struct{})
	go func() {
		defer close(published)
		for v := range uint64(n) {
			if err := w.Publish(b.Context(), pack("d", "a", v+1, 20<<10)); err != nil {
				b.Errorf("Publish: %v", err)
				return
			}
		}
	}()
	got := b.read(tr, "d", nil, func(r *received) bool {
		<-published
		return len(r.ids) == n
	})
	if len(got.all) < n {
		b.Fatalf("%d of %d", len(got.all), n)
	}
}

func twoAtOnce(b *trial) {
	tr := b.log()
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { b.readQuietly(tr, 40) })
	}
	b.publish(tr, packs("d", "a", 1, 40)...)
	wg.Wait()
}

// readQuietly is read for goroutines.
func (b *trial) readQuietly(tr transports.Transport, n int) {
	ctx, cancel := context.WithTimeout(b.Context(), b.patience)
	defer cancel()
	ids := map[string]bool{}
	err := tr.Subscribe(ctx, "d", nil, func(batch transports.Batch) error {
		for _, p := range batch.Packages {
			ids[p.ID] = true
		}
		if len(ids) >= n {
			cancel()
		}
		return nil
	})
	if err != nil || len(ids) < n {
		b.Errorf("%d of %d packages, %v", len(ids), n, err)
	}
}

func tooLarge(b *trial) {
	tr := b.log()
	limit := tr.Caps().MaxPackage
	if limit == 0 {
		b.Skip("no limit")
	}
	err := tr.Publish(b.Context(), pack("d", "a", 1), pack("d", "a", 2, limit+1))
	if !errors.Is(err, transports.ErrTooLarge) {
		b.Fatalf("a package beyond MaxPackage: %v, want ErrTooLarge", err)
	}
	if got := b.read(tr, "d", nil, caughtUp); len(got.all) != 0 {
		b.Fatalf("%d packages were sent before the refusal", len(got.all))
	}
	b.publish(tr, pack("d", "a", 1, limit))
	b.read(tr, "d", nil, atLeast(1))
}

func cancelLeavesNothing(b *trial) {
	tr := b.log()
	b.publish(tr, pack("d", "a", 1))
	b.read(tr, "d", nil, atLeast(1))
	before := runtime.NumGoroutine()
	for range 20 {
		b.read(tr, "d", nil, atLeast(1))
	}
	now := 0
	if !b.until(func() bool { now = runtime.NumGoroutine(); return now <= before+4 }) {
		b.Fatalf("%d goroutines, %d before 20 subscriptions", now, before)
	}
}

// until polls for something that nothing announces.
func (b *trial) until(cond func() bool) bool {
	for end := time.Now().Add(b.patience); ; {
		if cond() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
		transports.Wait(context.Background(), 5*time.Millisecond, nil)
	}
}

func closeEndsLog(b *trial) {
	b.log()
	tr := b.open()
	attached, ended := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() {
		ended <- tr.Subscribe(b.Context(), "d", nil, func(transports.Batch) error {
			once.Do(func() { close(attached) })
			return nil
		})
	}()
	b.wait(attached, "the first batch")
	for range 2 {
		if err := tr.Close(); err != nil {
			b.Fatalf("Close: %v", err)
		}
	}
	select {
	case err := <-ended:
		if err == nil {
			b.Fatal("Subscribe returned nil though its context goes on")
		}
	case <-time.After(b.patience):
		b.Fatal("Close does not end Subscribe")
	}
	if err := tr.Publish(b.Context(), pack("d", "a", 1)); !errors.Is(err, transports.ErrClosed) {
		b.Fatalf("Publish after Close: %v, want ErrClosed", err)
	}
}

func (b *trial) wait(c <-chan struct{}, what string) {
	b.Helper()
	select {
	case <-c:
	case <-time.After(b.patience):
		b.Fatalf("no %s within %v", what, b.patience)
	}
}

func foreignCursor(b *trial) {
	tr := b.log()
	b.publish(tr, pack("d", "a", 1))
	b.lost(tr, "d", transports.Cursor("not a cursor"), "a cursor of another transport")
}

func tail(b *trial) {
	tr := b.log()
	tailer, ok := tr.(transports.Tailer)
	if !ok {
		b.Skip("the log cannot be asked for the newest package of a site")
	}
	newest := func(db, site string) transports.Package {
		ctx, cancel := context.WithTimeout(b.Context(), b.patience)
		defer cancel()
		p, err := tailer.Tail(ctx, db, site)
		if err != nil {
			b.Fatalf("Tail: %v", err)
		}
		return p
	}
	if p := newest("d", "a"); p.ID != "" {
		b.Fatalf("an empty log has the tail %+v", p)
	}
	list := packs("d", "a", 1, 3)
	list = append(list, pack("d", "a", 4, 700<<10))
	b.publish(tr, list...)
	b.publish(tr, pack("d", "b", 9), pack("e", "a", 8))
	if p := newest("d", "a"); p.ID != list[3].ID || p.To != 4 {
		b.Fatalf("tail %q up to %d, want %q up to 4", p.ID, p.To, list[3].ID)
	}
}
