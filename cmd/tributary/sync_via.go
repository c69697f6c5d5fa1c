package main

import (
	"context"
	"fmt"
	"time"

	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/replicator"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

// syncedVia counts packages.
type syncedVia struct {
	Database     string `json:"database"`
	Address      string `json:"address"`
	Name         string `json:"name"`
	Published    int64  `json:"published"`
	Received     int64  `json:"received"`
	Applied      int64  `json:"applied"`
	Waiting      int64  `json:"waiting"` // that wait for others, also from earlier rounds
	Refused      int64  `json:"refused"`
	Snapshots    int64  `json:"snapshots"`         // merged
	Missing      string `json:"missing,omitempty"` // what a peer or a snapshot has to bring
	Milliseconds int64  `json:"milliseconds"`
}

// syncVia does one round over a medium.
func (a *app) syncVia(ctx context.Context, arg, address string, c credentials, asJSON bool) error {
	start := time.Now()
	name, file := named(arg)
	d, err := a.open(ctx, file, toWrite)
	if err != nil {
		return err
	}
	defer d.Close()
	if d.engine.Site().IsZero() {
		return d.fail(fmt.Errorf("%w; run: tributary track %s --all", engine.ErrNoDatabase, file))
	}
	m, err := openMedium(address, c, nil)
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	defer m.Close()
	r, err := replicator.New(d.engine, ncruces.NewConn(d.conn), replicator.Options{
		DB: name, Links: []replicator.Link{{Name: m.name, Transport: m.Transport}}, Program: "tributary " + programVersion(),
	})
	if err != nil {
		return err
	}
	if err := connected(ctx, m); err != nil {
		return inFile(file, err)
	}
	if err := r.Once(ctx); err != nil {
		return inFile(file, err)
	}
	l := r.Status()[0]
	s := syncedVia{Database: file, Address: m.name, Name: name, Published: l.Published, Received: l.Received, Applied: l.Applied, Refused: l.Refused, Snapshots: l.SnapshotsTaken, Missing: l.Missing}
	measure, err := r.Measure(ctx)
	if err != nil {
		return d.fail(err)
	}
	s.Waiting, s.Milliseconds = measure.Waiting, time.Since(start).Milliseconds()
	if asJSON {
		err = printJSON(a.out, s)
	} else {
		err = columns(a.out, "", s.lines())
	}
	if err == nil && s.Missing != "" {
		fmt.Fprintf(a.err, "tributary: %s lacks changes: %s\n", file, s.Missing)
	}
	if err == nil && s.Refused > 0 {
		fmt.Fprintf(a.err, "tributary: %s could not be applied and kept aside; tributary status says why\n", plural(s.Refused, "package"))
		return errNo
	}
	return err
}

func (s syncedVia) lines() [][]string {
	in, out := "nothing new", "nothing new"
	if s.Applied > 0 {
		in = plural(s.Applied, "package")
	}
	if s.Snapshots > 0 {
		in = "a snapshot, and " + plural(s.Applied, "package")
	}
	if s.Waiting > 0 {
		in += fmt.Sprintf("; %s wait for others", plural(s.Waiting, "package"))
	}
	if s.Published > 0 {
		out = plural(s.Published, "package")
	}
	return [][]string{{s.Database + " -> " + s.Address, out}, {s.Address + " -> " + s.Database, in}}
}

// connectWait is how long a command that does one thing and ends waits for its medium.
const connectWait = 5 * time.Second

// connected waits until a medium that connects in the background has done so.
func connected(ctx context.Context, m medium) error {
	c, ok := m.Transport.(interface{ Connected(context.Context) error })
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, connectWait)
	defer cancel()
	return c.Connected(ctx)
}
