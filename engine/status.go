package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// Status is a replica at a glance. Sizes are bytes.
type Status struct {
	Database    string             `json:"database"`
	Tracking    bool               `json:"tracking"`
	Site        crdt.Site          `json:"site"`
	Version     crdt.Version       `json:"version"`
	Cursor      int64              `json:"cursor"`
	Tables      []TableInfo        `json:"tables"`
	Untracked   []string           `json:"untracked"` // the other tables of the application
	Unfolded    int64              `json:"unfolded"`
	Vector      crdt.VersionVector `json:"vector"`
	Streams     []StreamInfo       `json:"streams"`
	Pending     int64              `json:"pending"`
	Parked      int64              `json:"parked"`
	Quarantined int64              `json:"quarantined"`
	FileBytes   int64              `json:"file_bytes"`
	FreeBytes   int64              `json:"free_bytes"`
	LastStamp   crdt.Time          `json:"-"`
	LastTime    string             `json:"last_time"`
}

// Status reads the state of a replica; it changes nothing.
func (e *Engine) Status(ctx context.Context) (*Status, error) {
	s := &Status{Database: e.conn.Filename(), Tables: []TableInfo{}, Untracked: []string{}, Streams: []StreamInfo{}, Vector: crdt.VersionVector{}}
	size := map[string]int64{}
	for _, p := range []string{"page_size", "page_count", "freelist_count"} {
		v, err := e.one("PRAGMA " + p)
		if err != nil {
			return nil, wrap("status", err)
		}
		size[p] = v.Int()
	}
	s.FileBytes, s.FreeBytes = size["page_size"]*size["page_count"], size["page_size"]*size["freelist_count"]
	if err := e.load(ctx); errors.Is(err, ErrNoDatabase) {
		return s, nil
	} else if err != nil {
		return nil, wrap("status", err)
	}
	var err error
	s.Tracking, s.Site = true, e.site
	if s.Tables, err = e.Tables(ctx); err != nil {
		return nil, wrap("status", err)
	}
	all, err := listTables(e.conn)
	if err != nil {
		return nil, wrap("status", err)
	}
	for _, name := range all {
		if !slices.ContainsFunc(s.Tables, func(t TableInfo) bool { return sqltext.EqualName(t.Name, name) }) {
			s.Untracked = append(s.Untracked, name)
		}
	}
	if s.Vector, err = e.vector(); err != nil {
		return nil, wrap("status", err)
	}
	s.Version = s.Vector[e.site]
	if list, err := e.Streams(ctx); err != nil {
		return nil, wrap("status", err)
	} else if list != nil {
		s.Streams = list
	}
	if s.LastStamp, err = e.lastTime(); err != nil {
		return nil, wrap("status", err)
	}
	s.LastTime = s.LastStamp.String()
	for _, c := range []struct {
		to  *int64
		sql string
	}{
		{&s.Cursor, "SELECT value FROM tributary_meta WHERE key = 'pos'"},
		{&s.Unfolded, "SELECT count(*) FROM tributary_feed"},
		{&s.Pending, "SELECT count(*) FROM tributary_waiting WHERE body IS NOT NULL"},
		{&s.Parked, "SELECT ifnull(sum(rows), 0) FROM tributary_unknown"},
	} {
		v, err := e.one(c.sql)
		if err != nil {
			return nil, wrap("status", err)
		}
		*c.to = v.Int()
	}
	q, err := e.Quarantine(ctx)
	s.Quarantined = int64(len(q))
	return s, err
}

// QuarantineInfo is one row that is alive but cannot be shown.
type QuarantineInfo struct {
	Table   string       `json:"table"`
	Key     []crdt.Value `json:"-"`
	Reason  string       `json:"reason"`
	Detail  string       `json:"detail"`
	Columns []string     `json:"columns"`
	Values  []crdt.Value `json:"-"`
	Site    crdt.Site    `json:"site"`
	Version crdt.Version `json:"version"`
	Time    crdt.Time    `json:"time"`
}

// Quarantine lists the rows set aside, by table, key and birth, but those that say the same as the row in their place.
// Columns and Values hold the key too.
func (e *Engine) Quarantine(ctx context.Context) ([]QuarantineInfo, error) {
	if err := e.load(ctx); errors.Is(err, ErrNoDatabase) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	list, err := e.readHidden("WHERE true")
	if err != nil {
		return nil, wrap("quarantine", err)
	}
	var out []QuarantineInfo
	for _, h := range list {
		i := QuarantineInfo{Table: h.t.name, Key: h.key, Reason: h.reason, Detail: h.detail,
			Site: h.inc.Birth.Site, Version: h.inc.Birth.Version, Time: h.inc.Newest().Time}
		if c, _, err := e.clockOf(h.t, h.key); err != nil {
			return nil, wrap("quarantine", err)
		} else if c.birth.Dot() != h.inc.Birth.Dot() { // whatever it was set aside for, another insert is in its place now
			if same, err := e.twin(h, c.birth.Dot()); err != nil {
				return nil, wrap("quarantine", err)
			} else if same {
				continue
			}
			i.Reason, i.Detail = reasonKey, detailKey
		}
		for j, k := range h.t.schema.Key {
			i.Columns, i.Values = append(i.Columns, k.Name), append(i.Values, h.key[j])
		}
		h.t.live().Each(func(c int) {
			v, _ := h.inc.Value(c)
			i.Columns, i.Values = append(i.Columns, h.t.columns[c]), append(i.Values, v)
		})
		out = append(out, i)
	}
	slices.SortStableFunc(out, func(a, b QuarantineInfo) int {
		return cmp.Or(strings.Compare(a.Table, b.Table), compareKeys(a.Key, b.Key), a.Site.Compare(b.Site), cmp.Compare(a.Version, b.Version))
	})
	return out, nil
}
