package crdt

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// bigNumber gives a number without rounding.
func bigNumber(v Value) *big.Float {
	f := new(big.Float).SetPrec(2000)
	if v.Kind() == KindInt {
		return f.SetInt64(v.Int())
	}
	return f.SetFloat64(v.Real())
}

func TestCompareNumbers(t *testing.T) {
	number := rapid.OneOf(
		rapid.Custom(func(t *rapid.T) Value {
			return rapid.SampledFrom(interestingValues).Filter(func(v Value) bool { return v.rank() == 1 }).Draw(t, "v")
		}),
		rapid.Map(rapid.Int64(), Int),
		rapid.Map(rapid.Int64(), func(i int64) Value { return Real(float64(i)) }),
		rapid.Map(rapid.Float64(), Real),
	).Filter(func(v Value) bool { return !math.IsNaN(v.Real()) })
	rapid.Check(t, func(t *rapid.T) {
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		got, want := a.Compare(b), bigNumber(a).Cmp(bigNumber(b))
		if want == 0 {
			want = cmp.Compare(a.Kind(), b.Kind())
		}
		if want == 0 && a.Kind() == KindReal { // only zeros are left
			want = cmp.Compare(a.bits, b.bits)
		}
		if got != want {
			t.Fatalf("%v and %v: got %d, want %d", a, b, got, want)
		}
	})
}

func TestCompareIsTotal(t *testing.T) {
	for _, a := range interestingValues {
		for _, b := range interestingValues {
			ab := a.Compare(b)
			if ab != -b.Compare(a) || (ab == 0) != a.Equal(b) {
				t.Errorf("%v and %v: %d, %d, equal %v", a, b, ab, b.Compare(a), a.Equal(b))
			}
			if (string(AppendValue(nil, a)) == string(AppendValue(nil, b))) != a.Equal(b) {
				t.Errorf("%v and %v: bytes and values disagree", a, b)
			}
			for _, c := range interestingValues {
				if ab <= 0 && b.Compare(c) <= 0 && a.Compare(c) > 0 {
					t.Errorf("%v, %v, %v: not transitive", a, b, c)
				}
			}
		}
	}
	classes := []Value{Null(), Int(5), TextString(""), Blob(nil)}
	if !slices.IsSortedFunc(classes, Value.Compare) || Real(math.NaN()).Compare(Int(math.MinInt64)) >= 0 {
		t.Error("classes are out of order")
	}
}

func TestValueStrings(t *testing.T) {
	for want, v := range map[string]Value{
		"NULL": Null(), "-5": Int(-5), "1.0": Real(1), "-0.0": Real(math.Copysign(0, -1)), "1e+300": Real(1e300), "9e999": Real(math.Inf(1)),
		"'it''s'": TextString("it's"), "x'00ff'": Blob([]byte{0, 255}),
	} {
		if got := v.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for k, want := range []string{"null", "integer", "real", "text", "blob", "kind(5)"} {
		if got := Kind(k).String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	b := []byte("abc")
	borrowed, own := Text(b), Text(b).Clone()
	b[0] = 'x'
	if string(borrowed.Bytes()) != "xbc" || string(own.Bytes()) != "abc" {
		t.Errorf("got %v and %v", borrowed, own)
	}
}

func TestDecodeValueErrors(t *testing.T) {
	for _, c := range []struct {
		b    string
		want error
	}{
		{"", ErrTruncated}, {"\x01", ErrTruncated}, {"\x01\x80", ErrTruncated}, {"\x01\x80\x00", ErrCorrupt},
		{"\x02\x00\x00\x00\x00\x00\x00\x00", ErrTruncated}, {"\x03\x01", ErrTruncated}, {"\x05", ErrCorrupt},
		{"\x04\xff\xff\xff\xff\xff\xff\xff\xff\x7f", ErrTruncated}, {"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", ErrCorrupt},
	} {
		if _, rest, err := DecodeValue([]byte(c.b)); !errors.Is(err, c.want) || string(rest) != c.b {
			t.Errorf("%x: got %v, want %v", c.b, err, c.want)
		}
	}
}

func TestValueJSON(t *testing.T) {
	for _, v := range interestingValues {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var w Value
		if err := json.Unmarshal(b, &w); err != nil || !w.Equal(v) {
			t.Errorf("%s: %v: got %v, want %v", b, err, w, v)
		}
	}
	for v, want := range map[int64]string{1 << 53: "9007199254740992", 1<<53 + 1: `{"int":"9007199254740993"}`} {
		if b, _ := json.Marshal(Int(v)); string(b) != want {
			t.Errorf("got %s, want %s", b, want)
		}
	}
	for _, s := range []string{`1.5`, `1e3`, `true`, `{}`, `{"int":"1","text":""}`, `{"real":"x"}`, `{"blob":"?"}`, `[1]`, `{"int":1}`, `{"when":"1"}`} {
		if err := new(Value).UnmarshalJSON([]byte(s)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", s, err)
		}
	}
}
