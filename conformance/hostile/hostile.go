// Package hostile makes packages that are well formed and mean harm, to be fed to a replica: a site that lies about how far
// it is, needs what nobody has, stamps the far future, asks for memory, or speaks of tables that are none of its business.
//
// What the checksum and the decoder refuse is in conformance/vectors; here are those that only the receiver can judge.
// A sender forges under its own name: whether a package comes from the site that it names is the transport's to see to.
package hostile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"strings"

	"github.com/tributary-db/tributary/crdt"
)

// Victim is what an attacker can know.
type Victim struct {
	Site  crdt.Site // of the replica under attack
	Other crdt.Site // of an honest peer of it
	Now   crdt.Time // the time
	Table crdt.Table
}

// Outcome is what must become of the last package of a case.
type Outcome string

// The outcomes.
const (
	Applied Outcome = "applied" // it is taken: nothing is wrong with it, or nothing that can be known
	Waiting Outcome = "waiting" // it is kept, within bounds, for what will never come
	Refused Outcome = "refused" // the engine says why
	Corrupt Outcome = "corrupt" // the decoder says so
	Limit   Outcome = "limit"   // the decoder says that it is too much
)

// Case is one attack.
type Case struct {
	Name, Why string
	Want      Outcome
	Make      func(v Victim) [][]byte // packages in the order of delivery
}

// Sender is who attacks.
var Sender = site(0x66)

func site(b byte) (s crdt.Site) {
	for i := range s {
		s[i] = b
	}
	return s
}

func numbered(n int) (s crdt.Site) {
	binary.BigEndian.PutUint64(s[:], 0x4040404000000000+uint64(n))
	return s
}

// whole is a package that is a set of its own.
func whole() *crdt.Package { return &crdt.Package{Starts: true, Ends: true, Sender: Sender, Until: 1} }

func encode(list ...*crdt.Package) (out [][]byte) {
	for _, p := range list {
		b, err := p.Append(nil, nil)
		if err != nil {
			panic(fmt.Sprintf("hostile: a package that has no encoding: %v", err))
		}
		out = append(out, b)
	}
	return out
}

// row inserts a row by the sender: its key and the same value in all columns.
func row(v Victim, version crdt.Version, t crdt.Time, key, value crdt.Value) crdt.RowChange {
	l := crdt.LiveChange{Full: true, Incarnation: crdt.Incarnation{Birth: crdt.Write{Stamp: crdt.Stamp{Time: t, Site: Sender, Version: version}}}}
	for c := range v.Table.Columns {
		l.SetValue(c, value)
	}
	return crdt.RowChange{Key: []crdt.Value{key}, Lives: []crdt.LiveChange{l}}
}

func with(v Victim, rows ...crdt.RowChange) *crdt.Package {
	p := whole()
	p.Tables, p.Rows = []crdt.Table{v.Table}, rows
	p.Covers = []crdt.Cover{{Site: Sender, From: 1, To: 1}}
	return p
}

// Cases are the attacks. The order matters to nobody.
func Cases() []Case {
	return []Case{
		{"gap", "covers versions beyond 2^60 and needs those before", Waiting, func(v Victim) [][]byte {
			p := whole()
			p.Covers = []crdt.Cover{{Site: Sender, From: 1<<60 + 1, To: 1<<60 + 5}}
			p.Needs = crdt.VersionVector{Sender: 1 << 60}
			return encode(p)
		}},
		{"all versions", "covers all versions of itself that there can be", Applied, func(v Victim) [][]byte {
			p := whole()
			p.Covers = []crdt.Cover{{Site: Sender, From: 1, To: crdt.MaxVersion}}
			return encode(p)
		}},
		{"needs the victim's future", "says that it has seen versions of the victim that the victim never made", Applied, func(v Victim) [][]byte {
			p := whole()
			p.Covers = []crdt.Cover{{Site: v.Site, From: 1 << 40, To: 1 << 41}}
			return encode(p)
		}},
		{"needs itself", "needs what only it covers", Waiting, func(v Victim) [][]byte {
			p := whole()
			p.Covers, p.Needs = []crdt.Cover{{Site: Sender, From: 5, To: 5}}, crdt.VersionVector{Sender: 5}
			return encode(p)
		}},
		{"need each other", "two packages, each of which needs the other", Waiting, func(v Victim) [][]byte {
			p, q := whole(), whole()
			p.Covers, p.Needs = []crdt.Cover{{Site: Sender, From: 1, To: 1}}, crdt.VersionVector{numbered(1): 1}
			q.Covers, q.Needs, q.Sender = []crdt.Cover{{Site: numbered(1), From: 1, To: 1}}, crdt.VersionVector{Sender: 1}, numbered(1)
			return encode(p, q)
		}},
		{"many sites", "two thousand sites that nobody has heard of", Applied, func(v Victim) [][]byte {
			p := whole()
			for i := range 2000 {
				p.Covers = append(p.Covers, crdt.Cover{Site: numbered(i), From: 1, To: 1})
			}
			return encode(p)
		}},
		{"sites over limit", "more sites than a package may name", Limit, func(v Victim) [][]byte {
			b := encode(whole())[0]
			at := 10 + 16 + 8 + 8 + 3
			return [][]byte{seal(append(append(bytes.Clone(b[:at]), 0x81, 0x80, 0x04), b[at+1:]...))}
		}},
		{"far future", "a row stamped in a hundred years", Waiting, func(v Victim) [][]byte {
			return encode(with(v, row(v, 1, v.Now+crdt.TimeOf(100*365*86400_000), crdt.Int(900), crdt.Int(1))))
		}},
		{"end of time", "a row with the last stamp that there is", Waiting, func(v Victim) [][]byte {
			return encode(with(v, row(v, 1, math.MaxInt64, crdt.Int(900), crdt.Int(1))))
		}},
		{"delete in the future", "a delete of a row of the honest peer, stamped in the future", Waiting, func(v Victim) [][]byte {
			return encode(with(v, crdt.RowChange{Key: []crdt.Value{crdt.Int(1)}, Deleted: []crdt.Dot{{Site: v.Other, Version: 1 << 50}},
				Deleter: crdt.Stamp{Time: math.MaxInt64, Site: Sender, Version: 1}}))
		}},
		{"parts that never end", "parts of a set whose last never comes, until nothing more may wait", Refused, func(v Victim) [][]byte {
			var list []*crdt.Package
			for i := range 40 {
				p := with(v, row(v, 1, v.Now, crdt.Int(int64(901+i)), crdt.Blob(make([]byte, 50_000))))
				p.Starts, p.Ends, p.Covers = i == 0, false, nil
				p.Since, p.Until, p.Part = int64(i), int64(i+1), i
				list = append(list, p)
			}
			return encode(list...)
		}},
		{"shadow tables", "rows of the tables in which the engine keeps its own", Applied, func(v Victim) [][]byte {
			p := whole()
			p.Tables = []crdt.Table{{Name: "tributary_meta", Key: []string{"key"}, Columns: []string{"value"}}, {Name: "sqlite_schema", Key: []string{"name"}, Columns: []string{"sql"}}}
			for i, key := range []string{"self", "t"} {
				r := row(Victim{Table: p.Tables[i]}, 1, v.Now, crdt.TextString(key), crdt.Int(99))
				r.Table = i
				p.Rows = append(p.Rows, r)
			}
			p.Covers = []crdt.Cover{{Site: Sender, From: 1, To: 1}}
			return encode(p)
		}},
		{"odd names", "a table and columns whose names are SQL", Applied, func(v Victim) [][]byte {
			p := whole()
			p.Tables = []crdt.Table{{Name: v.Table.Name, Key: v.Table.Key, Columns: []string{`v"; DROP TABLE "t`, "'; ATTACH 'x", "\x00", strings.Repeat("n", 4096)}}}
			p.Rows = []crdt.RowChange{row(Victim{Table: p.Tables[0]}, 1, v.Now, crdt.Int(902), crdt.TextString("x"))}
			p.Covers = []crdt.Cover{{Site: Sender, From: 1, To: 1}}
			return encode(p)
		}},
		{"wide rows", "rows of 2048 columns that are not here", Applied, func(v Victim) [][]byte {
			p := whole()
			t := crdt.Table{Name: v.Table.Name, Key: v.Table.Key}
			for i := range crdt.MaxColumns {
				t.Columns = append(t.Columns, fmt.Sprint("x", i))
			}
			p.Tables = []crdt.Table{t}
			for i := range 20 {
				p.Rows = append(p.Rows, row(Victim{Table: t}, 1, v.Now+crdt.Time(i), crdt.Int(int64(910+i)), crdt.Int(int64(i))))
			}
			p.Covers = []crdt.Cover{{Site: Sender, From: 1, To: 1}}
			return encode(p)
		}},
		{"huge key", "a text of a megabyte where an integer belongs, a NUL and bytes that are no UTF-8 in keys", Applied, func(v Victim) [][]byte {
			return encode(with(v, row(v, 1, v.Now, crdt.TextString(strings.Repeat("k", 1<<20)), crdt.Int(1)),
				row(v, 1, v.Now+1, crdt.Text([]byte("a\x00b")), crdt.Int(1)), row(v, 1, v.Now+2, crdt.Text([]byte{0xff, 0xfe}), crdt.Int(1)), row(v, 1, v.Now+3, crdt.Null(), crdt.Int(1))))
		}},
		{"many lives", "five hundred inserts of one key", Applied, func(v Victim) [][]byte {
			r := row(v, 1, v.Now, crdt.Int(903), crdt.Int(0))
			for i := range 499 {
				r.Lives = append(r.Lives, row(v, crdt.Version(i+2), v.Now+crdt.Time(i+1), crdt.Int(903), crdt.Int(int64(i))).Lives...)
			}
			p := with(v, r)
			p.Covers[0].To = 500
			return encode(p)
		}},
		{"one key many times", "the same row five hundred times in a package", Applied, func(v Victim) [][]byte {
			var rows []crdt.RowChange
			for i := range 500 {
				rows = append(rows, row(v, 1, v.Now, crdt.Int(904), crdt.Int(int64(i%2))))
			}
			return encode(with(v, rows...))
		}},
		{"columns without an insert", "an update of a row that was never inserted, in order", Applied, func(v Victim) [][]byte {
			r := row(v, 1, v.Now, crdt.Int(905), crdt.Int(1))
			l := &r.Lives[0]
			l.Full, l.Has, l.Values = false, crdt.Columns(0), l.Values[:1]
			l.Newer = []crdt.CellGroup{{Columns: crdt.Columns(0), Write: crdt.Write{Stamp: crdt.Stamp{Time: v.Now + 9, Site: Sender, Version: 2}}}}
			return encode(with(v, r))
		}},
		{"a bomb", "64 MiB of nothing in some bytes", Limit, func(v Victim) [][]byte { return [][]byte{bomb(1<<26, 1<<26)} }},
		{"a bomb that lies", "a kilobyte is declared, the frame says 2 GiB", Corrupt, func(v Victim) [][]byte { return [][]byte{bomb(1<<10, 1<<31)} }},
		{"a bomb of rows", "ten million values that are not there, and a frame of zeros that vouches for them", Limit, func(v Victim) [][]byte {
			p := whole()
			t := crdt.Table{Name: v.Table.Name, Key: v.Table.Key}
			for i := range crdt.MaxColumns {
				t.Columns = append(t.Columns, fmt.Sprint("x", i))
			}
			p.Tables, p.Covers = []crdt.Table{t}, []crdt.Cover{{Site: Sender, From: 1, To: 1}}
			const rows = 5000
			run := binary.AppendUvarint(nil, rows<<1|1)
			body := binary.AppendUvarint(nil, rows)
			body = append(append(body, run...), 0, 0, 1, 1) // all of one shape: a life that has all columns
			return [][]byte{inFrame(encode(p)[0], body, 1<<20)}
		}},
		{"a bomb over limit", "a body of 2 GiB", Limit, func(v Victim) [][]byte { return [][]byte{bomb(1<<31, 1<<31)} }},
		{"deep JSON", "ten thousand brackets", Corrupt, func(v Victim) [][]byte {
			return [][]byte{[]byte("{\"format\":1,\"rows\":" + strings.Repeat("[", 100_000))}
		}},
	}
}

func seal(b []byte) []byte {
	binary.LittleEndian.PutUint32(b[5:], uint32(len(b)))
	binary.LittleEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b[:len(b)-4], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// inFrame puts a body, and zeros behind it, into a frame, in the place of the body of a package of one table and no rows.
func inFrame(b, body []byte, zeros int) []byte {
	size := len(body) + zeros
	b = append(bytes.Clone(b[:len(b)-7]), 1) // the encoding, the length and a body of one byte, the checksum
	b = binary.AppendUvarint(b, uint64(size))
	b = append(b, 0x28, 0xb5, 0x2f, 0xfd, 0xe0)
	b = binary.LittleEndian.AppendUint64(b, uint64(size))
	b = append(b, byte(len(body)<<3), byte(len(body)>>5), 0)
	b = append(b, body...)
	return seal(append(zeroRuns(b, zeros), 0, 0, 0, 0))
}

// zeroRuns appends blocks of at most 128 KiB, each a run. https://datatracker.ietf.org/doc/html/rfc8878#section-3.1.1.2
func zeroRuns(b []byte, n int) []byte {
	for ; n > 0; n -= 1 << 17 {
		head := uint32(1<<17)<<3 | 1<<1
		if n == 1<<17 {
			head |= 1
		}
		b = append(b, byte(head), byte(head>>8), byte(head>>16), 0)
	}
	return b
}

// bomb has a body in one frame of zeros.
func bomb(declared, frame uint64) []byte {
	b := encode(whole())[0]
	b = append(bytes.Clone(b[:len(b)-6]), 1)
	b = binary.AppendUvarint(b, declared)
	b = append(b, 0x28, 0xb5, 0x2f, 0xfd, 0xe0)
	b = binary.LittleEndian.AppendUint64(b, frame)
	return seal(append(zeroRuns(b, int(min(frame, 1<<26))), 0, 0, 0, 0))
}
