package crdt

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// A reader walks over the bytes of a package. After a failure it stays at err and gives zeros, so callers
// need to look at err only before they allocate, loop or index by what they read.
type reader struct {
	b       []byte
	off     int
	section string
	err     *DecodeError
	limits  Limits
	runs    []run // of the last sequence
}

func (r *reader) fail(kind error, format string, args ...any) {
	if r.err == nil {
		r.err = &DecodeError{kind, r.section, r.off, fmt.Sprintf(format, args...)}
	}
}

func (r *reader) uvarint() uint64 {
	if r.off < len(r.b) && r.b[r.off] < 0x80 && r.err == nil {
		r.off++
		return uint64(r.b[r.off-1])
	}
	if r.err != nil {
		return 0
	}
	v, n := uvarint(r.b[r.off:])
	if n <= 0 {
		// The checksum and the length were right, so what ends too early here was made so.
		r.fail(ErrCorrupt, "varint that ends too early or is not in its shortest form")
		return 0
	}
	r.off += n
	return v
}

// take gives the next n bytes, or nil.
func (r *reader) take(n uint64) []byte {
	if r.err != nil {
		return nil
	}
	if n > uint64(len(r.b)-r.off) {
		r.fail(ErrCorrupt, "%d bytes wanted, %d are left", n, len(r.b)-r.off)
		return nil
	}
	b := r.b[r.off : r.off+int(n) : r.off+int(n)]
	r.off += int(n)
	return b
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// count reads a number of things that take at least size bytes each.
func (r *reader) count(what string, limit, size int) int {
	n := r.uvarint()
	switch {
	case r.err != nil:
		return 0
	case n > uint64(limit):
		r.fail(ErrLimit, "%d %s, at most %d", n, what, limit)
		return 0
	case n > uint64((len(r.b)-r.off)/size):
		r.fail(ErrCorrupt, "%d %s in %d bytes", n, what, len(r.b)-r.off)
		return 0
	}
	return int(n)
}

func (r *reader) name() string {
	n := r.uvarint()
	if n > uint64(r.limits.Name) {
		r.fail(ErrLimit, "name of %d bytes, at most %d", n, r.limits.Name)
	}
	b := r.take(n)
	if !utf8.Valid(b) {
		r.fail(ErrCorrupt, "name is not UTF-8")
		return ""
	}
	return string(b)
}

func (r *reader) columnSet(columns int) ColumnSet {
	if r.err != nil {
		return ColumnSet{}
	}
	s, rest, err := DecodeColumnSet(r.b[r.off:])
	if err != nil {
		r.fail(ErrCorrupt, "%v", err)
		return ColumnSet{}
	}
	if s.IsEmpty() || s.Bound() > columns {
		r.fail(ErrCorrupt, "columns %v of %d", s, columns)
		return ColumnSet{}
	}
	r.off = len(r.b) - len(rest)
	return s
}
