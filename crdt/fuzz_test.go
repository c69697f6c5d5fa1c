package crdt

import (
	"bytes"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

func seedPackages(f *testing.F) []*Package {
	seeds := []*Package{{}, freshRows(5)}
	for i := range 20 {
		seeds = append(seeds, rapid.Custom(drawPackage).Example(i))
	}
	return seeds
}

// FuzzDecodePackage seals what it gets, as no mutation would pass the checksum otherwise.
func FuzzDecodePackage(f *testing.F) {
	for _, p := range seedPackages(f) {
		f.Add(encode(f, p, nil))
	}
	packages, _ := formatExamples(f, "hex package")
	for _, s := range packages {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		checkDecode(t, b)
		if len(b) >= flagsOffset+checksumSize {
			checkDecode(t, seal(bytes.Clone(b)))
		}
	})
}

func FuzzDecodeValue(f *testing.F) {
	for _, v := range interestingValues {
		f.Add(AppendValue(nil, v))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, rest, err := DecodeValue(b)
		if err != nil {
			return
		}
		if got, want := AppendValue(nil, v), b[:len(b)-len(rest)]; !bytes.Equal(got, want) {
			t.Fatalf("got %x, want %x", got, want)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var w Value
		if err := json.Unmarshal(text, &w); err != nil || !v.Equal(w) || v.Compare(w) != 0 {
			t.Fatalf("%s: %v: got %v, want %v", text, err, w, v)
		}
	})
}

// FuzzPackageJSON takes any JSON through the binary form and back.
func FuzzPackageJSON(f *testing.F) {
	for _, p := range seedPackages(f) {
		b, err := p.MarshalJSON()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var p, q Package
		if p.UnmarshalJSON(b) != nil {
			return
		}
		bin, err := p.Append(nil, nil)
		if err != nil {
			t.Fatalf("JSON taken, bytes not: %v", err)
		}
		text, err := p.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if err := q.UnmarshalJSON(text); err != nil {
			t.Fatal(err)
		}
		if again := encode(t, &q, nil); !bytes.Equal(again, bin) {
			t.Fatalf("got %x, want %x", again, bin)
		}
		checkDecode(t, bin)
	})
}
