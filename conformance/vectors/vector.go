package vectors

import (
	"bytes"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Kind says what a vector is an example of.
type Kind string

// The kinds, and the parts that each has besides text.
const (
	KindValue   Kind = "value"   // bytes: one value as AppendValue writes it
	KindColumns Kind = "columns" // bytes: a column set
	KindPackage Kind = "package" // bytes: a package
	KindJSON    Kind = "json"    // json: a package
	KindVector  Kind = "vector"  // a, b: two version vectors in JSON
	KindClock   Kind = "clock"   // steps: what one hybrid clock goes through
	KindMerge   Kind = "merge"   // bytes, once or more: packages with changes of one row, in the order of arrival
)

// parts are those of a kind, without text.
var parts = map[Kind][]string{
	KindValue: {"bytes"}, KindColumns: {"bytes"}, KindPackage: {"bytes"}, KindJSON: {"json"},
	KindVector: {"a", "b"}, KindClock: {"steps"}, KindMerge: {"bytes"},
}

// Outcome is what a reader must answer.
type Outcome string

// The outcomes. The list is closed: a reader that cannot tell these apart cannot be right about what to do next.
const (
	Accept       Outcome = "accept"
	Unsupported  Outcome = "unsupported"   // of another version of the format: wait for a newer program
	Corrupt      Outcome = "corrupt"       // damaged, or made by a defect: ask again, and complain
	Truncated    Outcome = "truncated"     // the beginning of a package: fetch it again
	OverLimit    Outcome = "over-limit"    // more than the reader may take
	MissingBirth Outcome = "missing-birth" // a merge: columns of an insert that has not come; the row is as it was
)

var outcomes = []Outcome{Accept, Unsupported, Corrupt, Truncated, OverLimit, MissingBirth}

// Part is one named part of a vector; a merge has several called bytes.
type Part struct {
	Name string
	Data []byte // of bytes decoded from hex, of all others the text with its last newline
}

// Vector is one example.
type Vector struct {
	Name    string // kind/name, the path under data without its ending
	Kind    Kind
	Expect  Outcome
	Comment string
	Zstd    bool // a reader that has no zstd may skip it
	Parts   []Part
}

// Part gives the first part of that name, nil if there is none.
func (v *Vector) Part(name string) []byte {
	for _, p := range v.Parts {
		if p.Name == name {
			return p.Data
		}
	}
	return nil
}

// All gives the parts of that name, in order.
func (v *Vector) All(name string) (out [][]byte) {
	for _, p := range v.Parts {
		if p.Name == name {
			out = append(out, p.Data)
		}
	}
	return out
}

// Text is what an accepted vector means, "" for one that is refused.
func (v *Vector) Text() string { return string(v.Part("text")) }

const hexLine = 48 // bytes of a part in one line of a file

// Format gives the bytes of a vector's file. Parse reads them back.
func (v *Vector) Format() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "kind: %s\nexpect: %s\ncomment: %s\n", v.Kind, v.Expect, v.Comment)
	if v.Zstd {
		b.WriteString("needs: zstd\n")
	}
	b.WriteByte('\n')
	for _, p := range v.Parts {
		fmt.Fprintf(&b, "-- %s --\n", p.Name)
		if p.Name != "bytes" {
			b.Write(p.Data)
			continue
		}
		for line := range slices.Chunk(p.Data, hexLine) {
			fmt.Fprintf(&b, "%x\n", line)
		}
	}
	return b.Bytes()
}

// Parse reads the file of a vector.
func Parse(name string, file []byte) (*Vector, error) {
	v := &Vector{Name: name}
	head, body, ok := strings.Cut(string(file), "\n\n")
	if !ok {
		return nil, fmt.Errorf("vector %s: no empty line after the headers", name)
	}
	for line := range strings.SplitSeq(head, "\n") {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "kind":
			v.Kind = Kind(value)
		case "expect":
			v.Expect = Outcome(value)
		case "comment":
			v.Comment = value
		case "needs":
			v.Zstd = value == "zstd"
		default:
			return nil, fmt.Errorf("vector %s: unknown header %q", name, key)
		}
	}
	var text bool
	for line := range strings.Lines(body) {
		if at, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(line, " --\n") {
			part := strings.TrimSuffix(at, " --\n")
			v.Parts, text = append(v.Parts, Part{Name: part, Data: []byte{}}), part != "bytes"
			continue
		}
		if len(v.Parts) == 0 {
			return nil, fmt.Errorf("vector %s: %q before the first part", name, line)
		}
		p := &v.Parts[len(v.Parts)-1]
		if text {
			p.Data = append(p.Data, line...)
			continue
		}
		b, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil {
			return nil, fmt.Errorf("vector %s: bytes: %w", name, err)
		}
		p.Data = append(p.Data, b...)
	}
	return v, v.validate()
}

func (v *Vector) validate() error {
	want := parts[v.Kind]
	if want == nil || !slices.Contains(outcomes, v.Expect) || v.Comment == "" {
		return fmt.Errorf("vector %s: kind %q, expect %q, comment %q: one of them is unknown or missing", v.Name, v.Kind, v.Expect, v.Comment)
	}
	for _, name := range want {
		if v.Part(name) == nil {
			return fmt.Errorf("vector %s: no part %s", v.Name, name)
		}
	}
	if (v.Part("text") != nil) != (v.Expect == Accept || v.Expect == MissingBirth) {
		return fmt.Errorf("vector %s: expect %s, text %q", v.Name, v.Expect, v.Text())
	}
	return nil
}

//go:embed data
var files embed.FS

// Load gives all vectors, by name.
func Load() ([]*Vector, error) {
	var out []*Vector
	err := fs.WalkDir(files, "data", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := files.ReadFile(path)
		if err != nil {
			return err
		}
		v, err := Parse(strings.TrimSuffix(strings.TrimPrefix(path, "data/"), ".txt"), b)
		if err == nil {
			out = append(out, v)
		}
		return err
	})
	return out, err
}
