package vectors

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tributary-db/tributary/crdt"
)

// Judge reads a vector with package crdt and gives the outcome and, where there is one, the text. z may be nil
// unless the vector is marked Zstd. An error means that the vector itself cannot be understood.
func Judge(v *Vector, z crdt.Compressor) (Outcome, string, error) {
	switch v.Kind {
	case KindValue:
		return judgeValue(v.Part("bytes"))
	case KindColumns:
		set, rest, err := crdt.DecodeColumnSet(v.Part("bytes"))
		if err == nil && len(rest) > 0 {
			return "", "", fmt.Errorf("%d bytes after the set", len(rest))
		}
		return answer(RenderColumns(set)+"\n", err)
	case KindPackage:
		p, err := crdt.DecodePackage(v.Part("bytes"), z, crdt.Limits{})
		if err != nil {
			return answer("", err)
		}
		return Accept, RenderPackage(p), nil
	case KindJSON:
		p := &crdt.Package{}
		if err := p.UnmarshalJSON(v.Part("json")); err != nil {
			return answer("", err)
		}
		return Accept, RenderPackage(p), nil
	case KindVector:
		return judgeVector(v)
	case KindClock:
		text, err := runClock(string(v.Part("steps")))
		return Accept, text, err
	case KindMerge:
		return judgeMerge(v.All("bytes"))
	}
	return "", "", fmt.Errorf("unknown kind %q", v.Kind)
}

// answer tells a decoder's error by its class. An error without one is a defect.
func answer(text string, err error) (Outcome, string, error) {
	for _, c := range []struct {
		err error
		out Outcome
	}{{crdt.ErrUnsupported, Unsupported}, {crdt.ErrTruncated, Truncated}, {crdt.ErrLimit, OverLimit}, {crdt.ErrCorrupt, Corrupt}} {
		if errors.Is(err, c.err) {
			return c.out, "", nil
		}
	}
	return Accept, text, err
}

func judgeValue(b []byte) (Outcome, string, error) {
	v, rest, err := crdt.DecodeValue(b)
	if err == nil && len(rest) > 0 {
		return "", "", fmt.Errorf("%d bytes after the value", len(rest))
	}
	return answer(RenderValue(v)+"\n", err)
}

func judgeVector(v *Vector) (Outcome, string, error) {
	var a, b crdt.VersionVector
	for _, x := range []struct {
		name string
		into *crdt.VersionVector
	}{{"a", &a}, {"b", &b}} {
		if err := x.into.UnmarshalJSON(v.Part(x.name)); err != nil {
			if errors.Is(err, crdt.ErrLimit) {
				return OverLimit, "", nil
			}
			return Corrupt, "", nil
		}
	}
	join := a.Clone()
	join.Join(b)
	text := ""
	for _, x := range []struct {
		name string
		v    crdt.VersionVector
	}{{"a", a}, {"b", b}, {"join", join}} {
		j, err := x.v.MarshalJSON()
		if err != nil {
			return "", "", err
		}
		text += x.name + " " + string(j) + "\n"
	}
	return Accept, text + fmt.Sprintf("a covers b: %t\nb covers a: %t\n", a.Covers(b), b.Covers(a)), nil
}

// runClock takes a clock through lines "tick MILLISECONDS" and "observe TIME" and writes what it says after each.
func runClock(steps string) (string, error) {
	var c crdt.Clock
	var b strings.Builder
	for line := range strings.Lines(steps) {
		var verb string
		var n int64
		if _, err := fmt.Sscan(line, &verb, &n); err != nil {
			return "", fmt.Errorf("step %q: %w", line, err)
		}
		switch verb {
		case "tick":
			c.Tick(n)
		case "observe":
			c.Observe(crdt.Time(n))
		default:
			return "", fmt.Errorf("step %q", line)
		}
		fmt.Fprintf(&b, "%d = %d ms and %d\n", int64(c.Last), c.Last.Millis(), c.Last.Counter())
	}
	return b.String(), nil
}

// judgeMerge merges the changes of one row in the order in which they come.
func judgeMerge(packages [][]byte) (Outcome, string, error) {
	row := &crdt.Row{}
	for i, b := range packages {
		p, err := crdt.DecodePackage(b, nil, crdt.Limits{})
		if err != nil {
			return "", "", fmt.Errorf("package %d: %w", i+1, err)
		}
		for j := range p.Rows {
			if _, err := row.MergeChange(&p.Rows[j]); errors.Is(err, crdt.ErrMissingBirth) {
				return MissingBirth, RenderRow(row), nil
			} else if err != nil {
				return "", "", fmt.Errorf("package %d: %w", i+1, err)
			}
		}
	}
	return Accept, RenderRow(row), nil
}
