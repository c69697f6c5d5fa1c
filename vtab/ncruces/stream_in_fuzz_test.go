package ncruces

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/conformance/hostile"
	"github.com/tributary-db/tributary/conformance/vectors"
	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/zstd"
)

// FuzzStreamIn inserts anything into a stream_in table of one database, each time in a transaction that is rolled back. What is
// not a package is refused as that; nothing panics, no state is left behind, and the database stays in order. Its seeds are the
// packages of conformance/vectors and conformance/hostile; testdata has what fuzzing found. Inputs are tried as they are, and
// sealed: no mutation would pass the checksum otherwise.
func FuzzStreamIn(f *testing.F) {
	list, err := vectors.Load()
	if err != nil {
		f.Fatal(err)
	}
	for _, v := range list {
		for _, part := range append(v.All("bytes"), v.All("json")...) {
			if len(part) < 4000 {
				f.Add(part)
			}
		}
	}
	table := crdt.Table{Name: "t", Key: []string{"k"}, Columns: []string{"v"}}
	for _, c := range hostile.Cases() {
		for _, b := range c.Make(hostile.Victim{Table: table, Now: 1})[:1] {
			if len(b) < 4000 {
				f.Add(b)
			}
		}
	}
	db, err := sqlite3.Open(":memory:")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	if err := Register(db, &engine.Options{Compressor: small{zstd.New()}, MaxPending: 1 << 20}); err != nil {
		f.Fatal(err)
	}
	s := &site{t: f, db: db, c: NewConn(db)}
	s.exec("CREATE TABLE t(k INTEGER PRIMARY KEY, v UNIQUE); CREATE TABLE task(id PRIMARY KEY NOT NULL, title, done)")
	s.exec("SELECT tributary_track_all(); CREATE VIRTUAL TABLE i USING stream_in(); CREATE VIRTUAL TABLE e USING stream_in(mode='eventual')")
	s.exec("INSERT INTO t VALUES (1, 'a'), (7, 'b'); INSERT INTO task VALUES (1, 'x', 0); SELECT tributary_fold()")
	state := "SELECT (SELECT group_concat(k || v) FROM t), (SELECT count(*) FROM task), (SELECT count(*) FROM tributary_waiting), (SELECT count(*) FROM tributary_unknown), (SELECT count(*) FROM tributary_site), (SELECT count(*) FROM tributary_feed), tributary_vector(), tributary_check()"
	want := all(f, s.c, state)
	f.Fuzz(func(t *testing.T, b []byte) {
		s.t = t
		for _, table := range []string{"i", "e"} {
			s.try(t, table, b, state, want)
			if len(b) >= 13 && string(b[:4]) == "TRIB" {
				sealed := bytes.Clone(b)
				binary.LittleEndian.PutUint32(sealed[5:], uint32(len(sealed)))
				end := len(sealed) - 4
				binary.LittleEndian.PutUint32(sealed[end:], crc32.Checksum(sealed[:end], crc32.MakeTable(crc32.Castagnoli)))
				s.try(t, table, sealed, state, want)
			}
		}
		if got := all(t, s.c, state); strings.Join(got, "") != strings.Join(want, "") {
			t.Fatalf("left behind\n got %s\nwant %s", got, want)
		}
	})
}

// try inserts a package and looks at the database before it is rolled back. Of a duplicate only the header is read.
func (s *site) try(t *testing.T, table string, b []byte, state string, want []string) {
	t.Helper()
	s.exec("BEGIN")
	err := s.insert(table, crdt.Blob(b))
	_, decoded := crdt.DecodePackage(b, small{zstd.New()}, crdt.Limits{})
	if _, header := crdt.PackageHeader(b, crdt.Limits{}); len(b) > 0 && b[0] == 'T' && err == nil && decoded != nil &&
		(header != nil || strings.Join(all(t, s.c, state), "") != strings.Join(want, "")) {
		t.Errorf("%s: taken, though it is no package: %v", table, decoded)
	}
	if err == nil {
		if got := all(t, s.c, "SELECT tributary_check()"); got[0] != "'[]'" {
			t.Errorf("%s: after the package: %s", table, got)
		}
	} else if code := sqlite3.INTERNAL; errors.Is(err, code) || errors.Is(err, sqlite3.CORRUPT) {
		t.Errorf("%s: %v", table, err)
	}
	if s.c.InTransaction() {
		s.exec("ROLLBACK")
	}
}

// small is a Compressor that lets nothing grow beyond a megabyte, so that the fuzzer finds defects and not the end of memory.
type small struct{ crdt.Compressor }

func (z small) Decompress(dst, src []byte, most int) ([]byte, error) {
	if most > 1<<20 {
		return nil, crdt.ErrLimit
	}
	return z.Compressor.Decompress(dst, src, most)
}
