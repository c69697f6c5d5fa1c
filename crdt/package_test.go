package crdt

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/crc32"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// seal puts the right length and checksum on bytes that a test has changed.
func seal(b []byte) []byte {
	binary.LittleEndian.PutUint32(b[lengthOffset:], uint32(len(b)))
	end := len(b) - checksumSize
	binary.LittleEndian.PutUint32(b[end:], crc32.Checksum(b[:end], castagnoli))
	return b
}

func encode(t testing.TB, p *Package, z Compressor) []byte {
	t.Helper()
	b, err := p.Append(nil, z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sampleTable and freshRows make the rows that the size and speed targets speak of: five columns, inserted once.
var sampleTable = Table{Name: "task", Key: []string{"id"}, Columns: []string{"title", "done", "weight", "due"}}

func freshRows(n int) *Package {
	p := &Package{Starts: true, Ends: true, Sender: site(1), Until: int64(n), Sent: TimeOf(1_790_000_000_000), Tables: []Table{sampleTable}}
	p.Covers = []Cover{{Site: site(1), From: 1, To: 1}}
	for i := range n {
		p.Rows = append(p.Rows, RowChange{
			Key: []Value{Int(int64(i) + 1000)},
			Lives: []LiveChange{{Full: true, Incarnation: Incarnation{
				// As the hybrid clock gives them within one changeset.
				Birth:  Write{Stamp: Stamp{TimeOf(1_790_000_000_000) + Time(i), site(1), 1}},
				Has:    FirstColumns(4),
				Values: []Value{TextString("write the report"), Int(int64(i % 2)), Real(float64(i) / 7), Int(1_790_000_000 + int64(i)*60)},
			}}},
		})
	}
	return p
}

func bareSize(p *Package) (n int) {
	size := func(v Value) {
		if v.kind == KindText || v.kind == KindBlob {
			n += len(v.bytes)
			return
		}
		n += len(appendPayload(nil, v))
	}
	for i := range p.Rows {
		for _, v := range p.Rows[i].Key {
			size(v)
		}
		for _, l := range p.Rows[i].Lives {
			for c := range l.Has.Columns() {
				size(l.Values[c])
			}
		}
	}
	return n
}

// shuffled gives the times of rows whose order by key is not that of their insertion.
func shuffled(p *Package) *Package {
	x := uint32(1)
	for i := range p.Rows {
		x = x*1664525 + 1013904223
		p.Rows[i].Lives[0].Birth.Time += Time(x>>16) % Time(len(p.Rows))
	}
	return p
}

func TestFreshRowCost(t *testing.T) {
	for name, p := range map[string]*Package{"in order": freshRows(1000), "shuffled": shuffled(freshRows(1000))} {
		empty := *p
		empty.Rows = nil
		over := float64(len(encode(t, p, nil))-len(encode(t, &empty, nil))-bareSize(p)) / 1000
		t.Logf("%s: %.2f bytes per row over %.2f of bare values", name, over, float64(bareSize(p))/1000)
		if over > 6 {
			t.Errorf("%s: a fresh row costs %.2f bytes over its values, want at most 6", name, over)
		}
	}
}

func TestPackageRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPackage(t)
		for _, z := range []Compressor{nil, deflate{}} {
			b, err := p.Append([]byte("before"), z)
			if err != nil {
				t.Fatal(err)
			}
			b = b[len("before"):]
			q, err := DecodePackage(b, z, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if !samePackage(p, q) {
				t.Fatalf("got %+v, want %+v", q, p)
			}
			if again, err := q.Append(nil, z); err != nil || !bytes.Equal(again, b) {
				t.Fatalf("encoded again: %v\n got %x\nwant %x", err, again, b)
			}
			h, err := PackageHeader(b, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if q.Rows = nil; !reflect.DeepEqual(h, q) {
				t.Fatalf("header %+v, want %+v", h, q)
			}
		}
	})
}

func TestPackageJSONRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPackage(t)
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var q Package
		if err := json.Unmarshal(b, &q); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if !samePackage(p, &q) {
			t.Fatalf("got %+v, want %+v", &q, p)
		}
	})
}

// samePackage compares what packages say: nil and empty are the same, and a NaN is itself.
func samePackage(p, q *Package) bool {
	a, b := *p, *q
	a.Rows, b.Rows, a.Needs, b.Needs, a.Before, b.Before = nil, nil, nil, nil, nil, nil
	if !reflect.DeepEqual(a, b) || !p.Needs.Equal(q.Needs) || !p.Before.Equal(q.Before) || len(p.Rows) != len(q.Rows) {
		return false
	}
	for i := range p.Rows {
		if !sameChange(&p.Rows[i], &q.Rows[i]) {
			return false
		}
	}
	return true
}

func sameChange(a, b *RowChange) bool {
	if a.Table != b.Table || len(a.Key) != len(b.Key) || a.Deleter != b.Deleter || len(a.Deleted) != len(b.Deleted) || len(a.Lives) != len(b.Lives) {
		return false
	}
	for i := range a.Key {
		if !a.Key[i].Equal(b.Key[i]) {
			return false
		}
	}
	for i := range a.Deleted {
		if a.Deleted[i] != b.Deleted[i] {
			return false
		}
	}
	for i := range a.Lives {
		if a.Lives[i].Full != b.Lives[i].Full || !sameLife(&a.Lives[i].Incarnation, &b.Lives[i].Incarnation) {
			return false
		}
	}
	return true
}

// sameLife compares merged state, without positions.
func sameLife(a, b *Incarnation) bool {
	if a.Birth.Stamp != b.Birth.Stamp || len(a.Newer) != len(b.Newer) || !a.Has.Equal(b.Has) {
		return false
	}
	for i := range a.Newer {
		if a.Newer[i].Write.Stamp != b.Newer[i].Write.Stamp || !a.Newer[i].Columns.Equal(b.Newer[i].Columns) {
			return false
		}
	}
	for c := range a.Has.Columns() {
		v, _ := a.Value(c)
		w, _ := b.Value(c)
		if !v.Equal(w) {
			return false
		}
	}
	return true
}

func TestAppendRefuses(t *testing.T) {
	for name, spoil := range map[string]func(p *Package){
		"interval":       func(p *Package) { p.Until = -1 },
		"table":          func(p *Package) { p.Rows[1].Table = 1 },
		"key":            func(p *Package) { p.Rows[1].Key = nil },
		"no change":      func(p *Package) { p.Rows[1].Lives = nil },
		"no version":     func(p *Package) { p.Rows[1].Lives[0].Birth.Version = 0 },
		"columns":        func(p *Package) { p.Rows[1].Lives[0].Has = FirstColumns(3) },
		"partial":        func(p *Package) { p.Rows[1].Lives[0].Full = false },
		"deleter":        func(p *Package) { p.Rows[1].Deleter = stampOf(1, 1, 1) },
		"old group":      func(p *Package) { p.Rows[1].Lives[0].Newer = []CellGroup{{Columns(1), Write{Stamp: stampOf(1, 1, 1)}}} },
		"deleted life":   func(p *Package) { p.Rows[1].Deleted = []Dot{{site(1), 1}} },
		"table twice":    func(p *Package) { p.Tables = append(p.Tables, p.Tables[0]) },
		"column twice":   func(p *Package) { p.Tables[0].Key = []string{"due"} },
		"covers overlap": func(p *Package) { p.Covers = append(p.Covers, p.Covers[0]) },
		"needs":          func(p *Package) { p.Needs = VersionVector{site(1): MaxVersion + 1} },
		"before":         func(p *Package) { p.Before = VersionVector{site(1): MaxVersion + 1} },
		"before a start": func(p *Package) { p.Starts, p.Before = true, VersionVector{site(1): 1} },
		"name":           func(p *Package) { p.Tables[0].Name = "\xff" },
	} {
		p := freshRows(3)
		p.Tables = []Table{{sampleTable.Name, sampleTable.Key, sampleTable.Columns}}
		spoil(p)
		b, err := p.Append([]byte("x"), nil)
		if !errors.Is(err, ErrInvalid) || string(b) != "x" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
		if _, err := p.MarshalJSON(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: JSON: %v", name, err)
		}
	}
}

func TestJSONErrors(t *testing.T) {
	for name, c := range map[string]struct {
		json string
		want error
	}{
		"not JSON":        {`{`, ErrCorrupt},
		"version":         {`{"format":2}`, ErrUnsupported},
		"unknown":         {`{"format":1,"colour":"red"}`, ErrCorrupt},
		"row of no table": {`{"format":1,"rows":[{"table":0,"key":[1]}]}`, ErrCorrupt},
		"fraction":        {`{"format":1,"tables":[{"name":"t","key":["k"]}],"rows":[{"table":0,"key":[1.5],"deleted":["` + site(1).String() + `:1"]}]}`, ErrCorrupt},
	} {
		var p Package
		err := p.UnmarshalJSON([]byte(c.json))
		if !errors.Is(err, c.want) || !reflect.DeepEqual(p, Package{}) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestHugeTimesAndVersions(t *testing.T) {
	p := freshRows(3)
	for i, s := range []Stamp{{0, site(1), 1}, {math.MaxInt64, site(2), MaxVersion}, {0, site(1), 2}} {
		p.Rows[i].Lives[0].Birth.Stamp = s
	}
	q, err := DecodePackage(encode(t, p, nil), nil, Limits{})
	if err != nil || !samePackage(p, q) {
		t.Fatalf("%v: got %+v", err, q)
	}
}

func TestPackageID(t *testing.T) {
	if got := PackageID(nil); hex.EncodeToString(got[:4]) != "e3b0c442" {
		t.Errorf("got %x", got)
	}
}

// TestTableWithSeveralColumnSets has rows of one table under two sets of columns.
func TestTableWithSeveralColumnSets(t *testing.T) {
	p, q := freshRows(2), freshRows(1)
	other := sampleTable
	other.Columns = []string{"title", "done", "weight", "owner"}
	p.Tables = append(p.Tables, other)
	q.Rows[0].Table = 1
	p.Rows = append(p.Rows, q.Rows...)
	b := encode(t, p, nil)
	back, err := DecodePackage(b, nil, Limits{})
	if err != nil || !samePackage(p, back) {
		t.Fatalf("%v: got %+v", err, back)
	}
	checkDecode(t, b)
}
