package mem_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/tributary-db/tributary/conformance"
	"github.com/tributary-db/tributary/transports"
	"github.com/tributary-db/tributary/transports/mem"
)

func TestTransport(t *testing.T) {
	conformance.TestTransport(t, func(t *testing.T) *conformance.Medium {
		h := mem.New()
		return &conformance.Medium{
			Open:     func(*testing.T) transports.Transport { return h.Transport() },
			Truncate: func(*testing.T) { h.Truncate(h.Len() / 2) },
			Recreate: func(*testing.T) { h.Recreate() },
			Rollback: func(_ *testing.T, between func()) {
				n := h.Len()
				between()
				h.Rollback(h.Len() - n)
			},
			Cannot: map[string]string{
				"Restart": "the medium lives and dies with the process",
				"Corrupt": "memory is not damaged in a way that Go code could notice",
			},
		}
	})
}

// TestKept: a hub on a file is as good, also after its process has ended, and takes up where it was.
func TestKept(t *testing.T) {
	conformance.TestTransport(t, func(t *testing.T) *conformance.Medium {
		path := filepath.Join(t.TempDir(), "log")
		h := new(swap)
		h.open(t, path)
		t.Cleanup(func() { h.Hub.Close() })
		return &conformance.Medium{
			Open:     func(*testing.T) transports.Transport { return h.Transport() },
			Truncate: func(*testing.T) { h.Truncate(h.Len() / 2) },
			Recreate: func(*testing.T) { h.Recreate() },
			Rollback: func(_ *testing.T, between func()) {
				n := h.Len()
				between()
				h.Rollback(h.Len() - n)
			},
			Cannot: map[string]string{"Restart": "see TestKeptRestart", "Corrupt": "see TestKeptDamaged"},
		}
	})
}

type swap struct{ *mem.Hub }

func (s *swap) open(t *testing.T, path string) {
	t.Helper()
	h, err := mem.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	s.Hub = h
}

func small(v uint64) transports.Package {
	body := []byte{byte(v), byte(v >> 8), 'x'}
	return transports.Package{DB: "d", Site: "a", From: v, To: v, ID: transports.PackageID(body), Body: body}
}

// after reads what is behind a position, to the end of the log.
func after(t *testing.T, h *mem.Hub, at transports.Cursor) (versions []uint64, end transports.Cursor, err error) {
	t.Helper()
	done := errors.New("done")
	err = h.Transport().Subscribe(t.Context(), "d", at, func(b transports.Batch) error {
		for _, p := range b.Packages {
			versions = append(versions, p.From)
		}
		if end = b.Cursor; b.Live {
			return done
		}
		return nil
	})
	if err == done {
		err = nil
	}
	return versions, end, err
}

// TestKeptRestart: positions lead on after restarts, also when the file was written anew in between.
func TestKeptRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	var at transports.Cursor
	v := uint64(0)
	for round := range 8 {
		h, err := mem.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		h.Limit(100_000)
		for range 4 {
			v++
			body := make([]byte, 20_000)
			body[0] = byte(v)
			p := transports.Package{DB: "d", Site: "a", From: v, To: v, ID: transports.PackageID(body), Body: body}
			if err := h.Transport().Publish(t.Context(), p, p); err != nil {
				t.Fatal(err)
			}
		}
		got, end, err := after(t, h, at)
		if err != nil || len(got) != 4 || got[3] != v {
			t.Fatalf("round %d: %v, %v", round, got, err)
		}
		at = end
		if n := h.Len(); n > 5 {
			t.Errorf("%d packages of 20,000 bytes within 100,000", n)
		}
		if i, err := os.Stat(path); err != nil || i.Size() > 400_000 {
			t.Errorf("the file has %d bytes, %v", i.Size(), err)
		}
		if err := h.Close(); err != nil { // without it, as a killed process leaves it, nothing would be different
			t.Fatal(err)
		}
		if err := h.Transport().Publish(t.Context(), small(1000)); err == nil {
			t.Error("a closed file was written to")
		}
	}
}

// TestKeptDamaged: what cannot be read is cut off, and positions are lost, since others may take them.
func TestKeptDamaged(t *testing.T) {
	for name, hurt := range map[string]func([]byte) []byte{
		"cut":    func(b []byte) []byte { return b[:len(b)-2] },
		"turned": func(b []byte) []byte { b[len(b)-2] ^= 1; return b },
		"more":   func(b []byte) []byte { return append(b, "half a line"...) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			h := new(swap)
			h.open(t, path)
			if err := h.Transport().Publish(t.Context(), small(1), small(2), small(3)); err != nil {
				t.Fatal(err)
			}
			_, at, err := after(t, h.Hub, nil)
			if err = errors.Join(err, h.Close()); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, hurt(b), 0o666)
			}
			if err != nil {
				t.Fatal(err)
			}
			h.open(t, path)
			defer h.Close()
			if err := h.Transport().Publish(t.Context(), small(4)); err != nil {
				t.Fatal(err)
			}
			if _, _, err := after(t, h.Hub, at); !errors.Is(err, transports.ErrCursorLost) {
				t.Errorf("got %v, want ErrCursorLost", err)
			}
			if got, _, err := after(t, h.Hub, nil); err != nil || len(got) < 3 || got[1] != 2 || got[len(got)-1] != 4 {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	path := filepath.Join(t.TempDir(), "letter")
	if err := os.WriteFile(path, []byte("dear reader\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := mem.Open(path); err == nil {
		t.Error("a file of something else was taken")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "dear reader\n" {
		t.Errorf("it was changed: %q, %v", b, err)
	}
}

// TestLimit: the oldest go, and who had not read them is told.
func TestLimit(t *testing.T) {
	h := mem.New().Limit(1000)
	tr := h.Transport()
	var at transports.Cursor
	for i := range 100 {
		body := make([]byte, 100)
		body[0] = byte(i)
		if err := tr.Publish(t.Context(), transports.Package{DB: "d", Site: "a", From: uint64(i), To: uint64(i), ID: transports.PackageID(body), Body: body}); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			done := errors.New("done")
			if err := tr.Subscribe(t.Context(), "d", nil, func(b transports.Batch) error { at = b.Cursor; return done }); err != done {
				t.Fatal(err)
			}
		}
	}
	if n := h.Len(); n != 10 {
		t.Errorf("%d packages of 100 bytes within 1000", n)
	}
	if err := tr.Subscribe(t.Context(), "d", at, func(transports.Batch) error { return nil }); !errors.Is(err, transports.ErrCursorLost) {
		t.Errorf("got %v, want ErrCursorLost", err)
	}
}

// TestAnotherHub: a cursor of a hub that is gone is not taken for one of its successor.
func TestAnotherHub(t *testing.T) {
	var at transports.Cursor
	done := errors.New("done")
	for i := range 2 {
		tr := mem.New().Transport()
		for v := range uint64(3) {
			body := []byte{byte(i), byte(v)}
			if err := tr.Publish(t.Context(), transports.Package{DB: "d", Site: "a", From: v, To: v, ID: transports.PackageID(body), Body: body}); err != nil {
				t.Fatal(err)
			}
		}
		err := tr.Subscribe(t.Context(), "d", at, func(b transports.Batch) error { at = b.Cursor; return done })
		if i == 0 && err != done || i == 1 && !errors.Is(err, transports.ErrCursorLost) {
			t.Errorf("hub %d: %v", i, err)
		}
	}
}
