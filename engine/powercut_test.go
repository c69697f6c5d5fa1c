package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/tributary-db/tributary/conformance/faultdisk"
	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

// namedConn has a name where the host knows none, because the file is not in the real file system: then the engine
// keeps evidence of its identity.
type namedConn struct {
	engine.Conn
	name string
}

func (c namedConn) Filename() string { return c.name }

// notes is an IdentityStore that a power cut treats as it does a file that is replaced by renaming and never synced:
// it is what it was after any of the saves, or empty.
type notes struct{ saved []engine.Evidence }

func (n *notes) Load(string) (engine.Evidence, error) {
	if len(n.saved) == 0 {
		return engine.Evidence{}, fs.ErrNotExist
	}
	return n.saved[len(n.saved)-1], nil
}

func (n *notes) Save(_ string, e engine.Evidence) error { n.saved = append(n.saved, e); return nil }
func (n *notes) Inode(string) string                    { return "1" }

func (n *notes) cut(rnd *rand.Rand) {
	switch rnd.IntN(8) {
	case 0:
		n.saved = nil
	case 1, 2:
	default:
		n.saved = n.saved[:rnd.IntN(len(n.saved)+1)]
	}
}

// ledger has seen every package that anybody handed out. A dot must have one content for ever.
type ledger struct {
	t     *testing.T
	at    string
	said  map[string]string
	count int
}

func (l *ledger) add(body []byte) {
	l.t.Helper()
	p, err := engine.Inspect(body, nil)
	if err != nil {
		l.t.Fatalf("%s: %v", l.at, err)
	}
	l.count++
	for _, c := range p.Covers {
		l.chain(crdt.Dot{Site: c.Site, Version: c.From - 1}, c.Prev)
		l.chain(crdt.Dot{Site: c.Site, Version: c.To}, c.ID)
	}
	for _, r := range p.Rows {
		t := p.Tables[r.Table]
		row := fmt.Sprint(t.Name, r.Key)
		if !r.Deleter.IsZero() {
			l.say("delete", row, r.Deleter, "")
		}
		for i := range r.Lives {
			life := &r.Lives[i]
			for c, name := range t.Columns {
				if v, ok := life.Value(c); ok {
					l.say(name, row, life.Write(c).Stamp, v.String())
				}
			}
		}
	}
}

func (l *ledger) chain(d crdt.Dot, id crdt.ChainID) {
	if d.Version > 0 && !id.IsZero() {
		l.one(fmt.Sprintf("chain id of %s", d), id.String())
	}
}

func (l *ledger) say(what, row string, s crdt.Stamp, value string) {
	l.one(fmt.Sprintf("%s of %s in %s", what, row, s.Dot()), fmt.Sprint(s.Time, " ", value))
}

func (l *ledger) one(what, is string) {
	l.t.Helper()
	if was, ok := l.said[what]; ok && was != is {
		l.t.Errorf("%s: %s: was %s, is %s", l.at, what, was, is)
	}
	l.said[what] = is
}

// cutter runs one history in which the power of replica a is cut; b has a better supply.
type cutter struct {
	t      *testing.T
	rnd    *rand.Rand
	at     string
	disk   *faultdisk.Disk
	notes  *notes
	ledger *ledger
	a, b   *side
	late   [][]byte        // packages of a that are still on their way to b
	acked  map[string]bool // log entries that b has had
	cuts   int
	lost   int
	sites  map[crdt.Site]bool // that a has gone by
}

// side is a replica with the application and the engine on one connection.
type side struct {
	db *sqlite3.Conn
	e  *engine.Engine
}

func (s *side) close() {
	if s.e != nil {
		s.e.Close()
	}
	if s.db != nil {
		s.db.Close()
	}
}

const cutSchema = `
CREATE TABLE IF NOT EXISTS log(id TEXT PRIMARY KEY, body);
CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, a, b);`

func openSide(uri, name, pragmas string, store engine.IdentityStore) (*side, error) {
	s := &side{}
	err := s.open(uri, name, pragmas, store)
	if err != nil {
		s.close()
	}
	return s, err
}

func (s *side) open(uri, name, pragmas string, store engine.IdentityStore) (err error) {
	if s.db, err = sqlite3.Open(uri); err != nil {
		return err
	}
	if err = s.db.Exec(pragmas + cutSchema); err != nil {
		return err
	}
	if s.e, err = engine.Open(context.Background(), namedConn{ncruces.NewConn(s.db), name}, &engine.Options{Identity: store}); err == nil {
		_, _, err = s.e.TrackAll(context.Background())
	}
	return err
}

// plug opens a, again and again while it is cut off already in opening.
func (c *cutter) plug() {
	c.t.Helper()
	for {
		name := "powercut"
		vfs.Register(name, c.disk)
		s, err := openSide("file:/a.db?vfs="+name, "/a.db", "PRAGMA locking_mode=exclusive; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=25;", c.notes)
		if err == nil {
			c.a = s
			c.sites[s.e.Site()] = true
			return
		}
		c.survive(err)
	}
}

// survive puts the power back on; err is what the operation under way said.
func (c *cutter) survive(err error) {
	c.t.Helper()
	if errors.Is(err, engine.ErrEquivocation) || !c.disk.Off() {
		c.t.Fatalf("%s: with the power on: %v", c.at, err)
	}
	if c.a != nil {
		c.a.close()
		c.a = nil
	}
	c.disk = c.disk.PowerOn()
	c.lost += c.disk.Lost
	c.notes.cut(c.rnd)
	c.cuts++
	if c.cuts < 3 && c.rnd.IntN(2) == 0 { // and soon again
		c.disk.Crash = 1 + c.rnd.IntN(60)
	}
}

// try does something on a. If that is cut off it comes back with a newly opened one and reports false.
func (c *cutter) try(f func() error) bool {
	c.t.Helper()
	err := f()
	if err == nil && !c.disk.Off() {
		return true
	}
	c.survive(err)
	c.plug()
	return false
}

func (c *cutter) exec(sql string) bool {
	c.t.Helper()
	return c.try(func() error { return c.a.db.Exec(sql) })
}

// send hands what b lacks to the carrier, which delivers it now or later.
func (c *cutter) send(late bool) bool {
	c.t.Helper()
	ctx := context.Background()
	return c.try(func() error {
		since, err := c.b.e.PeerCursor(ctx, c.a.e)
		if err != nil {
			return err
		}
		for p, err := range c.a.e.Pull(ctx, engine.PullOptions{Since: since, MaxBytes: 300}) {
			if err != nil {
				return err
			}
			c.sites[c.a.e.Site()] = true
			c.ledger.add(p.Package)
			if late {
				c.late = append(c.late, p.Package)
			} else {
				c.deliver(p.Package)
			}
		}
		return nil
	})
}

func (c *cutter) deliver(body []byte) {
	c.t.Helper()
	if _, err := c.b.e.Apply(context.Background(), body, engine.ApplyOptions{}); err != nil {
		c.t.Fatalf("%s: b: %v", c.at, err)
	}
	for _, id := range strings.Fields(c.text(c.b, "SELECT ifnull(group_concat(id, ' '), '') FROM log")) {
		c.acked[id] = true
	}
}

// fetch brings to a what it lacks of b.
func (c *cutter) fetch() bool {
	c.t.Helper()
	ctx := context.Background()
	return c.try(func() error {
		since, err := c.a.e.PeerCursor(ctx, c.b.e)
		if err != nil {
			return err
		}
		for p, err := range c.b.e.Pull(ctx, engine.PullOptions{Since: since, MaxBytes: 300}) {
			if err != nil {
				c.t.Fatalf("%s: b: %v", c.at, err)
			}
			c.ledger.add(p.Package)
			if _, err := c.a.e.Apply(ctx, p.Package, engine.ApplyOptions{}); err != nil {
				return err
			}
			c.sites[c.a.e.Site()] = true
		}
		return nil
	})
}

// text is the first column of the first row.
func (c *cutter) text(s *side, sql string) string {
	c.t.Helper()
	q, _, err := s.db.Prepare(sql)
	if err != nil {
		c.t.Fatal(err)
	}
	defer q.Close()
	if !q.Step() {
		c.t.Fatal(sql, q.Err())
	}
	return q.ColumnText(0)
}

func (c *cutter) run() {
	c.plug()
	for i := range 6 {
		// Transactions that only NORMAL protects, each with an entry in the log that is never touched again.
		c.exec(fmt.Sprintf("BEGIN; INSERT INTO log VALUES ('a%d.%d', zeroblob(%d)); INSERT INTO t VALUES (%d, 'a%d', %d) ON CONFLICT (id) DO UPDATE SET a = excluded.a; COMMIT", i, c.cuts, 40+c.rnd.IntN(200), i%4, i, c.cuts))
		c.exec(fmt.Sprintf("UPDATE t SET b = '%d/%d' WHERE id = %d", i, c.cuts, (i+1)%4))
		if err := c.b.db.Exec(fmt.Sprintf("INSERT INTO log VALUES ('b%d', 'x'); INSERT OR REPLACE INTO t VALUES (%d, 'b%d', 0)", i, 2+i%3, i)); err != nil {
			c.t.Fatal(err)
		}
		switch i {
		case 0, 3:
			c.send(false)
		case 1:
			c.fetch()
			c.send(true) // the carrier is slow: it delivers after what comes next
		case 2: // a fold inside a transaction of the application cannot be synced there
			c.try(func() error {
				err := c.a.db.Exec("BEGIN; DELETE FROM t WHERE id = 1; INSERT INTO log VALUES ('in' || random(), 1)")
				if err == nil {
					_, err = c.a.e.Fold(context.Background())
				}
				if err == nil {
					err = c.a.db.Exec("COMMIT")
				}
				return err
			})
			c.send(true)
		case 4:
			c.try(func() error { _, err := c.a.e.Fold(context.Background()); return err })
			c.exec(fmt.Sprintf("INSERT INTO log VALUES ('c%d.%d', 1)", i, c.cuts))
			c.fetch()
			for _, p := range c.late {
				c.deliver(p)
			}
			c.late = nil
		case 5:
			c.send(false)
			c.send(false)
			c.exec("DELETE FROM t WHERE id = 3")
		}
	}
}

// settle lets both tell each other all and looks at what has become of them.
func (c *cutter) settle() {
	c.t.Helper()
	c.disk.Crash = 0
	for range 3 {
		c.send(false)
		c.fetch()
	}
	for name, s := range map[string]*side{"a": c.a, "b": c.b} {
		v, err := s.e.Check(context.Background())
		if err != nil {
			c.t.Fatalf("%s: check of %s: %v", c.at, name, err)
		}
		for _, x := range v {
			c.t.Errorf("%s: %s: %s: %s", c.at, name, x.Code, x.Message)
		}
		if got := c.text(s, "PRAGMA integrity_check"); got != "ok" {
			c.t.Errorf("%s: %s: %s", c.at, name, got)
		}
		have := map[string]bool{}
		for _, id := range strings.Fields(c.text(s, "SELECT group_concat(id, ' ') FROM log")) {
			have[id] = true
		}
		for id := range c.acked {
			if !have[id] {
				c.t.Errorf("%s: %s has lost %s, which was acknowledged", c.at, name, id)
			}
		}
	}
	for d, err := range engine.Diff(context.Background(), c.a.e, c.b.e) {
		if err != nil {
			c.t.Fatal(err)
		}
		c.t.Errorf("%s: %s %v %s %v: %v / %v", c.at, d.Table, d.Key, d.Kind, d.Columns, d.A, d.B)
	}
	for _, s := range []*side{c.a, c.b} { // a full state says who wrote what, once more
		for p, err := range s.e.Pull(context.Background(), engine.PullOptions{}) {
			if err != nil {
				c.t.Fatal(err)
			}
			c.ledger.add(p.Package)
		}
	}
}

// powercut runs the history with the power cut before operation k of a's disk, 0 for never.
func powercut(t *testing.T, k int) *cutter {
	t.Helper()
	at := fmt.Sprintf("cut at %d", k)
	c := &cutter{t: t, rnd: rand.New(rand.NewPCG(uint64(k), 3)), at: at, disk: faultdisk.New(uint64(k)), notes: &notes{}, acked: map[string]bool{}, sites: map[crdt.Site]bool{},
		ledger: &ledger{t: t, at: at, said: map[string]string{}}}
	c.disk.Crash = k
	var err error
	if c.b, err = openSide("file::memory:", "", "", nil); err != nil {
		t.Fatal(err)
	}
	defer c.b.close()
	defer func() {
		if c.a != nil {
			c.a.close()
		}
	}()
	c.run()
	c.settle()
	return c
}

// TestPowerCut cuts the power of a replica, whose application leaves its own commits unsynced, at every operation of
// its disk, and goes on with what survived. What was handed out must not be given another content, and what was
// acknowledged must stay.
func TestPowerCut(t *testing.T) {
	whole := powercut(t, 0)
	total, step := whole.disk.Ops(), 1
	if len(whole.sites) != 1 || whole.cuts != 0 {
		t.Fatalf("without a cut: %d cuts, %d sites", whole.cuts, len(whole.sites))
	}
	if testing.Short() {
		step = max(1, total/25)
	}
	points, cuts, lost, renamed := 0, 0, 0, 0
	for k := 1; k <= total; k += step {
		c := powercut(t, k)
		points, cuts, lost, renamed = points+1, cuts+c.cuts, lost+c.lost, renamed+len(c.sites)-1
		if t.Failed() {
			return
		}
	}
	if cuts < points || lost == 0 {
		t.Errorf("%d cuts at %d points lost %d sectors: the disk is too good", cuts, points, lost)
	}
	t.Logf("%d operations, %d points, %d power cuts, %d sectors lost, %d new site ids", total, points, cuts, lost, renamed)
}
