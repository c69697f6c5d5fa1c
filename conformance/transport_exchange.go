package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/tributary-db/tributary/transports"
)

// shelf answers with what stands behind the first len(Have) packages.
func shelf(ps []transports.Package) transports.Answerer {
	return func(_ context.Context, r transports.Request) iter.Seq2[transports.Package, error] {
		return func(yield func(transports.Package, error) bool) {
			if string(r.Have) == "bad" {
				yield(transports.Package{}, errors.New("cannot read the database"))
				return
			}
			for _, p := range ps[min(len(r.Have), len(ps)):] {
				if !yield(p, nil) {
					return
				}
			}
		}
	}
}

// serve starts a peer and waits until it answers.
func (b *trial) serve(tr transports.Transport, db, site string, answer transports.Answerer) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- tr.Serve(ctx, db, site, answer) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, transports.ErrClosed) {
			b.Errorf("Serve: %v", err)
		}
	})
	asker := b.open()
	if !b.until(func() bool {
		_, err := b.ask(asker, transports.Request{DB: db, Site: "probe", Peer: site})
		return !errors.Is(err, transports.ErrNoPeer)
	}) {
		b.Fatalf("site %s does not answer", site)
	}
}

func (b *trial) ask(tr transports.Transport, r transports.Request) ([]transports.Package, error) {
	ctx, cancel := context.WithTimeout(b.Context(), b.patience)
	defer cancel()
	return tr.Ask(ctx, r)
}

func exchangeNobody(b *trial) {
	tr := b.exchange()
	if _, err := b.ask(tr, transports.Request{DB: "d", Site: "a"}); !errors.Is(err, transports.ErrNoPeer) {
		b.Fatalf("nobody serves: %v, want ErrNoPeer", err)
	}
	b.serve(b.open(), "d", "b", shelf(nil))
	if _, err := b.ask(tr, transports.Request{DB: "other", Site: "a"}); !errors.Is(err, transports.ErrNoPeer) {
		b.Fatalf("nobody serves that database: %v, want ErrNoPeer", err)
	}
	if _, err := b.ask(tr, transports.Request{DB: "d", Site: "a", Peer: "c"}); !errors.Is(err, transports.ErrNoPeer) {
		b.Fatalf("that peer does not serve: %v, want ErrNoPeer", err)
	}
}

func exchangeAnswers(b *trial) {
	tr := b.exchange()
	all := []transports.Package{pack("d", "a", 1), pack("d", "a", 2, 700<<10), pack("d", "b", 1, 0), pack("d", "b", 2, 1<<20), pack("d", "b", 3)}
	b.serve(b.open(), "d", "b", shelf(all))
	var got []transports.Package
	for rounds := 0; ; rounds++ {
		ps, err := b.ask(tr, transports.Request{DB: "d", Site: "a", Have: make([]byte, len(got)), MaxBytes: 800 << 10})
		if err != nil {
			b.Fatalf("Ask: %v", err)
		}
		if len(ps) == 0 {
			if rounds < 2 {
				b.Errorf("%d answers for 1.7 MiB with a limit of 800 KiB", rounds)
			}
			break
		}
		size := 0
		for _, p := range ps {
			size += len(p.Body)
		}
		if size > 800<<10 && len(ps) > 1 {
			b.Fatalf("an answer of %d bytes in %d packages, the limit is %d", size, len(ps), 800<<10)
		}
		got = append(got, ps...)
	}
	if len(got) != len(all) {
		b.Fatalf("%d packages of %d", len(got), len(all))
	}
	for i, p := range all {
		g := got[i]
		if !bytes.Equal(g.Body, p.Body) || g.Site != p.Site || g.ID != p.ID || g.From != p.From || g.To != p.To || g.DB != p.DB {
			b.Fatalf("package %d: got %+v, want %+v", i, g, p)
		}
	}
}

func exchangeDirected(b *trial) {
	tr := b.exchange()
	for _, site := range []string{"b.1 >", "c"} {
		b.serve(b.open(), "d", site, shelf([]transports.Package{pack("d", site, 1)}))
	}
	for _, site := range []string{"b.1 >", "c", "c", "b.1 >"} {
		ps, err := b.ask(tr, transports.Request{DB: "d", Site: "a", Peer: site})
		if err != nil || len(ps) != 1 || ps[0].Site != site {
			b.Fatalf("asked %q: %d packages, %v", site, len(ps), err)
		}
	}
	// Nobody answers himself.
	for range 10 {
		ps, err := b.ask(tr, transports.Request{DB: "d", Site: "c"})
		if err != nil || len(ps) != 1 || ps[0].Site == "c" {
			b.Fatalf("site c asked the others and got %d packages, %v", len(ps), err)
		}
	}
}

func exchangeErrors(b *trial) {
	tr := b.exchange()
	b.serve(b.open(), "d", "b", shelf(nil))
	_, err := b.ask(tr, transports.Request{DB: "d", Site: "a", Have: []byte("bad")})
	if err == nil || !strings.Contains(err.Error(), "cannot read the database") {
		b.Fatalf("the peer's error became %v", err)
	}
	if ps, err := b.ask(tr, transports.Request{DB: "d", Site: "a"}); err != nil || len(ps) != 0 {
		b.Fatalf("after an error: %d packages, %v", len(ps), err)
	}
}

func closeEndsExchange(b *trial) {
	b.exchange()
	tr := b.open()
	ended := make(chan error, 1)
	go func() { ended <- tr.Serve(b.Context(), "d", "b", shelf(nil)) }()
	asker := b.open()
	if !b.until(func() bool {
		_, err := b.ask(asker, transports.Request{DB: "d", Site: "a"})
		return err == nil
	}) {
		b.Fatal("site b does not answer")
	}
	if err := tr.Close(); err != nil {
		b.Fatalf("Close: %v", err)
	}
	select {
	case err := <-ended:
		if err == nil {
			b.Fatal("Serve returned nil though its context goes on")
		}
	case <-time.After(b.patience):
		b.Fatal("Close does not end Serve")
	}
	if _, err := tr.Ask(b.Context(), transports.Request{DB: "d", Site: "a"}); !errors.Is(err, transports.ErrClosed) {
		b.Fatalf("Ask after Close: %v, want ErrClosed", err)
	}
}

func registry(b *trial) {
	tr := b.open()
	reg, ok := tr.(transports.Registry)
	if !ok {
		b.Skip("the medium remembers no sites")
	}
	ctx, cancel := context.WithTimeout(b.Context(), b.patience)
	defer cancel()
	for _, s := range []struct{ db, site, info string }{{"d", "a", `1`}, {"d", "b/ü.>", `2`}, {"e", "a", `3`}, {"d", "a", `4`}} {
		if err := reg.Announce(ctx, transports.Sighting{DB: s.db, Site: s.site, Info: []byte(s.info)}); err != nil {
			b.Fatalf("Announce: %v", err)
		}
	}
	list, err := b.open().(transports.Registry).Sites(ctx, "d")
	if err != nil {
		b.Fatalf("Sites: %v", err)
	}
	if len(list) != 2 || list[0].Site != "a" || string(list[0].Info) != "4" || list[1].Site != "b/ü.>" || string(list[1].Info) != "2" {
		text, _ := json.Marshal(list)
		b.Fatalf("got %s", text)
	}
	if time.Since(list[0].At).Abs() > time.Hour {
		b.Fatalf("seen at %v", list[0].At)
	}
}
