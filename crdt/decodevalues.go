package crdt

import (
	"encoding/binary"
	"slices"
)

// liveColumns reads the values of the lives, column by column.
func (d *decoder) liveColumns(k *block, columns int) {
	if len(k.lives) == 0 {
		return
	}
	if k.uniform {
		has := k.lives[0].Has
		for c := range has.Columns() {
			d.column(k.values, c, has.Bound(), len(k.lives), nil)
		}
		return
	}
	// Where columns differ, list the places of each column first: one walk over all places, however many columns.
	starts := make([]int, columns+1)
	for i := range k.lives {
		for c := range k.lives[i].Has.Columns() {
			starts[c+1]++
		}
	}
	for c := range columns {
		starts[c+1] += starts[c]
	}
	places := make([]int, starts[columns])
	next := slices.Clone(starts[:columns])
	base := 0
	for i := range k.lives {
		has := k.lives[i].Has
		for c := range has.Columns() {
			places[next[c]] = base + c
			next[c]++
		}
		base += has.Bound()
	}
	for c := range columns {
		if at := places[starts[c]:starts[c+1]]; len(at) > 0 {
			d.column(k.values, 0, 0, len(at), at)
		}
	}
}

// column reads n values to the given places, or else to start, start+stride and so on. It keeps the position at hand
// rather than in d, and has a loop for each kind, because most of the time of decoding is spent here.
func (d *decoder) column(dst []Value, start, stride, n int, places []int) {
	runs := d.sequence(n, uint64(KindBlob))
	b, off, at, i := d.b, d.off, start, 0
	next := func() *Value {
		if places != nil {
			at = places[i]
		}
		v := &dst[at]
		at += stride
		i++
		return v
	}
	for _, r := range runs {
		kind := Kind(r.value)
		switch kind {
		case KindNull: // is what the memory says already
			i += r.count
			at += r.count * stride
		case KindInt:
			for range r.count {
				u, size := uvarint(b[off:])
				if size <= 0 {
					d.off = off
					d.fail(ErrCorrupt, "integer that ends too early or is not in its shortest form")
					return
				}
				off += size
				v := next()
				v.kind, v.bits = kind, unzigzag(u)
			}
		case KindReal:
			if (len(b)-off)/8 < r.count {
				d.off = off
				d.fail(ErrCorrupt, "%d reals in %d bytes", r.count, len(b)-off)
				return
			}
			for range r.count {
				v := next()
				v.kind, v.bits = kind, int64(binary.LittleEndian.Uint64(b[off:]))
				off += 8
			}
		default:
			for range r.count {
				u, size := uvarint(b[off:])
				if size <= 0 || u > uint64(len(b)-off-size) {
					d.off = off
					d.fail(ErrCorrupt, "%v that ends too early", kind)
					return
				}
				off += size
				end := off + int(u)
				v := next()
				v.kind, v.bytes = kind, b[off:end:end]
				off = end
			}
		}
	}
	d.off = off
}
