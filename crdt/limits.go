package crdt

import "strconv"

// Limits bound what a decoder takes from a stranger. A zero field means that of DefaultLimits.
type Limits struct {
	Package int // bytes of a package
	Body    int // bytes of its body, uncompressed
	Rows    int
	Tables  int
	Columns int // of a table, key columns and others counted apart
	Sites   int // that a package names
	Covers  int
	Name    int // bytes of the name of a table or column

	// Cells bounds the memory that run lengths and NULLs can ask for beyond what the bytes of the body vouch for.
	// See weigh.
	Cells int
}

// hardBytes is what the 32 bit length of the format and SQLite's greatest value (10^9 bytes by default) agree with.
const hardBytes = 1 << 30

// DefaultLimits are those of the format: Package.Append makes nothing beyond them.
func DefaultLimits() Limits {
	return Limits{
		Package: hardBytes,
		Body:    hardBytes,
		Rows:    1 << 26,
		Tables:  1 << 14,
		Columns: MaxColumns,
		Sites:   1 << 16,
		Covers:  1 << 20,
		Name:    1 << 12,
		Cells:   1 << 20,
	}
}

// within gives the limits with zero fields filled in, and none above the format's own.
func (l Limits) within() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ have, most *int }{
		{&l.Package, &d.Package}, {&l.Body, &d.Body}, {&l.Rows, &d.Rows}, {&l.Tables, &d.Tables}, {&l.Columns, &d.Columns},
		{&l.Sites, &d.Sites}, {&l.Covers, &d.Covers}, {&l.Name, &d.Name},
	} {
		if *f.have <= 0 || *f.have > *f.most {
			*f.have = *f.most
		}
	}
	if l.Cells <= 0 {
		l.Cells = d.Cells
	}
	return l
}

// The weights of the parts of a body, in units of about the 40 bytes of a Value in memory. A body of n bytes may
// weigh Limits.Cells + cellsPerByte*n: an ordinary row of any width is far below, while a few bytes of run lengths
// cannot ask for gigabytes.
const (
	rowWeight    = 3
	lifeWeight   = 3
	groupWeight  = 2
	dotWeight    = 1
	cellsPerByte = 16
)

// What a compressed body may ask for is measured by what has come, because a frame can hold thirty thousand times its size: a body
// is at most bodyFree bytes and bodyPerByte more for each compressed one, and vouches for its weight as if it had vouchPerByte
// bytes for each. Bodies of the size that the engine makes are never above that; one that is goes plain.
const (
	bodyFree     = 1 << 22
	bodyPerByte  = 256
	vouchPerByte = 4
)

// maxPlain is how long a body may be that has come in packed bytes.
func maxPlain(packed int) uint64 { return bodyFree + bodyPerByte*uint64(packed) }

// vouching is how many bytes of such a body count for its weight.
func vouching(plain, packed int) uint64 { return min(uint64(plain), vouchPerByte*uint64(packed)) }

func maxWeight(cells int, body uint64) uint64 {
	most := uint64(cells) + cellsPerByte*body
	if strconv.IntSize == 32 {
		most = min(most, 1<<25) // what an address space of 32 bits has room for
	}
	return most
}

func weighParts(lives, groups, dots, slots int) uint64 {
	return uint64(lives)*lifeWeight + uint64(groups)*groupWeight + uint64(dots)*dotWeight + uint64(slots)
}
