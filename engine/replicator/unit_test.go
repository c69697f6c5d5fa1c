package replicator

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/tributary-db/tributary/crdt"
)

func TestBatcher(t *testing.T) {
	start := time.Unix(1000, 0)
	ms := func(n int) time.Time { return start.Add(time.Duration(n) * time.Millisecond) }
	type look struct {
		at      int
		changed bool
		n       int64
		publish bool
	}
	for name, looks := range map[string][]look{
		"the first goes at once":          {{0, true, 1, true}, {5, false, 0, false}},
		"what follows gathers until idle": {{0, true, 1, true}, {5, true, 1, false}, {20, true, 2, false}, {39, false, 0, false}, {40, false, 0, true}},
		"but not for longer than max": {{0, true, 1, true}, {10, true, 1, false}, {25, true, 2, false}, {40, true, 3, false}, {55, true, 3, false}, {70, true, 3, false},
			{85, true, 3, false}, {100, true, 3, false}, {115, true, 3, false}, {130, true, 3, false}, {145, true, 3, false}, {160, true, 3, false}, {175, true, 3, false},
			{190, true, 3, false}, {205, true, 4, false}, {210, false, 0, true}},
		"many go at once":                      {{0, true, 1, true}, {5, true, 256, true}},
		"after a pause the first is at once":   {{0, true, 1, true}, {5, true, 1, false}, {25, false, 0, true}, {300, true, 1, true}},
		"a commit of nothing of ours can wait": {{0, true, 0, false}, {20, false, 0, true}},
	} {
		b := batcher{idle: 20 * time.Millisecond, max: 200 * time.Millisecond, count: 256}
		for _, l := range looks {
			if got := b.see(ms(l.at), l.changed, l.n); got != l.publish {
				t.Errorf("%s: at %d ms: publish %v, want %v", name, l.at, got, l.publish)
			}
		}
	}
}

func TestSeen(t *testing.T) {
	a, b := crdt.Site{1}, crdt.Site{2}
	var s seen
	s.add(a, 1, 3)
	s.add(a, 6, 7)
	s.add(b, 1, 2)
	if got := s.lacks(crdt.VersionVector{a: 3, b: 2}); len(got) != 0 {
		t.Errorf("lacks %v", got)
	}
	if got := s.lacks(crdt.VersionVector{a: 7, b: 2}); len(got) != 1 || got[0] != a {
		t.Errorf("a gap: lacks %v", got)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var again seen
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if more, _ := json.Marshal(again); string(more) != string(text) {
		t.Errorf("%s became %s", text, more)
	}
	c := s.clone()
	c.add(a, 4, 5)
	if s.prefix()[a] != 3 || c.prefix()[a] != 7 {
		t.Errorf("a clone shares: %v %v", s.prefix(), c.prefix())
	}
	c.reduce(a, 5, crdt.VersionVector{b: 1})
	if p := c.prefix(); p[a] != 5 || p[b] != 1 {
		t.Errorf("reduced to %v", p)
	}
	c.reduce(crdt.Site{}, 0, crdt.VersionVector{a: 2})
	if p := c.prefix(); p[a] != 2 || p[b] != 0 {
		t.Errorf("reduced to %v", p)
	}
}

func TestWorstStateWins(t *testing.T) {
	c := condition{clone: "1", offline: "2", lost: "3", snapshot: "4", stalled: map[string]string{"s": "5"}}
	for i, undo := range []func(){
		func() { c.clone = "" }, func() { c.offline = "" }, func() { c.lost = "" }, func() { c.snapshot = "" },
		func() { clear(c.stalled) }, func() { c.live = true }, func() {},
	} {
		if s, _, _ := c.state(); s != States[i] {
			t.Errorf("%s, want %s", s, States[i])
		}
		undo()
	}
}
