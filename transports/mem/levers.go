package mem

import (
	"slices"

	"github.com/tributary-db/tributary/transports"
)

// What can happen to a broker can be done to a Hub.

// Truncate forgets the oldest n packages.
func (h *Hub) Truncate(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cutOldest(min(n, len(h.log)))
	h.touch()
}

func (h *Hub) cutOldest(n int) {
	h.forget(h.log[:n])
	h.log, h.stamps = slices.Clone(h.log[n:]), slices.Clone(h.stamps[n:])
	h.first += uint64(n)
}

// Recreate is a new log under the same name.
func (h *Hub) Recreate() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forget(h.log)
	h.epoch, h.first, h.log, h.stamps = h.epoch+1, 1, nil, nil
	h.rewritten()
	h.touch()
}

// Rollback forgets the newest n packages, as a broker does that was restored from a backup; what is published next
// takes their positions.
func (h *Hub) Rollback(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	keep := len(h.log) - min(n, len(h.log))
	h.forget(h.log[keep:])
	h.log, h.stamps = slices.Clone(h.log[:keep]), slices.Clone(h.stamps[:keep])
	h.rewritten()
	h.touch()
}

// rewritten brings a file to what the log has become; the caller holds mu.
func (h *Hub) rewritten() {
	if h.journal != nil {
		h.journal.err = h.rewrite()
	}
}

// Len is the number of packages in the log.
func (h *Hub) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.log)
}

func (h *Hub) forget(ps []transports.Package) {
	for _, p := range ps {
		delete(h.ids, p.DB+"\x00"+p.ID)
		h.size -= int64(len(p.Body))
	}
}
