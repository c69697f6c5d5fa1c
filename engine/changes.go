package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/tributary-db/tributary/crdt"
)

// ChangeInfo is one entry of the feed, for people: the newest change of a row.
type ChangeInfo struct {
	Cursor  int64
	Table   string
	Key     []crdt.Value
	Kind    string   // insert, update, delete, or base for rows that were there when the table was tracked
	Columns []string // the columns that the newest change wrote; nil: all
	Site    crdt.Site
	Version crdt.Version
	Time    crdt.Time
}

// Changes yields the feed after a cursor in order of position: each row once, with its newest change. Rows that were
// there when their table was tracked stand as one entry for each table, with a nil Key.
func (e *Engine) Changes(ctx context.Context, since int64) iter.Seq2[ChangeInfo, error] {
	return func(yield func(ChangeInfo, error) bool) {
		if err := e.load(ctx); errors.Is(err, ErrNoDatabase) {
			return
		} else if err != nil {
			yield(ChangeInfo{}, err)
			return
		}
		p := &pull{e: e, since: since, cursor: since}
		defer func() {
			for _, s := range p.sources {
				s.close()
			}
		}()
		var bases []ChangeInfo
		for _, t := range e.tables {
			if t.schema == nil {
				continue
			}
			imports := p.openBase(t, nil)
			bases = append(bases, imports.takeOld()...)
			if err := p.add(imports); err != nil {
				yield(ChangeInfo{}, wrap("changes", err))
				return
			}
			s, err := p.openFeed(t)
			if err == nil {
				err = p.add(s)
			}
			if err != nil {
				yield(ChangeInfo{}, wrap("changes", err))
				return
			}
		}
		slices.SortStableFunc(bases, func(a, b ChangeInfo) int { return cmp.Compare(a.Cursor, b.Cursor) })
		for {
			s, _ := p.first()
			for ; len(bases) > 0 && (s == nil || bases[0].Cursor <= s.pos); bases = bases[1:] {
				if !yield(bases[0], nil) {
					return
				}
			}
			if s == nil {
				return
			}
			c, err := e.changeInfo(s)
			if !yield(c, wrap("changes", err)) || err != nil {
				return
			}
			if err := s.step(); err != nil {
				yield(ChangeInfo{}, wrap("changes", err))
				return
			}
		}
	}
}

// takeOld takes the chunks of rows that were there when the table was tracked, which stand as one entry for each site that
// tracked it.
func (s *source) takeOld() (out []ChangeInfo) {
	s.chunks = slices.DeleteFunc(s.chunks, func(c *chunk) bool {
		if c.stamp.Time != 0 {
			return false
		}
		at := slices.IndexFunc(out, func(i ChangeInfo) bool { return i.Site == c.stamp.Site && i.Version == c.stamp.Version })
		if at < 0 {
			at, out = len(out), append(out, ChangeInfo{Table: s.t.name, Kind: "base", Site: c.stamp.Site, Version: c.stamp.Version})
		}
		out[at].Cursor = c.pos // they come in the order of positions
		return true
	})
	return out
}

// openFeed reads the clocks of a table alone, in order of position.
func (p *pull) openFeed(t *table) (*source, error) {
	n := len(t.schema.Key)
	s := &source{e: p.e, t: t, row: make([]crdt.Value, clockWidth+n)}
	var err error
	s.stmt, err = p.e.conn.Prepare(fmt.Sprintf("SELECT c.%s, %s FROM %s c INDEXED BY %s_pos WHERE c.pos > ?1 ORDER BY c.pos",
		strings.ReplaceAll(clockColumns, ", ", ", c."), keyColumns(n, "c."), t.sql.clock, t.sql.clock))
	if err != nil {
		return nil, err
	}
	return s, s.stmt.Query(crdt.Int(p.cursor))
}

func (e *Engine) changeInfo(s *source) (ChangeInfo, error) {
	if s.base {
		return ChangeInfo{Cursor: s.pos, Table: s.t.name, Key: cloneKey(s.row), Kind: "insert", Site: s.stamp.Site, Version: s.stamp.Version, Time: s.stamp.Time}, nil
	}
	var c clock
	if err := e.decodeClock(s.row, &c); err != nil {
		return ChangeInfo{}, err
	}
	out := ChangeInfo{Cursor: c.pos, Table: s.t.name, Key: cloneKey(s.row[clockWidth:]), Kind: "insert"}
	inc := c.incarnation()
	w := inc.Newest()
	switch {
	case c.dead:
		out.Kind, w = "delete", c.birth
	case len(c.newer) > 0:
		out.Kind = "update"
		c.newer[len(c.newer)-1].Columns.Each(func(i int) {
			if i < len(s.t.columns) && s.t.columns[i] != "" {
				out.Columns = append(out.Columns, s.t.columns[i])
			}
		})
	}
	out.Site, out.Version, out.Time = w.Site, w.Version, w.Time
	return out, nil
}
