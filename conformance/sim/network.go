package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/metrics"
	"slices"
	"time"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// message is a package on its way.
type message struct {
	to           *site
	body         []byte
	pkg          *crdt.Package // what is in it, if it is not damaged
	due          time.Time
	damaged      bool
	link         link
	since, until int64
	upon         crdt.VersionVector // of own changes alone: what their sender had, by which they may have been overwritten
	set          *set
	part         int
}

// link is what a sender remembers of a receiver: identities, not machines, so that a restored replica begins anew.
type link struct{ from, to crdt.Site }

// send pulls what the receiver has not acknowledged and puts it on the way. Half of the time the sender goes by its own
// memory of what was acknowledged, half of the time by what the receiver says.
func (w *world) send(from, to *site, r *rand.Rand) error {
	o := engine.PullOptions{Since: w.acked[link{from.e.Site(), to.e.Site()}]}
	lost, err := w.misses(to, from)
	if err != nil || lost && r.IntN(2) == 0 {
		return err // asked by such a receiver, a sender does not answer
	}
	if !lost && r.IntN(2) == 0 {
		since, ok, err := w.asked(from, to)
		if err != nil || !ok {
			return err
		}
		o.Since = since
	}
	if o.Since > 0 && r.IntN(2) == 0 {
		o.Exclude = append(o.Exclude, to.e.Site())
	}
	o.LocalOnly = !lost && r.IntN(12) == 0
	out, _, err := w.pull(from, to, o, r)
	if err != nil {
		return err
	}
	for _, m := range out {
		w.post(m, r)
	}
	return nil
}

// asked is the cursor that the receiver says it has, unless somebody was cut off meanwhile, or found out that it is a copy.
func (w *world) asked(from, to *site) (since int64, ok bool, err error) {
	as := from.e.Site()
	end := to.spared()
	since, failed := to.e.PeerCursor(context.Background(), from.e)
	end()
	if err := from.done(failed); err != nil {
		return 0, false, err
	}
	return since, as == from.e.Site() && failed == nil, nil
}

// burst sends several sets that overlap, while the sender goes on writing, and delivers some of their packages in any order: parts of
// unlike sets stand at one place of a feed.
func (w *world) burst(from, to *site, r *rand.Rand) error {
	if lost, err := w.misses(to, from); err != nil || lost {
		return err
	}
	since, ok, err := w.asked(from, to)
	if err != nil || !ok {
		return err
	}
	as, begins := from.e.Site(), []int64{since}
	var all []message
	for i := range 2 + r.IntN(4) {
		if err := w.learn(); err != nil { // asking may fold, as a pull that failed may have
			return err
		}
		if i == 0 || r.IntN(2) == 0 { // or two sets of one state
			if err := from.done(from.write(r)); err != nil {
				return err
			}
		}
		if err := w.learn(); err != nil {
			return err
		}
		o := engine.PullOptions{Since: begins[r.IntN(len(begins))], LocalOnly: r.IntN(6) == 0}
		out, end, err := w.pull(from, to, o, r)
		if err != nil || from.e.Site() != as {
			return err
		}
		if begins = append(begins, end); r.IntN(4) > 0 {
			all = append(all, out...)
		}
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, m := range all {
		if r.IntN(4) == 0 {
			w.post(m, r)
		} else if err := w.deliver(m); err != nil {
			return err
		}
	}
	return w.look(to)
}

// pull makes packages, and holds them against what is known. None come, if the disk failed or the power went. end is the cursor after
// the last.
func (w *world) pull(from, to *site, o engine.PullOptions, r *rand.Rand) (out []message, end int64, err error) {
	ctx, began := context.Background(), o.Since
	o.MaxBytes = w.o.MaxBytes
	if w.o.JSON && r.IntN(2) == 0 {
		o.Format = engine.FormatJSON
	}
	l := link{to: to.e.Site()}
	for on := true; on; {
		on, end = false, o.Since
		var failed error
		for p, err := range from.e.Pull(ctx, o) {
			if err != nil {
				failed = err
				break
			}
			l.from = from.e.Site()
			out = append(out, message{to: to, body: p.Package, link: l, since: end, until: p.Cursor})
			end = p.Cursor
			w.stats.Packages++
			if on = w.o.Breaks && !p.Last && r.IntN(8) == 0; on {
				o.Since, o.Continues, o.Began, o.Whole = p.Cursor, true, p.Began, p.Whole
				break
			}
		}
		if err := from.done(failed); err != nil || failed != nil {
			return nil, began, err // what was pulled before the failure has not left the house
		}
		if err := w.learn(); err != nil { // what the pull has folded
			return nil, 0, err
		}
		if on {
			if same, err := w.meanwhile(from, r); err != nil || !same {
				return nil, began, err
			}
		}
	}
	w.given[l.from] = max(w.given[l.from], end)
	whole := &set{}
	var upon crdt.VersionVector
	if o.LocalOnly {
		done := from.spared()
		v, err := from.e.Vector(ctx)
		if done(); err != nil {
			return nil, 0, err
		}
		upon = v
	}
	all := w.history.lives(func(crdt.Dot) bool { return true })
	for i := range out {
		m := &out[i]
		if o.LocalOnly {
			m.until, m.upon = 0, upon // acknowledges nothing
		}
		w.stats.Digest = digest(w.stats.Digest, m.body)
		p, err := engine.Inspect(m.body, nil)
		if err != nil {
			return nil, 0, violation("ledger", "a package that cannot be read: %v", err)
		}
		switch {
		case i > 0 && p.Starts: // what was pulled first could not be told apart any more when it went on
			whole = &set{}
		case i > 0 && whole.places[0].own && !p.LocalOnly:
			return nil, 0, violation("liveness", "site %d goes on with all changes where it began with its own, so the first parts lack some, and nobody makes a set of them", from.index)
		}
		m.pkg, m.set, m.part = p, whole, len(whole.places)
		whole.starts = whole.starts || p.Starts
		whole.places, whole.sent = append(whole.places, place{p.Sender, p.Since, p.Until, p.LocalOnly}), append(whole.sent, p.Sent)
		whole.needs, whole.covers = p.Needs, append(whole.covers, p.Covers...)
		w.kept = append(w.kept, *m)
		if err := w.ledger.add(p); err != nil {
			return nil, 0, err
		}
		if err := w.judge(p, all); err != nil {
			return nil, 0, err
		}
	}
	return out, end, from.isDurable()
}

// meanwhile is what happens while a pull is broken off: its sender writes, or hears from another. It may not go by its name afterwards.
func (w *world) meanwhile(s *site, r *rand.Rand) (same bool, err error) {
	as := s.e.Site()
	if other := w.sites[r.IntN(len(w.sites))]; other != s && r.IntN(2) == 0 {
		if err := other.done(other.write(r)); err != nil {
			return false, err
		}
		if err := w.learn(); err != nil {
			return false, err
		}
		err = w.sync(s, other)
	} else {
		err = s.done(s.write(r))
	}
	if err == nil {
		err = w.learn()
	}
	return s.e.Site() == as, err
}

// post gives a message its fate.
func (w *world) post(m message, r *rand.Rand) {
	copies := 1
	if r.IntN(100) < w.o.Double {
		copies = 2
	}
	for range copies {
		if r.IntN(100) < w.o.Loss {
			w.stats.Dropped++
			continue
		}
		c := m
		c.due = w.now
		if w.o.Delay > 0 {
			c.due = w.now.Add(time.Duration(r.Int64N(int64(w.o.Delay))))
		}
		if r.IntN(100) < w.o.Damage && !isJSON(m.body) { // that form has no checksum: its carrier must have one
			c.body, c.damaged = slices.Clone(m.body), true
			switch r.IntN(6) {
			case 0, 1:
				c.body = c.body[:r.IntN(len(c.body))]
			case 2, 3: // the magic, the version, the length or the flags, each of which means something else
				c.body[[]int{0, 4, 4, 5, 9}[r.IntN(5)]] ^= 1 << r.IntN(8)
			default:
				c.body[r.IntN(len(c.body))] ^= 1 << r.IntN(8)
			}
		}
		w.flight = append(w.flight, c)
	}
}

// deliverDue delivers what has arrived by now, in order of arrival.
func (w *world) deliverDue() error {
	var due []message
	w.flight = slices.DeleteFunc(w.flight, func(m message) bool {
		if m.due.After(w.now) {
			return false
		}
		due = append(due, m)
		return true
	})
	slices.SortStableFunc(due, func(a, b message) int { return a.due.Compare(b.due) })
	for _, m := range due {
		if err := w.deliver(m); err != nil {
			return err
		}
		if w.o.Focus == Alike { // what were twins from one package to the next
			if err := w.learn(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *world) deliver(m message) error {
	if w.apart(m.link) {
		w.stats.Dropped++
		return nil
	}
	before := m.to.db.TotalChanges()
	mode := engine.ModeCausal
	if w.o.Eventual && len(m.body)%4 > 0 {
		mode = engine.ModeEventual
	}
	m.to.vague.Join(m.upon)
	if m.set != nil { // it may stay, also where the power goes
		at, newest := m.set.places[m.part], m.to.got.newest
		newest[at] = max(newest[at], m.set.sent[m.part])
	}
	asked := allocated()
	r, err := m.to.e.Apply(context.Background(), m.body, engine.ApplyOptions{Mode: mode})
	hit := m.to.hit()
	if got, most := allocated()-asked, uint64(32<<20+1000*len(m.body)); got > most {
		return violation("memory", "site %d asked for %d bytes to apply a package of %d, the limit is %d", m.to.index, got, len(m.body), most)
	}
	if !hit {
		switch touched := m.to.db.TotalChanges() - before; {
		case m.damaged && err == nil:
			return violation("damage", "site %d took a damaged package: %v", m.to.index, r)
		case m.damaged && !rightWord(err, m):
			return violation("damage", "site %d calls a damaged package by the wrong name: %v", m.to.index, err)
		case m.damaged && err != nil && touched != 0:
			return violation("damage", "site %d refused a damaged package (%v) after %d changes", m.to.index, err, touched)
		case err == nil && r.State == engine.StateApplied && m.newest() > crdt.TimeOf(m.to.now().Add(maxSkew).UnixMilli()):
			return violation("future", "site %d applied a package of %s at %s by its clock", m.to.index, m.newest(), m.to.now().UTC().Format(time.TimeOnly))
		case err == nil && r.State == engine.StateDuplicate && touched != 0 && m.to.asked:
			return violation("idempotence", "site %d: a duplicate touched %d rows", m.to.index, touched)
		}
	}
	m.to.asked = true
	w.stats.Applied++
	switch {
	case m.damaged:
		err = nil
	case errors.Is(err, engine.ErrRetired) && w.retired[r.Sender]:
		return m.to.done(nil)
	case errors.Is(err, engine.ErrPendingFull) && w.o.MaxPending > 0:
		w.stats.Refused++
		return m.to.done(nil)
	}
	if done := m.to.done(err); done != nil || err != nil || hit || m.damaged {
		return done
	}
	if m.until > 0 && m.since <= w.acked[m.link] {
		w.acked[m.link] = max(w.acked[m.link], m.until)
	}
	if r.State == engine.StateDuplicate {
		return w.complete(m, mode) // nothing was committed
	}
	if err := w.bounded(m.to); err != nil {
		return err
	}
	if err := w.complete(m, mode); err != nil {
		return err
	}
	if err := m.to.goesBy(m.pkg); err != nil {
		return err
	}
	if w.o.Focus != Anything && len(m.body)%3 == 0 {
		return w.look(m.to)
	}
	return m.to.isDurable()
}

// maxSkew is what engine.Options promises for 0.
const maxSkew = 60 * time.Second

// newest is the greatest stamp in a package.
func (m message) newest() (t crdt.Time) {
	for i := range m.pkg.Rows {
		r := &m.pkg.Rows[i]
		t = max(t, r.Deleter.Time)
		for j := range r.Lives {
			t = max(t, r.Lives[j].Newest().Time)
		}
	}
	return t
}

// rightWord says whether an error tells what the bytes show: what another format would be is not called damage.
func rightWord(err error, m message) bool {
	if len(m.body) > 9 && string(m.body[:4]) == "TRIB" && m.body[4] != 1 {
		return errors.Is(err, crdt.ErrUnsupported)
	}
	return errors.Is(err, crdt.ErrCorrupt) || errors.Is(err, crdt.ErrTruncated) || errors.Is(err, crdt.ErrLimit)
}

// allocated counts the bytes that the process has asked for.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

func isJSON(b []byte) bool { return len(b) > 0 && b[0] != 'T' }

// cut takes a link away for a while, in both directions.
func (w *world) cut(a, b *site, until time.Time) {
	w.parted[[2]int{min(a.index, b.index), max(a.index, b.index)}] = until
}

func (w *world) parting(a, b *site) bool {
	return w.parted[[2]int{min(a.index, b.index), max(a.index, b.index)}].After(w.now)
}

func (w *world) apart(l link) bool {
	from, to := w.of(l.from), w.of(l.to)
	return from != nil && to != nil && w.parting(from, to)
}

// of finds the site that goes by an identity now.
func (w *world) of(id crdt.Site) *site {
	for _, s := range w.sites {
		if s.e != nil && s.e.Site() == id {
			return s
		}
	}
	return nil
}

// maxRounds is more than two need who talk directly: one to tell, one for what that has changed, and one in which nothing is said.
const maxRounds = 5

// sync lets two sites talk directly.
func (w *world) sync(a, b *site) error {
	if w.parting(a, b) {
		return nil
	}
	r, err := engine.Sync(context.Background(), a.e, b.e, engine.SyncOptions{MaxBytes: w.o.MaxBytes})
	if r.Rounds > maxRounds {
		return violation("liveness", "sites %d and %d, where nobody writes, tell each other something new in round %d still", a.index, b.index, r.Rounds)
	}
	hit := a.hit() || b.hit()
	switch {
	case hit:
	case a.broken || b.broken: // the sync said so and needed no disk for it; to ask them may
		if errors.Is(err, engine.ErrForgotten) {
			err = nil
		}
	default:
		switch lost, lerr := w.eitherMisses(a, b); {
		case lerr != nil:
			return lerr
		case lost != errors.Is(err, engine.ErrForgotten) && (err == nil || errors.Is(err, engine.ErrForgotten)):
			return violation("forgotten", "sites %d and %d: one lacks deletes that the other has forgotten: %v, and their sync says: %v", a.index, b.index, lost, err)
		case lost && errors.Is(err, engine.ErrForgotten):
			w.stats.Lacking++
			err = nil
		}
	}
	if errors.Is(err, engine.ErrPendingFull) && w.o.MaxPending > 0 || hit || errors.Is(err, engine.ErrClock) && w.o.Skew > 0 ||
		errors.Is(err, engine.ErrRetired) && (w.retired[a.e.Site()] || w.retired[b.e.Site()]) {
		a.got.parts, b.got.parts = nil, nil // some of a set may have come
		if e := a.done(nil); e != nil {
			return e
		}
		return b.done(nil)
	}
	if err != nil {
		return fmt.Errorf("sync of sites %d and %d: %w", a.index, b.index, err)
	}
	for _, x := range [][2]*site{{a, b}, {b, a}} { // both remember how far they have come
		end := x[0].spared()
		at, err := x[1].e.PeerCursor(context.Background(), x[0].e)
		end()
		if err != nil {
			return err
		}
		l := link{x[0].e.Site(), x[1].e.Site()}
		w.acked[l], w.given[l.from] = max(w.acked[l], at), max(w.given[l.from], at)
	}
	if err := a.isDurable(); err != nil {
		return err
	}
	return b.isDurable()
}
