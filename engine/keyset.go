package engine

import "github.com/tributary-db/tributary/crdt"

// keySet is a set of keys of one table, equal as SQLite compares them.
type keySet struct {
	t     *table
	ints  map[int64]struct{} // of a table whose key is the rowid
	blobs map[string]struct{}
}

func newKeySet(t *table) *keySet {
	if t.schema.RowidKey {
		return &keySet{t: t, ints: map[int64]struct{}{}}
	}
	return &keySet{t: t, blobs: map[string]struct{}{}}
}

// add reports whether the key is new.
func (s *keySet) add(key []crdt.Value) bool {
	before := len(s.ints) + len(s.blobs)
	if s.ints != nil {
		s.ints[key[0].Int()] = struct{}{}
	} else {
		s.blobs[string(s.t.keyBlob(key))] = struct{}{}
	}
	return len(s.ints)+len(s.blobs) > before
}

func (s *keySet) has(key []crdt.Value) (ok bool) {
	if s.ints != nil {
		_, ok = s.ints[key[0].Int()]
	} else {
		_, ok = s.blobs[string(s.t.keyBlob(key))]
	}
	return ok
}

func (s *keySet) clear() {
	clear(s.ints)
	clear(s.blobs)
}
