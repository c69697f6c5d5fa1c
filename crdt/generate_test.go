package crdt

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"pgregory.net/rapid"
)

// deflate stands in for zstd, which the standard library lacks.
type deflate struct{}

func (deflate) Compress(dst, src []byte) []byte {
	b := bytes.NewBuffer(dst)
	w, _ := flate.NewWriter(b, flate.DefaultCompression)
	w.Write(src)
	w.Close()
	return b.Bytes()
}

func (deflate) Decompress(dst, src []byte, most int) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(src)), int64(most)+1))
	if len(b) > most {
		return nil, errors.New("more than declared")
	}
	return append(dst, b...), err
}

// site gives a site of one repeated byte.
func site(b byte) (s Site) {
	for i := range s {
		s[i] = b
	}
	return s
}

func stampOf(t Time, s byte, v Version) Stamp { return Stamp{t, site(s), v} }

var interestingValues = []Value{
	Null(), Int(0), Int(1), Int(-1), Int(math.MaxInt64), Int(math.MinInt64), Int(1 << 53), Int(1<<53 + 1), Int(-1<<53 - 1),
	Real(0), Real(math.Copysign(0, -1)), Real(1), Real(1.5), Real(-1.5), Real(1 << 53), Real(1<<53 + 2), Real(1 << 63), Real(-1 << 63),
	Real(math.MaxFloat64), Real(math.SmallestNonzeroFloat64), Real(math.Inf(1)), Real(math.Inf(-1)), Real(math.NaN()),
	Real(math.Float64frombits(0xfff8000000000001)), Real(9.2233720368547748e18), Real(-0.5), Real(0.5),
	TextString(""), TextString("a"), TextString("ab"), TextString("b"), TextString("é\u2028<"), TextString("a\x00b"), Text([]byte{0xff}),
	Blob(nil), Blob([]byte{0}), Blob([]byte("a")), Blob([]byte{0, 1}),
}

func drawValue() *rapid.Generator[Value] {
	return rapid.OneOf(
		rapid.SampledFrom(interestingValues),
		rapid.Map(rapid.Int64(), Int),
		rapid.Map(rapid.Float64(), Real),
		rapid.Map(rapid.String(), TextString),
		rapid.Map(rapid.SliceOf(rapid.Byte()), Blob),
	)
}

func drawStamp(t *rapid.T, above Stamp) Stamp {
	return Stamp{
		above.Time + Time(rapid.Int64Range(1, 1<<rapid.IntRange(1, 30).Draw(t, "log")).Draw(t, "dt")),
		site(rapid.ByteRange(1, 3).Draw(t, "site")),
		Version(rapid.Uint64Range(1, 1<<rapid.IntRange(1, 60).Draw(t, "log")).Draw(t, "version")),
	}
}

// drawRowChange gives a valid change. Small choices make runs of equal shapes and stamps likely.
func drawRowChange(t *rapid.T, table int, tb *Table) RowChange {
	c := RowChange{Table: table}
	for range tb.Key {
		c.Key = append(c.Key, drawValue().Draw(t, "key"))
	}
	if rapid.IntRange(0, 3).Draw(t, "deletes") == 0 {
		for s := range byte(3) {
			if rapid.Bool().Draw(t, "deleted") {
				c.Deleted = append(c.Deleted, Dot{site(s + 1), Version(rapid.Uint64Range(1, 5).Draw(t, "version"))})
			}
		}
		if len(c.Deleted) > 0 && rapid.Bool().Draw(t, "deleter") {
			c.Deleter = drawStamp(t, Stamp{})
		}
	}
	lives := rapid.SampledFrom([]int{1, 1, 1, 0, 2}).Draw(t, "lives")
	if len(c.Deleted) == 0 && lives == 0 {
		lives = 1
	}
	var last Stamp
	for range lives {
		birth := drawStamp(t, last)
		if slices.ContainsFunc(c.Lives, func(l LiveChange) bool { return l.Birth.Dot() == birth.Dot() }) || covered(c.Deleted, birth.Dot()) {
			birth.Version = MaxVersion - Version(len(c.Lives))
		}
		last = birth
		c.Lives = append(c.Lives, drawLife(t, birth, len(tb.Columns)))
	}
	return c
}

func drawLife(t *rapid.T, birth Stamp, columns int) LiveChange {
	l := LiveChange{Full: columns == 0 || rapid.Bool().Draw(t, "full"), Incarnation: Incarnation{Birth: Write{Stamp: birth}}}
	last, left := birth, FirstColumns(columns)
	for !left.IsEmpty() && (!l.Full && len(l.Newer) == 0 || rapid.IntRange(0, 2).Draw(t, "more") == 0) {
		g := Columns(rapid.SampledFrom(slices.Collect(left.Columns())).Draw(t, "column"))
		for c := range left.Columns() {
			if rapid.IntRange(0, 3).Draw(t, "also") == 0 {
				g.Add(c)
			}
		}
		last = drawStamp(t, last)
		left = left.Minus(g)
		l.Newer = append(l.Newer, CellGroup{g, Write{Stamp: last}})
		l.Has = l.Has.Union(g)
	}
	if l.Full {
		l.Has = FirstColumns(columns)
	}
	l.Values = make([]Value, l.Has.Bound())
	for c := range l.Has.Columns() {
		l.Values[c] = drawValue().Draw(t, "value")
	}
	return l
}

func drawPackage(t *rapid.T) *Package {
	p := &Package{
		Starts: rapid.Bool().Draw(t, "starts"), Ends: rapid.Bool().Draw(t, "ends"), Bulk: rapid.Bool().Draw(t, "bulk"),
		LocalOnly: rapid.Bool().Draw(t, "local"), Sender: site(rapid.Byte().Draw(t, "sender")), Scope: rapid.Uint64().Draw(t, "scope"),
		Since: rapid.Int64Range(0, 1<<40).Draw(t, "since"), Part: rapid.IntRange(0, 300).Draw(t, "part"),
		Sent: Time(rapid.Int64Range(0, math.MaxInt64).Draw(t, "sent")),
	}
	p.Until = p.Since + rapid.Int64Range(0, 1<<40).Draw(t, "more")
	for s := range byte(4) {
		if rapid.Bool().Draw(t, "cover") {
			from := Version(rapid.Uint64Range(1, 1<<40).Draw(t, "from"))
			p.Covers = append(p.Covers, Cover{site(s + 1), from, from + 7, ChainID{1, s}, ChainID{2, s}, rapid.SampledFrom([]Version{0, from, from + 7}).Draw(t, "forgotten")}, Cover{Site: site(s + 1), From: from + 9, To: from + 9})
		}
		if !p.Starts && rapid.Bool().Draw(t, "before") {
			if p.Before == nil {
				p.Before = VersionVector{}
			}
			p.Before[site(s+2)] = Version(rapid.Uint64Range(1, uint64(MaxVersion)).Draw(t, "version before"))
		}
		if rapid.Bool().Draw(t, "need") {
			if p.Needs == nil {
				p.Needs = VersionVector{}
			}
			p.Needs[site(s+3)] = Version(rapid.Uint64Range(1, uint64(MaxVersion)).Draw(t, "need"))
		}
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "tables") {
		tb := Table{Name: fmt.Sprint("t", i)}
		for k := range rapid.IntRange(1, 2).Draw(t, "keys") {
			tb.Key = append(tb.Key, fmt.Sprint("k", k))
		}
		for c := range rapid.SampledFrom([]int{0, 1, 2, 5, 70}).Draw(t, "columns") {
			tb.Columns = append(tb.Columns, fmt.Sprint("c", c))
		}
		p.Tables = append(p.Tables, tb)
		row := drawRowChange(t, i, &tb)
		for range rapid.IntRange(0, 8).Draw(t, "rows") {
			if !rapid.Bool().Draw(t, "again") {
				row = drawRowChange(t, i, &tb)
			}
			p.Rows = append(p.Rows, row)
		}
	}
	return p
}
