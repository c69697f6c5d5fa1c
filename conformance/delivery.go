package conformance

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

func (r *runner) stepFold(s step) error {
	sites, err := r.find(s.args, 1)
	if err != nil {
		return err
	}
	for _, x := range sites {
		if err := x.replica.Fold(r.ctx); err != nil {
			return fmt.Errorf("%s: %w", x.name, err)
		}
	}
	return nil
}

func (r *runner) stepCompact(s step) error {
	sites, err := r.find(s.args, 1)
	if err != nil {
		return err
	}
	for _, x := range sites {
		if err := x.replica.Compact(r.ctx); err != nil {
			return fmt.Errorf("%s: %w", x.name, err)
		}
	}
	return nil
}

// stepSync joins every pair of the named sites, twice over when there are more than two, so that all have all.
func (r *runner) stepSync(s step) error {
	sites, err := r.find(s.args, 2)
	if err != nil {
		return err
	}
	for round := 0; round < min(len(sites)-1, 2); round++ {
		for i := range sites {
			for j := i + 1; j < len(sites); j++ {
				if err := r.join(sites[i], sites[j]); err != nil {
					return fmt.Errorf("%s with %s: %w", sites[i].name, sites[j].name, err)
				}
			}
		}
	}
	return nil
}

// pullAll collects the packages of a pull. At most a thousand: a stream that never ends is a defect of its own.
func (r *runner) pullAll(x *site, o engine.PullOptions) (*parcel, error) {
	p := &parcel{cursor: o.Since}
	for got, err := range x.replica.Pull(r.ctx, o) {
		if err != nil {
			return nil, err
		}
		if got.Cursor < p.cursor {
			return nil, fmt.Errorf("the cursor went back from %d to %d", p.cursor, got.Cursor)
		}
		p.packages, p.cursor = append(p.packages, got.Package), got.Cursor
		if len(p.packages) > 1000 {
			return nil, errors.New("more than 1000 packages")
		}
	}
	return p, nil
}

// stepSend carries what is new from the first site to the others, from a cursor kept per pair.
func (r *runner) stepSend(s step) error {
	sites, err := r.find(s.args, 2)
	if err != nil {
		return err
	}
	for _, to := range sites[1:] {
		pair := [2]string{sites[0].name, to.name}
		p, err := r.pullAll(sites[0], engine.PullOptions{Since: r.cursors[pair]})
		if err != nil {
			return err
		}
		for _, b := range p.packages {
			if _, err := to.replica.Apply(r.ctx, b, engine.ApplyOptions{}); err != nil {
				return fmt.Errorf("to %s: %w", to.name, err)
			}
		}
		r.cursors[pair] = p.cursor
	}
	return nil
}

// stepPull keeps packages: pull SITE NAME [since NAME] [exclude SITE] [bytes N] [local] [json] [tables T,T]
func (r *runner) stepPull(s step) error {
	if len(s.args) < 2 {
		return errors.New("usage: pull SITE NAME [since NAME] [exclude SITE] [bytes N] [local] [json] [tables T,T]")
	}
	sites, err := r.find(s.args[:1], 1)
	if err != nil {
		return err
	}
	var o engine.PullOptions
	words := s.args[2:]
	for len(words) > 0 {
		word, value := words[0], ""
		words = words[1:]
		if word != "local" && word != "json" {
			if len(words) == 0 {
				return fmt.Errorf("%s what?", word)
			}
			value, words = words[0], words[1:]
		}
		switch word {
		case "since":
			p := r.packages[value]
			if p == nil {
				return fmt.Errorf("there are no packages %q", value)
			}
			o.Since = p.cursor
		case "exclude":
			x, err := r.find([]string{value}, 1)
			if err != nil {
				return err
			}
			o.Exclude = append(o.Exclude, x[0].engine.Site())
		case "bytes":
			if o.MaxBytes, err = strconv.Atoi(value); err != nil {
				return err
			}
		case "tables":
			o.Tables = strings.Split(value, ",")
		case "local":
			o.LocalOnly = true
		case "json":
			o.Format = engine.FormatJSON
		default:
			return fmt.Errorf("unknown word %q", word)
		}
	}
	r.packages[s.args[1]], err = r.pullAll(sites[0], o)
	return err
}

// stepApply delivers kept packages in the order given: apply SITE NAME[/PART] ... [shuffled] [doubled] [ordered|eventual] [= STATE]
// PART counts from 1. With "= STATE" the last delivery must end applied, duplicate or pending, or be refused.
func (r *runner) stepApply(s step) error {
	sites, err := r.find(s.args[:min(1, len(s.args))], 1)
	if err != nil {
		return err
	}
	var list [][]byte
	var o engine.ApplyOptions
	state := ""
	words := s.args[1:]
	for i, w := range words {
		switch w {
		case "shuffled":
			r.random.Shuffle(len(list), func(a, b int) { list[a], list[b] = list[b], list[a] })
		case "doubled":
			list = append(list, list...)
		case "ordered":
			o.Mode = engine.ModeOrdered
		case "eventual":
			o.Mode = engine.ModeEventual
		case "=":
			state = strings.Join(words[i+1:], " ")
		default:
			more, err := r.parts(w)
			if err != nil {
				return err
			}
			list = append(list, more...)
		}
		if w == "=" {
			break
		}
	}
	last := "applied"
	for i, b := range list {
		got, err := sites[0].replica.Apply(r.ctx, b, o)
		if err != nil {
			if last = "refused"; state != last || i < len(list)-1 {
				return fmt.Errorf("package %d of %d: %w", i+1, len(list), err)
			}
			break
		}
		last = stateName(got)
	}
	if state != "" && last != state {
		return fmt.Errorf("the last package ended %s, want %s", last, state)
	}
	return nil
}

func (r *runner) parts(word string) ([][]byte, error) {
	name, part, one := strings.Cut(word, "/")
	p := r.packages[name]
	if p == nil {
		return nil, fmt.Errorf("there are no packages %q", name)
	}
	if !one {
		return p.packages, nil
	}
	n, err := strconv.Atoi(part)
	if err != nil || n < 1 || n > len(p.packages) {
		return nil, fmt.Errorf("%q has %d packages", name, len(p.packages))
	}
	return p.packages[n-1 : n], nil
}

func stateName(s engine.ApplyState) string {
	switch s {
	case engine.StateApplied:
		return "applied"
	case engine.StateDuplicate:
		return "duplicate"
	case engine.StatePending:
		return "pending"
	}
	return fmt.Sprint(s)
}

// stepEmpty says that kept packages hold no rows.
func (r *runner) stepEmpty(s step) error {
	for _, n := range s.args {
		list, err := r.parts(n)
		if err != nil {
			return err
		}
		rows := 0
		for _, b := range list {
			var p *crdt.Package
			if p, err = engine.Inspect(b, r.host.Compressor()); err != nil {
				return err
			}
			rows += len(p.Rows)
		}
		if rows > 0 {
			return fmt.Errorf("%s holds %d rows", n, rows)
		}
	}
	return nil
}
