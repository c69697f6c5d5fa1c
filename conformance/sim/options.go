package sim

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Options are what a seed is expanded to: the shape of one world. They are printed with a failure.
type Options struct {
	Seed   uint64
	Sites  int // at the start
	Events int

	Loss, Double, Damage int           // packages of a hundred
	Delay                time.Duration // of a package, at most
	MaxBytes             int           // of a package; small ones make sets of many parts
	MaxPending           int64         // bytes of waiting packages; 0: no bound that is ever met
	Skew                 time.Duration // of a wall clock, at most

	Base     bool // rows are there before the first replica is tracked, and the others are clones of it
	Enforce  bool // the application has foreign keys switched on
	Crashes  bool // the power goes
	Full     bool // disks are full, or fail
	Restores bool // files are copied, cloned and restored
	Images   bool // and some with all that is beside them, as the image of a disk is
	Schema   bool // columns and tables come and go
	Compact  bool // tombstones are removed
	JSON     bool // packages travel in both forms
	Eventual bool // most packages are applied at once, whatever they need
	Breaks   bool // who pulls leaves off, and goes on where it was when others have written
	Two      bool // the application has a connection of its own, beside the engine's

	Focus Focus // what most edits are about
	Most  int   // how many sites copies and clones may make it
}

// maxSites bounds Sites and Most.
const maxSites = 6

// Expand makes the options of a seed.
func Expand(seed uint64) Options {
	r := rand.New(rand.NewPCG(seed, 0x51))
	yes := func(percent int) bool { return r.IntN(100) < percent }
	o := Options{Seed: seed, Sites: 2 + r.IntN(3), Most: maxSites, Events: 40 + r.IntN(120), MaxBytes: 100 + r.IntN(3000)}
	if yes(80) {
		o.Loss, o.Double, o.Delay = r.IntN(40), r.IntN(40), time.Duration(r.IntN(30))*time.Second
	}
	if yes(40) {
		o.Damage = r.IntN(20)
	}
	if yes(20) {
		o.MaxPending = int64(2000 + r.IntN(20000))
	}
	if yes(60) {
		o.Skew = time.Duration(r.IntN(90)) * time.Second
	}
	o.Base, o.Enforce, o.Crashes, o.Full, o.Restores, o.Schema, o.Compact, o.JSON = yes(40), yes(50), yes(60), yes(40), yes(40), yes(50), yes(40), yes(30)
	o.Eventual, o.Two = yes(12), yes(25)
	o.draw(r)
	o.Full = o.Full && !o.Two // who is at fault when two are at a disk that fails is not told apart
	o.Images, o.Breaks = o.Restores && yes(60), yes(30) || o.Focus == Parts
	return o
}

// String gives the options in a line.
func (o Options) String() string {
	s := fmt.Sprintf("seed=%d sites=%d events=%d loss=%d%% double=%d%% damage=%d%% delay=%s bytes=%d pending=%d skew=%s", o.Seed, o.Sites, o.Events,
		o.Loss, o.Double, o.Damage, o.Delay, o.MaxBytes, o.MaxPending, o.Skew)
	for _, f := range []struct {
		on   bool
		name string
	}{{o.Base, "base"}, {o.Enforce, "enforce"}, {o.Crashes, "crashes"}, {o.Full, "full"}, {o.Restores, "restores"}, {o.Schema, "schema"}, {o.Compact, "compact"}, {o.JSON, "json"}, {o.Eventual, "eventual"}, {o.Images, "images"}, {o.Breaks, "breaks"}, {o.Two, "two"}} {
		if f.on {
			s += " " + f.name
		}
	}
	if o.Focus != Anything {
		s += " focus=" + string(o.Focus)
	}
	return s
}

// Kind is what an event does.
type Kind string

// The events.
const (
	Write     Kind = "write"     // the application of a site writes
	Send      Kind = "send"      // a site sends another what it lacks, through the network
	Sync      Kind = "sync"      // two sites talk directly
	Burst     Kind = "burst"     // a site sends sets that overlap, of which some packages arrive
	Late      Kind = "late"      // a broker delivers something old once more
	Fold      Kind = "fold"      // a site folds, and is looked at
	Compact   Kind = "compact"   // a site forgets what it may
	Settle    Kind = "settle"    // all talk to all, and forget what they may then
	Retire    Kind = "retire"    // and no longer waits for the identities that nobody goes by
	Crash     Kind = "crash"     // the power goes, now or during what comes next
	Full      Kind = "full"      // the disk fails for a while
	Partition Kind = "partition" // a link is cut for a while
	Clock     Kind = "clock"     // a wall clock jumps
	Migrate   Kind = "migrate"   // a site gets the next version of the schema
	Backup    Kind = "backup"    // a file is put away
	Restore   Kind = "restore"   // and put back
	Copy      Kind = "copy"      // a file is copied to a new place, in one of several ways
)

// Event is one thing that happens. A and B name sites, modulo how many there are by then.
type Event struct {
	N    int // number in the list of its seed
	Kind Kind
	A, B int
	Seed uint64
	Wait time.Duration // since the event before
}

func (e Event) String() string {
	return fmt.Sprintf("%d: %s %d %d after %s", e.N, e.Kind, e.A, e.B, e.Wait)
}

// List draws the events of the options' seed.
func (o Options) List() []Event {
	r := rand.New(rand.NewPCG(o.Seed, 0xe7))
	kinds := []struct {
		kind   Kind
		weight int
		on     bool
	}{
		{Write, 34, true}, {Send, 26, true}, {Sync, 8, true}, {Late, 5, true}, {Fold, 5, true}, {Compact, 4, o.Compact}, {Crash, 6, o.Crashes}, {Crash, 10, o.Crashes && o.Two},
		// Where files go back, much must be forgotten meanwhile, or nobody ever lacks a delete.
		{Sync, 10, o.Compact && o.Restores}, {Compact, 6, o.Compact && o.Restores}, {Retire, 4, o.Compact && o.Restores},
		{Settle, 14, o.Focus == Deletes}, {Copy, 3, o.Focus == Deletes}, {Backup, 8, o.Focus == Deletes}, {Restore, 8, o.Focus == Deletes},
		{Settle, 10, o.Focus == Alike}, {Settle, 6, o.Focus == Columns}, {Migrate, 4, o.Focus == Columns}, {Burst, 30, o.Focus == Parts},
		{Full, 7, o.Full}, {Partition, 2, true}, {Clock, 3, o.Skew > 0}, {Migrate, 4, o.Schema}, {Backup, 2, o.Restores}, {Restore, 5, o.Restores}, {Copy, 3, o.Restores},
	}
	total := 0
	for _, k := range kinds {
		if k.on {
			total += k.weight
		}
	}
	list := make([]Event, o.Events)
	for i := range list {
		e := Event{N: i, A: r.IntN(maxSites), B: r.IntN(maxSites), Seed: r.Uint64(), Wait: time.Duration(r.IntN(4000)) * time.Millisecond}
		if r.IntN(6) == 0 || o.Focus == Alike && r.IntN(2) == 0 {
			e.Wait = 0 // so that two sites write in one millisecond, and something else than time decides
		}
		at := r.IntN(total)
		for _, k := range kinds {
			if !k.on {
				continue
			}
			if at -= k.weight; at < 0 {
				e.Kind = k.kind
				break
			}
		}
		list[i] = e
	}
	return list
}
