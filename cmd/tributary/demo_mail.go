package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// parcel is one package on its way from one replica to another.
type parcel struct {
	from, to string
	round    int
	body     []byte
}

func (p parcel) insert() string {
	return fmt.Sprintf("INSERT INTO stream_in_%s(package) VALUES (?)", p.from)
}

func (p parcel) name() string { return fmt.Sprintf("%s %d", p.from, p.round) }

// openStreams gives every replica a stream to and one from each other. They begin where the clones were made: what was
// there before, everyone has.
func (d *demo) openStreams() error {
	for _, r := range d.replicas {
		cursor, err := r.value("SELECT tributary_cursor()")
		if err != nil {
			return err
		}
		for _, peer := range d.replicas {
			if peer == r {
				continue
			}
			since, _ := strconv.ParseInt(cursor, 10, 64)
			r.cursors[peer.name] = since
			if err := r.conn.Exec(fmt.Sprintf(`
				CREATE VIRTUAL TABLE stream_out_%[1]s USING stream_out(peer='%[1]s', since=%[2]d);
				CREATE VIRTUAL TABLE stream_in_%[1]s USING stream_in(peer='%[1]s');`, peer.name, since)); err != nil {
				return fmt.Errorf("demo: %s: %w", r.name, err)
			}
		}
	}
	return nil
}

// pack takes from every replica what is new for each of its peers.
func (d *demo) pack(round int) error {
	packages, bytes := 0, 0
	for _, r := range d.replicas {
		for _, peer := range d.replicas {
			if peer == r {
				continue
			}
			rows, err := r.query("SELECT package, cursor FROM stream_out_"+peer.name+" WHERE cursor > ?", r.cursors[peer.name])
			if err != nil {
				return err
			}
			for _, row := range rows {
				d.bag = append(d.bag, parcel{r.name, peer.name, round, []byte(row[0])})
				r.cursors[peer.name], _ = strconv.ParseInt(row[1], 10, 64)
				packages, bytes = packages+1, bytes+len(row[0])
			}
		}
	}
	d.say("  everyone: SELECT package, cursor FROM stream_out_<peer> WHERE cursor > ?   -- %s, %s bytes, not sent yet",
		plural(packages, "package"), count(bytes))
	return nil
}

// deliver brings the parcels in the worst order: each twice, shuffled, those of the afternoon before those of the morning.
func (d *demo) deliver(context.Context) error {
	d.title("The post: every package comes twice, shuffled, the afternoon's before the morning's")
	d.say("  INSERT INTO stream_in_<peer>(package) VALUES (?)")
	d.say("")
	bag := append(d.bag, d.bag...)
	d.bag = nil
	random := rand.New(rand.NewPCG(1, 2)) // the same story every time
	random.Shuffle(len(bag), func(i, j int) { bag[i], bag[j] = bag[j], bag[i] })
	for _, r := range d.replicas {
		var events []string
		for _, round := range []int{2, 1} {
			for _, p := range bag {
				if p.to != r.name || p.round != round {
					continue
				}
				what, err := r.receive(p)
				if err != nil {
					return err
				}
				events = append(events, p.name()+" "+what)
			}
		}
		d.wrapped(fmt.Sprintf("  %-7s ", r.name), events)
	}
	d.say("")
	d.say("A package that needs another one waits for it in the database; one that comes again changes nothing.")
	return nil
}

// receive applies one parcel and says what became of it, as SQL can see it.
func (r *replica) receive(p parcel) (string, error) {
	waitingBefore, err := r.value("SELECT count(*) FROM tributary_pending")
	if err != nil {
		return "", err
	}
	vectorBefore, err := r.value("SELECT tributary_vector()")
	if err != nil {
		return "", err
	}
	if _, err := r.query(p.insert(), p.body); err != nil {
		return "", err
	}
	waiting, err := r.value("SELECT count(*) FROM tributary_pending")
	if err != nil {
		return "", err
	}
	vector, err := r.value("SELECT tributary_vector()")
	switch {
	case err != nil:
		return "", err
	case waiting != waitingBefore && vector == vectorBefore:
		return "waits", nil
	case vector == vectorBefore:
		return "again", nil
	case waiting != waitingBefore:
		return "applied, with what waited for it", nil
	}
	return "applied", nil
}

// wrapped prints events behind a label, in lines of at most 118 characters.
func (d *demo) wrapped(label string, events []string) {
	line := label
	for i, e := range events {
		if i < len(events)-1 {
			e += "; "
		}
		if len(line)+len(e) > 118 {
			d.say("%s", strings.TrimRight(line, " "))
			line = strings.Repeat(" ", len(label))
		}
		line += e
	}
	d.say("%s", line)
}
