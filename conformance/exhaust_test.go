package conformance_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

// The model: a replica is the set of statements that it knows, merging is union, and what a row shows follows from the set. It
// knows nothing of clocks in columns, incarnations or tombstones.
type (
	stamp struct {
		time int64
		site int
	}
	statement struct {
		stamp
		kind  byte  // i insert, a and b update of a column, d delete
		birth stamp // of the insert that an update or delete saw
		value int64
	}
	known map[statement]bool
)

func (s stamp) less(o stamp) bool { return s.time < o.time || s.time == o.time && s.site < o.site }

// row is what the known statements show: the insert that was written last of those that no delete saw.
func (k known) row() (shown stamp, a, b int64, alive bool) {
	dead := map[stamp]bool{}
	for s := range k {
		if s.kind == 'd' {
			dead[s.birth] = true
		}
	}
	var newest stamp
	for in := range k {
		if in.kind != 'i' || dead[in.stamp] {
			continue
		}
		last, cells := in.stamp, map[byte]statement{'a': in, 'b': in}
		for u := range k {
			if (u.kind == 'a' || u.kind == 'b') && u.birth == in.stamp {
				if cells[u.kind].less(u.stamp) {
					cells[u.kind] = u
				}
				if last.less(u.stamp) {
					last = u.stamp
				}
			}
		}
		if !alive || newest.less(last) {
			shown, newest, a, b, alive = in.stamp, last, cells['a'].value, cells['b'].value, true
		}
	}
	return shown, a, b, alive
}

// modelled is one replica with what the model says of it. Each history has a row of its own in the same database.
type modelled struct {
	t     *testing.T
	site  int
	db    *sqlite3.Conn
	e     *engine.Engine
	now   time.Time
	last  int64 // of the model's hybrid clock
	known known
}

func newModelled(t *testing.T, site int, skew time.Duration) *modelled {
	t.Helper()
	db, err := sqlite3.Open(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	m := &modelled{t: t, site: site, db: db, now: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC).Add(skew), known: known{}}
	if err := db.Exec("CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)"); err != nil {
		t.Fatal(err)
	}
	if m.e, err = engine.Open(t.Context(), ncruces.NewConn(db), &engine.Options{Now: func() time.Time { return m.now }}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.e.TrackAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.e.Close(); db.Close() })
	return m
}

// write runs a statement if it makes sense on the row as it is here, and folds it.
func (m *modelled) write(id int, kind byte, value int64) bool {
	m.t.Helper()
	birth, _, _, alive := m.known.row()
	if alive == (kind == 'i') {
		return false
	}
	sql := map[byte]string{'i': "INSERT INTO t VALUES (%d, %d, %[2]d)", 'a': "UPDATE t SET a = %[2]d WHERE id = %[1]d",
		'b': "UPDATE t SET b = %[2]d WHERE id = %[1]d", 'd': "DELETE FROM t WHERE id = %d AND %d <> 0"}[kind]
	if err := m.db.Exec(fmt.Sprintf(sql, id, value)); err != nil {
		m.t.Fatal(err)
	}
	f, err := m.e.Fold(m.t.Context())
	if err != nil || f.Rows != 1 {
		m.t.Fatalf("fold: %+v, %v", f, err)
	}
	m.last = max(m.last+1, m.now.UnixMilli()<<16)
	m.known[statement{stamp{m.last, m.site}, kind, birth, value}] = true
	return true
}

// take brings what another knows.
func (m *modelled) take(o *modelled) {
	m.t.Helper()
	since, err := m.e.PeerCursor(m.t.Context(), o.e)
	if err != nil {
		m.t.Fatal(err)
	}
	for p, err := range o.e.Pull(m.t.Context(), engine.PullOptions{Since: since}) {
		if err != nil {
			m.t.Fatal(err)
		}
		if _, err := m.e.Apply(m.t.Context(), p.Package, engine.ApplyOptions{}); err != nil {
			m.t.Fatal(err)
		}
	}
	maps.Copy(m.known, o.known)
	for s := range o.known {
		m.last = max(m.last, s.time)
	}
}

// agrees compares the row with the model.
func (m *modelled) agrees(id int, history string) {
	m.t.Helper()
	q, _, err := m.db.Prepare(fmt.Sprintf("SELECT a, b FROM t WHERE id = %d", id))
	if err != nil {
		m.t.Fatal(err)
	}
	defer q.Close()
	got := "no row"
	if q.Step() {
		got = fmt.Sprint(q.ColumnInt64(0), " ", q.ColumnInt64(1))
	}
	want := "no row"
	if _, a, b, alive := m.known.row(); alive {
		want = fmt.Sprint(a, " ", b)
	}
	if got != want {
		m.t.Fatalf("history %s: site %d shows %s, the model says %s", history, m.site, got, want)
	}
}

// TestAllSmallHistories runs every history of a few steps over a few replicas through SQL: inserts, updates of two columns,
// deletes, and one taking from another; TRIBUTARY_EXHAUSTIVE=1 makes them longer. After every step and in the end each replica must show what the model says.
func TestAllSmallHistories(t *testing.T) {
	for _, world := range []struct {
		sites, steps, deep int
		skew               time.Duration
	}{{2, 3, 5, 0}, {2, 2, 4, 20 * time.Second}, {3, 2, 4, 0}} {
		for _, before := range []bool{false, true} { // whether the row is known to all at the start
			steps := world.steps
			if env("TRIBUTARY_EXHAUSTIVE") != "" { // hours
				steps = world.deep
			}
			t.Run(fmt.Sprintf("sites=%d/steps=%d/skew=%s/known=%t", world.sites, steps, world.skew, before), func(t *testing.T) {
				allHistories(t, world.sites, steps, world.skew, before)
			})
		}
	}
}

func allHistories(t *testing.T, sites, steps int, skew time.Duration, before bool) {
	var list []*modelled
	for i := range sites {
		list = append(list, newModelled(t, i, time.Duration(i)*skew))
	}
	kinds := "iabd"
	choices := sites * (len(kinds) + sites - 1)
	total := 1
	for range steps {
		total *= choices
	}
	ran, value := 0, int64(0)
	tick := func() {
		for _, m := range list {
			m.now = m.now.Add(time.Second)
		}
		value++
	}
	for n := range total {
		for _, m := range list {
			clear(m.known)
		}
		if before {
			tick()
			list[0].write(n, 'i', value)
			for _, m := range list[1:] {
				m.take(list[0])
			}
		}
		history, ok := "", true
		for at, left := 0, n; at < steps && ok; at, left = at+1, left/choices {
			tick()
			who, what := left%choices%sites, left%choices/sites
			if what < len(kinds) {
				ok = list[who].write(n, kinds[what], value)
				history += fmt.Sprintf(" %d:%c", who, kinds[what])
			} else {
				from := (who + what - len(kinds) + 1) % sites
				list[who].take(list[from])
				history += fmt.Sprintf(" %d<%d", who, from)
			}
			list[who].agrees(n, history)
		}
		if !ok {
			// A statement that makes no sense there; what came before is a shorter history. All know all before the next.
			history += " (cut)"
		} else {
			ran++
		}
		for range 2 {
			for i := range list {
				list[i].take(list[(i+1)%sites])
			}
		}
		for _, m := range list {
			m.agrees(n, history+", all to all")
		}
	}
	if ran < choices {
		t.Errorf("only %d of %d histories make sense", ran, total)
	}
	for _, m := range list {
		if v, err := m.e.Check(t.Context()); err != nil || len(v) > 0 {
			t.Errorf("site %d: %v, %v", m.site, v, err)
		}
	}
	t.Logf("%d histories", ran)
}
