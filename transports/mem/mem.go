// Package mem carries packages inside one process: the reference for what a transport does, and a double for tests.
// A Hub is the medium; Transport hands out any number of handles on it. Nothing is kept beyond the process, except for the log of a Hub that was
// made by Open.
package mem

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tributary-db/tributary/transports"
)

// Hub is a log, a switchboard and a registry in memory. The zero value is not ready: use New.
type Hub struct {
	mu       sync.Mutex // guards all below
	epoch    uint64     // another one after Recreate: positions of another log mean nothing
	first    uint64     // position of log[0]
	log      []transports.Package
	stamps   []uint64        // what stood at a position, so that one that was used twice is noticed
	lastUsed uint64          // newest stamp
	ids      map[string]bool // in the log
	size     int64           // bytes in the log
	limit    int64           // of size; 0: none
	changed  chan struct{}   // closed and replaced when anything above changes
	peers    []*peer
	sites    map[string]transports.Sighting
	snaps    []kept   // oldest first
	journal  *journal // nil: the log is in memory alone
}

type peer struct {
	db, site string
	answer   transports.Answerer
}

// New makes an empty hub. Cursors of another one, such as that of an earlier process, mean nothing to it.
func New() *Hub {
	return &Hub{epoch: rand.Uint64(), first: 1, ids: map[string]bool{}, changed: make(chan struct{}), sites: map[string]transports.Sighting{}}
}

// Limit bounds the bytes of the log: the oldest packages go when it is exceeded, and who had not read them gets
// ErrCursorLost. 0: no bound. It returns h.
func (h *Hub) Limit(bytes int64) *Hub {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.limit = bytes
	h.trim()
	return h
}

// trim keeps the limit; the caller holds mu.
func (h *Hub) trim() {
	n, size := 0, h.size
	for h.limit > 0 && size > h.limit && n < len(h.log)-1 {
		size -= int64(len(h.log[n].Body))
		n++
	}
	if n > 0 {
		h.cutOldest(n)
	}
}

// Transport opens a handle.
func (h *Hub) Transport() *Transport {
	return &Transport{hub: h, closed: make(chan struct{})}
}

// touch wakes all subscribers; the caller holds mu.
func (h *Hub) touch() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// Transport is one handle on a Hub.
type Transport struct {
	hub    *Hub
	once   sync.Once
	closed chan struct{}
}

var (
	_ transports.Transport = (*Transport)(nil)
	_ transports.Tailer    = (*Transport)(nil)
	_ transports.Registry  = (*Transport)(nil)
	_ transports.Snapshots = (*Transport)(nil)
)

// Caps has both halves.
func (t *Transport) Caps() transports.Caps {
	c := transports.Caps{Log: true, Exchange: true, SiteOrder: true, Durability: transports.Accepted}
	if t.hub.journal != nil {
		c.Durability = transports.Synced
	}
	return c
}

// Close ends what runs on this handle; the hub and other handles go on.
func (t *Transport) Close() error {
	t.once.Do(func() { close(t.closed) })
	return nil
}

func (t *Transport) open(ctx context.Context) error {
	select {
	case <-t.closed:
		return transports.ErrClosed
	default:
		return ctx.Err()
	}
}

// Publish appends what the log does not have.
func (t *Transport) Publish(ctx context.Context, ps ...transports.Package) error {
	if err := t.open(ctx); err != nil {
		return err
	}
	h := t.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	var news []transports.Package
	taken := map[string]bool{}
	for _, p := range ps {
		if key := p.DB + "\x00" + p.ID; !h.ids[key] && !taken[key] {
			taken[key] = true
			p.Body = bytes.Clone(p.Body)
			news = append(news, p)
		}
	}
	if len(news) == 0 {
		return nil
	}
	if err := h.record(news); err != nil {
		return fmt.Errorf("mem: %w", err)
	}
	for _, p := range news {
		h.add(p, h.lastUsed+1)
	}
	h.trim()
	h.touch()
	return nil
}

// add appends a package; the caller holds mu.
func (h *Hub) add(p transports.Package, stamp uint64) {
	h.ids[p.DB+"\x00"+p.ID] = true
	h.log, h.stamps, h.lastUsed = append(h.log, p), append(h.stamps, stamp), stamp
	h.size += int64(len(p.Body))
}

// position is a cursor: the next position to read, and what stood before it.
type position struct{ epoch, next, stamp uint64 }

func (p position) cursor() transports.Cursor {
	b := make([]byte, 0, 24)
	for _, n := range []uint64{p.epoch, p.next, p.stamp} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

// parse reads a cursor; a foreign one is a lost one.
func (h *Hub) parse(c transports.Cursor) (position, error) {
	switch len(c) {
	case 0:
		return position{h.epoch, h.first, 0}, nil
	case 24:
		return position{binary.BigEndian.Uint64(c), binary.BigEndian.Uint64(c[8:]), binary.BigEndian.Uint64(c[16:])}, nil
	}
	return position{}, transports.ErrCursorLost
}

// holds says whether a position still means what it meant.
func (h *Hub) holds(p position) bool {
	if p.epoch != h.epoch || p.next < h.first || p.next > h.first+uint64(len(h.log)) {
		return false
	}
	return p.stamp == 0 || p.next == h.first || h.stamps[p.next-1-h.first] == p.stamp
}

// Subscribe hands out the log from a position on.
func (t *Transport) Subscribe(ctx context.Context, db string, from transports.Cursor, f func(transports.Batch) error) error {
	h := t.hub
	h.mu.Lock()
	at, err := h.parse(from)
	h.mu.Unlock()
	if err != nil {
		return err
	}
	told := false // that there is nothing newer
	for {
		if ctx.Err() != nil {
			return nil
		}
		if err := t.open(context.Background()); err != nil {
			return err
		}
		h.mu.Lock()
		changed := h.changed
		if !h.holds(at) {
			h.mu.Unlock()
			return transports.ErrCursorLost
		}
		b := h.cut(&at, db)
		h.mu.Unlock()
		if len(b.Packages) == 0 && told {
			select {
			case <-changed:
			case <-ctx.Done():
			case <-t.closed:
			}
			continue
		}
		told = b.Live
		if err := f(b); err != nil {
			return err
		}
	}
}

// cut takes the next batch and moves the position on; the caller holds mu.
func (h *Hub) cut(at *position, db string) (b transports.Batch) {
	size := 0
	end := h.first + uint64(len(h.log))
	for at.next < end && len(b.Packages) < transports.BatchPackages && size < transports.BatchBytes {
		p := h.log[at.next-h.first]
		at.stamp = h.stamps[at.next-h.first]
		at.next++
		if p.DB == db {
			p.Body = bytes.Clone(p.Body)
			b.Packages = append(b.Packages, p)
			size += len(p.Body)
		}
	}
	b.Cursor, b.Live = at.cursor(), at.next == end
	return b
}

// Serve answers until ctx ends.
func (t *Transport) Serve(ctx context.Context, db, site string, answer transports.Answerer) error {
	if err := t.open(ctx); err != nil {
		return err
	}
	h := t.hub
	p := &peer{db, site, answer}
	h.mu.Lock()
	h.peers = append(h.peers, p)
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		h.peers = slices.DeleteFunc(h.peers, func(q *peer) bool { return q == p })
		h.mu.Unlock()
	}()
	select {
	case <-ctx.Done():
		return nil
	case <-t.closed:
		return transports.ErrClosed
	}
}

// Ask asks the peer that has waited longest for a question.
func (t *Transport) Ask(ctx context.Context, r transports.Request) ([]transports.Package, error) {
	if err := t.open(ctx); err != nil {
		return nil, err
	}
	h := t.hub
	h.mu.Lock()
	i := slices.IndexFunc(h.peers, func(p *peer) bool {
		return p.db == r.DB && p.site != r.Site && (r.Peer == "" || r.Peer == p.site)
	})
	if i < 0 {
		h.mu.Unlock()
		return nil, transports.ErrNoPeer
	}
	p := h.peers[i]
	h.peers = append(slices.Delete(h.peers, i, i+1), p)
	h.mu.Unlock()
	ps, err := transports.Collect(ctx, r, p.answer)
	if err != nil {
		return nil, errors.New(err.Error()) // a peer's error is text
	}
	for i := range ps {
		ps[i].Body = bytes.Clone(ps[i].Body)
	}
	return ps, nil
}

// Tail is the newest package of a site.
func (t *Transport) Tail(ctx context.Context, db, site string) (transports.Package, error) {
	if err := t.open(ctx); err != nil {
		return transports.Package{}, err
	}
	h := t.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range slices.Backward(h.log) {
		if p.DB == db && p.Site == site {
			p.Body = nil
			return p, nil
		}
	}
	return transports.Package{}, nil
}

// Announce notes the last word of a site.
func (t *Transport) Announce(ctx context.Context, s transports.Sighting) error {
	if err := t.open(ctx); err != nil {
		return err
	}
	s.At = time.Now()
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	t.hub.sites[s.DB+"\x00"+s.Site] = s
	return nil
}

// Sites lists the last words.
func (t *Transport) Sites(ctx context.Context, db string) ([]transports.Sighting, error) {
	if err := t.open(ctx); err != nil {
		return nil, err
	}
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	var out []transports.Sighting
	for _, s := range t.hub.sites {
		if s.DB == db {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b transports.Sighting) int { return strings.Compare(a.Site, b.Site) })
	return out, nil
}
