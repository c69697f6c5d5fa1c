package conformance

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tributary-db/tributary/engine"
)

// stepSame says that the named sites hold the same rows in all tracked tables, by engine.Diff and by reading them.
func (r *runner) stepSame(s step) error {
	var names, tables []string
	for _, a := range s.args {
		if r.sites[a] != nil {
			names = append(names, a)
		} else {
			tables = append(tables, a)
		}
	}
	sites, err := r.find(names, 2)
	if err != nil {
		return err
	}
	for _, x := range sites[1:] {
		if err := r.compare(sites[0], x, tables); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) compare(a, b *site, tables []string) error {
	read, err := CompareRows(a.writer, b.writer, tables)
	if err != nil {
		return err
	}
	if read != "" {
		return fmt.Errorf("%s and %s differ:\n%s", a.name, b.name, read)
	}
	if len(tables) > 0 {
		return nil
	}
	for d, err := range engine.Diff(r.ctx, a.engine, b.engine) {
		if err != nil {
			return err
		}
		return fmt.Errorf("engine.Diff sees a difference that reading the rows does not: %+v", d)
	}
	return nil
}

// stepDiffer is the opposite of same, for engine.Diff too: a comparison that cannot fail proves nothing.
func (r *runner) stepDiffer(s step) error {
	sites, err := r.find(s.args, 2)
	if err != nil {
		return err
	}
	read, err := CompareRows(sites[0].writer, sites[1].writer, nil)
	if err != nil {
		return err
	}
	if read == "" {
		return errors.New("the rows are equal")
	}
	for _, err := range engine.Diff(r.ctx, sites[0].engine, sites[1].engine) {
		return err
	}
	return errors.New("engine.Diff sees no difference, but the rows differ:\n" + read)
}

func (r *runner) stepRows(s step) error {
	sites, err := r.find(s.args, 1)
	if err != nil {
		return err
	}
	for _, x := range sites {
		rows, err := ReadRows(x.writer, s.text)
		if err != nil {
			return err
		}
		var got []string
		for _, row := range rows {
			got = append(got, renderRow(row))
		}
		if g, w := strings.Join(got, "\n"), strings.Join(s.want, "\n"); g != w {
			return fmt.Errorf("%s: got\n%s\nwant\n%s", x.name, g, w)
		}
	}
	return nil
}

func (r *runner) stepCheck(s step) error { return r.check(s.args) }

func (r *runner) check(names []string) error {
	sites, err := r.find(names, 0)
	if err != nil {
		return err
	}
	for _, x := range sites {
		if err := CheckDatabase(r.ctx, x.writer, x.engine); err != nil {
			return fmt.Errorf("%s: %w", x.name, err)
		}
	}
	return nil
}

// stepQuarantine says how many rows each of the sites has set aside, and that all set the same ones aside:
// quarantine SITE ... N [REASON]
func (r *runner) stepQuarantine(s step) error {
	sites, n, reason, err := r.count(s)
	if err != nil {
		return err
	}
	first := ""
	for i, x := range sites {
		rows, err := x.engine.Quarantine(r.ctx)
		if err != nil {
			return err
		}
		var text []string
		for _, q := range rows {
			text = append(text, fmt.Sprintf("%s %s %s %v %s", q.Table, renderRow(q.Key), q.Reason, q.Columns, renderRow(q.Values)))
			if reason != "" && q.Reason != reason {
				return fmt.Errorf("%s: a row is set aside by reason %q, want %q: %s", x.name, q.Reason, reason, q.Detail)
			}
		}
		all := strings.Join(sorted(text), "\n")
		if len(rows) != n {
			return fmt.Errorf("%s has %d rows in quarantine, want %d:\n%s", x.name, len(rows), n, all)
		}
		if i == 0 {
			first = all
		} else if all != first {
			return fmt.Errorf("%s and %s set different rows aside:\n%s\nand\n%s", sites[0].name, x.name, first, all)
		}
	}
	return nil
}

// stepParked: parked SITE ... N
func (r *runner) stepParked(s step) error {
	sites, n, _, err := r.count(s)
	if err != nil {
		return err
	}
	for _, x := range sites {
		if rows, err := x.engine.Parked(r.ctx); err != nil || len(rows) != n {
			return fmt.Errorf("%s: parked %+v (%v), want %d", x.name, rows, err, n)
		}
	}
	return nil
}

// stepPending: pending SITE ... N
func (r *runner) stepPending(s step) error {
	sites, n, _, err := r.count(s)
	if err != nil {
		return err
	}
	for _, x := range sites {
		if rows, err := x.engine.Pending(r.ctx); err != nil || len(rows) != n {
			return fmt.Errorf("%s: waiting %+v (%v), want %d", x.name, rows, err, n)
		}
	}
	return nil
}

// count reads SITE ... N [WORDS].
func (r *runner) count(s step) (sites []*site, n int, words string, err error) {
	for i, a := range s.args {
		if r.sites[a] == nil {
			if n, err = strconv.Atoi(a); err != nil {
				return nil, 0, "", fmt.Errorf("%q is neither a site nor a number", a)
			}
			sites, err = r.find(s.args[:i], 1)
			return sites, n, strings.Join(s.args[i+1:], " "), err
		}
	}
	return nil, 0, "", errors.New("how many?")
}

func (r *runner) stepNewID(s step) error  { return r.ids(s, false) }
func (r *runner) stepSameID(s step) error { return r.ids(s, true) }

// ids says whether the next fold of the first site finds that it has the id of the second.
func (r *runner) ids(s step, same bool) error {
	sites, err := r.find(s.args, 2)
	if err != nil {
		return err
	}
	if err := sites[0].replica.Fold(r.ctx); err != nil {
		return err
	}
	a, err := sites[0].id(r.ctx)
	if err != nil {
		return err
	}
	b, err := sites[1].id(r.ctx)
	if err != nil {
		return err
	}
	if (a == b) != same {
		return fmt.Errorf("the site ids are %s and %s", a, b)
	}
	return nil
}
