package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// openShop makes the first database, tracks it and clones it, exactly as the commands do.
func (d *demo) openShop(ctx context.Context) error {
	d.title("A shop database becomes three replicas")
	if err := plainly(d.path("office"), demoSchema); err != nil {
		return err
	}
	d.say("office.db is an ordinary SQLite file: customers, products, orders and their lines, with foreign keys and a UNIQUE")
	d.say("email. One command makes it a replica, two more give it peers:")
	var errors bytes.Buffer // the commands' own output would name the temporary folder in every line
	quiet := newApp(d.app.in, io.Discard, &errors)
	for _, line := range []string{"track office.db --all", "clone office.db van.db", "clone office.db market.db"} {
		d.say("  tributary %s", line)
		args := strings.Fields(line)
		for i, a := range args {
			if strings.HasSuffix(a, ".db") {
				args[i] = d.path(strings.TrimSuffix(a, ".db"))
			}
		}
		if code := quiet.run(ctx, args); code != exitOK {
			return fmt.Errorf("demo: tributary %s failed: %s", line, errors.String())
		}
	}
	d.say("")
	for _, name := range []string{"office", "van", "market"} {
		r, err := d.connect(ctx, name)
		if err != nil {
			return err
		}
		d.replicas = append(d.replicas, r)
		site, err := r.value("SELECT tributary_site()")
		if err != nil {
			return err
		}
		d.say("  %-7s site %s", name, site)
	}
	return d.openStreams()
}

// writeOffline commits the edits, and packs after each round.
func (d *demo) writeOffline(context.Context) error {
	d.title("All three are offline, and all three write")
	d.say("Plain SQL on plain connections: the program that writes has never heard of Tributary.")
	for i, round := range [][]edit{demoMorning, demoAfternoon} {
		d.say("")
		d.say("%s:", []string{"Morning", "Afternoon"}[i])
		for _, e := range round {
			if err := d.edit(e); err != nil {
				return err
			}
		}
		if err := d.pack(i + 1); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) edit(e edit) error {
	if e.why != "" {
		d.say("  -- %s", e.why)
	}
	for i, statement := range strings.Split(e.sql, "\n") {
		d.say("  %-7s %s", []string{e.at, ""}[min(i, 1)], statement)
	}
	if err := plainly(d.path(e.at), e.sql); err != nil {
		return fmt.Errorf("demo: %s: %w", e.at, err)
	}
	// The last writer wins by the wall clock, to the millisecond: people who type leave more between two edits.
	time.Sleep(5 * time.Millisecond)
	return nil
}

func (d *demo) showConflict(context.Context) error {
	d.title("The replicas have drifted apart")
	return d.sideBySide()
}

func (d *demo) showResult(context.Context) error {
	d.title("Every package has arrived, and the rows are the same everywhere")
	if err := d.sideBySide(); err != nil {
		return err
	}
	d.say("")
	d.say("Tea has the van's name and the office's price: columns merge, and the last writer wins, not the busiest.")
	d.say("Cleo is gone: a delete wins over an edit that it had not seen. Kim's order came with its customer, or not at all.")
	return nil
}

func (d *demo) showQuarantine(context.Context) error {
	d.title("Nothing was lost: what a constraint refuses is set aside, the same on every replica")
	d.say("  SELECT \"table\", key, reason FROM tributary_quarantine")
	for _, r := range d.replicas {
		rows, err := r.query(`SELECT "table", key, reason FROM tributary_quarantine ORDER BY 1, 2`)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return fmt.Errorf("demo: nothing is in quarantine at %s", r.name)
		}
		d.say("  %s:", r.name)
		if err := columns(d.app.out, "    ", rows); err != nil {
			return err
		}
	}
	d.say("The later Kim has to wait for an email of her own, and the order line for a mug that is no longer on sale.")
	return nil
}

func (d *demo) giveWay(context.Context) error {
	d.title("When the reason goes, the rows come back by themselves")
	for _, e := range demoGiveWay {
		if err := d.edit(e); err != nil {
			return err
		}
	}
	if err := d.pack(3); err != nil {
		return err
	}
	for _, p := range d.bag {
		if _, err := d.replica(p.to).query(p.insert(), p.body); err != nil {
			return err
		}
	}
	d.bag = nil
	d.say("")
	if err := d.sideBySide(); err != nil {
		return err
	}
	for _, r := range d.replicas {
		n, err := r.value("SELECT count(*) FROM tributary_quarantine")
		if err != nil {
			return err
		}
		if left, _ := strconv.Atoi(n); left != 0 {
			return fmt.Errorf("demo: %s still in quarantine at %s", plural(left, "row"), r.name)
		}
	}
	d.say("")
	d.say("The quarantine is empty on all three.")
	return nil
}
