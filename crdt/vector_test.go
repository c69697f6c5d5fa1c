package crdt

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestVersionVector(t *testing.T) {
	v := VersionVector{site(2): 5, site(1): 3, site(9): 0}
	if !v.Has(Dot{site(2), 5}) || v.Has(Dot{site(2), 6}) || v.Has(Dot{site(3), 1}) {
		t.Error("Has")
	}
	if w := (VersionVector{site(2): 5, site(1): 3}); !v.Equal(w) || !w.Equal(v) || !w.Covers(nil) || VersionVector(nil).Covers(w) {
		t.Error("a zero entry counts")
	}
	w := v.Clone()
	w.Join(VersionVector{site(1): 1, site(4): 1})
	if !w.Equal(VersionVector{site(1): 3, site(2): 5, site(4): 1}) || !w.Covers(v) || v.Covers(w) {
		t.Errorf("join: %v", w)
	}
	b, err := json.Marshal(v)
	if want := `{"01010101010101010101010101010101":3,"02020202020202020202020202020202":5}`; err != nil || string(b) != want {
		t.Errorf("%v: got %s, want %s", err, b, want)
	}
	var back VersionVector
	if err := json.Unmarshal(b, &back); err != nil || !back.Equal(v) {
		t.Errorf("%v: got %v", err, back)
	}
	for _, s := range []string{`{"01":1}`, `[]`, `{"01010101010101010101010101010101":-1}`, `{"01010101010101010101010101010101":4611686018427387905}`} {
		if json.Unmarshal([]byte(s), new(VersionVector)) == nil {
			t.Errorf("%s was taken", s)
		}
	}
}

// TestVersionSet compares with a map of single dots.
func TestVersionSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const top = 20
		var s VersionSet
		want := map[Dot]bool{}
		for range rapid.IntRange(0, 12).Draw(t, "adds") {
			r := Range{site(rapid.ByteRange(1, 2).Draw(t, "site")), Version(rapid.IntRange(0, top).Draw(t, "from")), Version(rapid.IntRange(0, top).Draw(t, "to"))}
			s.Add(r)
			for v := max(r.From, 1); v <= r.To; v++ {
				want[Dot{r.Site, v}] = true
			}
		}
		prefix := VersionVector{}
		var ranges []Range
		for b := range byte(2) {
			site := site(b + 1)
			for v := Version(1); v <= top+1; v++ {
				if s.Has(Dot{site, v}) != want[Dot{site, v}] {
					t.Fatalf("has %d: %v", v, !want[Dot{site, v}])
				}
				if !want[Dot{site, v}] {
					continue
				}
				if n := len(ranges); n > 0 && ranges[n-1].Site == site && ranges[n-1].To == v-1 {
					ranges[n-1].To = v
				} else {
					ranges = append(ranges, Range{site, v, v})
				}
				if r := ranges[len(ranges)-1]; r.From == 1 {
					prefix[site] = r.To
				}
			}
		}
		if got := s.Ranges(); !slices.Equal(got, ranges) || !s.Prefix().Equal(prefix) {
			t.Fatalf("got %v with prefix %v, want %v", got, s.Prefix(), ranges)
		}
		r := Range{site(1), Version(rapid.IntRange(1, top).Draw(t, "from")), Version(rapid.IntRange(0, top).Draw(t, "to"))}
		all := true
		for v := r.From; v <= r.To; v++ {
			all = all && want[Dot{r.Site, v}]
		}
		if s.HasRange(r) != all {
			t.Fatalf("has %v: %v", r, !all)
		}
	})
	var s VersionSet
	if s.Add(Range{site(1), 5, math.MaxUint64}); !s.Has(Dot{site(1), MaxVersion}) || s.Has(Dot{site(1), MaxVersion + 1}) || s.Has(Dot{}) {
		t.Errorf("got %v", s.Ranges())
	}
}

func TestSiteAndDot(t *testing.T) {
	s, err := ParseSite("00112233445566778899AABBCCDDEEFF")
	if err != nil || s.String() != "00112233445566778899aabbccddeeff" || s.IsZero() || !(Site{}).IsZero() {
		t.Fatalf("%v: %v", err, s)
	}
	d := Dot{s, 42}
	if e, err := ParseDot(d.String()); err != nil || e != d || d.String() != "00112233445566778899aabbccddeeff:42" {
		t.Errorf("%v: %v", err, e)
	}
	for _, bad := range []string{"", "00", "0g112233445566778899aabbccddeeff", s.String() + "0"} {
		if _, err := ParseSite(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
		if _, err := ParseDot(bad + ":1"); err == nil {
			t.Errorf("%q was taken", bad+":1")
		}
	}
	for _, bad := range []string{s.String(), s.String() + ":", s.String() + ":-1", s.String() + ":4611686018427387905"} {
		if _, err := ParseDot(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if s.Compare(Site{}) <= 0 || d.Compare(Dot{s, 43}) >= 0 || d.Compare(Dot{Site{}, 99}) <= 0 || d.Compare(d) != 0 {
		t.Error("order of sites and dots")
	}
}

func TestTimeAndClock(t *testing.T) {
	if got, want := TimeOf(1_790_000_000_123).String(), "2026-09-21T14:13:20.123Z"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if x := TimeOf(5) + 7; x.Millis() != 5 || x.Counter() != 7 || x.String() != "1970-01-01T00:00:00.005Z#7" {
		t.Errorf("got %v", x)
	}
	if TimeOf(math.MaxInt64).Millis() != 1<<47-1 || TimeOf(math.MinInt64).Millis() != -1<<47 || TimeOf(-1).Millis() != -1 {
		t.Error("times beyond the ends wrap")
	}
	var c Clock
	a := c.Tick(100)
	b := c.Tick(90)
	c.Observe(TimeOf(200))
	c.Observe(TimeOf(50))
	d := c.Tick(101)
	if a != TimeOf(100) || b != a+1 || d != TimeOf(200)+1 {
		t.Errorf("got %v, %v, %v", a, b, d)
	}
	c.Observe(math.MaxInt64)
	if c.Tick(5) != math.MaxInt64 {
		t.Error("the clock wraps")
	}
	s := Stamp{5, site(1), 2}
	for _, later := range []Stamp{{6, site(0), 1}, {5, site(2), 1}, {5, site(1), 3}} {
		if s.Compare(later) >= 0 || later.Compare(s) <= 0 {
			t.Errorf("%v is not before %v", s, later)
		}
	}
}
