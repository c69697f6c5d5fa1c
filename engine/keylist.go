package engine

import (
	"encoding/binary"
	"encoding/hex"
	"sort"

	"github.com/tributary-db/tributary/crdt"
)

// keyList is the keys of the rows of one chunk, ascending as their table orders them: runs of integers, or keys one by one.
type keyList struct {
	runs []keyRun
	keys [][]crdt.Value
}

// keyRun is the integers from first on.
type keyRun struct{ first, n int64 }

// Forms of a stored key list, see SCHEMA.md.
const (
	keysRuns = iota
	keysEach
	keysHex
)

// maxListed bounds what a damaged list may claim to hold.
const maxListed = 1 << 20

func (l *keyList) len() (n int) {
	for _, r := range l.runs {
		n += int(r.n)
	}
	return n + len(l.keys)
}

// add appends a key, which must come after those before it. The list keeps it, unless it is one integer.
func (l *keyList) add(key []crdt.Value) {
	if !oneInt(key) {
		l.spread()
		l.keys = append(l.keys, key)
		return
	}
	if len(l.keys) > 0 {
		l.keys = append(l.keys, []crdt.Value{key[0]})
		return
	}
	if last := len(l.runs) - 1; last >= 0 && l.runs[last].first+l.runs[last].n == key[0].Int() {
		l.runs[last].n++
		return
	}
	l.runs = append(l.runs, keyRun{key[0].Int(), 1})
}

func oneInt(key []crdt.Value) bool { return len(key) == 1 && key[0].Kind() == crdt.KindInt }

// ends are the first and the last key of a list that is not empty.
func (l *keyList) ends() (first, last []crdt.Value) {
	if n := len(l.keys); n > 0 {
		return l.keys[0], l.keys[n-1]
	}
	end := l.runs[len(l.runs)-1]
	return []crdt.Value{crdt.Int(l.runs[0].first)}, []crdt.Value{crdt.Int(end.first + end.n - 1)}
}

// spread makes single keys of the runs.
func (l *keyList) spread() {
	if len(l.runs) == 0 {
		return
	}
	var keys [][]crdt.Value
	l.each(func(k []crdt.Value) { keys = append(keys, k) })
	l.runs, l.keys = nil, keys
}

func (l *keyList) each(f func(key []crdt.Value)) {
	for _, r := range l.runs {
		for i := range r.n {
			f([]crdt.Value{crdt.Int(r.first + i)})
		}
	}
	for _, k := range l.keys {
		f(k)
	}
}

// has says whether the list holds a key that the table takes as equal.
func (l *keyList) has(t *table, key []crdt.Value) bool {
	if len(l.runs) > 0 {
		v := plainNumber(key[0])
		if v.Kind() != crdt.KindInt {
			return false
		}
		i := sort.Search(len(l.runs), func(i int) bool { return l.runs[i].first > v.Int() }) - 1
		return i >= 0 && uint64(v.Int())-uint64(l.runs[i].first) < uint64(l.runs[i].n)
	}
	i := sort.Search(len(l.keys), func(i int) bool { return t.compare(l.keys[i], key) >= 0 })
	return i < len(l.keys) && t.compare(l.keys[i], key) == 0
}

// without returns the list less the keys that drop takes.
func (l *keyList) without(drop func(key []crdt.Value) bool) *keyList {
	out := &keyList{}
	l.each(func(k []crdt.Value) {
		if !drop(k) {
			out.add(k)
		}
	})
	return out
}

func (l *keyList) append(b []byte) []byte {
	if len(l.keys) == 0 {
		b = append(b, keysRuns)
		at := int64(0)
		for _, r := range l.runs {
			b = binary.AppendVarint(b, r.first-at)
			b = binary.AppendUvarint(b, uint64(r.n))
			at = r.first + r.n
		}
		return b
	}
	if width := l.hexBytes(); width > 0 {
		return l.appendHex(b, width)
	}
	b = append(b, keysEach)
	var last, this []byte
	for _, k := range l.keys {
		this = appendKey(this[:0], k)
		same := 0
		for same < min(len(last), len(this)) && last[same] == this[same] {
			same++
		}
		b = binary.AppendUvarint(b, uint64(same))
		b = binary.AppendUvarint(b, uint64(len(this)-same))
		b = append(b, this[same:]...)
		last, this = this, last
	}
	return b
}

// hexBytes is how many bytes each key stands for, if all are texts of equally many hexadecimal digits in small letters, as
// lower(hex(randomblob(16))) makes them; else 0. Random keys cannot be made smaller than this.
func (l *keyList) hexBytes() int {
	width := len(l.keys[0][0].Bytes())
	for _, k := range l.keys {
		if len(k) != 1 || k[0].Kind() != crdt.KindText || len(k[0].Bytes()) != width || width%2 != 0 {
			return 0
		}
		for _, c := range k[0].Bytes() {
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return 0
			}
		}
	}
	return width / 2
}

func (l *keyList) appendHex(b []byte, width int) []byte {
	b = binary.AppendUvarint(append(b, keysHex), uint64(width))
	last, this := make([]byte, 0, width), make([]byte, 0, width)
	for _, k := range l.keys {
		this, _ = hex.AppendDecode(this[:0], k[0].Bytes())
		same := 0
		for same < min(len(last), width-1) && last[same] == this[same] {
			same++
		}
		b = binary.AppendUvarint(b, uint64(same))
		b = append(b, this[same:]...)
		last, this = this, last
	}
	return b
}

// decodeKeyList reads a stored list of keys with n columns.
func decodeKeyList(b []byte, n int) (*keyList, error) {
	l := &keyList{}
	err := walkKeyList(b, n, func(r keyRun) bool {
		l.runs = append(l.runs, r)
		return true
	}, func(key []crdt.Value) bool {
		l.keys = append(l.keys, cloneKey(key))
		return true
	})
	return l, err
}

// findKey says whether a stored list holds a key that the table takes as equal. It keeps nothing of the list.
func findKey(b []byte, t *table, key []crdt.Value) (found bool, err error) {
	err = walkKeyList(b, len(key), func(r keyRun) bool {
		found = (&keyList{runs: []keyRun{r}}).has(t, key)
		return !found
	}, func(k []crdt.Value) bool {
		c := t.compare(k, key)
		found = c == 0
		return c < 0
	})
	return found, err
}

// walkKeyList calls run with each run, or each with each key, which is borrowed, while they return true.
func walkKeyList(b []byte, n int, run func(keyRun) bool, each func([]crdt.Value) bool) error {
	if len(b) == 0 {
		return nil
	}
	r := reader{b: b[1:]}
	switch b[0] {
	case keysRuns:
		for at, total := int64(0), int64(0); len(r.b) > 0; {
			k := keyRun{at + r.int(), int64(r.uint())}
			total += k.n
			if r.bad || k.n <= 0 || k.n > maxListed || total > maxListed || n != 1 {
				return errClock
			}
			if !run(k) {
				return nil
			}
			at = k.first + k.n
		}
	case keysEach:
		var this []byte
		key := make([]crdt.Value, n)
		for len(r.b) > 0 {
			same, more := r.uint(), r.uint()
			if r.bad || same > uint64(len(this)) || more > uint64(len(r.b)) {
				return errClock
			}
			this = append(this[:same], r.b[:more]...)
			r.b = r.b[more:]
			k := reader{b: this}
			for i := range key {
				key[i] = k.borrow()
			}
			if k.bad || len(k.b) > 0 {
				return errClock
			}
			if !each(key) {
				return nil
			}
		}
	case keysHex:
		width := r.uint()
		if r.bad || n != 1 || len(r.b) > 0 && width == 0 {
			return errClock
		}
		var this, digits []byte
		key := make([]crdt.Value, 1)
		for len(r.b) > 0 {
			same := r.uint()
			if r.bad || same >= width || same > uint64(len(this)) || width-same > uint64(len(r.b)) {
				return errClock
			}
			this = append(this[:same], r.b[:width-same]...)
			r.b = r.b[width-same:]
			digits = hex.AppendEncode(digits[:0], this)
			key[0] = crdt.Text(digits)
			if !each(key) {
				return nil
			}
		}
	default:
		return errClock
	}
	return nil
}

// appendKey encodes a key, which decodeKey reads.
func appendKey(b []byte, key []crdt.Value) []byte {
	for _, v := range key {
		b = crdt.AppendValue(b, v)
	}
	return b
}

// decodeKey returns a key that borrows nothing.
func decodeKey(b []byte) (key []crdt.Value, err error) {
	r := reader{b: b}
	for len(r.b) > 0 && !r.bad {
		key = append(key, r.value())
	}
	if r.bad {
		return nil, errClock
	}
	return key, nil
}
