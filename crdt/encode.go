package crdt

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
)

const (
	magic         = "TRIB"
	formatVersion = 1
	lengthOffset  = len(magic) + 1
	flagsOffset   = lengthOffset + 4
	checksumSize  = 4

	flagStarts    = 1 << 0
	flagEnds      = 1 << 1
	flagBulk      = 1 << 2
	flagLocalOnly = 1 << 3
	flagForgets   = 1 << 4
	flagBefore    = 1 << 5
	knownFlags    = flagStarts | flagEnds | flagBulk | flagLocalOnly | flagForgets | flagBefore

	bodyPlain = 0
	bodyZstd  = 1

	minCompress = 256 // bytes of a body that is worth a compressor's call
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// pays says whether a body of plain bytes is to be sent as packed ones: readers pay for it, so it must save something.
func pays(plain, packed int) bool { return plain > minCompress && packed < plain-plain/16 }

// bears says whether a reader takes a body of plain bytes and a weight as packed bytes.
func bears(weight uint64, plain, packed int) bool {
	return uint64(plain) <= maxPlain(packed) && weight <= maxWeight(DefaultLimits().Cells, vouching(plain, packed))
}

// Append appends the package's bytes to b. With no Compressor the body is left plain. Equal packages have equal
// bytes as far as the Compressor gives equal output. A package that breaks a rule of the format gives ErrInvalid,
// one that is too large ErrLimit; b is then as it was.
func (p *Package) Append(b []byte, z Compressor) ([]byte, error) { return new(Encoder).Append(b, p, z) }

// An Encoder appends packages as their own method does, and keeps the memory in which it gathers their parts for the next: a
// large package takes several times its size. The zero Encoder is ready; it is not safe for concurrent use.
type Encoder struct{ w writer }

// Append is Package.Append.
func (e *Encoder) Append(b []byte, p *Package, z Compressor) ([]byte, error) {
	if err := p.validate(); err != nil {
		return b, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	w := &e.w
	w.p = p
	defer w.empty()
	w.collectSites()
	if len(w.sites) > DefaultLimits().Sites {
		return b, fmt.Errorf("crdt: package names %d sites: %w", len(w.sites), ErrLimit)
	}
	start := len(b)
	out := append(b, magic...)
	out = append(out, formatVersion, 0, 0, 0, 0)
	out = w.header(out)
	body := w.body()
	if weight, most := w.weight, maxWeight(DefaultLimits().Cells, uint64(len(body))); weight > most {
		return b, fmt.Errorf("crdt: package weighs %d cells, its %d bytes may have %d: %w", weight, len(body), most, ErrLimit)
	}
	encoding := byte(bodyPlain)
	plain := len(body)
	if z != nil && plain > minCompress {
		if packed := z.Compress(nil, body); pays(plain, len(packed)) && bears(w.weight, plain, len(packed)) {
			encoding, body = bodyZstd, packed
		}
	}
	out = slices.Grow(out, len(body)+32)
	out = append(out, encoding)
	out = appendUvarint(out, uint64(plain))
	out = append(out, body...)
	size := len(out) - start + checksumSize
	if size > hardBytes || plain > hardBytes {
		return b, fmt.Errorf("crdt: package of %d bytes: %w", size, ErrLimit)
	}
	binary.LittleEndian.PutUint32(out[start+lengthOffset:], uint32(size))
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out[start:], castagnoli)), nil
}

// A writer holds what the parts of one encoding share, and the memory in which they gather numbers and values by column.
type writer struct {
	p      *Package
	sites  []Site
	index  map[Site]uint64
	weight uint64

	seq                      []uint64
	births, groups, deleters []Stamp
	deleted                  []Dot
	lives                    []*LiveChange
	values                   []*Value
	columns                  [][]*Value
	out                      []byte
}

// maxKept is how many bytes of a body, and eighths of that many values, a writer keeps room for.
const maxKept = 1 << 20

// empty lets go of the package.
func (w *writer) empty() {
	if cap(w.out) > maxKept || cap(w.values) > maxKept/8 || cap(w.lives) > maxKept/8 {
		*w = writer{}
		return
	}
	clear(w.lives[:cap(w.lives)])
	clear(w.values[:cap(w.values)])
	clear(w.columns[:cap(w.columns)])
	w.p, w.sites, w.index, w.weight = nil, nil, nil, 0
}

// collectSites makes the dictionary of all sites that covers, needs and rows name. The sender is apart, in front.
func (w *writer) collectSites() {
	seen := map[Site]uint64{}
	var last Site
	add := func(s Site) {
		// Rows of one changeset follow each other: a look at the last site spares most look-ups.
		if s != last || len(seen) == 0 {
			seen[s] = 0
			last = s
		}
	}
	for _, c := range w.p.Covers {
		add(c.Site)
	}
	for _, v := range []VersionVector{w.p.Needs, w.p.Before} {
		for _, s := range v.Sites() {
			add(s)
		}
	}
	for i := range w.p.Rows {
		c := &w.p.Rows[i]
		for _, d := range c.Deleted {
			add(d.Site)
		}
		if !c.Deleter.IsZero() {
			add(c.Deleter.Site)
		}
		for j := range c.Lives {
			add(c.Lives[j].Birth.Site)
			for _, g := range c.Lives[j].Newer {
				add(g.Write.Site)
			}
		}
	}
	w.sites = slices.SortedFunc(maps.Keys(seen), Site.Compare)
	for i, s := range w.sites {
		seen[s] = uint64(i)
	}
	w.index = seen
}

func (w *writer) header(b []byte) []byte {
	p := w.p
	var flags byte
	forgets := slices.ContainsFunc(p.Covers, func(c Cover) bool { return c.Forgotten > 0 })
	for _, f := range []struct {
		on  bool
		bit byte
	}{{p.Starts, flagStarts}, {p.Ends, flagEnds}, {p.Bulk, flagBulk}, {p.LocalOnly, flagLocalOnly}, {forgets, flagForgets}, {len(p.Before.Sites()) > 0, flagBefore}} {
		if f.on {
			flags |= f.bit
		}
	}
	b = append(b, flags)
	b = append(b, p.Sender[:]...)
	b = binary.LittleEndian.AppendUint64(b, p.Scope)
	b = binary.LittleEndian.AppendUint64(b, uint64(p.Sent))
	b = appendUvarint(b, uint64(p.Since))
	b = appendUvarint(b, uint64(p.Until-p.Since))
	b = appendUvarint(b, uint64(p.Part))

	b = appendUvarint(b, uint64(len(w.sites)))
	for i := range w.sites {
		b = append(b, w.sites[i][:]...)
	}
	b = appendUvarint(b, uint64(len(p.Covers)))
	for _, c := range p.Covers {
		b = appendUvarint(b, w.index[c.Site])
		b = appendUvarint(b, uint64(c.From))
		b = appendUvarint(b, uint64(c.To-c.From))
		b = append(b, c.Prev[:]...)
		b = append(b, c.ID[:]...)
		if forgets {
			b = appendUvarint(b, c.forgets())
		}
	}
	b = w.vector(b, p.Needs)
	if flags&flagBefore != 0 {
		b = w.vector(b, p.Before)
	}
	b = appendUvarint(b, uint64(len(p.Tables)))
	for _, t := range p.Tables {
		b = t.append(b)
	}
	return b
}

func (w *writer) vector(b []byte, v VersionVector) []byte {
	sites := v.Sites()
	b = appendUvarint(b, uint64(len(sites)))
	for _, s := range sites {
		b = appendUvarint(b, w.index[s])
		b = appendUvarint(b, uint64(v[s]))
	}
	return b
}

// append writes the table. Its bytes tell two tables of a package apart: one name may be there with several
// sets of columns, as a replica that lacks a column passes on what it could not place under the columns of its origin.
func (t *Table) append(b []byte) []byte {
	b = appendName(b, t.Name)
	for _, list := range [][]string{t.Key, t.Columns} {
		b = appendUvarint(b, uint64(len(list)))
		for _, name := range list {
			b = appendName(b, name)
		}
	}
	return b
}

func appendName(b []byte, s string) []byte { return append(appendUvarint(b, uint64(len(s))), s...) }
