package replicator_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	"github.com/tributary-db/tributary/transports/mem"
)

// often makes snapshots as soon as there is anything new.
func often(o *replicator.Options) { o.Snapshot = 20 * time.Millisecond }

// snapshotOf waits until the medium has a snapshot of all that a site has, and gives it.
func snapshotOf(t *testing.T, kept transports.Snapshots, s *site) (out transports.Snapshot) {
	t.Helper()
	until(t, "a snapshot of everything", func() bool {
		list, err := kept.Snapshots(t.Context(), "d")
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			return false
		}
		var a struct{ Vector crdt.VersionVector }
		if err := json.Unmarshal(list[0].Info, &a); err != nil {
			t.Fatal(err)
		}
		out = list[0]
		var v crdt.VersionVector
		s.with(func(e *engine.Engine) { v, err = e.Vector(t.Context()) })
		return err == nil && s.query("SELECT count(*) FROM tributary_feed") == "0" && a.Vector.Equal(v)
	})
	return out
}

// snapshotBehind waits for a snapshot whose position is behind all but the last package on the log. It makes what the loop
// makes a snapshot of, until the loop had read the log to its end when it began one.
func snapshotBehind(t *testing.T, h *mem.Hub, s *site) {
	t.Helper()
	snapshotOf(t, h.Transport(), s)
	s.exec(insert(4000, "the last"))
	until(t, "a snapshot near the end of the log", func() bool {
		s.exec("BEGIN; UPDATE t SET b = 2 WHERE id = 4000; UPDATE t SET b = 1 WHERE id = 4000; COMMIT")
		var a struct{ Cursor transports.Cursor }
		if err := json.Unmarshal(snapshotOf(t, h.Transport(), s).Info, &a); err != nil {
			t.Fatal(err)
		}
		behind, end := 0, errors.New("the end")
		if a.Cursor == nil {
			return false
		}
		err := h.Transport().Subscribe(t.Context(), "d", a.Cursor, func(b transports.Batch) error {
			if behind += len(b.Packages); b.Live {
				return end
			}
			return nil
		})
		if !errors.Is(err, end) {
			t.Fatal(err)
		}
		return behind <= 1
	})
}

func content(t *testing.T, kept transports.Snapshots, s transports.Snapshot) []byte {
	t.Helper()
	r, err := kept.OpenSnapshot(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSnapshotNew: a new replica begins with a snapshot when nobody is there, whether the log is cut or not, and keeps what
// it has itself. It reads the log from the position in the snapshot.
func TestSnapshotNew(t *testing.T) {
	for _, cut := range []bool{true, false} {
		t.Run(fmt.Sprintf("cut=%v", cut), func(t *testing.T) {
			h, dir := mem.New(), t.TempDir()
			a := newSite(t, dir, "a", over(h))
			a.tune = often
			a.exec("INSERT INTO t SELECT value, hex(randomblob(1000)), 1 FROM generate_series(1, 3000)") // several windows
			a.exec("DELETE FROM t WHERE id % 7 = 0")
			a.start()
			snapshotBehind(t, h, a)
			a.halt()
			if cut {
				h.Truncate(h.Len() - 1)
			}
			a.exec(insert(5000, "behind the snapshot"))
			if err := a.once(); err != nil {
				t.Fatal(err)
			}
			before := h.Len()
			b := newSite(t, dir, "b", over(h))
			b.exec(insert(9000, "of b"))
			b.start()
			until(t, "what is behind the snapshot", func() bool { return b.query("SELECT a FROM t WHERE id = 5000") != "" })
			until(t, "own row published", func() bool { return h.Len() > before })
			until(t, "live", func() bool { return state(b, 0) == replicator.StateLive })
			if s := b.r.Status()[0]; s.SnapshotsTaken != 1 || s.CursorLost != 0 || s.SnapshotAt.IsZero() || s.Received > 2 {
				t.Errorf("%+v", s)
			}
			b.halt()
			if got := h.Len() - before; got > 2 {
				t.Errorf("%d packages were published; what is in the snapshot need not be", got)
			}
			if err := a.once(); err != nil {
				t.Fatal(err)
			}
			converge(t, "", a, b)
			if got := a.query("SELECT a FROM t WHERE id = 9000"); got != "of b" {
				t.Errorf("a has %q of b", got)
			}
		})
	}
}

// TestSnapshotAway: a replica that was away beyond retention comes back through a snapshot, with what it wrote meanwhile;
// without a snapshot it says what it needs, until a peer answers.
func TestSnapshotAway(t *testing.T) {
	for _, made := range []bool{true, false} {
		t.Run(fmt.Sprintf("snapshot=%v", made), func(t *testing.T) {
			h, dir := mem.New(), t.TempDir()
			a, b := newSite(t, dir, "a", over(h)), newSite(t, dir, "b", over(h))
			if made {
				a.tune = often
			}
			a.exec(insert(1, "first"))
			a.start()
			b.start()
			converge(t, "1|first|1", a, b)
			b.halt()
			b.exec(insert(2, "b alone") + "; UPDATE t SET b = 'b alone' WHERE id = 1")
			a.exec(insert(3, "meanwhile") + "; UPDATE t SET a = 'a alone' WHERE id = 1")
			if made {
				snapshotBehind(t, h, a)
			} else {
				until(t, "published", func() bool { return h.Len() > 2 })
			}
			a.halt()
			a.exec(insert(4, "after"))
			if h.Truncate(h.Len() - 1); !made {
				h.Truncate(1)
			}
			if err := a.once(); err != nil {
				t.Fatal(err)
			}
			b.start()
			all := "1|a alone|b alone\n2|b alone|1\n3|meanwhile|1\n4|after|1"
			if made {
				all += "\n4000|the last|1"
			}
			defer func() {
				if t.Failed() && b.stop != nil {
					t.Logf("%+v", b.r.Status())
				}
			}()
			if made {
				until(t, "merged", func() bool { return b.rows() == all })
				until(t, "live", func() bool { return state(b, 0) == replicator.StateLive })
				if s := b.r.Status()[0]; s.SnapshotsTaken != 1 || s.Missing != "" {
					t.Errorf("%+v", s)
				}
			} else {
				until(t, "says what it needs", func() bool {
					s := b.r.Status()[0]
					return s.State == replicator.StateNeedsSnapshot && strings.Contains(s.Why, "no snapshot that has it") && s.Missing == s.Why
				})
			}
			a.start()
			converge(t, all, a, b)
			until(t, "live", func() bool { return state(b, 0) == replicator.StateLive })
		})
	}
}

// TestSnapshotLost: who loses its position and finds neither peers nor packages says that it may lack something.
func TestSnapshotLost(t *testing.T) {
	h, dir := mem.New(), t.TempDir()
	a := newSite(t, dir, "a", over(h))
	a.exec(insert(1, "a"))
	a.start()
	until(t, "live", func() bool { return state(a, 0) == replicator.StateLive && h.Len() > 0 })
	h.Recreate()
	until(t, "needs", func() bool {
		s := a.r.Status()[0]
		return s.State == replicator.StateNeedsSnapshot && strings.Contains(s.Why, "position is gone")
	})
	b := newSite(t, dir, "b", over(h))
	b.start()
	converge(t, "1|a|1", a, b)
	until(t, "live", func() bool { return state(a, 0) == replicator.StateLive })
}

// TestSnapshotBad: what is no good is refused and said, changes nothing, and another is tried.
func TestSnapshotBad(t *testing.T) {
	h, dir := mem.New(), t.TempDir()
	kept := h.Transport()
	a := newSite(t, dir, "a", over(h))
	a.tune = often
	a.exec("INSERT INTO t SELECT value, hex(randomblob(1000)), 1 FROM generate_series(1, 1000)")
	a.start()
	good := snapshotOf(t, kept, a)
	a.halt()
	h.Truncate(h.Len())
	whole := content(t, kept, good)
	for name, bad := range map[string]func(s *transports.Snapshot, info map[string]any) []byte{
		"empty":       func(*transports.Snapshot, map[string]any) []byte { return nil },
		"no snapshot": func(*transports.Snapshot, map[string]any) []byte { return []byte("something else that is long enough") },
		"cut":         func(*transports.Snapshot, map[string]any) []byte { return whole[:len(whole)/2] },
		"no end":      func(*transports.Snapshot, map[string]any) []byte { return whole[:len(whole)-1] },
		"more":        func(*transports.Snapshot, map[string]any) []byte { return append(bytes.Clone(whole), 1) },
		"a turned bit": func(*transports.Snapshot, map[string]any) []byte {
			b := bytes.Clone(whole)
			b[len(b)/2] ^= 1
			return b
		},
		"a huge length": func(*transports.Snapshot, map[string]any) []byte {
			return binary.AppendUvarint(bytes.Clone(whole[:9]), 1<<62)
		},
		"a long length": func(*transports.Snapshot, map[string]any) []byte {
			return binary.AppendUvarint(bytes.Clone(whole[:9]), 1<<29)
		},
		"the last part alone": func(*transports.Snapshot, map[string]any) []byte {
			n, size := binary.Uvarint(whole[9:])
			return append(bytes.Clone(whole[:9]), whole[9+size+int(n):]...)
		},
		"a newer format":  func(_ *transports.Snapshot, info map[string]any) []byte { info["format"] = 2; return whole },
		"a newer content": func(*transports.Snapshot, map[string]any) []byte { b := bytes.Clone(whole); b[8] = 2; return b },
		"another's name":  func(s *transports.Snapshot, _ map[string]any) []byte { s.Site = crdt.Site{7}.String(); return whole },
		"more than it has": func(_ *transports.Snapshot, info map[string]any) []byte {
			info["vector"] = map[string]int{crdt.Site{7}.String(): 9}
			return whole
		},
		"nothing about itself":   func(_ *transports.Snapshot, info map[string]any) []byte { clear(info); return whole },
		"another number of them": func(_ *transports.Snapshot, info map[string]any) []byte { info["packages"] = 1; return whole },
	} {
		t.Run(name, func(t *testing.T) {
			s := good
			info := map[string]any{}
			if err := json.Unmarshal(good.Info, &info); err != nil {
				t.Fatal(err)
			}
			body := bad(&s, info)
			s.Info, _ = json.Marshal(info)
			s.ID, s.Size = transports.PackageID(body), int64(len(body))
			own := mem.New()
			if err := own.Transport().PutSnapshot(t.Context(), s, bytes.NewReader(body)); err != nil {
				t.Fatal(err)
			}
			b := newSite(t, t.TempDir(), "b", over(own))
			b.exec(insert(1, "of b"))
			b.start()
			until(t, "refused", func() bool { return b.r.Status()[0].SnapshotsRefused > 0 })
			until(t, "goes on", func() bool { return own.Len() > 0 })
			if got := b.rows(); got != "1|of b|1" {
				t.Errorf("changed: %.200s", got)
			}
			b.with(func(e *engine.Engine) {
				if v, err := e.Vector(t.Context()); err != nil || len(v) != 1 {
					t.Errorf("vector %v, %v", v, err)
				}
			})
			b.halt()
		})
	}
	// The newest is damaged: the one before it is taken.
	s := good
	body := whole[:len(whole)-5]
	s.ID, s.Size = transports.PackageID(body), int64(len(body))
	if err := kept.PutSnapshot(t.Context(), s, bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	b := newSite(t, dir, "b", over(h))
	b.start()
	until(t, "merged", func() bool { return b.query("SELECT count(*) FROM t") == "1000" })
	until(t, "counted", func() bool { s := b.r.Status()[0]; return s.SnapshotsRefused == 1 && s.SnapshotsTaken == 1 })
	b.halt()
	converge(t, "", a, b)
}

// TestSnapshotForgotten: a replica that has rows whose deletes are forgotten everywhere is told so by peers, and no
// snapshot is merged into it: both would leave those rows.
func TestSnapshotForgotten(t *testing.T) {
	h, dir := mem.New(), t.TempDir()
	a := newSite(t, dir, "a", over(h))
	a.exec(insert(1, "gone") + ";" + insert(2, "stays"))
	stranger := newSite(t, dir, "stranger", over(h))
	a.with(func(from *engine.Engine) {
		stranger.with(func(to *engine.Engine) {
			for p, err := range from.Pull(t.Context(), engine.PullOptions{}) {
				if err != nil {
					t.Fatal(err)
				}
				if _, err := to.Apply(t.Context(), p.Package, engine.ApplyOptions{}); err != nil {
					t.Fatal(err)
				}
			}
		})
	})
	a.exec("DELETE FROM t WHERE id = 1")
	a.with(func(e *engine.Engine) {
		if r, err := e.Compact(t.Context()); err != nil || r.Tombstones != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
	})
	a.tune = often
	a.start()
	snapshotOf(t, h.Transport(), a)
	h.Recreate()
	stranger.start()
	until(t, "told", func() bool {
		s := stranger.r.Status()[0]
		return s.State == replicator.StateNeedsSnapshot && strings.Contains(s.Why, "deletes are forgotten")
	})
	if got := stranger.rows(); got != "1|gone|1\n2|stays|1" {
		t.Errorf("the stranger has %q", got)
	}
	if got := stranger.r.Status()[0].Published; got > 0 {
		t.Errorf("the stranger has published %d packages", got)
	}
	stranger.halt()
	a.halt()
	h.Recreate()
	// One that has nothing takes all, and knows what is forgotten.
	b := newSite(t, dir, "b", over(h))
	b.start()
	until(t, "merged", func() bool { return b.rows() == "2|stays|1" })
	b.with(func(e *engine.Engine) {
		if v, err := e.Forgotten(t.Context()); err != nil || len(v) == 0 {
			t.Errorf("forgotten: %v, %v", v, err)
		}
	})
}

// TestSnapshotFolder: in a folder too, where nobody answers, and with one round at a time.
func TestSnapshotFolder(t *testing.T) {
	root, home := t.TempDir(), t.TempDir()
	links := func() []replicator.Link {
		return []replicator.Link{link("folder", dir.Open(root, &dir.Options{Poll: 2 * time.Millisecond}))}
	}
	a := newSite(t, home, "a", links)
	a.tune = often
	a.exec(insert(1, "a"))
	a.start()
	kept := dir.Open(root, nil)
	defer kept.Close()
	snapshotOf(t, kept, a)
	a.halt()
	list, _ := filepath.Glob(filepath.Join(root, "d", "*", "*.pkg"))
	for _, name := range list {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	b := newSite(t, home, "b", links)
	b.exec(insert(2, "b"))
	if err := b.once(); err != nil {
		t.Fatal(err)
	}
	if err := a.once(); err != nil {
		t.Fatal(err)
	}
	converge(t, "1|a|1\n2|b|1", a, b)
}
