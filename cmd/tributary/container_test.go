package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/tributary-db/tributary/crdt"
)

func container(t *testing.T, packages ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := newContainerWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packages {
		if err := w.add([]byte(p)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.finish(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bare is a package as far as its envelope goes.
func bare(content string) string {
	return packageMagic + "\x01" + string(binary.LittleEndian.AppendUint32(nil, uint32(9+len(content)))) + content
}

func TestReadPackages(t *testing.T) {
	two := string(container(t, "TRIBone", "TRIBtwo"))
	huge := containerMagic + string(binary.LittleEndian.AppendUint32(nil, 0xfffffff0)) + "TRIB"
	large := containerMagic + string(binary.LittleEndian.AppendUint32(nil, 1<<29)) + "TRIB"
	for _, test := range []struct {
		name, in string
		want     []string
		err      error  // nil and fail empty: none
		fail     string // part of the message
	}{
		{name: "container", in: two, want: []string{"TRIBone", "TRIBtwo"}},
		{name: "empty container", in: string(container(t))},
		{name: "concatenated", in: two + string(container(t, "x")), want: []string{"TRIBone", "TRIBtwo", "x"}},
		{name: "bare", in: "TRIB and the rest", want: []string{"TRIB and the rest"}},
		{name: "bare, two", in: bare("one\n") + bare("two"), want: []string{bare("one\n"), bare("two")}},
		{name: "bare, lines", in: bare("one\n") + "\n" + bare("two") + "\r\n", want: []string{bare("one\n"), bare("two")}},
		{name: "bare, cut", in: bare("one") + bare("two")[:10], want: []string{bare("one"), bare("two")[:10]}},
		{name: "bare, rubbish behind", in: bare("one") + "\nrubbish", want: []string{bare("one"), "rubbish"}},
		{name: "bare, length below its own", in: packageMagic + "\x01\x01\x00\x00\x00rest", want: []string{packageMagic + "\x01\x01\x00\x00\x00", "rest"}},
		{name: "cut magic", in: "TR", want: []string{"TR"}}, // the decoder knows best how to say it
		{name: "json", in: "{\"a\": 1}\n{\"b\": 2}\n", want: []string{`{"a": 1}`, `{"b": 2}`}},
		{name: "json after blanks", in: " \n{}", want: []string{"{}"}},
		{name: "empty", in: "", fail: "is empty"},
		{name: "other", in: "SQLite format 3\x00", err: errNotPackages},
		{name: "no end", in: two[:len(two)-4], want: []string{"TRIBone", "TRIBtwo"}, err: crdt.ErrTruncated},
		{name: "half an end", in: two[:len(two)-2], want: []string{"TRIBone", "TRIBtwo"}, err: crdt.ErrTruncated},
		{name: "inside", in: two[:20], want: []string{"TRIBone"}, err: crdt.ErrTruncated},
		{name: "rubbish behind", in: two + "more", want: []string{"TRIBone", "TRIBtwo"}, fail: "does not go on"},
		{name: "length over the limit", in: huge, err: crdt.ErrLimit},
		{name: "length that lies", in: large, err: crdt.ErrTruncated},
		{name: "json cut", in: `{"a": 1} {"b"`, want: []string{`{"a": 1}`}, err: crdt.ErrTruncated},
		{name: "json bad", in: `{"a": 1} x`, want: []string{`{"a": 1}`}, err: crdt.ErrCorrupt},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			var err error
			for p, e := range readPackages(strings.NewReader(test.in)) {
				if err != nil {
					t.Fatal("something came after an error")
				}
				if err = e; e == nil {
					got = append(got, string(p))
				}
			}
			if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
				t.Errorf("got %q, want %q", got, test.want)
			}
			switch {
			case test.err != nil && !errors.Is(err, test.err):
				t.Errorf("error %v, want %v", err, test.err)
			case test.fail != "" && (err == nil || !strings.Contains(err.Error(), test.fail)):
				t.Errorf("error %v, want %q in it", err, test.fail)
			case test.err == nil && test.fail == "" && err != nil:
				t.Errorf("error %v, want none", err)
			}
		})
	}
}

// The length that lies must not be believed: memory follows the bytes that come.
func TestReadPackagesAllocates(t *testing.T) {
	lie := containerMagic + string(binary.LittleEndian.AppendUint32(nil, 1<<29)) + "TRIB"
	per := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			for range readPackages(strings.NewReader(lie)) {
			}
		}
	}).AllocedBytesPerOp()
	if per > 1<<20 {
		t.Errorf("%d bytes allocated for a file of %d", per, len(lie))
	}
}

func TestContainerRefusesEmptyPackage(t *testing.T) {
	w, err := newContainerWriter(new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	if w.add(nil) == nil {
		t.Error("an empty package would be read as the end")
	}
}
