package replicator

import (
	"context"

	"github.com/tributary-db/tributary/crdt"
)

// Measure is a replica in numbers.
type Measure struct {
	Site        crdt.Site
	Version     crdt.Version // own
	Total       uint64       // versions of all sites
	Sites       int64
	Unfolded    int64 // changes without a version, counted up to Options.Count
	Waiting     int64 // packages
	Parked      int64 // rows
	Quarantined int64 // rows
	Refused     int64 // packages
}

// Measure reads the database.
func (r *Replicator) Measure(ctx context.Context) (m Measure, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, err := r.e.Vector(ctx)
	if err != nil {
		return m, err
	}
	m.Site, m.Version, m.Sites = r.e.Site(), v[r.e.Site()], int64(len(v))
	for _, n := range v {
		m.Total += uint64(n)
	}
	if m.Unfolded, err = r.pending(); err != nil {
		return m, err
	}
	if m.Waiting, err = r.waiting(); err != nil {
		return m, err
	}
	if m.Parked, err = r.number("SELECT ifnull(sum(rows), 0) FROM tributary_unknown"); err != nil {
		return m, err
	}
	if m.Quarantined, err = r.number("SELECT count(*) FROM tributary_hidden"); err != nil {
		return m, err
	}
	there, err := r.number("SELECT count(*) FROM sqlite_schema WHERE name = 'tributary_refused'")
	if err != nil || there == 0 {
		return m, err
	}
	m.Refused, err = r.number("SELECT count(*) FROM tributary_refused")
	return m, err
}
