package sim

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/crdt"
)

// Violation says that something happened that must not. Oracle is one of: equality, causality, atomicity, durability,
// idempotence, damage, memory, ledger, check, liveness, order, pending, forgotten, future, fork, model, error.
type Violation struct{ Oracle, What string }

func (v *Violation) Error() string { return v.Oracle + ": " + v.What }

func violation(oracle, format string, args ...any) error {
	return &Violation{oracle, fmt.Sprintf(format, args...)}
}

// log is what one replica shows of the table log. Every transaction that writes there has a number in its origin, wrote
// several rows, and noted the newest number of each origin that it saw. So the rows themselves say what must be with them.
type log struct {
	newest map[string]int            // by origin
	parts  map[string]map[int]int    // rows of a transaction that are there
	want   map[string]map[int]int    // rows that it wrote
	saw    map[string]map[int]string // what it saw
	ids    map[string]bool
}

func (s *site) readLog() (*log, error) {
	l := &log{map[string]int{}, map[string]map[int]int{}, map[string]map[int]int{}, map[string]map[int]string{}, map[string]bool{}}
	return l, s.each("SELECT id, origin, n, parts, saw FROM log", func(q *sqlite3.Stmt) error {
		origin, n := q.ColumnText(1), q.ColumnInt(2)
		if l.parts[origin] == nil {
			l.parts[origin], l.want[origin], l.saw[origin] = map[int]int{}, map[int]int{}, map[int]string{}
		}
		l.parts[origin][n]++
		l.want[origin][n], l.saw[origin][n] = q.ColumnInt(3), q.ColumnText(4)
		l.newest[origin] = max(l.newest[origin], n)
		l.ids[q.ColumnText(0)] = true
		return nil
	})
}

// whole says what is wrong with a visible state: a transaction in parts, or one without what it had seen.
func (l *log) whole() error {
	for _, origin := range slices.Sorted(maps.Keys(l.parts)) {
		for n, have := range l.parts[origin] {
			if have != l.want[origin][n] || origin == "rolled back" {
				return violation("atomicity", "transaction %d of %s: %d of %d rows", n, origin, have, l.want[origin][n])
			}
			for seen := range strings.FieldsSeq(l.saw[origin][n]) {
				by, upto, _ := strings.Cut(seen, ":")
				var m int
				fmt.Sscan(upto, &m)
				for i := 1; i <= m; i++ {
					if l.parts[by][i] == 0 {
						return violation("causality", "transaction %d of %s is here, but not %d of %s, which its writer had seen", n, origin, i, by)
					}
				}
			}
		}
	}
	return nil
}

// isDurable notes that all that is there now has been committed durably.
func (s *site) isDurable() error {
	if s.hit() || s.broken {
		return nil
	}
	l, err := s.readLog()
	if err == nil && !s.w.o.Eventual {
		err = l.whole()
	}
	if err != nil {
		return fmt.Errorf("site %d: %w", s.index, err)
	}
	maps.Copy(s.durable, l.ids)
	return nil
}

// afterCrash looks at a site that has just come back.
func (w *world) afterCrash(s *site) error {
	l, err := s.readLog()
	if err == nil && !w.o.Eventual {
		err = l.whole()
	}
	if err != nil {
		return fmt.Errorf("site %d after a power cut: %w", s.index, err)
	}
	for _, id := range slices.Sorted(maps.Keys(s.durable)) {
		if !l.ids[id] {
			return violation("durability", "site %d has lost %s in a power cut, which was committed durably", s.index, id)
		}
	}
	return s.check()
}

// look folds a site and compares what it shows with all that others showed at the same vector.
func (w *world) look(s *site) error {
	ctx := context.Background()
	f, err := s.e.Fold(ctx)
	bad := s.hit() || err != nil
	if err := s.done(err); err != nil || bad || s.broken {
		return err
	}
	if f.Version > 0 {
		if err := s.isDurable(); err != nil {
			return err
		}
	}
	if err := w.learn(); err != nil { // what it shows may have been folded elsewhere in the same event
		return err
	}
	if clear, err := s.clear(); err != nil || !clear {
		return err
	}
	if err := w.agree(s); err != nil {
		return err
	}
	if err := w.remembers(s); err != nil {
		return err
	}
	ahead, err := s.int("SELECT EXISTS (SELECT 1 FROM tributary_ahead)")
	if w.o.Eventual && err == nil && ahead == 0 { // rows of what waits are shown already, and of what will never come
		if ahead, err = s.int("SELECT EXISTS (SELECT 1 FROM tributary_waiting)"); w.stats.Restores > 0 {
			ahead = 1
		}
	}
	if err != nil || ahead != 0 {
		return err
	}
	end := s.spared()
	v, err := s.e.Vector(ctx)
	end()
	if err != nil {
		return err
	}
	text, err := v.MarshalJSON()
	if err != nil {
		return err
	}
	h, err := s.hash()
	if err != nil {
		return err
	}
	key := fmt.Sprintf("%s at version %d of the schema", text, s.level)
	if first, ok := w.shown[key]; !ok {
		w.shown[key] = shown{h, s.index, w.at}
	} else if first.hash != h {
		return violation("equality", "sites %d (at event %d) and %d show different rows at the vector %s%s", first.site, first.at, s.index, key, w.difference(first.site, s))
	}
	return nil
}

// bounded says that what waits keeps to its limit.
func (w *world) bounded(s *site) error {
	if w.o.MaxPending == 0 || s.hit() {
		return nil
	}
	n, err := s.int("SELECT ifnull(sum(length(body)), 0) FROM tributary_waiting")
	if err == nil && n > w.o.MaxPending {
		err = violation("pending", "site %d keeps %d bytes of waiting packages, the limit is %d", s.index, n, w.o.MaxPending)
	}
	return err
}

// clear says whether the site has all that may have overwritten what came to it apart.
func (s *site) clear() (bool, error) {
	defer s.spared()()
	v, err := s.e.Vector(context.Background())
	return err == nil && v.Covers(s.vague), err
}

type shown struct {
	hash     [32]byte
	site, at int
}

// hash is a sum over all rows of all tables of the application, in any order.
func (s *site) hash() (sum [32]byte, err error) {
	lines, err := s.dump()
	for _, l := range lines {
		carry := 0
		for i, b := range sha256.Sum256([]byte(l)) {
			carry += int(sum[i]) + int(b)
			sum[i], carry = byte(carry), carry>>8
		}
	}
	return sum, err
}

// dump writes all rows of the application, a line each, columns by name.
func (s *site) dump() (lines []string, err error) {
	var tables []string
	err = s.each(`SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT LIKE 'tributary\_%' ESCAPE '\' AND name <> 'told' ORDER BY name`,
		func(q *sqlite3.Stmt) error { tables = append(tables, q.ColumnText(0)); return nil })
	for _, t := range tables {
		if err != nil {
			return nil, err
		}
		var columns []string
		if err = s.each("SELECT 'quote(' || name || ')' FROM pragma_table_info('"+t+"') ORDER BY name", func(q *sqlite3.Stmt) error { columns = append(columns, q.ColumnText(0)); return nil }); err == nil {
			err = s.each("SELECT "+strings.Join(columns, "||','||")+" FROM "+t, func(q *sqlite3.Stmt) error { lines = append(lines, t+": "+q.ColumnText(0)); return nil })
		}
	}
	sort.Strings(lines)
	return lines, err
}

// difference shows the lines that only one of two sites has now; the first may have gone on meanwhile.
func (w *world) difference(index int, b *site) string {
	a := w.sites[index]
	if a == b || a.db == nil {
		return ""
	}
	x, _ := a.dump()
	y, _ := b.dump()
	var out strings.Builder
	for _, l := range x {
		if !slices.Contains(y, l) {
			fmt.Fprintf(&out, "\n  only in %d: %s", a.index, l)
		}
	}
	for _, l := range y {
		if !slices.Contains(x, l) {
			fmt.Fprintf(&out, "\n  only in %d: %s", b.index, l)
		}
	}
	return out.String()
}

// check runs all that can be asked of one file.
func (s *site) check() error {
	v, err := s.e.Check(context.Background())
	if err != nil {
		return s.done(err)
	}
	for _, x := range v {
		return violation("check", "site %d: %s: %s", s.index, x.Code, x.Message)
	}
	pragmas := []string{"integrity_check", "foreign_key_check"}
	if !s.w.o.Enforce { // orphans of the application's own making are found by the fold
		unfolded, err := s.int("SELECT EXISTS (SELECT 1 FROM tributary_feed)")
		if err != nil {
			return err
		}
		if unfolded != 0 {
			pragmas = pragmas[:1]
		}
	}
	for _, pragma := range pragmas {
		if err := s.each("PRAGMA "+pragma, func(q *sqlite3.Stmt) error {
			if got := q.ColumnText(0); got != "ok" {
				return violation("check", "site %d: %s: %s", s.index, pragma, got)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// ledger has seen every package that anybody handed out. A dot must have one content for ever.
type ledger struct {
	said      map[string]string
	forgetful bool // somebody has dropped a column: whom it sends rows of before has the default there, and says so
}

func (l *ledger) add(p *crdt.Package) error {
	var bad []error
	one := func(what, is string) {
		if was, ok := l.said[what]; ok && was != is {
			bad = append(bad, violation("ledger", "%s: was %s, is %s", what, was, is))
		}
		l.said[what] = is
	}
	for _, c := range p.Covers {
		for _, at := range []struct {
			v  crdt.Version
			id crdt.ChainID
		}{{c.From - 1, c.Prev}, {c.To, c.ID}} {
			if at.v > 0 && !at.id.IsZero() {
				one(fmt.Sprintf("chain id of %s:%d", c.Site, at.v), at.id.String())
			}
		}
	}
	for i := range p.Rows {
		r := &p.Rows[i]
		t := &p.Tables[r.Table]
		row := fmt.Sprint(t.Name, r.Key)
		for j := range r.Lives {
			life := &r.Lives[j]
			for c, name := range t.Columns {
				if v, ok := life.Value(c); ok && !(l.forgetful && t.Name == "t" && name == "b") {
					s := life.Write(c).Stamp
					one(fmt.Sprintf("%s of %s in %s", name, row, s.Dot()), fmt.Sprint(s.Time, " ", v))
				}
			}
		}
	}
	return errors.Join(bad...)
}
