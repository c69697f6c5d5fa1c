package crdt

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// validate says why p has no encoding. It does not look at the values.
func (p *Package) validate() error {
	if err := p.validateHeader(); err != nil {
		return err
	}
	d := DefaultLimits()
	if len(p.Rows) > d.Rows {
		return fmt.Errorf("%d rows, at most %d", len(p.Rows), d.Rows)
	}
	table := -1
	var all ColumnSet
	for i := range p.Rows {
		c := &p.Rows[i]
		if c.Table != table {
			if c.Table < table || c.Table < 0 || c.Table >= len(p.Tables) {
				return fmt.Errorf("row %d of table %d after table %d of %d", i, c.Table, table, len(p.Tables))
			}
			table = c.Table
			all = FirstColumns(len(p.Tables[table].Columns))
		}
		if err := c.validate(len(p.Tables[table].Key), all); err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
	}
	return nil
}

func (p *Package) validateHeader() error {
	d := DefaultLimits()
	switch {
	case p.Since < 0 || p.Until < p.Since:
		return fmt.Errorf("interval from %d to %d", p.Since, p.Until)
	case p.Part < 0:
		return fmt.Errorf("part %d", p.Part)
	case p.Sent < 0:
		return fmt.Errorf("sent at %d", int64(p.Sent))
	case len(p.Covers) > d.Covers:
		return fmt.Errorf("%d covers, at most %d", len(p.Covers), d.Covers)
	case len(p.Tables) > d.Tables:
		return fmt.Errorf("%d tables, at most %d", len(p.Tables), d.Tables)
	}
	for i := range p.Covers {
		if err := validateCover(p.Covers, i); err != nil {
			return err
		}
	}
	for _, list := range []VersionVector{p.Needs, p.Before} {
		for s, v := range list {
			if v > MaxVersion {
				return fmt.Errorf("version %d of %v", v, s)
			}
		}
	}
	if p.Starts && len(p.Before) > 0 {
		return fmt.Errorf("it starts a set, and something lies before it")
	}
	seen := make(map[string]bool, len(p.Tables))
	for i := range p.Tables {
		t := &p.Tables[i]
		identity := string(t.append(nil))
		if seen[identity] {
			return fmt.Errorf("table %q twice with the same columns", t.Name)
		}
		seen[identity] = true
		if err := t.validate(&d); err != nil {
			return fmt.Errorf("table %q: %w", t.Name, err)
		}
	}
	return nil
}

func validateCover(covers []Cover, i int) error {
	c := covers[i]
	if c.From < 1 || c.To < c.From || c.To > MaxVersion {
		return fmt.Errorf("cover of versions %d to %d", c.From, c.To)
	}
	if c.Forgotten != 0 && (c.Forgotten < c.From || c.Forgotten > c.To) {
		return fmt.Errorf("cover of versions %d to %d, of which those up to %d are forgotten", c.From, c.To, c.Forgotten)
	}
	if i > 0 {
		before := covers[i-1]
		if o := before.Site.Compare(c.Site); o > 0 || o == 0 && before.To >= c.From {
			return fmt.Errorf("cover %d overlaps the one before or is not in order", i)
		}
	}
	return nil
}

func (t *Table) validate(l *Limits) error {
	if len(t.Key) == 0 || len(t.Key) > l.Columns || len(t.Columns) > l.Columns {
		return fmt.Errorf("%d key columns and %d others, want 1 to %d and at most %[3]d", len(t.Key), len(t.Columns), l.Columns)
	}
	seen := make(map[string]bool, len(t.Key)+len(t.Columns))
	for _, list := range [][]string{t.Key, t.Columns} {
		for _, name := range list {
			if seen[name] {
				return fmt.Errorf("column %q twice", name)
			}
			seen[name] = true
		}
	}
	seen[t.Name] = true
	for name := range seen {
		if len(name) > l.Name || !utf8.ValidString(name) {
			return fmt.Errorf("name %.100q is not UTF-8 or has more than %d bytes", name, l.Name)
		}
	}
	return nil
}

// validate says why the change is no delta of a Row. Its table has so many key columns, and these others.
func (c *RowChange) validate(keys int, all ColumnSet) error {
	if len(c.Key) != keys {
		return fmt.Errorf("%d key values, want %d", len(c.Key), keys)
	}
	if len(c.Lives)+len(c.Deleted) == 0 {
		return fmt.Errorf("neither lives nor deletes")
	}
	for i, d := range c.Deleted {
		if d.Version < 1 || d.Version > MaxVersion || i > 0 && c.Deleted[i-1].Site.Compare(d.Site) >= 0 {
			return fmt.Errorf("delete %d has no version or is not in order", i)
		}
	}
	if !c.Deleter.IsZero() && (len(c.Deleted) == 0 || !c.Deleter.valid()) {
		return fmt.Errorf("deleter without a delete, time or version")
	}
	for i := range c.Lives {
		l := &c.Lives[i]
		if i > 0 && c.Lives[i-1].Birth.Stamp.Compare(l.Birth.Stamp) >= 0 {
			return fmt.Errorf("life %d is not in order", i)
		}
		if len(c.Deleted) > 0 && covered(c.Deleted, l.Birth.Dot()) {
			return fmt.Errorf("life %d is deleted", i)
		}
		if err := l.validate(all); err != nil {
			return fmt.Errorf("life %d: %w", i, err)
		}
	}
	if len(c.Lives) > 1 {
		dots := make([]Dot, len(c.Lives))
		for i := range c.Lives {
			dots[i] = c.Lives[i].Birth.Dot()
		}
		slices.SortFunc(dots, Dot.Compare)
		if len(slices.Compact(dots)) < len(c.Lives) {
			return fmt.Errorf("two lives of one birth")
		}
	}
	return nil
}

func (s Stamp) valid() bool { return s.Version >= 1 && s.Version <= MaxVersion && s.Time >= 0 }

func (l *LiveChange) validate(all ColumnSet) error {
	if !l.Birth.valid() {
		return fmt.Errorf("birth without time or version")
	}
	var grouped ColumnSet
	last := l.Birth.Stamp
	for i, g := range l.Newer {
		switch {
		case g.Columns.IsEmpty() || g.Columns.Overlaps(grouped) || !all.Contains(g.Columns):
			return fmt.Errorf("group %d has no columns, unknown ones, or some of another group", i)
		case !g.Write.valid() || g.Write.Stamp.Compare(last) <= 0:
			return fmt.Errorf("group %d is not newer than what is before it", i)
		}
		grouped, last = grouped.Union(g.Columns), g.Write.Stamp
	}
	switch {
	case l.Full && !l.Has.Equal(all):
		return fmt.Errorf("full with columns %v of %v", l.Has, all)
	case !l.Full && (grouped.IsEmpty() || !l.Has.Equal(grouped)):
		return fmt.Errorf("columns %v where the groups have %v", l.Has, grouped)
	}
	return nil
}
