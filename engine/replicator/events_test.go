package replicator_test

import (
	"context"
	"testing"
	"time"

	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/replicator"
	"github.com/tributary-db/tributary/transports/mem"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

// TestFileEvents: commits of others are noticed without polling, although a commit can be seen only after the last event.
func TestFileEvents(t *testing.T) {
	h, dir := mem.New(), t.TempDir()
	a := newSite(t, dir, "a", over(h))
	probe, stop := replicator.FileEvents(a.path)
	a.exec(insert(0, "probe"))
	select {
	case <-probe:
		stop()
	case <-time.After(patience):
		stop()
		t.Skip("this system has no file events")
	}
	db := openDB(t, a.path)
	conn := ncruces.NewConn(db)
	e, err := engine.Open(t.Context(), conn, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := quick(replicator.Options{Links: over(h)()})
	o.Poll, o.Health, o.Exchange = time.Hour, time.Hour, time.Hour
	r, err := replicator.New(e, conn, o)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- r.Run(ctx) }()
	until(t, "the first package", func() bool { return h.Len() == 1 })
	for i := range 10 {
		a.exec(insert(100+i, "x"))
		until(t, "a package for each commit", func() bool { return h.Len() == 2+i })
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	e.Close()
	db.Close()
}
