package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

func (a *app) syncCommand() *cobra.Command {
	var watch, asJSON bool
	var interval time.Duration
	cmd := &cobra.Command{
		Use:   "sync A B|ADDRESS",
		Short: "Make two databases equal, in both directions, or one with its fleet",
		Long: `Make two databases equal: what is new in each goes to the other. What one transaction wrote arrives in one transaction.
Running it again changes nothing; stopping it half-way loses nothing.

With --watch it goes on: every commit to one of the files, by any program, goes to the other soon after, until Ctrl-C, or until
one of the files is moved, deleted or replaced.

With the address of a medium in the place of B it does one round over that and ends: what the medium has comes in, what it
lacks goes out. tributary serve does that all the time. ` + addresses,
		Example: `  tributary sync shop.db laptop.db
  tributary sync --watch shop.db /mnt/share/shop.db
  tributary sync shop.db dir:/media/stick/fleet
  tributary sync shop=shop.db http://office:8080`,
		Args: needArgs(2, 2, "two database files, or one and the address of a medium"),
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "go on until interrupted")
	cmd.Flags().DurationVar(&interval, "interval", 200*time.Millisecond, "with --watch: how often to look for new commits")
	var creds credentials
	creds.flags(cmd.Flags())
	jsonFlag(cmd, &asJSON, `{"a", "b", "a_to_b", "b_to_a", "milliseconds"}, the directions as {"versions", "packages", "bytes",
"rows", "changed", "parked", "quarantined", "waiting"}; with --watch one object per line whenever something moved. With an address: {"database", "address", "name", "published",
"received", "applied", "waiting", "refused", "milliseconds"}, all but the times counting packages.`)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if isAddress(args[1]) {
			if watch {
				return errors.New("sync: --watch is for two files; run: tributary serve " + args[0] + " --via " + args[1])
			}
			return a.syncVia(cmd.Context(), args[0], args[1], creds, asJSON)
		}
		if interval <= 0 {
			return fmt.Errorf("sync: --interval %v is not a time to wait; give one above 0, such as 200ms", interval)
		}
		ctx := cmd.Context()
		x, y, err := a.openTwo(ctx, args[0], args[1], toWrite)
		if err != nil {
			return err
		}
		defer y.Close()
		defer x.Close()
		p := &pair{app: a, a: x, b: y, asJSON: asJSON}
		if watch {
			return p.watch(ctx, interval)
		}
		r, err := p.sync(ctx)
		if err != nil {
			return err
		}
		if err := p.print(r); err != nil {
			return err
		}
		return errors.Join(x.Close(), y.Close())
	}
	return cmd
}

// pair is two open databases between which changes are moved.
type pair struct {
	app    *app
	a, b   *database
	asJSON bool
}

// flow is what went one way. versions are those that the receiver has now and had not before.
type flow struct {
	engine.Transfer
	Versions uint64 `json:"versions"`
}

type synced struct {
	A            string `json:"a"`
	B            string `json:"b"`
	AtoB         flow   `json:"a_to_b"`
	BtoA         flow   `json:"b_to_a"`
	Milliseconds int64  `json:"milliseconds"`
}

// sync makes both equal. What it did before an error, such as an interrupt, is returned with the error.
func (p *pair) sync(ctx context.Context) (synced, error) {
	start := time.Now()
	before, err := p.vectors(ctx)
	if err != nil {
		return synced{}, err
	}
	r, failed := engine.Sync(ctx, p.a.engine, p.b.engine, engine.SyncOptions{})
	after, err := p.vectors(ctx)
	if failed != nil { // then the vectors may be out of reach, and rows are all there is to tell
		failed, err = inFile(p.a.path+" and "+p.b.path, failed), nil
	}
	if err != nil {
		return synced{}, err
	}
	return synced{
		A: p.a.path, B: p.b.path, Milliseconds: time.Since(start).Milliseconds(),
		AtoB: flow{r.AToB, gained(before[1], after[1], p.b.engine.Site())},
		BtoA: flow{r.BToA, gained(before[0], after[0], p.a.engine.Site())},
	}, failed
}

func (p *pair) vectors(ctx context.Context) (v [2]crdt.VersionVector, err error) {
	for i, d := range []*database{p.a, p.b} {
		if v[i], err = d.engine.Vector(ctx); err != nil {
			return v, d.fail(err)
		}
	}
	return v, nil
}

// gained counts the versions that came from others: those of the site itself are made by folding.
func gained(before, after crdt.VersionVector, own crdt.Site) (n uint64) {
	for s, v := range after {
		if s != own {
			n += uint64(v - before[s])
		}
	}
	return n
}

func (f flow) moved() bool {
	return f.Versions > 0 || f.Changed > 0 || f.Parked > 0 || f.Quarantined > 0 || f.Waiting > 0
}

func (s synced) moved() bool { return s.AtoB.moved() || s.BtoA.moved() }

func (p *pair) print(s synced) error {
	if p.asJSON {
		return printJSON(p.app.out, s)
	}
	if !s.moved() {
		_, err := fmt.Fprintf(p.app.out, "%s and %s: nothing new\n", s.A, s.B)
		return err
	}
	return columns(p.app.out, "", [][]string{
		{s.A + " -> " + s.B, s.AtoB.String()},
		{s.B + " -> " + s.A, s.BtoA.String()},
	})
}

func (f flow) String() string {
	if !f.moved() {
		return "nothing new"
	}
	s := plural(f.Changed, "row") + " in " + plural(f.Versions, "version")
	for _, n := range []struct {
		n    int
		text string
	}{{f.Parked, "parked"}, {f.Quarantined, "in quarantine"}, {f.Waiting, "waiting"}} {
		if n.n > 0 {
			s += ", " + count(n.n) + " " + n.text
		}
	}
	return s
}
