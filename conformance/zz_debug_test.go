package conformance_test

import (
	"fmt"
	"testing"

	"github.com/tributary-db/tributary/engine"
)

func debugCarry(t *testing.T, l *link, b []byte, r engine.ApplyResult) {
	p, err := engine.Inspect(b, host{}.Compressor())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("%s->%s (%d,%d] part %d starts %v ends %v bulk %v covers %v rows %d needs %v: %v %s released %d\n", l.from.name, l.to.name, p.Since, p.Until, p.Part, p.Starts, p.Ends, p.Bulk, p.Covers, len(p.Rows), p.Needs, r.State, r.Reason, r.Released)
}
