package replicator_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tributary-db/tributary/engine/replicator"
	"github.com/tributary-db/tributary/transports/fault"
	"github.com/tributary-db/tributary/transports/mem"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "seed of TestRandomFaults; 0: by the clock")
	stepsFlag = flag.Int("steps", 60, "steps of TestRandomFaults")
)

// TestRandomFaults: sites write at random while everything that can go wrong with a medium does, loops are stopped and
// started, and the log is lost; in the end all are equal.
func TestRandomFaults(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("again with: go test ./engine/replicator -run TestRandomFaults -seed %d -steps %d", seed, *stepsFlag)
	rng := rand.New(rand.NewPCG(seed, 0))
	h, dir := mem.New(), t.TempDir()
	rates := fault.Rates{Drop: .05, Double: .1, Delay: .1, Reorder: .2, Corrupt: .05, Refuse: .1, Unsure: .1}
	var faults []*fault.Transport
	links := func() []replicator.Link {
		f := fault.Wrap(h.Transport(), rng.Uint64(), rates)
		faults = append(faults, f)
		return []replicator.Link{link("hub", f)}
	}
	var sites []*site
	for i := range 5 {
		s := newSite(t, dir, fmt.Sprint("s", i), links)
		s.start()
		sites = append(sites, s)
	}
	for step := range *stepsFlag {
		s := sites[rng.IntN(len(sites))]
		for range rng.IntN(4) {
			id := rng.IntN(30)
			switch rng.IntN(4) {
			case 0:
				s.exec(fmt.Sprintf("DELETE FROM t WHERE id = %d", id))
			case 1:
				s.exec(fmt.Sprintf("UPDATE t SET b = %d WHERE id %% 7 = %d", step, id%7))
			default:
				s.exec(fmt.Sprintf("INSERT INTO t VALUES (%d, 's%d', %d) ON CONFLICT DO UPDATE SET a = excluded.a", id, step, rng.IntN(9)))
			}
		}
		switch rng.IntN(12) {
		case 0:
			if s.stop == nil {
				s.start()
			} else {
				s.halt()
			}
		case 1:
			faults[rng.IntN(len(faults))].Partition(rng.IntN(2) == 0)
		case 2:
			h.Truncate(rng.IntN(h.Len() + 1))
		case 3:
			h.Rollback(rng.IntN(min(h.Len(), 10) + 1))
		case 4:
			if rng.IntN(3) == 0 {
				h.Recreate()
			}
		}
	}
	rates = fault.Rates{}
	for _, f := range faults {
		f.Set(rates)
		f.Partition(false)
	}
	for _, s := range sites {
		if s.stop == nil {
			s.start()
		}
	}
	for i, s := range sites {
		s.exec(fmt.Sprintf("INSERT INTO t VALUES (%d, 'last', 1)", 1000+i))
	}
	converge(t, "", sites...)
	until(t, "all rows", func() bool { return sites[0].query("SELECT count(*) FROM t WHERE id >= 1000") == "5" })
	converge(t, "", sites...)
}
