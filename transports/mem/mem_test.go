package mem_test

import (
	"errors"
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
