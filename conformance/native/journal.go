package native

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"slices"
)

// Journal is what the virtual file system "record" has noted.
type Journal []entry

type entry struct {
	kind   byte // w: write, t: truncate, s: sync, d: delete
	name   string
	offset int64
	bytes  []byte
}

const entryHead = 17

// ReadJournal reads what has been noted up to now.
func ReadJournal(file string) (j Journal, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for len(b) >= entryHead {
		name, size := int(binary.LittleEndian.Uint32(b[1:])), int(binary.LittleEndian.Uint32(b[5:]))
		if len(b) < entryHead+name+size {
			break // still being written
		}
		j = append(j, entry{b[0], string(b[entryHead : entryHead+name]), int64(binary.LittleEndian.Uint64(b[9:])), b[entryHead+name : entryHead+name+size]})
		b = b[entryHead+name+size:]
	}
	return j, nil
}

// Syncs counts the syncs of files.
func (j Journal) Syncs() (n int) {
	for _, e := range j {
		if e.kind == 's' {
			n++
		}
	}
	return n
}

const sector = 512

// Survivors are the files as they may be found if the power is cut after the first n operations: what was written since
// the last sync of its file is there or not, sector by sector, and a file that was never synced may be missing.
func (j Journal) Survivors(n int, rnd *rand.Rand) map[string][]byte {
	coin := func() bool { return rnd.IntN(2) == 0 }
	files, pending := map[string][]byte{}, map[string][]entry{}
	write := func(name string, at int64, b []byte) {
		f := files[name]
		if end := int(at) + len(b); end > len(f) {
			f = append(f, make([]byte, end-len(f))...)
		}
		copy(f[at:], b)
		files[name] = f
	}
	apply := func(e entry, all bool) {
		switch e.kind {
		case 't':
			if f := files[e.name]; (all || coin()) && int(e.offset) < len(f) {
				files[e.name] = slices.Clone(f[:e.offset])
			}
		case 'w':
			for at := 0; at < len(e.bytes); {
				end := min(len(e.bytes), at+sector-int((e.offset+int64(at))%sector))
				if all || coin() {
					write(e.name, e.offset+int64(at), e.bytes[at:end])
				}
				at = end
			}
		}
	}
	for _, e := range j[:n] {
		switch e.kind {
		case 's':
			if files[e.name] == nil {
				files[e.name] = []byte{}
			}
			for _, p := range pending[e.name] {
				apply(p, true)
			}
			delete(pending, e.name)
		case 'd':
			delete(files, e.name)
			delete(pending, e.name)
		default:
			pending[e.name] = append(pending[e.name], e)
		}
	}
	var names []string
	for name := range pending {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if files[name] == nil && coin() {
			continue
		}
		for _, p := range pending[name] {
			apply(p, false)
		}
	}
	return files
}
