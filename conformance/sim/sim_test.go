package sim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tributary-db/tributary/conformance/sim"
)

var (
	seed   = flag.Uint64("seed", 0, "run this seed alone, and say what happens")
	first  = flag.Uint64("first", 1, "the first seed")
	step   = flag.Uint64("step", 1, "every so many seeds: of 7 in turn each has another focus")
	seeds  = flag.Int("seeds", 60, "how many seeds to run")
	limit  = flag.Duration("time", 25*time.Second, "start no seed after this time")
	only   = flag.String("only", "", "of the seed, only the events with these numbers, joined by commas")
	shrink = flag.Duration("shrink", 2*time.Minute, "for how long to look for a shorter history of a seed that fails")
	keep   = flag.String("keep", "", "write the failure into this file, as a line for testdata/histories.jsonl")
	replay = flag.String("replay", "", "of TestHistories: run those of this file, and not the ones that are kept")
	goOn   = flag.Bool("go-on", false, "do not stop at the first seed that fails, and shrink none")
)

// TestHistories runs the worlds that have shown something before, each of a few events: most of them are what showed
// a planted bug.
func TestHistories(t *testing.T) {
	all, err := sim.Histories()
	if *replay != "" {
		var b []byte
		if b, err = os.ReadFile(*replay); err == nil {
			all, err = sim.ReadHistories(bytes.NewReader(b))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range all {
		t.Run(strings.ReplaceAll(h.Shows, " ", "_"), func(t *testing.T) {
			if _, err := h.Run(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestSim runs worlds, see the package comment. What it covers in a given time depends on the machine; which seeds fail
// does not.
func TestSim(t *testing.T) {
	from, n := *first, *seeds
	if *seed != 0 {
		from, n = *seed, 1
	}
	if testing.Short() && !asked("seeds") {
		n = min(n, 8)
	}
	var events []int
	if *only != "" {
		for s := range strings.SplitSeq(*only, ",") {
			var e int
			if _, err := fmt.Sscan(s, &e); err != nil {
				t.Fatal(err)
			}
			events = append(events, e)
		}
	}
	begin := time.Now()
	var total sim.Stats
	ran, findings := 0, 0
	for ; ran < n && (ran == 0 || time.Since(begin) < *limit); ran++ {
		stats, err := sim.RunEvents(sim.Expand(from+uint64(ran)**step), events)
		total.Add(stats)
		if f := (*sim.Failure)(nil); errors.As(err, &f) {
			findings++
			if *goOn {
				t.Errorf("%.1500v\n%s", f.Err, f.Options)
				continue
			}
			if events == nil {
				f = sim.Shrink(f, *shrink)
			}
			if err := write(*keep, f); err != nil {
				t.Error(err)
			}
			t.Fatal(f)
		}
	}
	t.Logf("seeds %d to %d in %s, %d findings: %s", from, from+uint64(ran-1)**step, time.Since(begin).Round(time.Second), findings, total)
	if *seed == 0 && *step == 1 && ran >= 8 && (total.Cuts == 0 || total.Lost == 0 || total.Faults == 0 || total.Dropped == 0 || total.Restores == 0 || total.Copies == 0 || total.Models == 0) {
		t.Error("a kind of fault never came up: the world is too kind")
	}
}

// write keeps a failure.
func write(name string, f *sim.Failure) error {
	if name == "" {
		return nil
	}
	line, err := json.Marshal(f.History(""))
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(line, '\n'), 0o644)
}

// TestSameSeed runs one seed twice. Were anything drawn outside of the seed, a failure could not be repeated.
func TestSameSeed(t *testing.T) {
	const seed = 5
	a, err := sim.Run(seed)
	if err != nil {
		t.Fatal(err)
	}
	b, err := sim.Run(seed)
	if err != nil || a != b {
		t.Errorf("seed %d went through\n%+v and then\n%+v (%v)", seed, a, b, err)
	}
	if a.Packages == 0 {
		t.Error("the seed sends nothing")
	}
}

// asked says whether a flag was given.
func asked(name string) (yes bool) {
	flag.Visit(func(f *flag.Flag) { yes = yes || f.Name == name })
	return yes
}
