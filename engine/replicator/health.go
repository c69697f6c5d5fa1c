package replicator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/transports"
)

// checkTail looks whether the log still holds the newest package of this site, and notes what it has lost, so that it is
// published again. It runs in the outbox, between two packages.
func (l *link) checkTail(ctx context.Context) error {
	tailer, ok := l.t.(transports.Tailer)
	l.mu.Lock()
	due := l.tailDue
	l.mu.Unlock()
	if !ok || !due {
		return nil
	}
	self := l.r.site()
	l.mu.Lock()
	own := l.rec.Seen.prefix()[self]
	l.mu.Unlock()
	call, cancel := context.WithTimeout(ctx, l.r.o.Call)
	tail, err := tailer.Tail(call, l.r.o.DB, self.String())
	cancel()
	if err != nil {
		return err
	}
	if tail.ID == "" { // all of it is too old, or the log is another: then readers begin anew, with a snapshot if they have to
		if _, err := l.listSnapshots(ctx); err != nil {
			return err
		}
		l.mu.Lock()
		tail.To = uint64(l.snapHolds[self])
		l.mu.Unlock()
	}
	l.mu.Lock()
	l.tailDue = false
	l.mu.Unlock()
	if crdt.Version(tail.To) >= own {
		return nil
	}
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	floor, err := l.floor(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if floor[self] >= own {
		return nil // retention, and nobody misses it
	}
	l.count.TailLost++
	l.r.o.Log.Warn("the log has lost what it had accepted; publishing it again", "link", l.name, "db", l.r.o.DB, "has", tail.To, "had", uint64(own))
	l.rec.Seen.reduce(self, crdt.Version(tail.To), floor)
	return nil
}

// health looks after the log and tells others of this site, now and then.
func (l *link) health(ctx context.Context) {
	check := time.NewTicker(jittered(l.r.o.Health))
	defer check.Stop()
	tell := time.NewTimer(0)
	defer tell.Stop()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-check.C:
			l.mu.Lock()
			l.tailDue = true
			stale := l.r.now().Sub(l.saved) > recordEvery
			l.mu.Unlock()
			poke(l.kick)
			if l.announce(ctx, &told, false) != nil || !stale {
				continue
			}
			if err := l.save(ctx); err != nil {
				l.failed(ctx, "writing the state down", err)
			}
		case <-l.news:
			tell.Reset(settled) // it may be another again at once
		case <-tell.C:
			l.announce(ctx, &told, true)
			tell.Reset(jittered(l.r.o.Presence))
		}
	}
}

// settled is how long a state must have lasted before others are told of it.
const settled = 500 * time.Millisecond

// Info is what a site tells of itself, as JSON in transports.Sighting.Info.
type Info struct {
	Version crdt.Version       `json:"version"`          // its own
	Total   uint64             `json:"total"`            // versions of all sites that it has
	Digest  string             `json:"digest"`           // of its vector: two sites with one digest have the same
	Vector  crdt.VersionVector `json:"vector,omitempty"` // if it is not too long
	State   State              `json:"state"`            // of the link over which it tells
	Why     string             `json:"why,omitempty"`
	Program string             `json:"program"`
}

// maxTold is the number of sites up to which a vector is told whole.
const maxTold = 100

// announce tells others of this site, if there is something new to tell or if it is time.
func (l *link) announce(ctx context.Context, told *string, always bool) error {
	reg, ok := l.t.(transports.Registry)
	if !ok {
		return nil
	}
	l.r.mu.Lock()
	v, err := l.r.e.Vector(ctx)
	self := l.r.e.Site()
	l.r.mu.Unlock()
	if err != nil {
		return err
	}
	l.mu.Lock()
	state, site, why := l.cond.state()
	l.mu.Unlock()
	if site != "" {
		why = "site " + site + ": " + why
	}
	i := NewInfo(v, self)
	i.State, i.Why, i.Program = state, why, l.r.o.Program
	b, err := json.Marshal(i)
	if err != nil {
		return err
	}
	if !always && string(b) == *told {
		return nil
	}
	call, cancel := context.WithTimeout(ctx, l.r.o.Call)
	defer cancel()
	if err := reg.Announce(call, transports.Sighting{DB: l.r.o.DB, Site: self.String(), Info: b}); err != nil {
		l.r.o.Log.Debug("telling others of this site", "link", l.name, "error", err)
		return nil
	}
	*told = string(b)
	return nil
}

// NewInfo describes a site by its vector.
func NewInfo(v crdt.VersionVector, self crdt.Site) Info {
	i := Info{Version: v[self]}
	h := sha256.New()
	for _, s := range v.Sites() {
		i.Total += uint64(v[s])
		fmt.Fprintf(h, "%s %d\n", s, v[s])
	}
	i.Digest = hex.EncodeToString(h.Sum(nil)[:8])
	if len(v) <= maxTold {
		i.Vector = v
	}
	return i
}
