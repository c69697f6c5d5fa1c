package conformance_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/tributary-db/tributary/conformance/native"
	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/zstd"
)

// promise is a version that somebody has been told of, and how much had been written by then.
type promise struct {
	what string
	at   int
	site crdt.Site
	v    crdt.Version
}

// recording is an application with the extension whose every write is noted.
type recording struct {
	t        *testing.T
	p        *native.Process
	c        *native.Conn
	journal  string
	promises []promise
	rows     []promise // ordinary commits of the application, of which nobody was told
}

func (r *recording) exec(sql string, args ...crdt.Value) [][]crdt.Value {
	r.t.Helper()
	rows, err := r.c.Rows(sql, args...)
	if err != nil {
		r.t.Fatalf("%s: %v", sql, err)
	}
	return rows
}

func (r *recording) operations() int {
	r.t.Helper()
	j, err := native.ReadJournal(r.journal)
	if err != nil {
		r.t.Fatal(err)
	}
	return len(j)
}

// send pulls, and notes what the packages say.
func (r *recording) send(where string) (packages [][]byte) {
	r.t.Helper()
	for _, row := range r.exec("SELECT package FROM o WHERE cursor > 0") {
		pkg, err := engine.Inspect(row[0].Bytes(), zstd.New())
		if err != nil {
			r.t.Fatal(err)
		}
		for _, c := range pkg.Covers {
			r.promises = append(r.promises, promise{"sent " + where, r.operations(), c.Site, c.To})
		}
		packages = append(packages, row[0].Bytes())
	}
	return packages
}

// TestExtensionPowerCut lets an application that commits without syncing send and apply packages, cuts the power after
// every operation of its file system, and looks whether a version is gone of which a peer had been told.
func TestExtensionPowerCut(t *testing.T) {
	t.Parallel()
	library, program := built(t, "tributary.so"), built(t, "driver")
	dir := t.TempDir()
	peer := newReplica(t, dir, "peer")
	peer.exec("CREATE TABLE t(k TEXT PRIMARY KEY NOT NULL, v)")
	peer.track()
	p, err := native.Start(program)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	r := &recording{t: t, p: p, journal: filepath.Join(dir, "journal")}
	path := filepath.Join(dir, "site.db")
	if err := p.Record(r.journal); err != nil {
		t.Fatal(err)
	}
	if r.c, err = p.Open("file:" + path + "?vfs=record"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.c.Load(library, ""), r.c.Exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 30"),
		r.c.Exec("CREATE TABLE t(k TEXT PRIMARY KEY NOT NULL, v)"), r.c.Exec("SELECT tributary_track('t')"),
		r.c.Exec("CREATE VIRTUAL TABLE o USING stream_out(); CREATE VIRTUAL TABLE i USING stream_in()")); err != nil {
		t.Fatal(err)
	}
	n := 0
	write := func() {
		n++
		r.exec("INSERT INTO t VALUES (?1, hex(randomblob(200)))", crdt.TextString(fmt.Sprint("row ", n)))
		r.rows = append(r.rows, promise{at: r.operations(), what: fmt.Sprint("row ", n)})
	}
	apply := func(begin, commit string) {
		peer.execf("INSERT INTO t VALUES ('peer %d', %d)", n, n)
		var packages [][]byte
		for p, err := range peer.engine.Pull(t.Context(), engine.PullOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			packages = append(packages, p.Package)
		}
		if begin != "" {
			r.exec(begin)
		}
		for _, b := range packages {
			r.exec("INSERT INTO i(package) VALUES (?1)", crdt.Blob(b))
			if begin == "" {
				v, err := peer.engine.Version(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				r.promises = append(r.promises, promise{"applied", r.operations(), peer.engine.Site(), v})
			}
		}
		if commit != "" {
			r.exec(commit)
		}
	}
	for range 6 {
		write()
		write()
		r.send("what a plain commit wrote")
		write()
		apply("", "")
		r.exec("BEGIN")
		write()
		r.exec("SELECT tributary_fold()")
		r.exec("COMMIT")
		r.send("what was folded in a transaction")
		apply("BEGIN", "COMMIT")
		r.send("what was applied in a transaction")
		write()
		if got := r.exec("PRAGMA synchronous")[0][0].Int(); got != 1 {
			t.Fatalf("the application had synchronous = NORMAL and has %d", got)
		}
	}
	j, err := native.ReadJournal(r.journal)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.c.Close(); err != nil {
		t.Fatal(err)
	}
	cuts, lost := 0, 0
	step := 3
	if testing.Short() {
		step = 17
	}
	for at := r.promises[0].at; at <= len(j); at += step {
		cuts++
		lost += r.survive(filepath.Join(dir, fmt.Sprintf("cut-%d.db", at)), path, j, at)
	}
	t.Logf("%d operations and %d syncs; %d power cuts lost %d commits that nobody had been told of", len(j), j.Syncs(), cuts, lost)
	if lost == 0 {
		t.Error("no power cut lost anything: the test proves nothing")
	}
}

// survive opens what is left after a power cut, and returns how many ordinary commits are gone.
func (r *recording) survive(copied, path string, j native.Journal, at int) (lost int) {
	r.t.Helper()
	files := j.Survivors(at, rand.New(rand.NewPCG(uint64(at), 1)))
	for _, tail := range []string{"", "-wal", "-journal"} {
		if b, ok := files[path+tail]; ok {
			if err := os.WriteFile(copied+tail, b, 0o644); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	db, err := openNcruces(copied, &engine.Options{Compressor: zstd.New()})
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	query := func(sql string, args ...crdt.Value) int64 {
		r.t.Helper()
		rows, err := db.Rows(sql, args...)
		if err != nil {
			r.t.Fatalf("cut at %d: %s: %v", at, sql, err)
		}
		if len(rows) == 0 {
			return 0
		}
		return rows[0][0].Int()
	}
	for _, p := range r.promises {
		if p.at > at {
			continue
		}
		const have = "SELECT max(version) FROM tributary_changeset WHERE site = (SELECT ord FROM tributary_site WHERE site = ?1)"
		if v := query(have, crdt.Blob(p.site[:])); v < int64(p.v) {
			r.t.Errorf("power cut after %d of %d operations: version %d of %s, %s after %d operations, is gone: the newest is %d", at, len(j), p.v, p.site, p.what, p.at, v)
			return 0
		}
	}
	for _, p := range r.rows {
		if p.at <= at && query("SELECT count(*) FROM t WHERE k = ?1", crdt.TextString(p.what)) == 0 {
			lost++
		}
	}
	return lost
}
