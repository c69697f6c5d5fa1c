package sim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Failure is a seed under which something happened that must not.
type Failure struct {
	Options Options
	Events  []Event // as few as still fail
	Of      int     // how many there were
	Err     error
}

func (f *Failure) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v\n%s\n", f.Err, f.Options)
	var numbers []string
	for _, e := range f.Events {
		fmt.Fprintf(&b, "  %s\n", e)
		numbers = append(numbers, fmt.Sprint(e.N))
	}
	only := ""
	if len(f.Events) < f.Of {
		only = " -only=" + strings.Join(numbers, ",")
	}
	fmt.Fprintf(&b, "again: go test ./conformance/sim -run 'TestSim$' -seed=%d%s", f.Options.Seed, only)
	return b.String()
}

func (f *Failure) Unwrap() error { return f.Err }

// Run runs one seed. It returns nil or a *Failure.
func Run(seed uint64) (Stats, error) { return RunEvents(Expand(seed), nil) }

// RunEvents runs a world with given options and only some of its events, all of them if only is nil.
func RunEvents(o Options, only []int) (Stats, error) {
	events := o.List()
	all := len(events)
	if only != nil {
		events = slices.DeleteFunc(events, func(e Event) bool { return !slices.Contains(only, e.N) })
	}
	stats, err := run(o, events)
	if err != nil {
		return stats, &Failure{o, events, all, err}
	}
	return stats, nil
}

// Shrink leaves out events as long as the same oracle still objects, until nothing more can go or the time is over.
func Shrink(f *Failure, limit time.Duration) *Failure {
	end := time.Now().Add(limit)
	best := *f
	for size := max(1, len(best.Events)/2); ; size = max(1, size/2) {
		smaller := false
		for from := 0; from < len(best.Events) && time.Now().Before(end); {
			rest := slices.Concat(best.Events[:from], best.Events[min(from+size, len(best.Events)):])
			if _, err := run(f.Options, rest); err != nil && oracleOf(err) == oracleOf(f.Err) {
				best.Events, best.Err, smaller = rest, err, true
			} else {
				from += size
			}
		}
		if size == 1 && !smaller || !time.Now().Before(end) {
			return &best
		}
	}
}

// oracleOf names what an error violates; all errors that are no violation count as one.
func oracleOf(err error) string {
	if v := (*Violation)(nil); errors.As(err, &v) {
		return v.Oracle
	}
	return "error"
}
