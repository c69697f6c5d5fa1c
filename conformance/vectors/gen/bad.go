package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/tributary-db/tributary/conformance/vectors"
	"github.com/tributary-db/tributary/crdt"
)

func (a *all) bad(name string, want vectors.Outcome, comment string, b []byte) *vectors.Vector {
	return a.add(vectors.KindPackage, name, want, comment, bin(b))
}

// envelopes are judged before anything of the header is read, in an order of their own.
func (a *all) envelopes() {
	good := raw{}.bytes()
	changed := func(at int, to ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], to)
		return b
	}
	a.bad("no_bytes", vectors.Truncated, "nothing has come yet", nil)
	a.bad("magic_cut", vectors.Truncated, "the beginning of the magic", []byte("TRI"))
	a.bad("magic_only", vectors.Truncated, "no format version yet", []byte("TRIB"))
	a.bad("magic_other", vectors.Corrupt, "something else than a package", []byte("PK\x03\x04 is a zip file, not a package ............."))
	a.bad("magic_other_short", vectors.Corrupt, "one byte is enough to see that it is none", []byte("X"))
	a.bad("version_2", vectors.Unsupported, "a newer format, whatever follows: even the length may mean something else there", []byte("TRIB\x02 anything"))
	a.bad("version_0", vectors.Unsupported, "version 0 was never used", changed(4, 0))
	a.bad("length_cut", vectors.Truncated, "half of the length", good[:7])
	a.bad("cut", vectors.Truncated, "the last byte is missing", good[:len(good)-1])
	a.bad("header_cut", vectors.Truncated, "ends in the header", good[:20])
	a.bad("too_many_bytes", vectors.Corrupt, "one byte more than the package says", append(bytes.Clone(good), 0))
	a.bad("length_of_nothing", vectors.Corrupt, "the package says that it has 0 bytes", changed(5, 0, 0, 0, 0))
	a.bad("length_too_small", vectors.Corrupt, "less than flags and checksum, and fewer bytes than are there", changed(5, 9, 0, 0, 0))
	a.bad("length_over_limit", vectors.OverLimit, "more than 2^30 bytes, before anybody waits for them", changed(5, 1, 0, 0, 0x40))
	a.bad("length_of_all", vectors.OverLimit, "2^32 - 1 bytes", changed(5, 0xff, 0xff, 0xff, 0xff))
	a.bad("checksum", vectors.Corrupt, "one bit of the checksum is wrong", changed(len(good)-1, good[len(good)-1]^1))
	a.bad("flipped_bit", vectors.Corrupt, "one bit of the sender is wrong", changed(12, good[12]^4))
	a.bad("flags_unknown", vectors.Unsupported, "bit 6 is not known", raw{flags: 1 << 6}.bytes())
	a.bad("flags_unknown_damaged", vectors.Corrupt, "an unknown flag, but the checksum is wrong: damage is seen first", changed(9, 1<<7))
	a.bad("encoding_unknown", vectors.Unsupported, "compression 2", raw{encoding: 2, body: []byte{}}.bytes())
	a.bad("empty_but_sealed", vectors.Corrupt, "a checksum over nothing but the envelope", seal([]byte("TRIB\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00")))
}

// headers are sealed, so whatever is wrong in them was made so.
func (a *all) headers() {
	cover := func(i, from, more uint64) []byte { return cat(uv(i), uv(from), uv(more), make([]byte, 16)) }
	greatest := uint64(crdt.MaxVersion)
	a.bad("sent_negative", vectors.Corrupt, "a time of 2^63", raw{sent: 1 << 63}.bytes())
	a.bad("since_too_great", vectors.Corrupt, "a cursor of 2^63", raw{since: uv(1 << 63)}.bytes())
	a.bad("until_too_great", vectors.Corrupt, "since + interval is 2^63", raw{since: uv(1), interval: uv(math.MaxInt64)}.bytes())
	a.bad("part_too_great", vectors.Corrupt, "part 2^31", raw{part: uv(1 << 31)}.bytes())
	a.bad("varint_not_shortest", vectors.Corrupt, "part 0 in two bytes", raw{part: []byte{0x80, 0}}.bytes())
	a.bad("varint_of_eleven_bytes", vectors.Corrupt, "more than 64 bits", raw{part: []byte("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01")}.bytes())
	a.bad("sites_unsorted", vectors.Corrupt, "ascending", raw{sites: cat(2, site(2), site(1)), needs: cat(2, 0, 1, 1, 1)}.bytes())
	a.bad("site_twice", vectors.Corrupt, "ascending, so none is there twice", raw{sites: cat(2, site(1), site(1)), needs: cat(2, 0, 1, 1, 1)}.bytes())
	a.bad("site_unused", vectors.Corrupt, "the dictionary has the sites that are named, no others", raw{sites: oneSite}.bytes())
	a.bad("sites_missing", vectors.Corrupt, "three are declared, one is there", raw{sites: cat(3, site(1))}.bytes())
	a.bad("sites_over_limit", vectors.OverLimit, "2^16 + 1 sites: a count above its limit is over limit whether the bytes are there or not", raw{sites: uv(1<<16 + 1)}.bytes())
	a.bad("sites_2_to_60", vectors.OverLimit, "a count that would overflow when it is multiplied", raw{sites: uv(1 << 60)}.bytes())
	a.bad("cover_of_version_0", vectors.Corrupt, "versions begin at 1", raw{sites: oneSite, covers: cat(1, cover(0, 0, 0))}.bytes())
	a.bad("cover_too_great", vectors.Corrupt, "up to 2^62 + 1", raw{sites: oneSite, covers: cat(1, cover(0, greatest, 1))}.bytes())
	a.bad("cover_wraps", vectors.Corrupt, "from + more wraps around 64 bits", raw{sites: oneSite, covers: cat(1, cover(0, 5, math.MaxUint64-1))}.bytes())
	a.bad("covers_overlap", vectors.Corrupt, "versions 1 to 3 and 3", raw{sites: oneSite, covers: cat(2, cover(0, 1, 2), cover(0, 3, 0))}.bytes())
	a.bad("covers_unsorted", vectors.Corrupt, "the second site first", raw{sites: twoSites, covers: cat(2, cover(1, 1, 0), cover(0, 1, 0))}.bytes())
	a.bad("cover_of_no_site", vectors.Corrupt, "site 1 of a dictionary of one", raw{sites: oneSite, covers: cat(1, cover(1, 1, 0))}.bytes())
	a.bad("cover_forgets_more", vectors.Corrupt, "deletes of 4 versions of 3", raw{flags: 1 << 4, sites: oneSite, covers: cat(1, cover(0, 1, 2), uv(4))}.bytes())
	a.bad("cover_forgets_nothing", vectors.Corrupt, "the flag, and no version", raw{flags: 1 << 4, sites: oneSite, covers: cat(1, cover(0, 1, 2), uv(0))}.bytes())
	a.bad("forgets_without_cover", vectors.Corrupt, "the flag, and no cover", raw{flags: 1 << 4}.bytes())
	a.bad("covers_over_limit", vectors.OverLimit, "2^20 + 1 covers", raw{covers: uv(1<<20 + 1)}.bytes())
	a.bad("covers_missing", vectors.Corrupt, "2^20 covers in no bytes", raw{covers: uv(1 << 20)}.bytes())
	a.bad("need_of_version_0", vectors.Corrupt, "a need of nothing is not written", raw{sites: oneSite, needs: cat(1, 0, 0)}.bytes())
	a.bad("need_too_great", vectors.Corrupt, "version 2^62 + 1", raw{sites: oneSite, needs: cat(1, 0, uv(greatest+1))}.bytes())
	a.bad("needs_unsorted", vectors.Corrupt, "ascending by site", raw{sites: twoSites, needs: cat(2, 1, 1, 0, 1)}.bytes())
	a.bad("need_twice", vectors.Corrupt, "one version for each site", raw{sites: oneSite, needs: cat(2, 0, 1, 0, 2)}.bytes())
	a.bad("before_nothing", vectors.Corrupt, "the flag, and no version", raw{flags: 1 << 5, before: uv(0)}.bytes())
	a.bad("before_of_version_0", vectors.Corrupt, "versions begin at 1", raw{flags: 1 << 5, sites: oneSite, before: cat(1, 0, 0)}.bytes())
	a.bad("before_unsorted", vectors.Corrupt, "ascending by site", raw{flags: 1 << 5, sites: twoSites, before: cat(2, 1, 1, 0, 1)}.bytes())
	a.bad("before_the_start", vectors.Corrupt, "nothing lies before the first part of a set", raw{flags: 1<<5 | 1, sites: oneSite, before: cat(1, 0, 1)}.bytes())
	a.bad("before_missing", vectors.Corrupt, "2^16 versions in no bytes", raw{flags: 1 << 5, before: uv(1 << 16)}.bytes())
	a.bad("tables_over_limit", vectors.OverLimit, "2^14 + 1 tables", raw{tables: uv(1<<14 + 1)}.bytes())
	a.bad("tables_missing", vectors.Corrupt, "two are declared, one is there", raw{tables: cat(2, tableT[1:]), body: cat(0, 0)}.bytes())
	a.bad("table_without_key", vectors.Corrupt, "at least one key column", raw{tables: cat(1, 1, "t", 0, 1, 1, "a"), body: cat(0)}.bytes())
	a.bad("table_twice", vectors.Corrupt, "the same name and columns", raw{tables: cat(2, tableT[1:], tableT[1:]), body: cat(0, 0)}.bytes())
	a.bad("column_twice", vectors.Corrupt, "once as key and once not", raw{tables: cat(1, 1, "t", 1, 1, "k", 1, 1, "k"), body: cat(0)}.bytes())
	a.bad("name_not_utf8", vectors.Corrupt, "names are UTF-8", raw{tables: cat(1, 1, "\xff", 1, 1, "k", 0), body: cat(0)}.bytes())
	a.bad("name_surrogate", vectors.Corrupt, "half of a surrogate pair is not UTF-8", raw{tables: cat(1, 3, "\xed\xa0\x80", 1, 1, "k", 0), body: cat(0)}.bytes())
	a.bad("name_over_limit", vectors.OverLimit, "4097 bytes", raw{tables: cat(1, uv(4097), strings.Repeat("n", 4097), 1, 1, "k", 0), body: cat(0)}.bytes())
	a.bad("columns_over_limit", vectors.OverLimit, "2049 columns", raw{tables: cat(1, 1, "t", 1, 1, "k", uv(2049)), body: cat(0)}.bytes())
	var names []byte
	for i := range 2048 {
		n := fmt.Sprintf("%x", i)
		names = cat(names, len(n), n)
	}
	a.bad("columns_most", vectors.Accept, "2048 columns beside the key", raw{tables: cat(1, 1, "t", 1, 2, "id", uv(2048), names), body: cat(0)}.bytes())
	a.bad("body_length_wrong", vectors.Corrupt, "2 bytes are declared, 1 is there", raw{plain: uv(2), tables: tableT, body: cat(0)}.bytes())
	a.bad("body_over_limit", vectors.OverLimit, "a body of 2^30 + 1 bytes is refused before anything is uncompressed", raw{plain: uv(1<<30 + 1), encoding: 1}.bytes())
	a.bad("body_missing", vectors.Corrupt, "the header is all there is", seal(append(raw{}.bytes()[:len(raw{}.bytes())-6], 0, 0, 0, 0)))
}

// bodies have rows of one table in which one thing is wrong.
func (a *all) bodies() {
	body := func(b []byte) []byte { return raw{sites: oneSite, tables: tableT, body: b}.bytes() }
	two := func(b []byte) []byte { return raw{sites: twoSites, tables: tableT, body: b}.bytes() }
	a.bad("row", vectors.Accept, "the good one from which those beside it are made: one row of one life", body(inserted))
	a.bad("rows_over_limit", vectors.OverLimit, "2^26 + 1 rows", raw{tables: tableT, body: uv(1<<26 + 1)}.bytes())
	a.bad("rows_2_to_63", vectors.OverLimit, "a number that is negative as a signed one", raw{tables: tableT, body: uv(1 << 63)}.bytes())
	a.bad("rows_of_nothing", vectors.OverLimit, "2^26 rows in a few bytes weigh too much", raw{tables: tableT, body: cat(uv(1<<26), uv(1<<27|1), 0)}.bytes())
	a.bad("cells_of_nothing", vectors.OverLimit, "a thousand rows of 2048 columns of NULL, in a few bytes", heavy())
	a.bad("body_goes_on", vectors.Corrupt, "a byte after the last column", body(cat(inserted, 0)))
	a.bad("body_cut", vectors.Corrupt, "ends in the last column: the checksum was right, so it was made so", body(inserted[:len(inserted)-1]))
	a.bad("body_empty", vectors.Corrupt, "not even the number of rows", raw{tables: tableT}.bytes())

	a.bad("shape_not_in_order", vectors.Corrupt, "shape 1 is there before shape 0", body(rowBody(cat(2, 1), cat(0, 1, 1, 0, 1, 1), stampsOf(1))))
	a.bad("shape_twice", vectors.Corrupt, "two shapes, both the same", body(cat(2, 4, 0, 1, 0, 1, 1, 0, 1, 1, 4, 0, 0, 4, 2, 0, 4, 0, 0, 4, 1, 1, 14, 14, 4, 0, 0, 4, 0, 0)))
	a.bad("shape_of_nothing", vectors.Corrupt, "neither a delete nor a life", body(cat(1, 2, 0, 0, 0, 2, 1, 14)))
	a.bad("shape_deleter_alone", vectors.Corrupt, "a deleter without a delete", body(cat(1, 2, 0, 1, 0, stampsOf(1), 2, 1, 14)))
	a.bad("shape_too_many_deletes", vectors.Corrupt, "deletes of two sites, the dictionary has one", body(cat(1, 2, 0, 4, 0, 2, 1, 14)))
	a.bad("life_without_columns", vectors.Corrupt, "one that is not full brings those of its groups, at least one", body(cat(1, 2, 0, 0, 1, 0, stampsOf(1), 2, 1, 14)))
	a.bad("group_empty", vectors.Corrupt, "a group has columns", body(cat(1, 2, 0, 0, 1, 3, 0, stampsOf(1), stampsOf(2), 2, 1, 14, 2, 0, 2, 0)))
	a.bad("group_unknown_column", vectors.Corrupt, "ordinal 2 of two columns", body(cat(1, 2, 0, 0, 1, 3, 1, 4, stampsOf(1), stampsOf(2), 2, 1, 14, 2, 0, 2, 0)))
	a.bad("groups_overlap", vectors.Corrupt, "column 0 in two groups", body(cat(1, 2, 0, 0, 1, 5, 1, 1, 1, 1, stampsOf(1), 4, 0, 0, 4, 4, 2, 4, 0, 0, 2, 1, 14, 2, 0, 2, 0)))
	a.bad("group_not_newer", vectors.Corrupt, "its stamp is that of the insert", body(cat(1, 2, 0, 0, 1, 3, 1, 1, stampsOf(1), stampsOf(1), 2, 1, 14, 2, 0, 2, 0)))
	a.bad("groups_not_ascending", vectors.Corrupt, "the newer one first", body(cat(1, 2, 0, 0, 1, 5, 1, 1, 1, 2, stampsOf(1), 4, 0, 0, 4, 6, 1, 4, 0, 0, 2, 1, 14, 2, 0, 2, 0)))
	a.bad("groups_too_many", vectors.Corrupt, "three groups of two columns", body(cat(1, 2, 0, 0, 1, 7, 1, 1, 1, 2, 1, 1)))
	a.bad("lives_not_ascending", vectors.Corrupt, "version 2 before version 1", body(cat(1, 2, 0, 0, 2, 1, 1, 4, 0, 0, 4, 4, 1, 4, 0, 0, 2, 1, 14, 4, 0, 0, 4, 0, 0)))
	a.bad("life_twice", vectors.Corrupt, "two times of one insert", body(cat(1, 2, 0, 0, 2, 1, 1, 4, 0, 0, 4, 2, 0, 4, 0, 2, 2, 1, 14, 4, 0, 0, 4, 0, 0)))
	a.bad("life_deleted", vectors.Corrupt, "a delete of the row covers it", body(cat(1, 2, 0, 2, 1, 1, stampsOf(1), 2, 0, 2, 2, 2, 1, 14, 2, 0, 2, 0)))
	a.bad("deletes_unsorted", vectors.Corrupt, "the second site first", two(cat(1, 2, 0, 4, 0, 4, 1, 0, 4, 2, 0, 2, 1, 14)))
	a.bad("deletes_of_one_site", vectors.Corrupt, "one per site", two(cat(1, 2, 0, 4, 0, 4, 0, 0, 4, 2, 2, 2, 1, 14)))

	a.bad("stamp_of_version_0", vectors.Corrupt, "versions begin at 1", body(rowBody(cat(2, 0), cat(0, 1, 1), stampsOf(0))))
	a.bad("stamp_version_too_great", vectors.Corrupt, "2^62 + 1", body(rowBody(cat(2, 0), cat(0, 1, 1), stampsOf(uint64(crdt.MaxVersion)+1))))
	a.bad("stamp_negative_time", vectors.Corrupt, "time -1", body(rowBody(cat(2, 0), cat(0, 1, 1), cat(2, 0, 2, 2, 2, 1))))
	a.bad("stamp_time_wraps", vectors.Corrupt, "2^63 - 1, and 1 later", body(cat(2, 4, 0, 1, 0, 1, 1, 0, 1, 3, 1, 1, 4, 0, 0, 4, 2, 0, 4, uv(math.MaxUint64-1), 2)))
	a.bad("stamp_of_no_site", vectors.Corrupt, "site 1 of a dictionary of one", body(rowBody(cat(2, 0), cat(0, 1, 1), cat(2, 1, 2, 2, 2, 0))))

	rows := func(n int, tokens []byte) []byte {
		run := 2*n + 1
		return body(cat(n, tokens, 0, 1, 1, run, 0, 2, 2, 2*n-1, 0, run, 0, run, 1, bytes.Repeat([]byte{1}, n), run, 0, run, 0))
	}
	seq := func(tokens []byte) []byte { return rows(5, tokens) }
	a.bad("sequence_good", vectors.Accept, "five rows of one shape: the good one from which those beside it are made", seq(cat(11, 0)))
	a.bad("sequence_list_of_equal", vectors.Corrupt, "four equal numbers in a row are a repeat", seq(cat(10, 0, 0, 0, 0, 0)))
	a.bad("sequence_repeat_of_three", vectors.Corrupt, "a repeat is of at least four", seq(cat(7, 0, 4, 0, 0)))
	a.bad("sequence_two_repeats", vectors.Corrupt, "a stretch of equal numbers is one repeat, whole", rows(8, cat(9, 0, 9, 0)))
	a.bad("sequence_list_goes_on", vectors.Corrupt, "a number next to a repeat equals it", seq(cat(9, 0, 2, 0)))
	a.bad("sequence_two_lists", vectors.Corrupt, "no list follows a list", seq(cat(4, 0, 0, 6, 0, 0, 0)))
	a.bad("sequence_too_long", vectors.Corrupt, "six numbers where there are five", seq(cat(13, 0)))
	a.bad("sequence_token_0", vectors.Corrupt, "a list of no numbers", seq(cat(0, 11, 0)))
	a.bad("sequence_of_2_to_62", vectors.Corrupt, "a repeat of 2^62 numbers", seq(cat(uv(1<<63|1), 0)))

	a.bad("kind_unknown", vectors.Corrupt, "kinds go to 4", body(cat(1, 2, 0, 0, 1, 1, stampsOf(1), 2, 5, 14, 2, 0, 2, 0)))
	a.bad("key_text_cut", vectors.Corrupt, "a text of 100 bytes in 6", body(cat(1, 2, 0, 0, 1, 1, stampsOf(1), 2, 3, 100, 2, 0, 2, 0)))
	a.bad("key_real_cut", vectors.Corrupt, "a real in four bytes", body(cat(1, 2, 0, 0, 1, 1, stampsOf(1), 2, 2, 0, 0, 0, 0)))
	a.bad("key_integer_not_shortest", vectors.Corrupt, "7 in two bytes", body(cat(1, 2, 0, 0, 1, 1, stampsOf(1), 2, 1, 0x8e, 0, 2, 0, 2, 0)))
}

// heavy is 1000 rows of 2048 columns, all NULL: two million values in some hundred bytes of body.
func heavy() []byte {
	t := cat(1, 1, "t", 1, 2, "id", uv(2048))
	for i := range 2048 {
		n := fmt.Sprintf("%x", i)
		t = cat(t, len(n), n)
	}
	run := uv(1000<<1 | 1)
	return raw{sites: oneSite, tables: t, body: cat(uv(1000), run, 0, 0, 1, 1, run, 0, run, 0, run, 0, run, 0)}.bytes()
}

// compressed bodies are put in frames made by hand, so that they do not change with a library.
func (a *all) compressed() {
	value := make([]byte, 1000)
	p := &crdt.Package{Sender: site(0xaa), Tables: []crdt.Table{task},
		Rows: []crdt.RowChange{{Key: []crdt.Value{crdt.Int(1)}, Lives: []crdt.LiveChange{fresh(at(0, 1, 1), crdt.Blob(value), crdt.Int(3))}}}}
	whole := encode(p)
	begin, end := bytes.Index(whole, value), len(whole)-4
	head := begin // the body begins after its own length
	for !bytes.HasSuffix(whole[:head], append([]byte{0}, uv(uint64(end-head))...)) {
		head--
	}
	body := whole[head:end]
	front := whole[:head-len(uv(uint64(len(body))))-1]
	pack := func(declared int, frame []byte) []byte {
		return seal(cat(bytes.Clone(front), 1, uv(uint64(declared)), frame, 0, 0, 0, 0))
	}
	frame := func(size int) []byte {
		return cat(zstdHead(size), zstdRaw(body[:begin-head], false), zstdRun(0, 1000, false), zstdRaw(body[begin-head+1000:], true))
	}
	mark := func(v *vectors.Vector) { v.Zstd = true }
	mark(a.bad("zstd", vectors.Accept, "a body in a frame of a raw block, a run and a raw block", pack(len(body), frame(len(body)))))
	a.bad("zstd_does_not_pay", vectors.Corrupt, "300 bytes compressed to 310: refused before it is uncompressed", pack(300, bytes.Repeat([]byte{7}, 310)))
	a.bad("zstd_small", vectors.Corrupt, "a body of 256 bytes is never compressed", pack(256, zstdRun(0, 256, true)))
	mark(a.bad("zstd_garbage", vectors.Corrupt, "no frame", pack(len(body), []byte("this is not a frame of zstd"))))
	mark(a.bad("zstd_shorter", vectors.Corrupt, "the frame holds one byte less than is declared", pack(len(body)+1, frame(len(body)))))
	mark(a.bad("zstd_bomb", vectors.Corrupt, "1000 bytes are declared, the frame says 128 MiB and holds 2 in 17 runs", pack(1000, cat(zstdHead(1<<27), bytes.Repeat(zstdRun(0, 1<<17, false), 16), zstdRun(0, 1<<17, true)))))
	mark(a.bad("zstd_expands", vectors.OverLimit, "8 MiB in 260 bytes: refused before it is uncompressed", pack(1<<23, cat(zstdHead(1<<23), bytes.Repeat(zstdRun(0, 1<<17, false), 63), zstdRun(0, 1<<17, true)))))
	mark(a.bad("zstd_rows_of_nothing", vectors.OverLimit, "2^20 rows in a body of 1 MiB, all of which is zeros and came in some bytes", func() []byte {
		begin := cat(uv(1<<20), uv(1<<21|1), 0)
		frame := cat(zstdHead(len(begin)+1<<20), zstdRaw(begin, false), bytes.Repeat(zstdRun(0, 1<<17, false), 7), zstdRun(0, 1<<17, true))
		return raw{tables: tableT, encoding: 1, plain: uv(uint64(len(begin) + 1<<20)), body: frame}.bytes()
	}()))
}

// zstdHead begins a frame that has a single segment of this size. https://datatracker.ietf.org/doc/html/rfc8878#section-3.1.1
func zstdHead(size int) []byte {
	return binary.LittleEndian.AppendUint32(cat("\x28\xb5\x2f\xfd", 0xa0), uint32(size))
}

func zstdBlock(kind, size int, last bool) []byte {
	h := uint32(size)<<3 | uint32(kind)<<1
	if last {
		h |= 1
	}
	return binary.LittleEndian.AppendUint32(nil, h)[:3]
}

func zstdRaw(b []byte, last bool) []byte { return cat(zstdBlock(0, len(b), last), b) }

func zstdRun(b byte, n int, last bool) []byte { return cat(zstdBlock(1, n, last), []byte{b}) }
