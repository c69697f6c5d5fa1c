package conformance_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tributary-db/tributary/engine"
)

// chinookFile is a well-known sample database of 11 tables, about 15,600 rows and 11 foreign keys. It is not part of this
// repository: https://github.com/lerocha/chinook-database
var chinookFile = filepath.Join(root, "..", "shared", "data", "chinook.sql")

// TestChinook edits three replicas of a real database at random, delivers the packages shuffled, doubled and late in a
// ring, and wants three equal, legal databases.
func TestChinook(t *testing.T) {
	script, err := os.ReadFile(chinookFile)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("chinook.sql is not there: put the Chinook SQLite script into ../shared/data beside the repository")
	} else if err != nil {
		t.Fatal(err)
	}
	edits := 10000
	if testing.Short() {
		edits = 1000
	}
	for _, mode := range []struct {
		name    string
		orphans bool // some clients write without foreign key enforcement, and leave orphans
	}{{"enforced", false}, {"mixed", true}} {
		t.Run(mode.name, func(t *testing.T) { chinook(t, string(script), edits, mode.orphans) })
	}
}

func chinook(t *testing.T, script string, edits int, orphans bool) {
	rng := seeded(t)
	a := newReplica(t, t.TempDir(), "a")
	a.exec("BEGIN;" + script + ";COMMIT")
	a.track()
	if tables, err := a.engine.Tables(t.Context()); err != nil || len(tables) != 11 {
		t.Fatalf("%d tables tracked, want 11 (%v)", len(tables), err)
	}
	b, c := a.clone("b"), a.clone("c")
	all := []*replica{a, b, c}
	converged(t, all...)

	stats := map[engine.ApplyState]int{}
	ring := []*link{{from: a, to: b, stats: stats}, {from: b, to: c, stats: stats}, {from: c, to: a, stats: stats}}
	for _, l := range ring { // the clones have everything so far
		var err error
		if l.cursor, err = l.from.engine.Cursor(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var editors []*editor
	for i, r := range all {
		editors = append(editors, newEditor(t, r, rng, int64(i+1)*1_000_000, orphans))
	}
	const rounds = 8
	for range rounds {
		for _, e := range editors {
			e.run(edits / rounds)
		}
		for _, l := range ring {
			l.carry(t, rng, 8192, false)
		}
	}
	for n := 0; ; n++ {
		for _, l := range ring {
			l.carry(t, rng, 8192, true)
		}
		if vectors(t, all...) {
			break
		}
		if n == 10 {
			t.Error("the ring does not come to rest")
			break
		}
	}
	for _, e := range editors {
		t.Logf("%s: %d edits done, %d refused by SQLite", e.r.name, e.done, e.refused)
		if e.done < edits*9/10 || e.changes < edits/2 {
			t.Errorf("%s: only %d statements went through and %d of them changed a row, of %d", e.r.name, e.done, e.changes, edits)
		}
	}
	aside := setAside(t, a)
	reasons := map[string]int{}
	for _, x := range aside {
		reasons[strings.SplitN(x, ":", 2)[0]]++
	}
	t.Logf("packages by outcome %v, rows in quarantine %v", stats, reasons)
	for _, r := range all {
		if p, err := r.engine.Pending(t.Context()); err != nil || len(p) > 0 {
			t.Errorf("%s: %d packages still wait, though nothing is missing (%v); the first: %+v", r.name, len(p), err, p[:min(1, len(p))])
		}
		own := setAside(t, r)
		for i := range max(len(own), len(aside)) {
			if i >= len(own) || i >= len(aside) || own[i] != aside[i] {
				t.Errorf("%s has set %d rows aside and %s %d; row %d is the first that differs:\n%v\n%v",
					a.name, len(aside), r.name, len(own), i, aside[min(i, len(aside)):min(i+1, len(aside))], own[min(i, len(own)):min(i+1, len(own))])
				break
			}
		}
	}
	converged(t, all...)
}

// setAside lists what is in quarantine, in an order of its own.
func setAside(t *testing.T, r *replica) (out []string) {
	t.Helper()
	rows, err := r.engine.Quarantine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range rows {
		out = append(out, fmt.Sprintf("%s: %s %v %v %v %s:%d", x.Reason, x.Table, x.Key, x.Columns, x.Values, x.Site, x.Version))
	}
	slices.Sort(out)
	return out
}

// editor makes random edits through a plain connection.
type editor struct {
	t                      *testing.T
	r                      *replica
	rng                    *rand.Rand
	tables                 []*editTable
	next                   int64 // own range of keys
	orphans                bool
	done, refused, changes int
}

type editTable struct {
	name  string
	key   []string
	other []editColumn
	refs  map[string][2]string // column -> parent table, parent column
	rows  int64
}

type editColumn struct {
	name, kind string
	notNull    bool
}

func newEditor(t *testing.T, r *replica, rng *rand.Rand, first int64, orphans bool) *editor {
	e := &editor{t: t, r: r, rng: rng, next: first, orphans: orphans}
	for _, name := range r.strings("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%%' AND name NOT LIKE 'tributary%%'") {
		x := &editTable{name: name, refs: map[string][2]string{}, rows: r.int("SELECT count(*) FROM \"" + name + "\"")}
		x.key = r.strings("SELECT name FROM pragma_table_info('%s') WHERE pk > 0 ORDER BY pk", name)
		for _, c := range r.strings("SELECT name FROM pragma_table_info('%s') WHERE pk = 0", name) {
			info := r.strings("SELECT type || ' ' || \"notnull\" FROM pragma_table_info('%s') WHERE name = '%s'", name, c)[0]
			x.other = append(x.other, editColumn{c, info[:3], info[len(info)-1] == '1'})
		}
		for _, c := range r.strings("SELECT \"from\" FROM pragma_foreign_key_list('%s')", name) {
			p := r.strings("SELECT \"table\" FROM pragma_foreign_key_list('%s') WHERE \"from\" = '%s'", name, c)[0]
			to := r.strings("SELECT \"to\" FROM pragma_foreign_key_list('%s') WHERE \"from\" = '%s'", name, c)[0]
			x.refs[c] = [2]string{p, to}
		}
		e.tables = append(e.tables, x)
	}
	return e
}

func (r *replica) strings(format string, args ...any) (out []string) {
	r.t.Helper()
	for _, row := range r.rows(fmt.Sprintf(format, args...)) {
		out = append(out, string(row[0].Bytes()))
	}
	return out
}
