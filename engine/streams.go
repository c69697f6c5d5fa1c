package engine

import (
	"context"
	"errors"

	"github.com/tributary-db/tributary/crdt"
)

// StreamInfo is the bookkeeping of a named stream. Cursors are feed positions.
type StreamInfo struct {
	Name          string `json:"name"`
	Kind          string `json:"kind"` // "out" or "in"
	Peer          string `json:"peer"`
	Options       string `json:"options"` // module arguments as they were written
	Since         int64  `json:"since"`
	LastRetrieved int64  `json:"last_retrieved"`
	LastSent      int64  `json:"last_sent"`
	LastAcked     int64  `json:"last_acked"`
	LastError     string `json:"last_error"`
}

const streamColumns = "name, kind, peer, options, since, last_retrieved, last_sent, last_acked, last_error"

// PutStream creates or replaces the bookkeeping of a stream. It writes in the surrounding transaction if there is one.
func (e *Engine) PutStream(ctx context.Context, s StreamInfo) error {
	put := func() error {
		return e.run("INSERT INTO tributary_stream("+streamColumns+") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, peer = excluded.peer, options = excluded.options, since = excluded.since, last_retrieved = excluded.last_retrieved, last_sent = excluded.last_sent, last_acked = excluded.last_acked, last_error = excluded.last_error",
			crdt.TextString(s.Name), crdt.TextString(s.Kind), crdt.TextString(s.Peer), crdt.TextString(s.Options), crdt.Int(s.Since), crdt.Int(s.LastRetrieved), crdt.Int(s.LastSent), crdt.Int(s.LastAcked), crdt.TextString(s.LastError))
	}
	err := e.load(ctx)
	if errors.Is(err, ErrNoDatabase) { // a stream may be declared before the first table is tracked
		if err = e.create(ctx); err != nil {
			return wrap("stream "+s.Name, err)
		}
	}
	if err != nil {
		return err
	}
	return wrap("stream "+s.Name, put())
}

// Stream reads the bookkeeping of a stream.
func (e *Engine) Stream(ctx context.Context, name string) (StreamInfo, bool, error) {
	list, err := e.streams(ctx, " WHERE name = ?1", crdt.TextString(name))
	if err != nil || len(list) == 0 {
		return StreamInfo{}, false, err
	}
	return list[0], true, nil
}

// Streams lists all streams by name.
func (e *Engine) Streams(ctx context.Context) ([]StreamInfo, error) { return e.streams(ctx, "") }

func (e *Engine) streams(ctx context.Context, where string, args ...crdt.Value) (out []StreamInfo, err error) {
	if err := e.load(ctx); errors.Is(err, ErrNoDatabase) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	err = e.each("SELECT "+streamColumns+" FROM tributary_stream"+where+" ORDER BY name", 9, func(r []crdt.Value) error {
		out = append(out, StreamInfo{string(r[0].Bytes()), string(r[1].Bytes()), string(r[2].Bytes()), string(r[3].Bytes()), r[4].Int(), r[5].Int(), r[6].Int(), r[7].Int(), string(r[8].Bytes())})
		return nil
	}, args...)
	return out, err
}

// UseStream notes that a stream is read, before what is read can reach anybody: from then on compaction waits for its peer.
func (e *Engine) UseStream(ctx context.Context, name string) error {
	s, ok, err := e.Stream(ctx, name)
	if err != nil || !ok || s.LastRetrieved > 0 || e.conn.ReadOnly() || e.conn.InTransaction() {
		return err
	}
	err = e.change(ctx, func() error {
		return e.run("UPDATE tributary_stream SET last_retrieved = 1 WHERE name = ?1 AND last_retrieved = 0", crdt.TextString(name))
	})
	if isCode(err, codeReadOnly) { // PRAGMA query_only
		return nil
	}
	return err
}

// DropStream forgets a stream. Dropping an unknown one is harmless.
func (e *Engine) DropStream(ctx context.Context, name string) error {
	if err := e.load(ctx); errors.Is(err, ErrNoDatabase) {
		return nil
	} else if err != nil {
		return err
	}
	return e.run("DELETE FROM tributary_stream WHERE name = ?1", crdt.TextString(name))
}

// RenameStream renames a stream.
func (e *Engine) RenameStream(ctx context.Context, from, to string) error {
	if err := e.load(ctx); err != nil {
		return err
	}
	return e.run("UPDATE tributary_stream SET name = ?2 WHERE name = ?1", crdt.TextString(from), crdt.TextString(to))
}

// InboundInfo is what an inbound stream shows of one origin site.
type InboundInfo struct {
	Site      crdt.Site    `json:"site"`
	Applied   crdt.Version `json:"applied"`
	Gaps      string       `json:"gaps"` // ranges applied beyond a gap, "5-7,9-9"
	Pending   int          `json:"pending"`
	LastError string       `json:"last_error"`
}

// Inbound lists what has arrived, by origin site.
func (e *Engine) Inbound(ctx context.Context, stream string) ([]InboundInfo, error) {
	v, err := e.Vector(ctx)
	if err != nil || len(v) == 0 {
		return nil, err
	}
	s, _, err := e.Stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	var out []InboundInfo
	for _, site := range v.Sites() {
		if site == e.site {
			continue
		}
		i := InboundInfo{Site: site, Applied: v[site], LastError: s.LastError}
		g, err := e.one("SELECT group_concat(lo || '-' || hi) FROM tributary_ahead WHERE site = ?1", crdt.Int(e.ords[site]))
		if err != nil {
			return nil, err
		}
		n, err := e.one("SELECT count(*) FROM tributary_waiting WHERE sender = ?1", crdt.Blob(site[:]))
		if err != nil {
			return nil, err
		}
		i.Gaps, i.Pending = string(g.Bytes()), int(n.Int())
		out = append(out, i)
	}
	return out, nil
}
