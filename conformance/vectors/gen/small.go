package main

import (
	"bytes"
	"fmt"
	"math"

	"github.com/tributary-db/tributary/conformance/vectors"
	"github.com/tributary-db/tributary/crdt"
)

func (a *all) values() {
	for _, c := range []struct {
		name, comment string
		v             crdt.Value
	}{
		{"null", "NULL has no payload", crdt.Null()},
		{"zero", "zigzag of 0", crdt.Int(0)},
		{"minus_one", "zigzag makes small numbers of both signs short", crdt.Int(-1)},
		{"minus_sixty_four", "the last integer of one byte", crdt.Int(-64)},
		{"sixty_four", "the first integer of two bytes", crdt.Int(64)},
		{"two_to_53_and_one", "not exact as a double", crdt.Int(1<<53 + 1)},
		{"greatest_integer", "ten bytes", crdt.Int(math.MaxInt64)},
		{"least_integer", "ten bytes", crdt.Int(math.MinInt64)},
		{"half", "a REAL is its 64 bits, lowest byte first", crdt.Real(0.5)},
		{"real_zero", "not the INTEGER 0", crdt.Real(0)},
		{"minus_zero", "kept, though SQLite compares it as equal to 0.0", crdt.Real(math.Copysign(0, -1))},
		{"infinity", "SQLite stores it", crdt.Real(math.Inf(1))},
		{"quiet_nan", "SQLite stores none, the format keeps it", crdt.Real(math.Float64frombits(0x7ff8000000000001))},
		{"signalling_nan", "every bit pattern is kept", crdt.Real(math.Float64frombits(0xfff4000000000000))},
		{"smallest_real", "a subnormal number", crdt.Real(math.SmallestNonzeroFloat64)},
		{"empty_text", "not NULL", crdt.TextString("")},
		{"text", "UTF-8", crdt.TextString("naïve ☃")},
		{"text_with_nul", "a NUL in a TEXT does not end it", crdt.TextString("a\x00b")},
		{"text_not_utf8", "TEXT need not be UTF-8", crdt.Text([]byte{0xff, 0xfe, 'x'})},
		{"empty_blob", "not the empty TEXT", crdt.Blob(nil)},
		{"blob", "bytes", crdt.Blob([]byte{0, 1, 0x80, 0xff})},
		{"long_text", "its length takes two bytes", crdt.Text(bytes.Repeat([]byte("ab"), 100))},
	} {
		a.add(vectors.KindValue, c.name, vectors.Accept, c.comment, bin(crdt.AppendValue(nil, c.v)))
	}
	for _, c := range []struct {
		name, comment string
		want          vectors.Outcome
		b             string
	}{
		{"no_bytes", "not even a kind", vectors.Truncated, ""},
		{"unknown_kind", "kinds go to 4", vectors.Corrupt, "\x05"},
		{"integer_without_payload", "a kind alone", vectors.Truncated, "\x01"},
		{"integer_cut", "the varint goes on", vectors.Truncated, "\x01\x80"},
		{"integer_not_shortest", "0 in two bytes", vectors.Corrupt, "\x01\x80\x00"},
		{"integer_too_long", "more than 64 bits", vectors.Corrupt, "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"},
		{"real_cut", "seven bytes of eight", vectors.Truncated, "\x02\x00\x00\x00\x00\x00\x00\xe0"},
		{"text_without_length", "a kind alone", vectors.Truncated, "\x03"},
		{"text_cut", "three bytes are declared", vectors.Truncated, "\x03\x03ab"},
		{"blob_of_2_to_63_bytes", "a length that no reader may allocate", vectors.Truncated, "\x04\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"},
	} {
		a.add(vectors.KindValue, c.name, c.want, c.comment, bin([]byte(c.b)))
	}
}

func (a *all) columnSets() {
	for _, c := range []struct {
		name, comment string
		set           crdt.ColumnSet
	}{
		{"none", "no bytes follow the 0", crdt.ColumnSet{}},
		{"first", "ordinal 0 is the lowest bit of the first byte", crdt.Columns(0)},
		{"eighth", "the first bit of the second byte", crdt.Columns(8)},
		{"word", "ordinals on both sides of a machine word", crdt.Columns(63, 64, 127, 128)},
		{"last", "the greatest ordinal", crdt.Columns(crdt.MaxColumns - 1)},
		{"all", "all ordinals: 256 bytes", crdt.FirstColumns(crdt.MaxColumns)},
	} {
		a.add(vectors.KindColumns, c.name, vectors.Accept, c.comment, bin(c.set.AppendBinary(nil)))
	}
	a.add(vectors.KindColumns, "ends_with_zero", vectors.Corrupt, "the last byte is never zero", bin([]byte{2, 1, 0}))
	a.add(vectors.KindColumns, "cut", vectors.Truncated, "two bytes are declared", bin([]byte{2, 1}))
	a.add(vectors.KindColumns, "too_long", vectors.OverLimit, "257 bytes", bin(append([]byte{0x81, 2}, bytes.Repeat([]byte{1}, 257)...)))
	a.add(vectors.KindColumns, "length_not_shortest", vectors.Corrupt, "the length 1 in two bytes", bin([]byte{0x81, 0, 1}))
}

func (a *all) clocks() {
	for _, c := range []struct{ name, comment, steps string }{
		{"ticks", "within a millisecond the counter goes on; a new millisecond begins at counter 0", "tick 1000\ntick 1000\ntick 1000\ntick 1001\n"},
		{"wall_goes_back", "time never does", "tick 5000\ntick 4000\ntick 1\ntick 5001\n"},
		{"observe", "a write after seeing another beats it, whatever the wall clock says", "tick 1000\nobserve 131072000009\ntick 1001\ntick 2000001\n"},
		{"observe_older", "what is older moves nothing", "tick 1000\nobserve 65535\ntick 1000\n"},
		{"counter_carries", "a full counter carries into the milliseconds", "tick 1\nobserve 131071\ntick 1\ntick 2\n"},
		{"negative_wall", "a wall clock before 1970 gives no time before the first", "tick -5\ntick -5\ntick 0\n"},
		{"end_of_time", "at the very end the last time is repeated rather than wrapped", "tick 140737488355327\ntick 999999999999999\nobserve 9223372036854775807\ntick 5\n"},
	} {
		a.add(vectors.KindClock, c.name, vectors.Accept, c.comment, text("steps", c.steps))
	}
}

func (a *all) versionVectors() {
	s := func(b byte) string { return site(b).String() }
	one := func(b byte, v uint64) string { return fmt.Sprintf("%q:%d", s(b), v) }
	for _, c := range []struct {
		name, comment string
		want          vectors.Outcome
		a, b          string
	}{
		{"empty", "nothing covers nothing", vectors.Accept, "{}", "{}"},
		{"equal", "both cover each other", vectors.Accept, "{" + one(1, 3) + "}", "{" + one(1, 3) + "}"},
		{"less", "one is behind", vectors.Accept, "{" + one(1, 3) + "," + one(2, 9) + "}", "{" + one(1, 2) + "," + one(2, 9) + "}"},
		{"concurrent", "each has what the other lacks", vectors.Accept, "{" + one(1, 3) + "}", "{" + one(2, 1) + "}"},
		{"zero_is_no_entry", "an entry of 0 means the same as none and is not written", vectors.Accept, "{" + one(1, 0) + "}", "{}"},
		{"unsorted", "written sorted by site, read in any order", vectors.Accept, "{" + one(9, 1) + "," + one(2, 1) + "}", "{" + one(0xfe, 1) + "}"},
		{"upper_case", "hex digits of either case are read, lower case is written", vectors.Accept, "{\"" + "AB" + s(0xab)[2:] + "\":1}", "{}"},
		{"greatest", "versions go to 2^62", vectors.Accept, "{" + one(1, 1<<62) + "}", "{}"},
		{"too_great", "2^62 + 1", vectors.OverLimit, "{" + one(1, 1<<62+1) + "}", "{}"},
		{"negative", "a version is not negative", vectors.Corrupt, "{\"" + s(1) + "\":-1}", "{}"},
		{"short_site", "a site has 32 digits", vectors.Corrupt, `{"01":1}`, "{}"},
		{"not_hex", "a site is hex", vectors.Corrupt, `{"` + "zz" + s(1)[2:] + `":1}`, "{}"},
		{"a_list", "not an object", vectors.Corrupt, `[]`, "{}"},
	} {
		a.add(vectors.KindVector, c.name, c.want, c.comment, text("a", c.a+"\n"), text("b", c.b+"\n"))
	}
}
