package replicator_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/replicator"
	"github.com/tributary-db/tributary/transports"
	"github.com/tributary-db/tributary/transports/dir"
	"github.com/tributary-db/tributary/transports/fault"
	"github.com/tributary-db/tributary/transports/mem"
)

// over makes links on a hub.
func over(h *mem.Hub) func() []replicator.Link {
	return func() []replicator.Link { return []replicator.Link{link("hub", h.Transport())} }
}

func state(s *site, i int) replicator.State { return s.r.Status()[i].State }

func TestTwoSites(t *testing.T) {
	h, dir := mem.New(), t.TempDir()
	a, b := newSite(t, dir, "a", over(h)), newSite(t, dir, "b", over(h))
	a.exec(insert(1, "before"))
	a.start()
	b.start()
	converge(t, "1|before|1", a, b)
	b.exec(insert(2, "b"))
	a.exec("UPDATE t SET b = 2 WHERE id = 1")
	converge(t, "1|before|2\n2|b|1", a, b)
	until(t, "both live", func() bool { return state(a, 0) == replicator.StateLive && state(b, 0) == replicator.StateLive })
	b.halt()
	b.with(func(e *engine.Engine) {
		list, err := replicator.Recorded(t.Context(), e)
		if err != nil || len(list) != 1 || list[0].State != replicator.StateOffline || list[0].Why != "stopped" || list[0].Applied == 0 {
			t.Errorf("recorded: %+v, %v", list, err)
		}
	})
	a.exec(insert(3, "meanwhile"))
	b.exec(insert(4, "alone"))
	b.start()
	converge(t, "1|before|2\n2|b|1\n3|meanwhile|1\n4|alone|1", a, b)
}

// TestQuietOnceEqual: what came by a log is not published there again, and own packages that come back are no reason to.
func TestQuietOnceEqual(t *testing.T) {
	h, dir := mem.New(), t.TempDir()
	var sites []*site
	for i := range 4 {
		s := newSite(t, dir, fmt.Sprint(i), over(h))
		s.exec(insert(i, "x"))
		s.start()
		sites = append(sites, s)
	}
	converge(t, "0|x|1\n1|x|1\n2|x|1\n3|x|1", sites...)
	n := h.Len()
	if n > 8 {
		t.Errorf("%d packages for four inserts", n)
	}
	for i := range 3 {
		sites[0].exec(fmt.Sprintf("UPDATE t SET a = 'y%d' WHERE id = 0", i))
		converge(t, "", sites...)
	}
	if m := h.Len() - n; m > 4 {
		t.Errorf("%d packages for three updates", m)
	}
}

// TestBrokerAway: the loop starts without its medium, goes on without it, and makes up for it.
func TestBrokerAway(t *testing.T) {
	h, dir := mem.New(), t.TempDir()
	var cut []*fault.Transport
	links := func() []replicator.Link {
		f := fault.Wrap(h.Transport(), 1, fault.Rates{})
		f.Partition(true)
		cut = append(cut, f)
		return []replicator.Link{link("hub", f)}
	}
	a, b := newSite(t, dir, "a", links), newSite(t, dir, "b", links)
	a.start()
	b.start()
	a.exec(insert(1, "a"))
	b.exec(insert(2, "b"))
	until(t, "offline", func() bool {
		s := a.r.Status()[0]
		return s.State == replicator.StateOffline && strings.Contains(s.Why, "injected")
	})
	for _, f := range cut {
		f.Partition(false)
	}
	converge(t, "1|a|1\n2|b|1", a, b)
	cut[0].Partition(true)
	a.exec(insert(3, "a"))
	b.exec(insert(4, "b"))
	until(t, "offline again", func() bool { return state(a, 0) == replicator.StateOffline })
	cut[0].Partition(false)
	converge(t, "1|a|1\n2|b|1\n3|a|1\n4|b|1", a, b)
}

// TestLogLost: whatever happens to the log, nothing is lost and all become equal.
func TestLogLost(t *testing.T) {
	for name, hurt := range map[string]func(*mem.Hub){
		"recreated":   func(h *mem.Hub) { h.Recreate() },
		"truncated":   func(h *mem.Hub) { h.Truncate(h.Len()) },
		"rolled back": func(h *mem.Hub) { h.Rollback(3) },
	} {
		for _, exchange := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, exchange=%v", name, exchange), func(t *testing.T) {
				h, dir := mem.New(), t.TempDir()
				links := func() []replicator.Link {
					var tr transports.Transport = h.Transport()
					if !exchange {
						tr = logOnly{tr}
					}
					return []replicator.Link{link("hub", tr)}
				}
				a, b, c := newSite(t, dir, "a", links), newSite(t, dir, "b", links), newSite(t, dir, "c", links)
				for i, s := range []*site{a, b, c} {
					s.exec(insert(i, "first"))
					s.start()
				}
				converge(t, "0|first|1\n1|first|1\n2|first|1", a, b, c)
				c.halt()
				a.exec(insert(10, "while c is away"))
				b.exec(insert(11, "while c is away"))
				converge(t, "", a, b)
				c.exec(insert(12, "c alone"))
				until(t, "all published", func() bool { return state(a, 0) == replicator.StateLive })
				hurt(h)
				c.start()
				a.exec(insert(20, "after"))
				converge(t, "0|first|1\n1|first|1\n2|first|1\n10|while c is away|1\n11|while c is away|1\n12|c alone|1\n20|after|1", a, b, c)
			})
		}
	}
}

// logOnly takes the exchange away.
type logOnly struct{ transports.Transport }

func (l logOnly) Caps() transports.Caps {
	c := l.Transport.Caps()
	c.Exchange = false
	return c
}

func (l logOnly) Tail(ctx context.Context, db, site string) (transports.Package, error) {
	return l.Transport.(transports.Tailer).Tail(ctx, db, site)
}

// exchangeOnly takes the log away.
type exchangeOnly struct{ transports.Transport }

func (l exchangeOnly) Caps() transports.Caps {
	c := l.Transport.Caps()
	c.Log = false
	return c
}

func TestExchangeOnly(t *testing.T) {
	h, dir := mem.New(), t.TempDir()
	links := func() []replicator.Link { return []replicator.Link{link("peers", exchangeOnly{h.Transport()})} }
	a, b := newSite(t, dir, "a", links), newSite(t, dir, "b", links)
	a.exec("INSERT INTO t SELECT value, hex(randomblob(2000)), 1 FROM generate_series(1, 2000)") // several answers long
	a.start()
	b.exec(insert(5000, "b"))
	b.start()
	until(t, "all rows", func() bool {
		return b.query("SELECT count(*) FROM t") == "2001" && a.query("SELECT count(*) FROM t") == "2001"
	})
	converge(t, "", a, b)
}

// TestRelay: a site on two media carries everything from one to the other, and it does not go round in circles.
func TestRelay(t *testing.T) {
	left, right, dir := mem.New(), mem.New(), t.TempDir()
	both := func() []replicator.Link {
		return []replicator.Link{link("left", left.Transport()), link("right", right.Transport())}
	}
	a, b := newSite(t, dir, "a", over(left)), newSite(t, dir, "b", over(right))
	m, n := newSite(t, dir, "m", both), newSite(t, dir, "n", both)
	for i, s := range []*site{a, b, m, n} {
		s.exec(insert(i, "first"))
		s.start()
	}
	converge(t, "0|first|1\n1|first|1\n2|first|1\n3|first|1", a, b, m, n)
	for i := range 5 {
		a.exec(insert(100+i, "a"))
		b.exec(insert(200+i, "b"))
		m.exec(insert(300+i, "m"))
	}
	converge(t, "", a, b, m, n)
	if got := a.query("SELECT count(*) FROM t"); got != "19" {
		t.Errorf("%s rows, want 19", got)
	}
	// Silence: nobody has anything that a medium has not seen.
	var l, r int
	until(t, "silence", func() bool {
		was := l + r
		l, r = left.Len(), right.Len()
		return l+r == was && quiet(m, n)
	})
	if l > 60 || r > 60 {
		t.Errorf("%d and %d packages for 19 changes", l, r)
	}
}

// quiet: neither site has published between two looks that are several relay pauses apart.
func quiet(sites ...*site) bool {
	count := func() (n int64) {
		for _, s := range sites {
			for _, l := range s.r.Status() {
				n += l.Published
			}
		}
		return n
	}
	before := count()
	transports.Wait(context.Background(), 300*time.Millisecond, nil)
	return count() == before
}

// TestBadPackage: what cannot be applied is kept aside, said, and does not stop what is behind it.
func TestBadPackage(t *testing.T) {
	h, dir := mem.New(), t.TempDir()
	a, b := newSite(t, dir, "a", over(h)), newSite(t, dir, "b", over(h))
	a.start()
	b.start()
	a.exec(insert(1, "a"))
	converge(t, "1|a|1", a, b)
	stranger := crdt.Site{7}
	body := []byte("TRIB\x09this is a format of the future")
	if err := h.Transport().Publish(t.Context(), transports.Package{DB: "d", Site: stranger.String(), From: 1, To: 1, ID: transports.PackageID(body), Body: body}); err != nil {
		t.Fatal(err)
	}
	a.exec(insert(2, "behind"))
	converge(t, "1|a|1\n2|behind|1", a, b)
	until(t, "stalled", func() bool {
		s := b.r.Status()[0]
		return s.State == replicator.StateStalled && s.Site == stranger.String() && s.Refused == 1
	})
	b.with(func(e *engine.Engine) {
		if list, err := e.Refused(t.Context()); err != nil || len(list) != 1 || string(list[0].Body) != string(body) {
			t.Errorf("kept aside: %d, %v", len(list), err)
		}
	})
	// A package in another's name is left out.
	var forged []byte
	a.with(func(e *engine.Engine) {
		for p, err := range e.Pull(t.Context(), engine.PullOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			forged = p.Package
		}
	})
	if err := h.Transport().Publish(t.Context(), transports.Package{DB: "d", Site: stranger.String(), From: 2, To: 2, ID: transports.PackageID(forged), Body: forged}); err != nil {
		t.Fatal(err)
	}
	until(t, "forged", func() bool { return b.r.Status()[0].Forged == 1 })
}

// TestFolder: sites that never meet, over a folder; and one that was cleaned in between.
func TestFolder(t *testing.T) {
	root, home := t.TempDir(), t.TempDir()
	links := func() []replicator.Link {
		return []replicator.Link{link("folder", dir.Open(root, &dir.Options{Poll: 2 * time.Millisecond}))}
	}
	a, b, c := newSite(t, home, "a", links), newSite(t, home, "b", links), newSite(t, home, "c", links)
	for i, s := range []*site{a, b, c, a, b, c} {
		s.exec(insert(i, "x"))
		if err := s.once(); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []*site{a, b} {
		if err := s.once(); err != nil {
			t.Fatal(err)
		}
	}
	converge(t, "0|x|1\n1|x|1\n2|x|1\n3|x|1\n4|x|1\n5|x|1", a, b, c)
	list, _ := filepath.Glob(filepath.Join(root, "d", "*", "*.pkg"))
	for _, name := range list {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	a.exec(insert(6, "after"))
	for range 2 {
		for _, s := range []*site{a, b, c} {
			if err := s.once(); err != nil {
				t.Fatal(err)
			}
		}
	}
	converge(t, "0|x|1\n1|x|1\n2|x|1\n3|x|1\n4|x|1\n5|x|1\n6|after|1", a, b, c)
}

// TestCopiedFile: a copy that is served beside the original gets an identity of its own.
func TestCopiedFile(t *testing.T) {
	h, dir := mem.New(), t.TempDir()
	a := newSite(t, dir, "a", over(h))
	a.exec(insert(1, "a"))
	a.start()
	until(t, "published", func() bool { return h.Len() > 0 })
	a.halt()
	a.exec("PRAGMA wal_checkpoint(TRUNCATE)")
	b := newSite(t, dir, "b", over(h))
	b.writer.Close()
	file, err := os.ReadFile(a.path)
	if err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"-wal", "-shm", "-tributary"} {
		os.Remove(b.path + suffix)
	}
	if err := os.WriteFile(b.path, file, 0o666); err != nil {
		t.Fatal(err)
	}
	b.writer = openDB(t, b.path)
	b.exec(insert(2, "b"))
	a.exec(insert(3, "a"))
	var j journal
	b.tune = j.to
	a.start()
	b.start()
	converge(t, "1|a|1\n2|b|1\n3|a|1", a, b)
	if !strings.Contains(j.String(), "goes on under another identity") {
		t.Errorf("it was not told:\n%s", j.String())
	}
}

// TestPresence: each site is known, with its version.
func TestPresence(t *testing.T) {
	h, dir := mem.New(), t.TempDir()
	a := newSite(t, dir, "a", over(h))
	a.exec(insert(1, "a"))
	a.start()
	until(t, "presence", func() bool {
		list, err := h.Transport().Sites(t.Context(), "d")
		return err == nil && len(list) == 1 && strings.Contains(string(list[0].Info), `"version":1`) && strings.Contains(string(list[0].Info), "LIVE")
	})
}

func TestNothingTracked(t *testing.T) {
	h := mem.New()
	path := filepath.Join(t.TempDir(), "x.db")
	db := openDB(t, path)
	defer db.Close()
	s := &site{t: t, path: path, links: over(h)}
	r, done := s.open()
	defer done()
	if err := r.Run(t.Context()); !errors.Is(err, engine.ErrNoDatabase) {
		t.Errorf("got %v, want ErrNoDatabase", err)
	}
}

// small takes packages up to a size.
type small struct {
	transports.Transport
	limit int
}

func (s small) Caps() transports.Caps {
	c := s.Transport.Caps()
	c.MaxPackage = s.limit
	return c
}

func (s small) Publish(ctx context.Context, ps ...transports.Package) error {
	for _, p := range ps {
		if len(p.Body) > s.limit {
			return transports.ErrTooLarge
		}
	}
	return s.Transport.Publish(ctx, ps...)
}

// TestTooLarge: a row that the medium cannot take is said, and once it is gone the rest follows.
func TestTooLarge(t *testing.T) {
	h, dir := mem.New(), t.TempDir()
	links := func() []replicator.Link {
		return []replicator.Link{link("hub", small{logOnly{h.Transport()}, 10_000})}
	}
	a, b := newSite(t, dir, "a", links), newSite(t, dir, "b", links)
	a.exec("INSERT INTO t VALUES (1, hex(randomblob(20000)), 1)")
	a.start()
	b.start()
	until(t, "stalled", func() bool {
		s := a.r.Status()[0]
		return s.State == replicator.StateStalled && s.Site != "" && strings.Contains(s.Why, "too large")
	})
	a.exec("UPDATE t SET a = 'small'")
	converge(t, "1|small|1", a, b)
	until(t, "live", func() bool { return state(a, 0) == replicator.StateLive })
}

// TestTwoContents: a copy that took its side file along writes under the original's name. They notice and say so, the second
// content is refused everywhere, and the original goes on (under another name, since it cannot know that it is the one).
func TestTwoContents(t *testing.T) {
	h, dir := mem.New(), t.TempDir()
	a, c := newSite(t, dir, "a", over(h)), newSite(t, dir, "c", over(h))
	a.exec(insert(1, "a"))
	a.start()
	c.start()
	converge(t, "1|a|1", a, c)
	a.halt()
	a.exec("PRAGMA wal_checkpoint(TRUNCATE)")
	b := newSite(t, filepath.Join(t.TempDir()), "a", over(h)) // the same name in another folder, as on another machine
	b.writer.Close()
	for _, suffix := range []string{"-wal", "-shm"} {
		os.Remove(b.path + suffix)
	}
	for _, suffix := range []string{"", "-tributary"} {
		file, err := os.ReadFile(a.path + suffix)
		if err == nil && suffix != "" { // as if the original's machine could not be seen from here
			file = []byte(strings.ReplaceAll(string(file), filepath.Dir(a.path), "/elsewhere"))
		}
		if err == nil {
			err = os.WriteFile(b.path+suffix, file, 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b.writer = openDB(t, b.path)
	a.exec(insert(2, "of the original"))
	b.exec(insert(3, "of the copy"))
	b.with(func(e *engine.Engine) { // under a version that the original uses too; had it read the log first, it would have known
		if r, err := e.Fold(t.Context()); err != nil || r.Version != 2 {
			t.Fatalf("%+v, %v", r, err)
		}
	})
	a.start()
	until(t, "the original's second version", func() bool { return strings.Contains(c.rows(), "original") })
	b.start()
	until(t, "said", func() bool { return state(b, 0) == replicator.StateClone || state(a, 0) == replicator.StateClone })
	a.exec(insert(11, "later a"))
	until(t, "what the original wrote later", func() bool { return strings.Contains(c.rows(), "later a") })
	if strings.Contains(c.rows(), "of the copy") {
		t.Error("a second content of one version was taken")
	}
}
