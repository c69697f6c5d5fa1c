package main

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"

	"github.com/tributary-db/tributary/crdt"
)

// raw is a package put together by hand, so that it may be wrong in one place. The zero raw is the empty package.
type raw struct {
	flags                 byte
	sent                  uint64
	since, interval, part []byte // varints; nil: 0
	sites                 []byte // after the sender; nil: none
	covers, needs, tables []byte
	before                []byte // after needs; nil: no bytes
	encoding              byte
	plain                 []byte // varint; nil: the length of body
	body                  []byte
}

// bytes puts it together with the right length and checksum.
func (r raw) bytes() []byte {
	def := func(b []byte, or ...byte) []byte {
		if b == nil {
			return or
		}
		return b
	}
	sender := site(0xaa)
	b := bytes.Join([][]byte{
		[]byte("TRIB\x01\x00\x00\x00\x00"), {r.flags}, sender[:], make([]byte, 8), binary.LittleEndian.AppendUint64(nil, r.sent),
		def(r.since, 0), def(r.interval, 0), def(r.part, 0), def(r.sites, 0), def(r.covers, 0), def(r.needs, 0), r.before, def(r.tables, 0),
		{r.encoding}, def(r.plain, uv(uint64(len(r.body)))...), r.body, make([]byte, 4),
	}, nil)
	return seal(b)
}

// seal writes length and checksum into b.
func seal(b []byte) []byte {
	binary.LittleEndian.PutUint32(b[5:], uint32(len(b)))
	return check(b)
}

// check writes the checksum into b.
func check(b []byte) []byte {
	end := len(b) - 4
	binary.LittleEndian.PutUint32(b[end:], crc32.Checksum(b[:end], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func uv(v uint64) []byte { return binary.AppendUvarint(nil, v) }

// cat joins numbers below 256, strings and bytes.
func cat(list ...any) []byte {
	var b []byte
	for _, x := range list {
		switch x := x.(type) {
		case int:
			b = append(b, byte(x))
		case string:
			b = append(b, x...)
		case []byte:
			b = append(b, x...)
		case crdt.Site:
			b = append(b, x[:]...)
		default:
			panic("cat: what is this?")
		}
	}
	return b
}

// one site, and a table t(k) with columns a and b.
var (
	oneSite  = cat(1, site(1))
	twoSites = cat(2, site(1), site(2))
	tableT   = cat(1, 1, "t", 1, 1, "k", 2, 1, "a", 1, "b")
)

// inserted is the body of one row of tableT, inserted by the first site in version 1 at time 0: k=7, a=1, b=NULL.
var inserted = rowBody(cat(2, 0), cat(0, 1, 1), stampsOf(1))

// rowBody is the body of one row with one life that has both columns.
func rowBody(shapes, definition, stamps []byte) []byte {
	return cat(1, shapes, definition, stamps, cat(2, 1, 14), cat(2, 1, 2), cat(2, 0))
}

// stampsOf is one stamp of the first site: its version and time 0.
func stampsOf(version uint64) []byte { return cat(2, 0, 2, uv(version<<1), 2, 0) }
