package conformance

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing/iotest"
	"time"

	"github.com/tributary-db/tributary/transports"
)

// snapshots opens a handle, or ends the case if the medium keeps no snapshots and the test says why.
func (b *trial) snapshots() transports.Snapshots {
	b.Helper()
	s, ok := b.open().(transports.Snapshots)
	b.lever("Snapshots", ok)
	return s
}

// state makes a snapshot with a content of its own.
func state(db, site string, size int) (transports.Snapshot, []byte) {
	content := make([]byte, size)
	rand.Read(content)
	return transports.Snapshot{DB: db, Site: site, ID: transports.PackageID(content), Size: int64(size), Info: []byte("info " + site)}, content
}

func (b *trial) put(t transports.Snapshots, s transports.Snapshot, content io.Reader) error {
	ctx, cancel := context.WithTimeout(b.Context(), b.patience)
	defer cancel()
	return t.PutSnapshot(ctx, s, content)
}

func (b *trial) listed(t transports.Snapshots, db string) []transports.Snapshot {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), b.patience)
	defer cancel()
	list, err := t.Snapshots(ctx, db)
	if err != nil {
		b.Fatalf("Snapshots: %v", err)
	}
	return list
}

func (b *trial) content(t transports.Snapshots, s transports.Snapshot) ([]byte, error) {
	ctx, cancel := context.WithTimeout(b.Context(), b.patience)
	defer cancel()
	r, err := t.OpenSnapshot(ctx, s)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(r)
	return got, errors.Join(err, r.Close())
}

func snapshotRoundTrip(b *trial) {
	t := b.snapshots()
	if list := b.listed(t, "d"); len(list) != 0 {
		b.Fatalf("%d snapshots of a new database", len(list))
	}
	// Sizes at and around what a medium may cut content into; a reader that gives little at a time.
	for _, size := range []int{0, 1, 256 << 10, 256<<10 + 1, 3<<20 + 7} {
		db := "d/ü.>" + strings.Repeat("x", size%7)
		s, content := state(db, "a/ü.>", size)
		if err := b.put(t, s, iotest.HalfReader(bytes.NewReader(content))); err != nil {
			b.Fatalf("%d bytes: PutSnapshot: %v", size, err)
		}
		other := b.snapshots()
		list := b.listed(other, db)
		if len(list) == 0 {
			b.Fatalf("%d bytes: it is not listed", size)
		}
		got := list[0]
		if got.DB != s.DB || got.Site != s.Site || got.ID != s.ID || got.Size != s.Size || !bytes.Equal(got.Info, s.Info) {
			b.Fatalf("got %+v, want %+v", got, s)
		}
		if time.Since(got.At).Abs() > time.Hour {
			b.Fatalf("stored at %v", got.At)
		}
		back, err := b.content(other, got)
		if err != nil || !bytes.Equal(back, content) {
			b.Fatalf("%d bytes: %d came back, %v", size, len(back), err)
		}
	}
	if list := b.listed(t, "other"); len(list) != 0 {
		b.Fatalf("%d snapshots of another database", len(list))
	}
}

func snapshotOrder(b *trial) {
	t := b.snapshots()
	const n = transports.KeptSnapshots + 4
	var made []transports.Snapshot
	contents := map[string][]byte{}
	for range n {
		s, content := state("d", "a", 300<<10)
		if err := b.put(t, s, bytes.NewReader(content)); err != nil {
			b.Fatalf("PutSnapshot: %v", err)
		}
		made, contents[s.ID] = append(made, s), content
	}
	list := b.listed(b.snapshots(), "d")
	if len(list) < transports.KeptSnapshots {
		b.Fatalf("%d of %d are kept, want %d at least", len(list), n, transports.KeptSnapshots)
	}
	for i, s := range list[:transports.KeptSnapshots] {
		if want := made[n-1-i].ID; s.ID != want {
			b.Fatalf("place %d has %.8s, want %.8s", i, s.ID, want)
		}
		if got, err := b.content(t, s); err != nil || !bytes.Equal(got, contents[s.ID]) {
			b.Fatalf("place %d: %d bytes, %v", i, len(got), err)
		}
	}
	// Stored again it is there once.
	if err := b.put(t, made[n-1], bytes.NewReader(contents[made[n-1].ID])); err != nil {
		b.Fatalf("PutSnapshot again: %v", err)
	}
	seen := map[string]bool{}
	for _, s := range b.listed(t, "d") {
		if seen[s.ID] {
			b.Fatalf("%.8s is listed twice", s.ID)
		}
		seen[s.ID] = true
	}
	if !seen[made[n-1].ID] {
		b.Fatal("the newest is gone after it was stored again")
	}
}

func snapshotWhole(b *trial) {
	t := b.snapshots()
	good, content := state("d", "a", 700<<10)
	if err := b.put(t, good, bytes.NewReader(content)); err != nil {
		b.Fatalf("PutSnapshot: %v", err)
	}
	bad, other := state("d", "b", 700<<10)
	turned := bytes.Clone(other)
	turned[500<<10] ^= 1
	boom := errors.New("boom")
	for what, r := range map[string]io.Reader{
		"cut":     bytes.NewReader(other[:600<<10]),
		"altered": bytes.NewReader(turned),
		"failing": io.MultiReader(bytes.NewReader(other[:600<<10]), iotest.ErrReader(boom)),
	} {
		if err := b.put(t, bad, r); err == nil {
			b.Errorf("a content that is %s was taken", what)
		}
		if list := b.listed(t, "d"); len(list) != 1 || list[0].ID != good.ID {
			b.Fatalf("%s: %d are listed", what, len(list))
		}
	}
	nameless := good
	nameless.ID = "../../x"
	if err := b.put(t, nameless, bytes.NewReader(content)); err == nil {
		b.Error("a name that is no hash was taken")
	}
	large := good
	large.Info = make([]byte, transports.SnapshotInfo+1)
	if err := b.put(t, large, bytes.NewReader(content)); !errors.Is(err, transports.ErrTooLarge) {
		b.Errorf("too much about a snapshot: %v, want ErrTooLarge", err)
	}
	if got, err := b.content(t, b.listed(t, "d")[0]); err != nil || !bytes.Equal(got, content) {
		b.Fatalf("the one before: %d bytes, %v", len(got), err)
	}
}

func snapshotNone(b *trial) {
	t := b.snapshots()
	s, content := state("d", "a", 10)
	if _, err := b.content(t, s); !errors.Is(err, transports.ErrNoSnapshot) {
		b.Fatalf("reading one that was never stored: %v, want ErrNoSnapshot", err)
	}
	tr := b.open()
	closed := tr.(transports.Snapshots)
	if err := tr.Close(); err != nil {
		b.Fatalf("Close: %v", err)
	}
	if err := b.put(closed, s, bytes.NewReader(content)); !errors.Is(err, transports.ErrClosed) {
		b.Errorf("PutSnapshot after Close: %v, want ErrClosed", err)
	}
	if _, err := closed.Snapshots(b.Context(), "d"); !errors.Is(err, transports.ErrClosed) {
		b.Errorf("Snapshots after Close: %v, want ErrClosed", err)
	}
	if _, err := b.content(closed, s); !errors.Is(err, transports.ErrClosed) {
		b.Errorf("OpenSnapshot after Close: %v, want ErrClosed", err)
	}
}

// snapshotCursor: a position of one handle, which a snapshot brings to another, leads on from there.
func snapshotCursor(b *trial) {
	b.snapshots()
	tr := b.log()
	b.publish(tr, packs("d", "a", 1, 20)...)
	s, content := state("d", "a", 100)
	s.Info = b.read(tr, "d", nil, func(r *received) bool { return r.live && len(r.ids) >= 20 }).cursor
	if err := b.put(b.snapshots(), s, bytes.NewReader(content)); err != nil {
		b.Fatalf("PutSnapshot: %v", err)
	}
	b.publish(tr, packs("d", "b", 1, 2)...)
	list := b.listed(b.snapshots(), "d")
	if len(list) != 1 {
		b.Fatalf("%d are listed", len(list))
	}
	got := b.read(b.open(), "d", list[0].Info, atLeast(2))
	if len(got.all) != 2 || got.all[0].Site != "b" {
		b.Fatalf("%d packages behind the position of the snapshot, want 2", len(got.all))
	}
}
