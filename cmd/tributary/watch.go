package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/engine/replicator"
)

// watch syncs whenever another connection has committed to one of the files, until ctx ends.
func (p *pair) watch(ctx context.Context, interval time.Duration) error {
	if !p.asJSON {
		fmt.Fprintf(p.app.err, "watching %s and %s; Ctrl-C ends\n", p.a.path, p.b.path)
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var seen [2]int64
	var files [2]fs.FileInfo
	for i, d := range []*database{p.a, p.b} {
		var err error
		if files[i], err = os.Stat(d.path); err != nil {
			return inFile(d.path, reason(err))
		}
	}
	first, behind := true, true
	for {
		// The number is read before the sync: a commit that falls between the two makes it differ the next time. Commits
		// of the connection that reads, so those of the sync itself, do not count.
		// https://sqlite.org/pragma.html#pragma_data_version
		now, err := p.dataVersions()
		for i, d := range []*database{p.a, p.b} {
			if !replicator.Still(d.path, files[i]) {
				return inFile(d.path, replicator.ErrReplaced)
			}
		}
		if err == nil && (behind || now != seen) {
			var r synced
			r, err = p.sync(ctx)
			if first && err == nil || r.moved() {
				if err := p.print(r); err != nil {
					return err
				}
				first = false
			}
			if err == nil {
				seen, behind = now, false
			}
		}
		switch {
		case ctx.Err() != nil:
			return nil // asked to stop: that is how it ends
		case err != nil && sqliteCode(err) == sqlite3.BUSY:
			// Whoever holds the lock will give it back. What could not be synced is tried again at every tick.
			behind = true
			fmt.Fprintln(p.app.err, message(ctx, err)+"; trying again")
		case err != nil:
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (p *pair) dataVersions() (v [2]int64, err error) {
	for i, d := range []*database{p.a, p.b} {
		if v[i], err = dataVersion(d.conn); err != nil {
			return v, d.fail(err)
		}
	}
	return v, nil
}

func dataVersion(conn *sqlite3.Conn) (int64, error) {
	stmt, _, err := conn.Prepare("PRAGMA data_version")
	if err != nil {
		return 0, err
	}
	defer stmt.Close()
	stmt.Step()
	return stmt.ColumnInt64(0), stmt.Err()
}
