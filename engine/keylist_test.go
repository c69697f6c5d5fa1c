package engine

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tributary-db/tributary/crdt"
)

// keyTable is a table whose key has as many columns as collations are given.
func keyTable(collations ...string) *table {
	t := &table{schema: &tableSchema{}}
	for _, c := range collations {
		t.schema.Key = append(t.schema.Key, columnSchema{Affinity: 'B', Collation: c})
	}
	return t
}

func TestKeyList(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	one := keyTable("BINARY")
	text := func(s string) []crdt.Value { return []crdt.Value{crdt.TextString(s)} }
	integer := func(n int64) []crdt.Value { return []crdt.Value{crdt.Int(n)} }
	for name, keys := range map[string][][]crdt.Value{
		"none":              nil,
		"dense":             {integer(1), integer(2), integer(3)},
		"far apart":         {integer(math.MinInt64), integer(-1), integer(0), integer(math.MaxInt64 - 1), integer(math.MaxInt64)},
		"texts":             {text(""), text("abc"), text("abcd"), text("b")},
		"hexadecimal":       {text("00"), text("0a"), text("0f"), text("a0"), text("ff")},
		"long hexadecimal":  {text("00112233445566778899aabbccddeeff"), text("00112233445566778899aabbccddef00"), text("10112233445566778899aabbccddef00")},
		"capitals":          {text("0A"), text("0F")},
		"odd":               {text("0"), text("a")},
		"of two lengths":    {text("00"), text("0000"), text("0001")},
		"blobs":             {{crdt.Blob([]byte("00"))}, {crdt.Blob([]byte("aa"))}},
		"a text and a blob": {text("aa"), {crdt.Blob([]byte("00"))}},
		"numbers and more":  {integer(1), integer(2), {crdt.Real(2.5)}, integer(3), text("3"), {crdt.Blob([]byte("3"))}},
	} {
		l := &keyList{}
		for _, k := range keys {
			l.add(k)
		}
		again, err := decodeKeyList(l.append(nil), 1)
		if err != nil || again.len() != len(keys) || !bytes.Equal(again.append(nil), l.append(nil)) {
			t.Errorf("%s: %v, %d keys of %d", name, err, again.len(), len(keys))
			continue
		}
		i := 0
		again.each(func(k []crdt.Value) {
			if compareKeys(k, keys[i]) != 0 {
				t.Errorf("%s: key %d is %v, not %v", name, i, k, keys[i])
			}
			i++
		})
		for _, k := range keys {
			if found, err := findKey(l.append(nil), one, k); err != nil || !found || !again.has(one, k) {
				t.Errorf("%s: %v is not found: %v", name, k, err)
			}
		}
		for range 100 {
			k := integer(rnd.Int64N(20) - 5)
			in := false
			for _, o := range keys {
				in = in || compareKeys(k, o) == 0
			}
			if found, err := findKey(l.append(nil), one, k); err != nil || found != in || again.has(one, k) != in {
				t.Errorf("%s: has %v = %v, %v", name, k, !in, err)
			}
		}
		if len(keys) > 1 {
			less := again.without(func(k []crdt.Value) bool { return compareKeys(k, keys[1]) == 0 })
			if less.len() != len(keys)-1 || less.has(one, keys[1]) || !less.has(one, keys[0]) {
				t.Errorf("%s: without its second key it has %d", name, less.len())
			}
		}
	}
}

// TestCompare holds the order of keys against what SQLite says of collations and numbers.
func TestCompare(t *testing.T) {
	text, utf16 := crdt.TextString, keyTable("BINARY")
	utf16.encoding = "UTF-16le"
	for _, c := range []struct {
		t    *table
		a, b crdt.Value
		want int
	}{
		{keyTable("BINARY"), crdt.Int(1), crdt.Real(1), 0},
		{keyTable("BINARY"), crdt.Int(1), crdt.Real(1.5), -1},
		{keyTable("BINARY"), crdt.Int(9), text("1"), -1},
		{keyTable("BINARY"), text("9"), crdt.Blob([]byte("1")), -1},
		{keyTable("BINARY"), text("a"), text("B"), 1},
		{keyTable("NOCASE"), text("a"), text("B"), -1},
		{keyTable("NOCASE"), text("a"), text("A"), 0},
		{keyTable("RTRIM"), text("a  "), text("a"), 0},
		{utf16, text("Ā"), text("b"), -1}, // 00 01 before 62 00
	} {
		if got := c.t.compare([]crdt.Value{c.a}, []crdt.Value{c.b}); got != c.want {
			t.Errorf("%v and %v under %q %s: %d", c.a, c.b, c.t.schema.Key[0].Collation, c.t.encoding, got)
		}
	}
}

// TestHexKeys holds the size of the form that is there for its size, and that bytes which no writer makes are refused.
func TestHexKeys(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var keys []string
	for range 1000 {
		keys = append(keys, fmt.Sprintf("%016x%016x", rnd.Uint64(), rnd.Uint64()))
	}
	slices.Sort(keys)
	l := &keyList{}
	for _, k := range keys {
		l.add([]crdt.Value{crdt.TextString(k)})
	}
	if got := len(l.append(nil)); got > 17*len(keys) {
		t.Errorf("1000 keys of 16 bytes take %d bytes", got)
	}
	for name, b := range map[string][]byte{
		"no bytes in a key":         {2, 0, 0},
		"nothing to take them from": {2, 2, 1, 5},
		"more than there are":       {2, 2, 0, 1, 2, 2},
		"cut off":                   {2, 2, 0, 1},
		"far too wide":              {2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 1},
	} {
		if _, err := decodeKeyList(b, 1); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := decodeKeyList([]byte{2, 1, 0, 5}, 2); err == nil {
		t.Error("a key of two columns: no error")
	}
}

func FuzzKeyList(f *testing.F) {
	f.Add([]byte{0, 0x0a, 3, 2, 1}, byte(1))
	f.Add([]byte{1, 0, 5, 1, 0x0a, 3, 1, 0x62, 4, 1, 0x63}, byte(2))
	f.Add([]byte{2, 2, 0, 1, 2, 1, 3}, byte(1))
	f.Add([]byte{0, 0, 0xff, 0xff, 0xff, 0xff, 0x7f}, byte(1))
	f.Fuzz(func(t *testing.T, b []byte, columns byte) { // of the table here, hence no number that a remote chose
		l, err := decodeKeyList(b, int(columns))
		if err != nil {
			return
		}
		if got := l.len(); got > maxListed+len(b) {
			t.Fatalf("%d keys of %d bytes", got, len(b))
		}
	})
}

// TestFindKeyByCollation: keys are in the order of their table, and found by it.
func TestFindKeyByCollation(t *testing.T) {
	nocase := &table{schema: &tableSchema{Key: []columnSchema{{Name: "k", Collation: "NOCASE"}}}}
	l := &keyList{}
	for _, k := range []string{"a", "B", "c", "D"} {
		l.add([]crdt.Value{crdt.TextString(k)})
	}
	for _, k := range []string{"A", "b", "C", "d", "a", "D"} {
		key := []crdt.Value{crdt.TextString(k)}
		if found, err := findKey(l.append(nil), nocase, key); err != nil || !found || !l.has(nocase, key) {
			t.Errorf("%s is not found: %v", k, err)
		}
	}
}
