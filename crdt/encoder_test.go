package crdt

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// TestEncoder has one Encoder write packages after each other that have more, fewer and other parts: nothing of one may show
// in the next, nor a failure in between.
func TestEncoder(t *testing.T) {
	var e Encoder
	rapid.Check(t, func(t *rapid.T) {
		p := drawPackage(t)
		want, err := p.Append(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.Append([]byte("before"), p, nil)
		if err != nil || !bytes.Equal(got, append([]byte("before"), want...)) {
			t.Fatalf("the package is written otherwise after others than alone: %v", err)
		}
		if _, err := e.Append(nil, &Package{Since: 2, Until: 1}, nil); err == nil {
			t.Fatal("an impossible package is written")
		}
	})
}
