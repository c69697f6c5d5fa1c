package engine

import (
	"bytes"
	"slices"

	"github.com/tributary-db/tributary/crdt"
)

// decodedBytes bounds the memory for packages that wait. Tests lower it.
var decodedBytes = 16 << 20

// decodedPackages are packages that wait, as they were decoded when they came: the parts of a set come one after the other,
// and would all be decoded once more when the last is there. What waits is in tributary_waiting; this is a copy of the newest.
type decodedPackages struct {
	list []decodedPackage
	size int
}

type decodedPackage struct {
	body []byte
	p    *crdt.Package
	size int
}

// keep takes a package and its bytes, which nobody changes from then on. The oldest make room.
func (d *decodedPackages) keep(body []byte, p *crdt.Package) {
	n := memory(p) + len(body)
	if n > decodedBytes || d.find(body) != nil {
		return
	}
	for d.size+n > decodedBytes {
		d.drop(d.list[0].p)
	}
	d.list = append(d.list, decodedPackage{body, p, n})
	d.size += n
}

// find is the package of these bytes, nil if it is not kept.
func (d *decodedPackages) find(body []byte) *crdt.Package {
	for i := range d.list {
		if bytes.Equal(d.list[i].body, body) {
			return d.list[i].p
		}
	}
	return nil
}

func (d *decodedPackages) drop(p *crdt.Package) {
	if i := slices.IndexFunc(d.list, func(x decodedPackage) bool { return x.p == p }); i >= 0 {
		d.size -= d.list[i].size
		d.list = slices.Delete(d.list, i, i+1)
	}
}

// memory is about how many bytes the rows of a package take.
func memory(p *crdt.Package) (n int) {
	const row, value = 240, 40
	values := func(list []crdt.Value) {
		n += len(list) * value
		for i := range list {
			n += len(list[i].Bytes())
		}
	}
	for i := range p.Rows {
		n += row
		values(p.Rows[i].Key)
		for j := range p.Rows[i].Lives {
			values(p.Rows[i].Lives[j].Values)
		}
	}
	return n
}
