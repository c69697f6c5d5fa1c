package fault_test

import (
	"errors"
	"testing"

	"github.com/tributary-db/tributary/conformance"
	"github.com/tributary-db/tributary/transports"
	"github.com/tributary-db/tributary/transports/fault"
	"github.com/tributary-db/tributary/transports/mem"
)

// TestTransport: without rates the wrapper is the transport.
func TestTransport(t *testing.T) {
	conformance.TestTransport(t, func(t *testing.T) *conformance.Medium {
		h := mem.New()
		return &conformance.Medium{
			Open:     func(*testing.T) transports.Transport { return fault.Wrap(h.Transport(), 1, fault.Rates{}) },
			Truncate: func(*testing.T) { h.Truncate(h.Len() / 2) },
			Recreate: func(*testing.T) { h.Recreate() },
			Cannot:   map[string]string{"Restart": "see mem", "Corrupt": "see mem", "Rollback": "see mem"},
		}
	})
}

func packages(n int) (out []transports.Package) {
	for i := range n {
		body := []byte{byte(i), byte(i >> 8), 1}
		out = append(out, transports.Package{DB: "d", Site: "a", From: uint64(i + 1), To: uint64(i + 1), ID: transports.PackageID(body), Body: body})
	}
	return out
}

// TestFaults: each fault does what its name says, and the same seed does it again.
func TestFaults(t *testing.T) {
	run := func(seed uint64, r fault.Rates) (order []uint64, damaged int, counts map[string]int64) {
		h := mem.New()
		if err := h.Transport().Publish(t.Context(), packages(200)...); err != nil {
			t.Fatal(err)
		}
		tr := fault.Wrap(h.Transport(), seed, r)
		done := errors.New("done")
		err := tr.Subscribe(t.Context(), "d", nil, func(b transports.Batch) error {
			for _, p := range b.Packages {
				if order = append(order, p.From); !p.Intact() {
					damaged++
				}
			}
			return done
		})
		if err != done {
			t.Fatal(err)
		}
		return order, damaged, tr.Counts()
	}
	sorted := func(l []uint64) bool {
		for i := 1; i < len(l); i++ {
			if l[i] < l[i-1] {
				return false
			}
		}
		return true
	}
	if l, _, c := run(1, fault.Rates{Drop: .5}); len(l) >= 200 || int64(200-len(l)) != c["drop"] {
		t.Errorf("drop: %d, %v", len(l), c)
	}
	if l, _, c := run(1, fault.Rates{Double: .5}); len(l) <= 200 || int64(len(l)-200) != c["double"] {
		t.Errorf("double: %d, %v", len(l), c)
	}
	if l, _, _ := run(1, fault.Rates{Reorder: 1}); sorted(l) {
		t.Error("reorder: in order")
	}
	if _, n, c := run(1, fault.Rates{Corrupt: .5}); n == 0 || int64(n) != c["corrupt"] {
		t.Errorf("corrupt: %d, %v", n, c)
	}
	if l, _, c := run(1, fault.Rates{Delay: .5}); len(l) >= 200 || c["delay"] == 0 {
		t.Errorf("delay: %d, %v", len(l), c)
	}
	a, _, _ := run(7, fault.Rates{Drop: .2, Reorder: 1})
	b, _, _ := run(7, fault.Rates{Drop: .2, Reorder: 1})
	if len(a) != len(b) || a[0] != b[0] || a[len(a)-1] != b[len(b)-1] {
		t.Error("the same seed gave another run")
	}
}

func TestPublishFaults(t *testing.T) {
	h := mem.New()
	tr := fault.Wrap(h.Transport(), 1, fault.Rates{Refuse: 1})
	if err := tr.Publish(t.Context(), packages(1)...); !errors.Is(err, fault.ErrInjected) || h.Len() != 0 {
		t.Errorf("refuse: %v, %d in the log", err, h.Len())
	}
	tr.Set(fault.Rates{Unsure: 1})
	if err := tr.Publish(t.Context(), packages(1)...); !errors.Is(err, fault.ErrInjected) || h.Len() != 1 {
		t.Errorf("unsure: %v, %d in the log", err, h.Len())
	}
	tr.Set(fault.Rates{})
	attached, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- tr.Subscribe(t.Context(), "d", nil, func(transports.Batch) error { close(attached); return nil })
	}()
	<-attached
	tr.Partition(true)
	if err := <-ended; !errors.Is(err, fault.ErrInjected) {
		t.Errorf("a subscription over a cut: %v", err)
	}
	if err := tr.Publish(t.Context(), packages(1)...); !errors.Is(err, fault.ErrInjected) {
		t.Errorf("publish over a cut: %v", err)
	}
	tr.Partition(false)
	if err := tr.Publish(t.Context(), packages(1)...); err != nil {
		t.Error(err)
	}
}
