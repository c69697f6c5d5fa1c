package sim

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
)

// History is a world that once showed something, with as few events as still show it. It is kept with its options and events, not by
// its seed alone: so it stays what it is when seeds are expanded in another way.
type History struct {
	Shows   string  // the planted bug that it has caught, or what was found
	Oracle  string  // that objected
	Options Options // of its seed, by which the events are run
	Events  []Event
}

//go:embed testdata/histories.jsonl
var histories []byte

// Histories are those that are kept, one in a line of testdata/histories.jsonl.
func Histories() ([]History, error) { return ReadHistories(bytes.NewReader(histories)) }

// ReadHistories reads lines of that form.
func ReadHistories(r io.Reader) (all []History, err error) {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields() // an option that is gone would make another world of it
	for {
		var h History
		if err := d.Decode(&h); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("history %d: %w", len(all)+1, err)
		}
		all = append(all, h)
	}
}

// Run runs it again. The error is nil, or a *Violation is in it, or it is what nothing that was done to the world explains.
func (h History) Run() (Stats, error) {
	stats, err := run(h.Options, h.Events)
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, h.Options)
	}
	return stats, err
}

// History is what to keep of a failure.
func (f *Failure) History(shows string) History {
	return History{shows, oracleOf(f.Err), f.Options, f.Events}
}
