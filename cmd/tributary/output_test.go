package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

func TestCountAndPlural(t *testing.T) {
	for n, want := range map[int]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234", -999: "-999"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %s, want %s", n, got, want)
		}
	}
	for want, got := range map[string]string{
		"1 row": plural(1, "row"), "0 rows": plural(0, "row"), "1,000 rows": plural(1000, "row"), "2 entries": plural(2, "entry"),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestCell(t *testing.T) {
	for _, test := range []struct {
		in    string
		width int
		want  string
	}{
		{"plain", 10, "plain"},
		{"exactly", 7, "exactly"},
		{"too long", 5, "too …"},
		{"a\nb\x1b", 20, `a\nb\x1b`},
		{"bad \xff", 20, "bad \uFFFD"},
	} {
		if got := cell(test.in, test.width); got != test.want {
			t.Errorf("cell(%q, %d) = %q, want %q", test.in, test.width, got, test.want)
		}
	}
}

func TestRealText(t *testing.T) {
	for f, want := range map[float64]string{
		1: "1.0", 0.1: "0.1", -2.5: "-2.5", 1e300: "1e+300", 1.0 / 3: "0.3333333333333333",
		math.Inf(1): "9e999", math.Inf(-1): "-9e999", 1e15: "1e+15", 123456: "123456.0",
	} {
		if got := realText(f); got != want {
			t.Errorf("%g: got %s, want %s", f, got, want)
		}
	}
	if got := realText(math.Copysign(0, -1)); got != "-0.0" {
		t.Errorf("-0.0 became %s", got)
	}
}

func TestJSONValue(t *testing.T) {
	got, err := json.Marshal(jsonValues([]crdt.Value{
		crdt.Null(), crdt.Int(1), crdt.Real(1), crdt.Int(math.MaxInt64), crdt.TextString("é<"), crdt.Blob([]byte{0, 255}), crdt.Text([]byte{255}),
	}))
	want := `[null,1,1.0,{"int":"9223372036854775807"},"é\u003c",{"blob":"AP8="},{"text":"/w=="}]`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestProgress(t *testing.T) {
	for _, test := range []struct {
		rewrite bool
		want    string
	}{
		{false, "rows: 300 of 1,000 (30 %)\nrows: 2,000\nresult\n"},
		{true, "\r\x1b[Krows: 300 of 1,000 (30 %)\r\x1b[Krows: 400 of 1,000 (40 %)\r\x1b[Krows: 2,000\r\x1b[Kresult\n"},
	} {
		var b bytes.Buffer
		now := time.Unix(0, 0)
		a := newApp(nil, &b, &b)
		p := &progressLine{w: &b, bar: a.bar, rewrite: test.rewrite, now: func() time.Time { return now }}
		report := func(after time.Duration, step string, done, total int64) {
			now = now.Add(after)
			p.show(engine.Progress{Step: step, Done: done, Total: total})
		}
		report(0, "short", 0, 1000) // over within a second: never shown
		report(500*time.Millisecond, "short", 1000, 1000)
		report(2*time.Second, "rows", 100, 1000)
		report(900*time.Millisecond, "rows", 200, 1000)
		report(200*time.Millisecond, "rows", 300, 1000)
		report(100*time.Millisecond, "rows", 400, 1000)
		report(950*time.Millisecond, "rows", 2000, 0)
		fmt.Fprintln(a.out, "result")
		if b.String() != test.want {
			t.Errorf("rewrite=%v: got %q, want %q", test.rewrite, b.String(), test.want)
		}
	}
}
