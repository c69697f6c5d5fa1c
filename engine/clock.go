package engine

import (
	"encoding/binary"
	"errors"

	"github.com/tributary-db/tributary/crdt"
)

// clock is the stored state of one row besides its values: the row of a clock table.
type clock struct {
	pos      int64            // newest feed position of the row
	birth    crdt.Write       // of the primary incarnation; of the newest delete when dead
	newer    []crdt.CellGroup // columns written since the birth
	deleted  []crdt.Dot
	dead     bool // no incarnation is alive
	hidden   bool // the primary incarnation is in tributary_hidden, not in the user's table
	siblings bool // further incarnations are in tributary_hidden
}

// Presence flags, see SCHEMA.md.
const (
	presenceDead = 1 << iota
	presenceHidden
	presenceSiblings
)

var errClock = errors.New("tributary: a clock row is corrupt: run check")

// inTable reports whether the user's table shows the row.
func (c *clock) inTable() bool { return !c.dead && !c.hidden }

// incarnation is the primary incarnation without its values.
func (c *clock) incarnation() crdt.Incarnation {
	return crdt.Incarnation{Birth: c.birth, Newer: c.newer}
}

// appendRow appends the clock's columns, in the order of clockColumns, to a row for tributary_rows.
// A row inserted once and never touched again has NULL in both blobs.
func (e *Engine) appendClock(row []crdt.Value, c *clock) ([]crdt.Value, error) {
	row, _, err := e.encodeClock(row, nil, c)
	return row, err
}

// encodeClock is appendClock that appends the bytes of the blobs to blobs.
func (e *Engine) encodeClock(row []crdt.Value, blobs []byte, c *clock) ([]crdt.Value, []byte, error) {
	ord, err := e.ordinal(c.birth.Site)
	if err != nil {
		return nil, blobs, err
	}
	presence, cells := crdt.Null(), crdt.Null()
	if c.dead || c.hidden || c.siblings || len(c.deleted) > 0 {
		var flags byte
		if c.dead {
			flags |= presenceDead
		}
		if c.hidden {
			flags |= presenceHidden
		}
		if c.siblings {
			flags |= presenceSiblings
		}
		from := len(blobs)
		blobs = binary.AppendUvarint(append(blobs, flags), uint64(len(c.deleted)))
		for _, d := range c.deleted {
			o, err := e.ordinal(d.Site)
			if err != nil {
				return nil, blobs, err
			}
			blobs = binary.AppendUvarint(binary.AppendUvarint(blobs, uint64(o)), uint64(d.Version))
		}
		presence = crdt.Blob(blobs[from:len(blobs):len(blobs)])
	}
	if len(c.newer) > 0 || c.birth.Pos != c.pos {
		from := len(blobs)
		if blobs, err = e.appendCells(blobs, c.birth.Pos, c.newer, c.pos); err != nil {
			return nil, blobs, err
		}
		cells = crdt.Blob(blobs[from:len(blobs):len(blobs)])
	}
	return append(row, crdt.Int(c.pos), crdt.Int(int64(c.birth.Time)), crdt.Int(ord), crdt.Int(int64(c.birth.Version)), presence, cells), blobs, nil
}

// appendCells encodes the birth's position and the newer groups. A group at the row's own position says 0 in its place, so
// that rows which were written alike have the same bytes.
func (e *Engine) appendCells(b []byte, birthPos int64, groups []crdt.CellGroup, rowPos int64) ([]byte, error) {
	b = binary.AppendUvarint(b, uint64(birthPos))
	b = binary.AppendUvarint(b, uint64(len(groups)))
	for _, g := range groups {
		o, err := e.ordinal(g.Write.Site)
		if err != nil {
			return b, err
		}
		b = g.Columns.AppendBinary(b)
		b = binary.AppendUvarint(b, uint64(g.Write.Time))
		b = binary.AppendUvarint(b, uint64(o))
		b = binary.AppendUvarint(b, uint64(g.Write.Version))
		pos := g.Write.Pos
		if pos == rowPos {
			pos = 0
		}
		b = binary.AppendUvarint(b, uint64(pos))
	}
	return b, nil
}

// clockParts is memory for the lists of many clocks.
type clockParts struct {
	groups []crdt.CellGroup
	dots   []crdt.Dot
	room   bool // every list of groups gets room for one more, as a clock does that a write is merged into
}

// decodeClock reads the columns of clockColumns. Nothing in the result borrows from v.
func (e *Engine) decodeClock(v []crdt.Value, c *clock) error {
	return e.decodeClockTo(v, c, new(clockParts))
}

// decodeClockTo is decodeClock that takes the memory of the lists from parts.
func (e *Engine) decodeClockTo(v []crdt.Value, c *clock, parts *clockParts) error {
	*c = clock{pos: v[0].Int()}
	c.birth = crdt.Write{Stamp: crdt.Stamp{Time: crdt.Time(v[1].Int()), Site: e.siteOf(v[2].Int()), Version: crdt.Version(v[3].Int())}, Pos: c.pos}
	if p := v[4].Bytes(); len(p) > 0 {
		c.dead, c.hidden, c.siblings = p[0]&presenceDead != 0, p[0]&presenceHidden != 0, p[0]&presenceSiblings != 0
		r := reader{b: p[1:]}
		from := len(parts.dots)
		for n := r.count(); n > 0 && !r.bad; n-- {
			parts.dots = append(parts.dots, crdt.Dot{Site: e.siteOf(int64(r.uint())), Version: crdt.Version(r.uint())})
		}
		if r.bad {
			return errClock
		}
		if to := len(parts.dots); to > from {
			c.deleted = parts.dots[from:to:to]
		}
	}
	from := len(parts.groups)
	if b := v[5].Bytes(); len(b) > 0 {
		r := reader{b: b}
		c.birth.Pos, parts.groups = e.readCells(&r, parts.groups, c.pos)
		if r.bad {
			return errClock
		}
	}
	to := len(parts.groups)
	if parts.room {
		parts.groups = append(parts.groups, crdt.CellGroup{})
	}
	c.newer = parts.groups[from:to:len(parts.groups)]
	return nil
}

// readCells reads what appendCells wrote, and appends to groups.
func (e *Engine) readCells(r *reader, groups []crdt.CellGroup, rowPos int64) (birthPos int64, _ []crdt.CellGroup) {
	birthPos = int64(r.uint())
	for n := r.count(); n > 0 && !r.bad; n-- {
		g := crdt.CellGroup{Columns: r.columns()}
		g.Write.Time = crdt.Time(r.uint())
		g.Write.Site = e.siteOf(int64(r.uint()))
		g.Write.Version = crdt.Version(r.uint())
		if g.Write.Pos = int64(r.uint()); g.Write.Pos == 0 {
			g.Write.Pos = rowPos
		}
		groups = append(groups, g)
	}
	return birthPos, groups
}

// reader takes numbers off our own stored blobs; bad says that one ran out.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uint() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) int() int64 {
	n, size := binary.Varint(r.b)
	if size <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return n
}

// count is a number of things that take at least a byte each.
func (r *reader) count() int {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *reader) columns() crdt.ColumnSet {
	s, rest, err := crdt.DecodeColumnSet(r.b)
	if err != nil {
		r.bad, r.b = true, nil
		return s
	}
	r.b = rest
	return s
}

func (r *reader) value() crdt.Value { return r.borrow().Clone() }

// borrow is a value that lives as long as the bytes that are read.
func (r *reader) borrow() crdt.Value {
	v, rest, err := crdt.DecodeValue(r.b)
	if err != nil {
		r.bad, r.b = true, nil
		return v
	}
	r.b = rest
	return v
}

// covered says whether a delete in the list has seen the incarnation of this birth.
func covered(deleted []crdt.Dot, birth crdt.Dot) bool {
	return (&crdt.Row{Deleted: deleted}).Covered(birth)
}
