package conformance

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// Replica is the part of a site that replicates.
type Replica interface {
	io.Closer
	TrackAll(ctx context.Context) error
	Untrack(ctx context.Context, table string) error
	Fold(ctx context.Context) error
	Compact(ctx context.Context) error
	Pull(ctx context.Context, o engine.PullOptions) iter.Seq2[engine.Pulled, error]
	Apply(ctx context.Context, body []byte, o engine.ApplyOptions) (engine.ApplyState, error)
}

// ReplicaHost is a Host some of whose replicas are not engines of this process. What Conn opens looks at their files.
type ReplicaHost interface {
	Host
	// Replica opens a database whose wall clock is now; nil: the engine over Conn is the replica.
	Replica(path string, now func() time.Time) (Replica, error)
}

// engineReplica is an engine of this process.
type engineReplica struct{ e *engine.Engine }

func (r engineReplica) TrackAll(ctx context.Context) error {
	_, _, err := r.e.TrackAll(ctx)
	return err
}

func (r engineReplica) Untrack(ctx context.Context, table string) error {
	return r.e.Untrack(ctx, table)
}

func (r engineReplica) Fold(ctx context.Context) error {
	_, err := r.e.Fold(ctx)
	return err
}

func (r engineReplica) Compact(ctx context.Context) error {
	_, err := r.e.Compact(ctx)
	return err
}

func (r engineReplica) Pull(ctx context.Context, o engine.PullOptions) iter.Seq2[engine.Pulled, error] {
	return r.e.Pull(ctx, o)
}

func (r engineReplica) Apply(ctx context.Context, body []byte, o engine.ApplyOptions) (engine.ApplyState, error) {
	got, err := r.e.Apply(ctx, body, o)
	return got.State, err
}

func (engineReplica) Close() error { return nil } // the site closes the engine

// id is the site's identity as it is now in the file.
func (s *site) id(ctx context.Context) (crdt.Site, error) {
	_, err := s.engine.Version(ctx) // reads anew what another connection may have changed
	return s.engine.Site(), err
}

// join makes two sites equal as engine.Sync does, which also leaves it at eight rounds.
func (r *runner) join(a, b *site) error {
	_, ea := a.replica.(engineReplica)
	_, eb := b.replica.(engineReplica)
	if ea && eb {
		_, err := engine.Sync(r.ctx, a.engine, b.engine, engine.SyncOptions{})
		return err
	}
	for range 8 {
		n, err := r.transfer(a, b)
		if err != nil {
			return err
		}
		m, err := r.transfer(b, a)
		if err != nil {
			return err
		}
		if n+m == 0 {
			return nil
		}
	}
	return nil
}

// transfer brings b what it lacks of a, and returns the number of packages that were news.
func (r *runner) transfer(a, b *site) (news int, err error) {
	ctx := r.ctx
	if err := errors.Join(a.replica.Fold(ctx), b.replica.Fold(ctx)); err != nil {
		return 0, err
	}
	o := engine.PullOptions{}
	if o.Since, err = b.engine.PeerCursor(ctx, a.engine); err != nil {
		return 0, err
	}
	if o.Since > 0 {
		to, err := b.id(ctx)
		if err != nil {
			return 0, err
		}
		o.Exclude = append(o.Exclude, to)
	}
	for p, err := range a.replica.Pull(ctx, o) {
		if err != nil {
			return news, err
		}
		state, err := b.replica.Apply(ctx, p.Package, engine.ApplyOptions{})
		if err != nil {
			return news, err
		}
		if state != engine.StateDuplicate {
			news++
		}
	}
	return news, nil
}
