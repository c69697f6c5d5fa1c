package replicator

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tributary-db/tributary/transports"
)

// Link names one transport. The name is where the link's record is kept: the same name after a restart goes on where it
// was; it must not hold secrets. The Replicator does not close the transport.
type Link struct {
	Name      string
	Transport transports.Transport
}

// Options adjusts a Replicator. DB and Links are needed; zero times mean the defaults.
type Options struct {
	DB    string // the database's name in the fleet: the same on all replicas
	Links []Link

	Idle  time.Duration // a package is closed when nothing was committed for so long; 20 ms
	Max   time.Duration // and after so long at the latest; 200 ms
	Count int           // and at so many changes; 256
	Bytes int           // packages are cut at about this size; 64 KiB

	Poll     time.Duration // how often the file is looked at without a file event; 1 s
	Gap      time.Duration // how long a missing version may take to come by itself, before a peer is asked; 5 s
	Exchange time.Duration // how often a peer is asked without a reason, plus or minus half; 10 min
	Health   time.Duration // how often the log's tail is looked at; 1 min
	Presence time.Duration // how often others are told of this site; 5 min, and soon after it made versions
	Relay    time.Duration // how long another may take to publish what this site has from elsewhere; 200 ms with several links, else 5 s
	Backoff  time.Duration // first pause after a failure, doubled up to a minute; 250 ms
	// Snapshot is how old the newest snapshot on a medium that keeps some may get before another is made, if there is
	// something new; some replica that is LIVE makes it. 6 h; negative: this one makes none. Also when so many bytes of
	// packages went by since (256 MiB, and no less than the last snapshot had), and when there is none.
	Snapshot      time.Duration
	SnapshotBytes int64

	Drain time.Duration // how long Run may go on publishing after its context has ended; 5 s
	Call  time.Duration // how long one call of a transport may take; 30 s

	// Events tells of writes to the database file sooner than Poll does. nil: file events of the operating system, where
	// there are some.
	Events func(path string) (events <-chan struct{}, stop func())
	// Log is told what an operator may want to know. nil: silent.
	Log *slog.Logger
	// Program names the software to others. "": "tributary".
	Program string
}

func (o Options) withDefaults() (Options, error) {
	if o.DB == "" {
		return o, errors.New("replicator: the database needs a name in the fleet")
	}
	if len(o.Links) == 0 {
		return o, errors.New("replicator: no transport to replicate over")
	}
	names := map[string]bool{}
	for _, l := range o.Links {
		if l.Transport == nil || l.Name == "" || names[l.Name] {
			return o, fmt.Errorf("replicator: link %q has no transport, or its name is used twice", l.Name)
		}
		names[l.Name] = true
	}
	relay := 5 * time.Second
	if len(o.Links) > 1 {
		relay = 200 * time.Millisecond
	}
	for _, d := range []struct {
		at   *time.Duration
		zero time.Duration
	}{
		{&o.Idle, 20 * time.Millisecond}, {&o.Max, 200 * time.Millisecond}, {&o.Poll, time.Second}, {&o.Gap, 5 * time.Second},
		{&o.Exchange, 10 * time.Minute}, {&o.Health, time.Minute}, {&o.Presence, 5 * time.Minute}, {&o.Relay, relay},
		{&o.Backoff, 250 * time.Millisecond}, {&o.Drain, 5 * time.Second}, {&o.Call, 30 * time.Second},
	} {
		if *d.at <= 0 {
			*d.at = d.zero
		}
	}
	if o.Snapshot == 0 {
		o.Snapshot = 6 * time.Hour
	}
	if o.SnapshotBytes <= 0 {
		o.SnapshotBytes = 256 << 20
	}
	if o.Count <= 0 {
		o.Count = 256
	}
	if o.Bytes <= 0 {
		o.Bytes = 64 << 10
	}
	if o.Events == nil {
		o.Events = FileEvents
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Program == "" {
		o.Program = "tributary"
	}
	return o, nil
}

// maxBackoff bounds the pause after failures.
const maxBackoff = time.Minute
