package crdt

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
)

// Kind is one of SQLite's five storage classes. https://www.sqlite.org/datatype3.html
type Kind uint8

// The storage classes, in SQLite's order of comparison except that the two numeric classes compare as numbers.
const (
	KindNull Kind = iota
	KindInt
	KindReal
	KindText
	KindBlob
)

// String gives what SQLite's typeof() gives.
func (k Kind) String() string {
	if k > KindBlob {
		return "kind(" + strconv.Itoa(int(k)) + ")"
	}
	return [...]string{"null", "integer", "real", "text", "blob"}[k]
}

// Value is one SQLite value. The zero Value is NULL. Constructors do not copy bytes, so a Value is good
// for as long as what it was made from; Clone makes one that stands alone.
type Value struct {
	kind  Kind
	bits  int64 // the integer, or the bits of the real
	bytes []byte
}

// Null gives NULL.
func Null() Value { return Value{} }

// Int gives an INTEGER.
func Int(i int64) Value { return Value{kind: KindInt, bits: i} }

// Real gives a REAL. SQLite cannot store a NaN and makes it NULL; a Value keeps even its payload.
func Real(f float64) Value { return Value{kind: KindReal, bits: int64(math.Float64bits(f))} }

// Text gives a TEXT of these bytes, which need not be UTF-8, as in SQLite. It keeps b.
func Text(b []byte) Value { return Value{kind: KindText, bytes: b} }

// TextString gives a TEXT.
func TextString(s string) Value { return Value{kind: KindText, bytes: []byte(s)} }

// Blob gives a BLOB. It keeps b.
func Blob(b []byte) Value { return Value{kind: KindBlob, bytes: b} }

// Kind gives the storage class.
func (v Value) Kind() Kind { return v.kind }

// IsNull says whether v is NULL.
func (v Value) IsNull() bool { return v.kind == KindNull }

// Int gives the integer of an INTEGER, 0 for any other kind.
func (v Value) Int() int64 {
	if v.kind != KindInt {
		return 0
	}
	return v.bits
}

// Real gives the number of a REAL, 0 for any other kind.
func (v Value) Real() float64 {
	if v.kind != KindReal {
		return 0
	}
	return math.Float64frombits(uint64(v.bits))
}

// Bytes gives the bytes of a TEXT or BLOB, nil for any other kind. They are borrowed: neither change nor keep them.
func (v Value) Bytes() []byte { return v.bytes }

// Clone gives a Value that shares no bytes with v.
func (v Value) Clone() Value {
	v.bytes = bytes.Clone(v.bytes)
	return v
}

// Equal says whether v and w are the same value of the same kind, bit for bit.
func (v Value) Equal(w Value) bool {
	return v.kind == w.kind && v.bits == w.bits && bytes.Equal(v.bytes, w.bytes)
}

// Compare orders values as SQLite's binary collation does: NULL, then numbers, then TEXT, then BLOB; numbers compare
// by their exact value, bytes by memcmp. Where SQLite sees no difference the order goes on, so that it is total and
// zero means Equal: an INTEGER is before the REAL of the same value, -0.0 before 0.0, and a NaN before every number.
func (v Value) Compare(w Value) int {
	if a, b := v.rank(), w.rank(); a != b {
		return cmp.Compare(a, b)
	}
	switch v.rank() {
	case 0:
		return 0
	case 1:
		return compareNumbers(v, w)
	}
	return bytes.Compare(v.bytes, w.bytes)
}

func (v Value) rank() int { return [...]int{0, 1, 1, 2, 3}[v.kind] }

func compareNumbers(v, w Value) int {
	switch {
	case v.kind == KindInt && w.kind == KindInt:
		return cmp.Compare(v.bits, w.bits)
	case v.kind == KindInt:
		return compareIntReal(v.bits, w.Real())
	case w.kind == KindInt:
		return -compareIntReal(w.bits, v.Real())
	}
	f, g := v.Real(), w.Real()
	switch {
	case f < g:
		return -1
	case f > g:
		return 1
	case math.IsNaN(f) && !math.IsNaN(g):
		return -1
	case math.IsNaN(g) && !math.IsNaN(f):
		return 1
	}
	// Equal numbers, or two NaN: only zeros and NaN differ in bits here, and the sign bit makes bits negative.
	return cmp.Compare(v.bits, w.bits)
}

// compareIntReal compares without rounding either side; equal numbers give -1, as an INTEGER is before a REAL.
func compareIntReal(i int64, f float64) int {
	switch {
	case math.IsNaN(f):
		return 1
	case f >= 1<<63:
		return -1
	case f < -1<<63:
		return 1
	}
	whole := int64(f) // exact: truncated toward zero and within range
	if i != whole {
		return cmp.Compare(i, whole)
	}
	if f < float64(whole) { // a fraction is only there below 2^53, where whole converts back exactly
		return 1
	}
	return -1
}

// String gives a SQL literal, for people. A TEXT with a NUL in it is not a literal that SQLite reads back.
func (v Value) String() string {
	switch v.kind {
	case KindNull:
		return "NULL"
	case KindInt:
		return strconv.FormatInt(v.bits, 10)
	case KindReal:
		return realLiteral(v.Real())
	case KindText:
		return "'" + strings.ReplaceAll(string(v.bytes), "'", "''") + "'"
	}
	return "x'" + hex.EncodeToString(v.bytes) + "'"
}

func realLiteral(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "9e999"
	case math.IsInf(f, -1):
		return "-9e999"
	}
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}
