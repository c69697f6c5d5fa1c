package replicator

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tributary-db/tributary/transports"
)

// State says how a link is doing.
type State string

// The states, the worst first: a link to which several apply is in the first of them.
const (
	StateClone         State = "CLONE"          // another replica goes on under this site's identity
	StateOffline       State = "OFFLINE"        // the medium cannot be reached, or the loop is not running
	StateCursorLost    State = "CURSOR_LOST"    // the log lost this replica's position; it begins anew and asks peers
	StateNeedsSnapshot State = "NEEDS_SNAPSHOT" // what is missing is neither in the log nor with a peer that answers nor in a snapshot
	StateStalled       State = "STALLED"        // packages of a site cannot be applied; those of others go on
	StateCatchingUp    State = "CATCHING_UP"    // the log has more than has been read
	StateLive          State = "LIVE"
)

// States lists all of them.
var States = []State{StateClone, StateOffline, StateCursorLost, StateNeedsSnapshot, StateStalled, StateCatchingUp, StateLive}

// Status is a link at a glance. Counters begin anew with each run.
type Status struct {
	Link       string    `json:"link"`
	DB         string    `json:"db"`
	State      State     `json:"state"`
	Why        string    `json:"why,omitempty"`
	Missing    string    `json:"missing,omitempty"` // what the link needs a peer or a snapshot for, in any state
	Site       string    `json:"site,omitempty"`    // with STALLED: whose packages
	Since      time.Time `json:"since"`             // when the state began
	At         time.Time `json:"at"`                // when this was written
	Durability string    `json:"durability"`        // what Publish promises
	// The newest snapshot on the medium when it was last asked; zero: there was none.
	SnapshotAt   time.Time `json:"snapshot_at,omitzero"`
	SnapshotSize int64     `json:"snapshot_size,omitempty"`
	Counters
}

// Stopped says that the link was closed down: beside one that runs, it is of an earlier run.
func (s Status) Stopped() bool { return s.State == StateOffline && s.Why == whyStopped }

// Counters count events of one link. Bytes are bytes of packages.
type Counters struct {
	Published      int64 `json:"published"` // packages
	PublishedBytes int64 `json:"published_bytes"`
	Received       int64 `json:"received"` // packages, from the log and in answers
	ReceivedBytes  int64 `json:"received_bytes"`
	Applied        int64 `json:"applied"`    // packages that were news
	Duplicates     int64 `json:"duplicates"` // packages that were not
	Own            int64 `json:"own"`        // packages of this site that came back
	Waiting        int64 `json:"waiting"`    // packages that came too early
	Refused        int64 `json:"refused"`    // packages that were kept aside
	Corrupt        int64 `json:"corrupt"`    // packages whose bytes are not those of their name
	Forged         int64 `json:"forged"`     // packages that are not from whom they say
	Dropped        int64 `json:"dropped"`    // packages for which there was no room to wait
	Asked          int64 `json:"asked"`      // requests to peers
	Answered       int64 `json:"answered"`   // requests of peers
	CursorLost     int64 `json:"cursor_lost"`
	TailLost       int64 `json:"tail_lost"` // times that the log had lost what it had accepted
	Errors         int64 `json:"errors"`    // failed calls of the transport

	SnapshotsMade    int64 `json:"snapshots_made"`
	SnapshotsTaken   int64 `json:"snapshots_taken"`   // merged here
	SnapshotsRefused int64 `json:"snapshots_refused"` // damaged, of a newer format, or of no help here
}

// condition is what the state of a link is derived from; the link's mu guards it.
type condition struct {
	clone, rival, offline, lost, snapshot string            // why, "" for not so; a rival may go away, a clone has done its harm
	stalled                               map[string]string // site -> why
	live                                  bool
}

// state picks the worst.
func (c *condition) state() (s State, site, why string) {
	switch {
	case c.clone != "":
		return StateClone, "", c.clone
	case c.rival != "":
		return StateClone, "", c.rival
	case c.offline != "":
		return StateOffline, "", c.offline
	case c.lost != "":
		return StateCursorLost, "", c.lost
	case c.snapshot != "":
		return StateNeedsSnapshot, "", c.snapshot
	case len(c.stalled) > 0:
		site := slices.Min(slices.Collect(maps.Keys(c.stalled)))
		why := c.stalled[site]
		if n := len(c.stalled) - 1; n > 0 {
			why += fmt.Sprintf("; and %d more sites", n)
		}
		return StateStalled, site, why
	case !c.live:
		return StateCatchingUp, "", ""
	}
	return StateLive, "", ""
}

// Status lists the links in the order of Options.Links.
func (r *Replicator) Status() []Status {
	var out []Status
	for _, l := range r.links {
		l.mu.Lock()
		out = append(out, l.status())
		l.mu.Unlock()
	}
	return out
}

// Transport gives the transport of a link, for its own counters; nil: there is no such link.
func (r *Replicator) Transport(link string) transports.Transport {
	for _, l := range r.links {
		if l.name == link {
			return l.t
		}
	}
	return nil
}
