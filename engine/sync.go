package engine

import (
	"context"
	"errors"
	"fmt"
)

// SyncOptions adjusts a Sync.
type SyncOptions struct {
	MaxBytes int // size of packages; 0: the default of Pull
}

// Transfer counts what went one way.
type Transfer struct {
	Packages    int   `json:"packages"`
	Bytes       int64 `json:"bytes"`
	Rows        int   `json:"rows"`    // row changes sent
	Changed     int   `json:"changed"` // rows that they changed
	Parked      int   `json:"parked"`
	Quarantined int   `json:"quarantined"`
	Waiting     int   `json:"waiting"` // packages that wait for others
}

// SyncResult counts what a Sync moved.
type SyncResult struct {
	AToB   Transfer `json:"a_to_b"`
	BToA   Transfer `json:"b_to_a"`
	Rounds int      `json:"rounds"`
}

// maxRounds bounds a sync while others go on writing: what comes later goes out with the next one.
const maxRounds = 8

// Sync makes two databases equal: each pulls what it lacks from the other, until nothing is new. Each direction is
// applied as one consistent state in a transaction of its own; interrupted at any point, the next Sync goes on.
//
// A database that may have rows whose deletes the other has forgotten gets nothing, and ErrForgotten says so: with all
// versions it would still show those rows. What was written there does go to the other, so that nothing is lost with it.
func Sync(ctx context.Context, a, b *Engine, o SyncOptions) (SyncResult, error) {
	var r SyncResult
	for _, e := range []*Engine{a, b} {
		if err := e.load(ctx); err != nil {
			return r, fmt.Errorf("%w: %s", err, e.conn.Filename())
		}
	}
	if err := introduce(ctx, a, b); err != nil {
		return r, err
	}
	if a.site == b.site {
		return r, fmt.Errorf("%w: both databases are site %s; make the copy with clone", ErrEquivocation, a.site)
	}
	var aLost, bLost bool
	for r.Rounds < maxRounds {
		r.Rounds++
		var n, m int
		var err error
		if n, bLost, err = transfer(ctx, a, b, o, &r.AToB); err != nil {
			return r, err
		}
		if m, aLost, err = transfer(ctx, b, a, o, &r.BToA); err != nil {
			return r, err
		}
		if n+m == 0 {
			break
		}
	}
	switch {
	case aLost && bLost:
		return r, fmt.Errorf("%w: both in %s and in %s; keep one of them and make the other anew with clone", ErrForgotten, a.conn.Filename(), b.conn.Filename())
	case aLost:
		return r, lostError(a)
	case bLost:
		return r, lostError(b)
	}
	return r, nil
}

func lostError(e *Engine) error {
	return fmt.Errorf("%w: make %s anew with clone; what was written there is in the other now", ErrForgotten, e.conn.Filename())
}

// introduce verifies both identities before either is named to the other or left out of a pull. A replica of which the
// other knows more than itself was restored from a backup: it goes on under a new name before it folds under a version
// that is used up.
func introduce(ctx context.Context, a, b *Engine) error {
	for _, e := range []*Engine{a, b} {
		if err := e.change(ctx, func() error { return nil }); err != nil && !errors.Is(err, ErrReadOnly) {
			return err
		}
	}
	for _, x := range [][2]*Engine{{a, b}, {b, a}} {
		if x[0].conn.ReadOnly() || x[0].site == x[1].site {
			continue
		}
		knows, err := x[1].vector()
		if err != nil {
			return err
		}
		own, err := x[0].ownVersion()
		if err != nil {
			return err
		}
		if knows[x[0].site] > own {
			if _, err := x[0].Remint(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// transfer brings b what it lacks of a, and returns the number of packages that were news. lost says that b must have none.
func transfer(ctx context.Context, a, b *Engine, o SyncOptions, t *Transfer) (news int, lost bool, err error) {
	since, err := b.PeerCursor(ctx, a)
	if err == nil && since == 0 {
		err = b.reread(ctx, a.site)
	}
	if err != nil {
		return 0, false, err
	}
	forgotten, err := a.forgotten()
	if err != nil {
		return 0, false, err
	}
	have, err := b.vector()
	if err != nil {
		return 0, false, err
	}
	if MissesDeletes(have, forgotten) {
		return 0, true, nil
	}
	pull := PullOptions{Since: since, MaxBytes: o.MaxBytes}
	if since > 0 { // what b wrote itself it need not hear again; at first contact a may still know of a lost life of b
		pull.Exclude = append(pull.Exclude, b.site)
	}
	var held []Pulled // applied once the pull has let go of a, unless it is much: in rollback-journal mode a reader keeps writers off
	size := 0
	deliver := func() error {
		for _, p := range held {
			r, err := b.Apply(ctx, p.Package, ApplyOptions{})
			if err != nil {
				return err
			}
			t.add(&p, &r)
			if r.State == StateApplied { // what waits would only come again
				news++
			}
		}
		held, size = held[:0], 0
		return nil
	}
	for p, err := range a.Pull(ctx, pull) {
		if err != nil {
			return news, false, err
		}
		held, size = append(held, p), size+len(p.Package)
		if size < heldBytes {
			continue
		}
		if err := deliver(); err != nil {
			return news, false, err
		}
	}
	err = deliver() // before news is read
	return news, false, err
}

// heldBytes is how many bytes of packages a transfer reads before it applies any.
const heldBytes = 4 << 20

func (t *Transfer) add(p *Pulled, r *ApplyResult) {
	t.Packages++
	t.Bytes += int64(len(p.Package))
	t.Rows += r.Rows
	t.Changed += r.Changed
	t.Parked += r.Parked
	t.Quarantined += r.Quarantined
	if r.State == StatePending && p.Last {
		t.Waiting++
	}
}

// PeerCursor is the position in another site's feed up to which this replica has applied it, 0 for none.
func (e *Engine) PeerCursor(ctx context.Context, a *Engine) (int64, error) {
	if err := a.load(ctx); err != nil {
		return 0, err
	}
	if a.conn.ReadOnly() || a.checked {
		return e.trueCursor(a)
	}
	// The fold finds out whether a is a copy, before its name is used.
	if _, err := a.Fold(ctx); err != nil && !errors.Is(err, ErrReadOnly) {
		return 0, err
	}
	return e.trueCursor(a)
}
