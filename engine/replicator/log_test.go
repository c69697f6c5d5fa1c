package replicator_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/replicator"
	"github.com/tributary-db/tributary/transports"
	"github.com/tributary-db/tributary/transports/fault"
	"github.com/tributary-db/tributary/transports/mem"
)

// journal is what an operator sees.
type journal struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) to(o *replicator.Options) { o.Log = slog.New(slog.NewTextHandler(j, nil)) }

// TestLogAway: a medium that is away is worth some lines, not some for every attempt, and it is told when it is back and when it
// goes again.
func TestLogAway(t *testing.T) {
	h, dir := mem.New(), t.TempDir()
	f := fault.Wrap(h.Transport(), 1, fault.Rates{})
	f.Partition(true)
	a := newSite(t, dir, "a", func() []replicator.Link { return []replicator.Link{link("hub", f)} })
	var j journal
	a.tune = j.to
	a.start()
	for n := range 2 {
		errors := a.r.Status()[0].Errors
		until(t, "many attempts", func() bool { return a.r.Status()[0].Errors > errors+10 })
		if got := strings.Count(j.String(), "level=WARN"); got < 1+n || got > 2*(1+n) {
			t.Errorf("%d warnings:\n%s", got, j.String())
		}
		if !strings.Contains(j.String(), "level=WARN msg=link ") {
			t.Errorf("the state is no warning:\n%s", j.String())
		}
		f.Partition(false)
		until(t, "live", func() bool { return state(a, 0) == replicator.StateLive })
		f.Partition(true)
		until(t, "offline", func() bool { return state(a, 0) == replicator.StateOffline })
	}
}

// stuck never answers a Publish.
type stuck struct{ transports.Transport }

func (stuck) Publish(ctx context.Context, _ ...transports.Package) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestStopStuck: a medium that does not answer neither keeps the loop from ending nor its end from being written down.
func TestStopStuck(t *testing.T) {
	h, dir := mem.New(), t.TempDir()
	a := newSite(t, dir, "a", func() []replicator.Link { return []replicator.Link{link("hub", stuck{h.Transport()})} })
	var j journal
	a.tune = func(o *replicator.Options) {
		j.to(o)
		o.Drain = 10 * time.Millisecond
	}
	a.start()
	until(t, "live", func() bool { return state(a, 0) == replicator.StateLive })
	a.exec(insert(1, "a"))
	a.halt()
	a.with(func(e *engine.Engine) {
		list, err := replicator.Recorded(t.Context(), e)
		if err != nil || len(list) != 1 || !list[0].Stopped() {
			t.Errorf("%+v, %v", list, err)
		}
	})
	if strings.Contains(j.String(), "writing the state down") {
		t.Error(j.String())
	}
}
