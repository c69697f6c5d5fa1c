package crdt

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestDecodeErrors(t *testing.T) {
	good := encode(t, freshRows(40), nil)
	packed := encode(t, freshRows(40), deflate{})
	if len(packed) >= len(good) {
		t.Fatal("the sample does not compress")
	}
	change := func(b []byte, f func([]byte) []byte) []byte { return f(bytes.Clone(b)) }
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"nothing", nil, ErrTruncated},
		{"half a magic", good[:3], ErrTruncated},
		{"other magic", []byte("TRIP..............."), ErrCorrupt},
		{"magic alone", good[:5], ErrTruncated},
		{"half", good[:len(good)/2], ErrTruncated},
		{"last byte missing", good[:len(good)-1], ErrTruncated},
		{"one byte more", append(bytes.Clone(good), 0), ErrCorrupt},
		{"next version", change(good, func(b []byte) []byte { b[4]++; return b }), ErrUnsupported},
		{"next version, truncated", change(good, func(b []byte) []byte { b[4]++; return b[:5] }), ErrUnsupported},
		{"unknown flag", change(good, func(b []byte) []byte { b[flagsOffset] |= 0x80; return seal(b) }), ErrUnsupported},
		{"flipped bit", change(good, func(b []byte) []byte { b[len(b)/2] ^= 4; return b }), ErrCorrupt},
		{"cut and sealed", change(good, func(b []byte) []byte { return seal(b[:len(b)/2]) }), ErrCorrupt},
		{"compressed, no decompressor", packed, ErrUnsupported},
	} {
		p, err := DecodePackage(c.b, nil, Limits{})
		if p != nil || !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		var where *DecodeError
		if !errors.As(err, &where) || where.Section == "" {
			t.Errorf("%s: %v does not say where", c.name, err)
		}
	}
	for name, l := range map[string]Limits{
		"package": {Package: len(good) - 1}, "body": {Body: 500}, "rows": {Rows: 39}, "columns": {Columns: 3}, "name": {Name: 3},
	} {
		if _, err := DecodePackage(good, nil, l); !errors.Is(err, ErrLimit) {
			t.Errorf("limit of %s: got %v", name, err)
		}
	}
}

// TestEveryChangeIsNoticed cuts and changes a package at every byte. With a right checksum what is left is
// either refused or another package that has exactly these bytes.
func TestEveryChangeIsNoticed(t *testing.T) {
	p := rapid.Custom(drawPackage).Filter(func(p *Package) bool { return len(p.Rows) > 8 && len(p.Rows) < 12 }).Example(3)
	good := encode(t, p, nil)
	for i := range good {
		if _, err := DecodePackage(good[:i], nil, Limits{}); !errors.Is(err, ErrTruncated) {
			t.Fatalf("cut at %d: %v", i, err)
		}
		for _, x := range []byte{1, 2, 0x80, 0xff} {
			b := bytes.Clone(good)
			b[i] ^= x
			if _, err := DecodePackage(b, nil, Limits{}); err == nil {
				t.Fatalf("byte %d changed by %#x: not noticed", i, x)
			}
			checkDecode(t, seal(b))
		}
	}
}

// checkDecode holds any bytes to the promises of the decoder.
func checkDecode(t testing.TB, b []byte) {
	t.Helper()
	p, err := DecodePackage(b, nil, Limits{})
	if err != nil {
		for _, kind := range []error{ErrUnsupported, ErrCorrupt, ErrTruncated, ErrLimit} {
			if errors.Is(err, kind) {
				return
			}
		}
		t.Fatalf("error of no kind: %v", err)
	}
	again, err := p.Append(nil, nil)
	if err != nil || !bytes.Equal(again, b) {
		t.Fatalf("%v\n got %x\nwant %x", err, again, b)
	}
}

func TestRunLengthsCannotAskForMemory(t *testing.T) {
	p := &Package{Sender: site(1), Tables: []Table{{Name: "t", Key: []string{"k"}}}}
	for i := range 2000 {
		p.Tables[0].Columns = append(p.Tables[0].Columns, string(rune('a'+i%26))+string(rune(0x100+i)))
	}
	for range 1000 {
		p.Rows = append(p.Rows, RowChange{Key: []Value{Null()}, Lives: []LiveChange{{Full: true, Incarnation: Incarnation{
			Birth: Write{Stamp: stampOf(1, 1, 1)}, Has: FirstColumns(2000)}}}})
	}
	if _, err := p.Append(nil, nil); !errors.Is(err, ErrLimit) {
		t.Fatalf("2 million NULLs in a few bytes: %v", err)
	}
	p.Rows = p.Rows[:100]
	b := encode(t, p, nil)
	if _, err := DecodePackage(b, nil, Limits{}); err != nil {
		t.Fatal(err)
	}
	if _, err := DecodePackage(b, nil, Limits{Cells: 1000}); !errors.Is(err, ErrLimit) {
		t.Fatalf("with less room: %v", err)
	}
}

// TestCompressedBodiesAskForWhatTheyBring: a frame can hold very much in very little, so what has come is the measure. A writer sends
// a body plain that readers would refuse.
func TestCompressedBodiesAskForWhatTheyBring(t *testing.T) {
	z := deflate{}
	row := func(v Value) *Package {
		p := &Package{Sender: site(1), Tables: []Table{{Name: "t", Key: []string{"k"}, Columns: []string{"c"}}}}
		l := LiveChange{Full: true, Incarnation: Incarnation{Birth: Write{Stamp: stampOf(1, 1, 1)}, Has: FirstColumns(1)}}
		l.Values = []Value{v}
		p.Rows = []RowChange{{Key: []Value{Int(1)}, Lives: []LiveChange{l}}}
		return p
	}
	for size, packs := range map[int]bool{4 << 20: true, 8 << 20: false} {
		b := encode(t, row(Blob(make([]byte, size))), z)
		if (len(b) < size) != packs {
			t.Errorf("a value of %d zeros went in %d bytes", size, len(b))
		}
		if _, err := DecodePackage(b, z, Limits{}); err != nil {
			t.Errorf("a value of %d zeros: %v", size, err)
		}
	}
	wide := &Package{Sender: site(1), Tables: []Table{{Name: "t", Key: []string{"k"}}}}
	for i := range 2000 {
		wide.Tables[0].Columns = append(wide.Tables[0].Columns, string(rune('a'+i%26))+string(rune(0x100+i)))
	}
	for i := range 1000 { // a hundredth of the values are there
		l := LiveChange{Full: true, Incarnation: Incarnation{Birth: Write{Stamp: stampOf(1, 1, 1)}, Has: FirstColumns(2000)}}
		l.Values = make([]Value, 2000)
		for c := i % 10; c < 2000; c += 100 {
			l.Values[c] = TextString("the same text everywhere, of some length")
		}
		wide.Rows = append(wide.Rows, RowChange{Key: []Value{Int(int64(i))}, Lives: []LiveChange{l}})
	}
	plain, packed := encode(t, wide, nil), encode(t, wide, z)
	if len(packed) != len(plain) {
		t.Errorf("two million values, of which few are there: %d bytes, plain %d", len(packed), len(plain))
	}
	if _, err := DecodePackage(packed, z, Limits{}); err != nil {
		t.Error(err)
	}

	for name, body := range map[string][]byte{
		"8 MiB of nothing":                  make([]byte, 8<<20),
		"a million rows, and as many bytes": append(appendUvarint(nil, 1<<20), make([]byte, 1<<20)...),
	} {
		frame := z.Compress(nil, body)
		b := withBody(t, bodyZstd, len(body), frame)
		if _, err := DecodePackage(b, z, Limits{}); !errors.Is(err, ErrLimit) {
			t.Errorf("%s in %d bytes: %v", name, len(b), err)
		}
	}
}

// withBody puts another body behind the header of a package without rows.
func withBody(t *testing.T, encoding byte, plain int, body []byte) []byte {
	t.Helper()
	p := &Package{Sender: site(1), Covers: []Cover{{Site: site(1), From: 1, To: 1}}, Tables: []Table{{Name: "t", Key: []string{"k"}, Columns: []string{"c"}}}}
	b := encode(t, p, nil)
	b = b[:len(b)-checksumSize-3] // encoding, length and body of one byte each
	b = appendUvarint(append(b, encoding), uint64(plain))
	b = append(b, body...)
	return seal(append(b, 0, 0, 0, 0))
}

func TestCanonicalBodies(t *testing.T) {
	one := "\x00\x01\x01"                                             // a full life
	tail := "\x04\x00\x00" + "\x04\x02\x00" + "\x04\x02\x00"          // two births: site 0, version 1, time 1
	tail += "\x04\x01\x01" + "\x02\x04" + "\x04\x01\x01" + "\x02\x02" // keys 1 and 2, columns 1 and 1
	partial := "\x00\x01\x02\x01\x01"                                 // a life of column 0
	groups := "\x02\x00" + "\x02\x04" + "\x02"                        // site 0, version 2, and a time to come
	values := "\x02\x01\x02" + "\x02\x01\x02"                         // key and column 1
	birth := "\x02\x00" + "\x02\x02" + "\x02\x06"                     // site 0, version 1, time 3
	for _, c := range []struct {
		name, body string
		good       bool
	}{
		{"two rows", "\x02" + "\x04\x00\x00" + one + tail, true},
		{"one shape twice", "\x02" + "\x04\x00\x01" + one + one + tail, false},
		{"shape of no row", "\x02" + "\x04\x01\x00" + one + partial + tail, false},
		{"byte too many", "\x02" + "\x04\x00\x00" + one + tail + "\x00", false},
		{"update", "\x01" + "\x02\x00" + partial + birth + groups + "\x08" + values, true},
		{"update before birth", "\x01" + "\x02\x00" + partial + birth + groups + "\x04" + values, false},
		{"column that the table lacks", "\x01" + "\x02\x00" + "\x00\x01\x02\x01\x02" + birth + groups + "\x08" + values, false},
		{"kind 5", "\x01" + "\x02\x00" + partial + birth + groups + "\x08" + "\x02\x01\x02" + "\x02\x05\x02", false},
		{"rows of nothing", "\xff\xff\xff\x1f", false},
	} {
		b := withBody(t, bodyPlain, len(c.body), []byte(c.body))
		if _, err := DecodePackage(b, nil, Limits{}); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
		checkDecode(t, b)
	}
}

func TestCompressionMustPay(t *testing.T) {
	small := withBody(t, bodyZstd, 1, deflate{}.Compress(nil, []byte{0}))
	if _, err := DecodePackage(small, deflate{}, Limits{}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a byte, compressed: %v", err)
	}
	zeros := deflate{}.Compress(nil, make([]byte, 5000))
	for _, plain := range []int{4999, 5001} {
		if _, err := DecodePackage(withBody(t, bodyZstd, plain, zeros), deflate{}, Limits{}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("5000 bytes that say %d: %v", plain, err)
		}
	}
	if _, err := DecodePackage(withBody(t, 2, 1, []byte{0}), deflate{}, Limits{}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("compression 2: %v", err)
	}
}
