package engine

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine/internal/sqltext"
)

// FoldResult says what a fold found: Version is 0 when nothing had changed.
type FoldResult struct {
	Version crdt.Version `json:"version"`
	Rows    int          `json:"rows"`
}

// Fold turns what the triggers have captured into clocks under one new version, and commits it durably.
// It only ever sees committed transactions, so a changeset holds whole ones.
func (e *Engine) Fold(ctx context.Context) (FoldResult, error) {
	var r FoldResult
	err := e.change(ctx, func() (err error) {
		r, err = e.fold()
		return err
	})
	return r, wrap("fold", err)
}

// foldBatch is how many rows a fold or merge holds in memory at a time.
const foldBatch = 2048

// fold does the work inside a write transaction.
func (e *Engine) fold() (FoldResult, error) {
	var r FoldResult
	added, err := e.reconcile()
	if err != nil {
		return r, err
	}
	if err := e.foldBases(); err != nil {
		return r, err
	}
	if r, err = e.foldFeed(added); err != nil {
		return r, err
	}
	// Parked changes are merged with clocks, which must say what the tables show: after what was captured. Where that has taken
	// positions a version ends behind them, or a cursor there would count as one inside a set.
	if moved, err := e.replayParked(); err != nil || !moved {
		return r, err
	}
	again, err := e.beat(func() (FoldResult, error) { return e.foldFeed(nil) })
	again.Rows += r.Rows
	return again, err
}

// beat folds by fold, and makes a version even if nothing has changed.
func (e *Engine) beat(fold func() (FoldResult, error)) (FoldResult, error) {
	was := e.heartbeat
	e.heartbeat = true
	defer func() { e.heartbeat = was }()
	return fold()
}

// foldFeed folds what was captured; added are columns that the triggers did not know, by table.
func (e *Engine) foldFeed(added map[int64]crdt.ColumnSet) (FoldResult, error) {
	var r FoldResult
	any, err := e.one("SELECT EXISTS (SELECT 1 FROM tributary_feed)")
	if err != nil {
		return r, err
	}
	// The first version of a site may be empty: it tells the others that there is one more who must have seen a
	// delete before it can be forgotten.
	own, err := e.ownVersion()
	if err != nil || any.Int() == 0 && own > 0 && !e.heartbeat {
		return r, err
	}
	f, err := e.newFolder()
	if err != nil {
		return r, err
	}
	ids, err := e.list("SELECT DISTINCT tbl FROM tributary_feed", 1)
	if err != nil {
		return r, err
	}
	slices.SortFunc(ids, func(a, b []crdt.Value) int { return a[0].Compare(b[0]) }) // SQLite would sort all entries
	for _, id := range ids {
		t := e.byID[id[0].Int()]
		if t == nil || t.schema == nil {
			continue
		}
		set := added[t.id]
		done, err := f.inserts(t)
		if err == nil && !done && set.IsEmpty() {
			done, err = f.alikes(t)
		}
		if err == nil && !done {
			err = f.table(t, set)
		}
		if err != nil {
			return r, fmt.Errorf("table %s: %w", t.name, err)
		}
	}
	if err := e.run("DELETE FROM tributary_feed"); err != nil {
		return r, err
	}
	if f.rows == 0 && own > 0 && !e.heartbeat {
		return r, e.settle(f.touched)
	}
	if f.rows == 0 {
		f.pos++ // every changeset ends at a position of its own
	}
	if err := f.finish(); err != nil {
		return r, err
	}
	r = FoldResult{Version: f.version, Rows: f.rows}
	e.folded = f.version
	return r, e.settle(f.touched)
}

// folder is the state of one fold: the version and positions that it hands out.
type folder struct {
	e       *Engine
	version crdt.Version
	pos     int64
	start   int64     // the position before it
	floor   crdt.Time // every stamp of this fold is at least this: later than all that this site has seen
	now     crdt.Time
	last    crdt.Time
	rows    int
	touched *touched
	out     [][]crdt.Value
}

func (e *Engine) newFolder() (*folder, error) {
	last, err := e.lastTime()
	if err != nil {
		return nil, err
	}
	now := e.opt.Now()
	if behind := last.Millis() - now.UnixMilli(); behind > e.opt.MaxSkew.Milliseconds() {
		return nil, fmt.Errorf("%w: it reads %s, but %s was stamped already; set the clock, or wait", ErrClock, now.UTC().Format("2006-01-02T15:04:05Z"), last)
	}
	v, err := e.one("SELECT max(version) FROM tributary_changeset WHERE site = ?1", crdt.Int(e.self))
	if err != nil {
		return nil, err
	}
	pos, err := e.pos()
	if err != nil {
		return nil, err
	}
	f := &folder{e: e, version: crdt.Version(v.Int() + 1), pos: pos, start: pos, floor: last + 1, now: crdt.TimeOf(now.UnixMilli()), last: last, touched: newTouched()}
	return f, nil
}

// stamp is the time of a change that was captured at the given wall clock: never later than now, so that a clock that
// was wrong at capture and has been put right does no lasting harm, and later than all this site has seen.
func (f *folder) stamp(at int64) crdt.Stamp {
	t := max(min(crdt.TimeOf(at), f.now), f.floor)
	f.last = max(f.last, t)
	return crdt.Stamp{Time: t, Site: f.e.site, Version: f.version}
}

// captured is what the feed says of one row since the last fold.
type captured struct {
	key                 []crdt.Value
	at                  int64 // of the newest entry that wrote something
	looked              int64 // of the newest one that only says to look at the row
	mask                crdt.ColumnSet
	first               int64 // mask of the first entry
	inserted, deleted   bool
	reinserted, updated bool // an insert after a delete; an UPDATE statement
	absorbed            bool
	respelled           bool // the key's bytes differ from those of the clock, though the keys are equal
	present, known      bool // in the user's table now; has a clock row
	clock               clock
}

// maskAbsorb is written by the engine itself: an incarnation of the row was dropped because it said the same.
const maskAbsorb = -3

func (f *folder) table(t *table, added crdt.ColumnSet) error {
	n := len(t.schema.Key)
	width := 3 + 3*n + clockWidth
	var on []string
	for i := range n {
		on = append(on, fmt.Sprintf("c.k%d = f.k%d", i, i))
	}
	user := strings.ReplaceAll(t.sql.onKey, "= c.k", "= f.k")
	var shown []string
	for _, k := range t.schema.Key {
		shown = append(shown, "t."+ident(k.Name))
	}
	// The triggers that wrote these entries did not know columns added since. An update may have written there too: it
	// did where the column no longer has the default with which it was added.
	extra, wrote := ordinals(added), ""
	for _, c := range extra {
		wrote += fmt.Sprintf(", t.%s IS NOT %s", ident(t.columns[c]), t.defaultOf(c))
	}
	sql := fmt.Sprintf("SELECT f.pos, f.mask, f.at, %s, %s, %s, c.pos, c.t, c.site, c.version, c.presence, c.cells%s FROM tributary_feed f LEFT JOIN %s c ON %s LEFT JOIN %s t ON %s WHERE f.tbl = ?1 ORDER BY %s, f.pos",
		keyColumns(n, "f."), strings.Join(shown, ", "), keyColumns(n, "c."), wrote, t.sql.clock, strings.Join(on, " AND "), ident(t.name), user, t.feedOrder("f.", ""))
	// The sorter takes in all rows before the first comes out, so clocks may be written while the rest is read.
	var cur captured
	var curID []byte
	err := f.e.each(sql, width+len(extra), func(r []crdt.Value) error {
		for _, k := range r[3 : 3+n] {
			if k.IsNull() {
				return nil // a key with NULL names no row: see README, limits
			}
		}
		id := t.keyBlob(r[3 : 3+n])
		if curID == nil || string(id) != string(curID) {
			if curID != nil {
				if err := f.row(t, &cur); err != nil {
					return err
				}
			}
			curID = id
			cur = captured{first: r[1].Int(), present: !r[3+n].IsNull(), known: !r[3+3*n].IsNull()}
			spelled := r[3 : 3+n]
			if cur.present {
				spelled = r[3+n : 3+2*n]
			}
			cur.key = cloneKey(spelled)
			// A REPLACE may spell an equal key differently; then it is another row. Of a base row, the first entry says how it was.
			was := r[3 : 3+n]
			if cur.known {
				was = r[3+2*n : 3+3*n]
			}
			cur.respelled = cur.present && compareKeys(cur.key, was) != 0
			if cur.known {
				if err := f.e.decodeClock(r[3+3*n:], &cur.clock); err != nil {
					return err
				}
			}
		}
		var late crdt.ColumnSet
		for i, c := range extra {
			if r[width+i].Int() != 0 {
				late.Add(c)
			}
		}
		return cur.entry(r[1], r[2].Int(), late)
	}, crdt.Int(t.id))
	if err == nil && curID != nil {
		err = f.row(t, &cur)
	}
	if err != nil {
		return err
	}
	return f.write(t)
}

// feedOrder orders the key columns of the feed as the table's own index does; the feed's have no collation of their own.
func (t *table) feedOrder(prefix, direction string) string {
	var order []string
	for i, k := range t.schema.Key {
		o := fmt.Sprintf("%sk%d", prefix, i)
		if k.Collation != "" {
			o += " COLLATE " + k.Collation
		}
		order = append(order, o+direction)
	}
	return strings.Join(order, ", ")
}

// defaultOf is the SQL text of a column's default value. A column that was added has a constant one.
// https://sqlite.org/lang_altertable.html#alter_table_add_column
func (t *table) defaultOf(ord int) string {
	for _, c := range t.schema.Columns {
		if sqltext.EqualName(c.Name, t.columns[ord]) && c.Default != "" {
			return "(" + c.Default + ")"
		}
	}
	return "NULL"
}

// entry takes in one feed entry of the row, in feed order.
func (c *captured) entry(mask crdt.Value, at int64, late crdt.ColumnSet) error {
	if mask.Kind() == crdt.KindInt && mask.Int() < 0 {
		c.at = max(c.at, at)
		switch mask.Int() {
		case maskInsert:
			c.reinserted = c.reinserted || c.deleted
			c.inserted = true
		case maskDelete:
			c.deleted = true
		case maskAbsorb:
			c.absorbed = true
		}
		return nil
	}
	c.updated = true
	wrote := late
	if err := addMask(&wrote, mask); err != nil {
		return err
	}
	if wrote.IsEmpty() {
		c.looked = max(c.looked, at) // an UPDATE that changed nothing must not make an earlier one younger
		return nil
	}
	c.at = max(c.at, at)
	c.mask = c.mask.Union(wrote)
	return nil
}

// row folds what was captured of one row: a function of its clock, its entries and whether it is there now.
func (f *folder) row(t *table, c *captured) error {
	var base *chunk
	if !c.known {
		var err error
		if base, err = f.e.baseOf(t, c.key); err != nil {
			return err
		}
	}
	before := c.known && c.clock.inTable() || base != nil && (c.first != maskInsert || !c.present)
	if !c.present && !c.deleted { // pushed out by a REPLACE
		c.at = max(c.at, c.looked)
	}
	w := crdt.Write{Stamp: f.stamp(c.at), Pos: f.pos + 1}
	k := c.clock
	if base != nil {
		k.birth = base.clock().birth
	}
	if c.known && k.pos > f.start { // this fold has written an entry of the row already, and time does not run backwards
		i := k.incarnation()
		w.Time = max(w.Time, i.Newest().Time)
	}
	if before && k.siblings {
		if err := f.twins(t, c, &k); err != nil {
			return err
		}
	}
	switch {
	case before && c.present && (c.reinserted || c.respelled):
		k.deleted = withDeleted(k.deleted, k.birth.Dot())
		k.birth, k.newer = w, nil
	case before && c.present:
		cols := c.mask
		if c.inserted { // REPLACE: an update of every column
			cols = t.live()
		}
		cols = cols.Intersect(t.live())
		if cols.IsEmpty() && !c.absorbed {
			return nil
		}
		if !cols.IsEmpty() {
			i := crdt.Incarnation{Birth: k.birth, Newer: k.newer}
			i.Set(cols, w)
			k.newer = i.Newer
		}
	case before:
		k.deleted = withDeleted(k.deleted, k.birth.Dot())
		k.birth, k.newer, k.dead = w, nil, true
		f.touched.delete(t, c.key)
	case c.present && (c.inserted || c.updated):
		if base != nil {
			k.deleted = withDeleted(k.deleted, base.stamp.Dot())
		}
		k.siblings = k.siblings || k.hidden
		k.birth, k.newer, k.dead, k.hidden = w, nil, false, false
	case c.absorbed && c.known && !c.clock.dead: // of a row that is set aside as a whole: that is all there is to say
	default:
		// Inserted and deleted between two folds, or deleted between track and the first: it leaves no trace, but perhaps orphans.
		if !c.present {
			f.touched.delete(t, c.key)
		}
		return nil
	}
	if k.pos <= f.start { // else it was written by this fold already
		f.rows++
	}
	k.pos = w.Pos
	f.pos = w.Pos
	if !k.dead && !k.hidden {
		f.touched.upsert(t, c.key, c.inserted || c.mask.Len() > 0)
	}
	if k.siblings {
		f.touched.promote(t, c.key)
	}
	row, err := f.e.appendClock(append(make([]crdt.Value, 0, len(c.key)+clockWidth), c.key...), &k)
	if err != nil {
		return err
	}
	f.out = append(f.out, row)
	f.e.prog.report("folding", int64(f.rows), 0)
	if len(f.out) >= foldBatch {
		return f.write(t)
	}
	return nil
}

// twins looks after the inserts beside a row that say the same as it.
func (f *folder) twins(t *table, c *captured, k *clock) (err error) {
	if !c.present || c.reinserted || c.respelled {
		k.deleted, err = f.e.withTwins(t, c.key, k.deleted)
	} else if c.inserted || !c.mask.IsEmpty() {
		err = f.e.wereTwins(t, c.key)
	}
	return err
}

func (f *folder) write(t *table) error {
	err := f.e.runRows(f.out, t.sql.upsert)
	f.out = f.out[:0]
	return err
}

// finish records the changeset.
func (f *folder) finish() error {
	if err := f.e.changeset(f.e.self, f.version, f.pos, f.last); err != nil {
		return err
	}
	if err := f.e.setPos(f.pos); err != nil {
		return err
	}
	return f.e.setMeta("clock", crdt.Int(int64(f.last)))
}

// changeset records a new own version with the next link of the site's hash chain. The chain holds fresh randomness, so
// two copies of a file that both go on under one identity make different links for one version, and the first peer
// that meets both finds out.
func (e *Engine) changeset(ord int64, v crdt.Version, pos int64, t crdt.Time) error {
	prev, err := e.one("SELECT id FROM tributary_changeset WHERE site = ?1 AND version = ?2", crdt.Int(ord), crdt.Int(int64(v)-1))
	if err != nil {
		return err
	}
	h := sha256.New()
	h.Write(prev.Bytes())
	if _, err := io.CopyN(h, e.opt.Random, 16); err != nil {
		return err
	}
	return e.run("INSERT INTO tributary_changeset(site, version, pos, time, id) VALUES (?1, ?2, ?3, ?4, ?5)",
		crdt.Int(ord), crdt.Int(int64(v)), crdt.Int(pos), crdt.Int(int64(t)), crdt.Blob(h.Sum(nil)[:8]))
}

func withDeleted(list []crdt.Dot, birth crdt.Dot) []crdt.Dot {
	r := crdt.Row{Deleted: append([]crdt.Dot(nil), list...)}
	r.Delete(birth)
	return r.Deleted
}
