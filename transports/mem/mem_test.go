package mem_test

import (
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
