package replicator

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tributary-db/tributary/engine"
)

// record is what a link keeps in the database: the options of a stream of kind "transport" (engine/SCHEMA.md).
type record struct {
	Cursor []byte `json:"cursor"` // of the transport; null: from the beginning
	Seen   seen   `json:"seen"`   // {site: [[from, to], ...]}
	Status Status `json:"status"` // as it was when the record was last written
}

// streamKind is the kind of the streams that hold records.
const streamKind = "transport"

func streamName(link string) string { return "transport " + link }

// loadRecord reads the record of a link; false: there is none yet.
func loadRecord(ctx context.Context, e *engine.Engine, link string) (rec record, ok bool, err error) {
	s, ok, err := e.Stream(ctx, streamName(link))
	if err != nil || !ok {
		return rec, false, err
	}
	if s.Kind != streamKind {
		return rec, false, fmt.Errorf("replicator: the name %q is taken by a stream of kind %s", s.Name, s.Kind)
	}
	if err := json.Unmarshal([]byte(s.Options), &rec); err != nil {
		return record{}, false, nil // of another version: begin anew, which loses nothing
	}
	return rec, true, nil
}

// save writes a record, in the surrounding transaction if there is one.
func (rec *record) save(ctx context.Context, e *engine.Engine, link, db string) error {
	b, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	return e.PutStream(ctx, engine.StreamInfo{Name: streamName(link), Kind: streamKind, Peer: db, Options: string(b), LastError: rec.Status.Why})
}

// Recorded reads from a database how its links were doing when they last wrote it down. It needs no running loop.
func Recorded(ctx context.Context, e *engine.Engine) ([]Status, error) {
	list, err := e.Streams(ctx)
	if err != nil {
		return nil, err
	}
	var out []Status
	for _, s := range list {
		if s.Kind != streamKind {
			continue
		}
		var rec record
		if json.Unmarshal([]byte(s.Options), &rec) != nil {
			continue
		}
		rec.Status.Link = strings.TrimPrefix(s.Name, "transport ")
		out = append(out, rec.Status)
	}
	return out, nil
}

// recordEvery bounds how often counters alone are written down.
const recordEvery = time.Minute

// retire notes that the links of earlier runs, which this one has not, are in no use: one that was killed could not. The caller
// holds mu.
func (r *Replicator) retire(ctx context.Context) error {
	list, err := Recorded(ctx, r.e)
	if err != nil {
		return err
	}
	for _, s := range list {
		if s.Stopped() || slices.ContainsFunc(r.links, func(l *link) bool { return l.name == s.Link }) {
			continue
		}
		rec, ok, err := loadRecord(ctx, r.e, s.Link)
		if err != nil || !ok {
			return err
		}
		rec.Status.State, rec.Status.Why, rec.Status.Site, rec.Status.Since = StateOffline, whyStopped, "", rec.Status.At
		if err := rec.save(ctx, r.e, s.Link, s.DB); err != nil {
			return err
		}
	}
	return nil
}
