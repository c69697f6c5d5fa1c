package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tributary-db/tributary/crdt"
)

// Violation is one broken invariant of the shadow tables, and what to do about it.
type Violation struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Remedy  string `json:"remedy"`
}

const (
	remedyFold    = "run sync or fold; if it stays, export the table, restore the file from a good replica with clone"
	remedyClone   = "make this file anew with clone from a good replica; its own unsent changes are still in its tables"
	remedyTrigger = "run fold: it makes the triggers anew"
)

// Check compares every shadow table with what it must say, and with the user's tables. None: all is well. It changes
// nothing, and reads each tracked table once.
func (e *Engine) Check(ctx context.Context) ([]Violation, error) {
	if err := e.load(ctx); errors.Is(err, ErrNoDatabase) {
		return nil, nil
	} else if err != nil {
		return nil, wrap("check", err)
	}
	c := &checker{e: e}
	for _, step := range []func() error{c.state, c.changesets, c.bases, c.hidden, c.waiting} {
		if err := step(); err != nil {
			return c.found, wrap("check", err)
		}
	}
	for _, t := range e.tables {
		if err := ctx.Err(); err != nil {
			return c.found, err
		}
		if t.schema == nil {
			c.add("table", remedyFold, "table %s was dropped or renamed since the last fold", t.name)
			continue
		}
		if err := c.table(t); err != nil {
			return c.found, wrap("check "+t.name, err)
		}
	}
	return c.found, nil
}

type checker struct {
	e     *Engine
	found []Violation
}

func (c *checker) add(code, remedy, format string, args ...any) {
	c.found = append(c.found, Violation{code, fmt.Sprintf(format, args...), remedy})
}

// expect adds a violation when a count is not zero.
func (c *checker) expect(code, remedy, what, sql string, args ...crdt.Value) error {
	n, err := c.e.one(sql, args...)
	if err == nil && n.Int() != 0 {
		c.add(code, remedy, "%d %s", n.Int(), what)
	}
	return err
}

func (c *checker) state() error {
	n, err := c.e.one("SELECT count(*) FROM tributary_state")
	if err == nil && n.Int() != 1 {
		c.add("state", "run INSERT INTO tributary_state VALUES (1)", "rows that a REPLACE pushes out are not captured: tributary_state has no row")
	}
	return err
}

func (c *checker) changesets() error {
	for _, q := range []struct{ what, sql string }{
		{"changesets of unknown sites", "SELECT count(*) FROM tributary_changeset WHERE site NOT IN (SELECT ord FROM tributary_site)"},
		{"changesets beyond the newest position", "SELECT count(*) FROM tributary_changeset WHERE pos > (SELECT value FROM tributary_meta WHERE key = 'pos')"},
		{"changesets out of order of arrival", "SELECT count(*) FROM (SELECT pos < lag(pos) OVER (PARTITION BY site ORDER BY version) AS late FROM tributary_changeset) WHERE late"},
	} {
		if err := c.expect("changeset", remedyClone, q.what, q.sql); err != nil {
			return err
		}
	}
	// The versions of this site are dense: each fold takes the next.
	return c.expect("version", remedyClone, "own versions are missing",
		"SELECT max(version) - min(version) + 1 - count(*) FROM tributary_changeset WHERE site = ?1", crdt.Int(c.e.self))
}

func (c *checker) bases() error {
	return c.expect("base", remedyClone, "base chunks of tables that are not tracked", "SELECT count(*) FROM tributary_base WHERE tbl NOT IN (SELECT id FROM tributary_table)")
}

func (c *checker) hidden() error {
	list, err := c.e.readHidden("WHERE true")
	if err != nil {
		c.add("quarantine", remedyClone, "a row in tributary_hidden cannot be read: %v", err)
		return nil
	}
	for _, h := range list {
		k, known, err := c.e.clockOf(h.t, h.key)
		if err != nil {
			return err
		}
		if !known || !k.hidden && !k.siblings {
			c.add("quarantine", remedyClone, "%s %s is in quarantine, but its clock does not say so", h.t.name, keyText(h.key))
		}
		if covered(k.deleted, h.inc.Birth.Dot()) {
			c.add("quarantine", remedyClone, "%s %s is in quarantine, but was deleted", h.t.name, keyText(h.key))
		}
	}
	return nil
}

func (c *checker) waiting() error {
	p, err := c.e.Pending(context.Background())
	if err != nil {
		return err
	}
	for _, i := range p {
		if i.Needs == "" && !strings.HasPrefix(i.Reason, "applied") {
			c.add("pending", "delete it from tributary_waiting and have its sender pull again", "the waiting package %d-%d of site %s cannot be read", i.Since, i.Until, i.Sender)
		}
	}
	return nil
}

// table checks the clocks and triggers of one table.
func (c *checker) table(t *table) error {
	e := c.e
	for _, n := range triggerNames(t.id)[:4] {
		on, err := e.one("SELECT tbl_name FROM sqlite_schema WHERE type = 'trigger' AND name = ?1", crdt.TextString(n))
		if err != nil {
			return err
		}
		if !strings.EqualFold(string(on.Bytes()), t.name) {
			c.add("trigger", remedyTrigger, "trigger %s of table %s is missing: changes are not captured", n, t.name)
		}
	}
	newest, err := e.pos()
	if err != nil {
		return err
	}
	var last int64
	n := len(t.schema.Key)
	var gone []string // the same for a row that may be gone
	for i := range n {
		gone = append(gone, fmt.Sprintf("c.k%d = f.k%d", i, i))
	}
	err = e.each(fmt.Sprintf("SELECT %s, c.%s, t.%s IS NOT NULL, EXISTS (SELECT 1 FROM tributary_feed f WHERE f.tbl = ?1 AND %s) FROM %s c LEFT JOIN %s t ON %s ORDER BY c.pos",
		keyColumns(n, "c."), strings.ReplaceAll(clockColumns, ", ", ", c."), ident(t.schema.Key[0].Name), strings.Join(gone, " AND "), t.sql.clock, ident(t.name), t.sql.onKey),
		n+clockWidth+2, func(r []crdt.Value) error {
			var k clock
			if err := e.decodeClock(r[n:], &k); err != nil {
				c.add("clock", remedyClone, "the clock of %s %s cannot be read", t.name, keyText(r[:n]))
				return nil
			}
			shown, unfolded := r[n+clockWidth].Int() != 0, r[n+clockWidth+1].Int() != 0
			if shown != k.inTable() && !unfolded {
				c.add("row", remedyClone, "%s %s: its clock says shown=%v, the table says %v", t.name, keyText(r[:n]), k.inTable(), shown)
			}
			// A base row that was set aside has no position of its own yet.
			if k.pos == last && t.chunkAt(k.pos) == nil || k.pos > newest {
				c.add("position", remedyClone, "%s %s stands at feed position %d, which is taken or beyond the newest, %d", t.name, keyText(r[:n]), k.pos, newest)
			}
			last = k.pos
			if !k.dead && covered(k.deleted, k.birth.Dot()) {
				c.add("presence", remedyClone, "%s %s is alive under a birth that was deleted", t.name, keyText(r[:n]))
			}
			return nil
		}, crdt.Int(t.id))
	if err != nil {
		return err
	}
	return c.baseRows(t)
}

// baseRows checks that the rows without a clock are those that the chunks list.
func (c *checker) baseRows(t *table) error {
	if t.fresh {
		return nil
	}
	wrong := map[string]int{}
	n := len(t.schema.Key)
	var params []string
	for i := range n {
		params = append(params, fmt.Sprintf("?%d", i+2))
	}
	entry := fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM tributary_feed WHERE tbl = ?1 AND (%s) = (%s))", keyColumns(n, ""), strings.Join(params, ", "))
	count := func(what string, key []crdt.Value) error {
		unfolded, err := c.e.one(entry, append([]crdt.Value{crdt.Int(t.id)}, key...)...)
		if unfolded.Int() == 0 {
			wrong[what]++
		}
		return err
	}
	err := c.e.unclockedRows(t, func(key []crdt.Value, base bool) error {
		if base {
			return nil
		}
		return count("have no clock", key)
	})
	if err == nil {
		err = c.e.missingRows(t, func(key []crdt.Value) error { return count("are gone, but were not deleted", key) })
	}
	for _, what := range []string{"have no clock", "are gone, but were not deleted"} {
		if n := wrong[what]; n > 0 {
			c.add("row", remedyFold, "%d rows of %s %s", n, t.name, what)
		}
	}
	return err
}
