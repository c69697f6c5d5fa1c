package crdt

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var fenced = regexp.MustCompile("(?ms)^```(hex|json) ([a-z]+)( [0-9]+)?\n(.*?)^```$")

// formatExamples gives the examples of FORMAT.md of one kind.
func formatExamples(t testing.TB, kind string) (examples []string, lengths []int) {
	t.Helper()
	text, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range fenced.FindAllStringSubmatch(string(text), -1) {
		if m[1]+" "+m[2] == kind {
			n, _ := strconv.Atoi(strings.TrimSpace(m[3]))
			examples, lengths = append(examples, m[4]), append(lengths, n)
		}
	}
	if len(examples) == 0 {
		t.Fatalf("FORMAT.md has no %s", kind)
	}
	return examples, lengths
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(s) {
		line, _, _ = strings.Cut(line, ";")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFormatExamples(t *testing.T) {
	again := func(s string, got, want []byte) {
		t.Helper()
		if !bytes.Equal(got, want) {
			t.Errorf("%s\n got %x\nwant %x", s, got, want)
		}
	}
	packages, _ := formatExamples(t, "hex package")
	for _, s := range packages {
		b := unhex(t, s)
		p, err := DecodePackage(b, nil, Limits{})
		if err != nil {
			t.Errorf("%s%v", s, err)
			continue
		}
		again(s, encode(t, p, nil), b)
	}
	sets, _ := formatExamples(t, "hex columnset")
	for _, s := range sets {
		b := unhex(t, s)
		set, rest, err := DecodeColumnSet(b)
		if err != nil || len(rest) > 0 {
			t.Errorf("%s%v, rest %x", s, err, rest)
		}
		again(s, set.AppendBinary(nil), b)
	}
	values, _ := formatExamples(t, "hex value")
	for _, s := range values {
		b := unhex(t, s)
		v, rest, err := DecodeValue(b)
		if err != nil || len(rest) > 0 {
			t.Errorf("%s%v, rest %x", s, err, rest)
		}
		again(s, AppendValue(nil, v), b)
	}
	sequences, lengths := formatExamples(t, "hex sequence")
	for i, s := range sequences {
		b := unhex(t, s)
		again(s, appendSequence(nil, readSequence(t, b, lengths[i])), b)
	}
	texts, _ := formatExamples(t, "json package")
	for _, s := range texts {
		var p Package
		if err := json.Unmarshal([]byte(s), &p); err != nil {
			t.Errorf("%s%v", s, err)
			continue
		}
		got, err := json.Marshal(&p)
		var want bytes.Buffer
		if err := json.Compact(&want, []byte(s)); err != nil {
			t.Fatal(err)
		}
		if err != nil || string(got) != want.String() {
			t.Errorf("%v\n got %s\nwant %s", err, got, want.String())
		}
	}
}

func TestWorkedExample(t *testing.T) {
	packages, _ := formatExamples(t, "hex package")
	p, err := DecodePackage(unhex(t, packages[0]), nil, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.Sent.String(), "2026-09-21T14:13:20.000Z"; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
	var rows []string
	for _, c := range p.Rows {
		s := c.Key[0].String()
		for _, l := range c.Lives {
			for i := range l.Has.Columns() {
				v, _ := l.Value(i)
				s += " " + p.Tables[c.Table].Columns[i] + "=" + v.String()
			}
		}
		if len(c.Deleted) > 0 {
			s += " deleted"
		}
		rows = append(rows, s)
	}
	if got, want := strings.Join(rows, "; "), "1 title='a' done=0; 2 title='b' done=0; 3 title='c' done=0; 4 title='d' done=0; 5 done=0.5; 6 deleted"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func readSequence(t testing.TB, b []byte, n int) []uint64 {
	t.Helper()
	r := reader{b: b}
	var v []uint64
	for _, run := range r.sequence(n, ^uint64(0)) {
		for range run.count {
			v = append(v, run.value)
		}
	}
	if r.err != nil || r.off != len(b) || len(v) != n {
		t.Fatalf("sequence %x: %v, %d numbers, %d bytes read", b, r.err, len(v), r.off)
	}
	return v
}
