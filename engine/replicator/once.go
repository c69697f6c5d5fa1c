package replicator

import (
	"context"
	"errors"
	"fmt"

	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/transports"
)

// Once does one round over each link and returns: it reads the log to its end, asks peers, and publishes what the log
// lacks. It returns the first error of a medium; what was done stays done.
func (r *Replicator) Once(ctx context.Context) error {
	r.running.Lock()
	defer r.running.Unlock()
	for range 3 { // an identity may change on the way
		err := r.once(ctx)
		if !errors.Is(err, errMoved) {
			return err
		}
		if err := r.rewind(ctx); err != nil {
			return err
		}
	}
	return errMoved
}

func (r *Replicator) once(ctx context.Context) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer r.end()
	r.retryRefused(ctx)
	for _, l := range r.links {
		if err := l.once(ctx); err != nil {
			if l.failed(ctx, "one round", err); errors.Is(err, errMoved) {
				return err
			}
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	return nil
}

// errCaughtUp ends a subscription at the end of the log.
var errCaughtUp = errors.New("replicator: at the end of the log")

func (l *link) once(ctx context.Context) error {
	if l.caps.Log {
		if err := l.readToEnd(ctx); err != nil {
			return err
		}
	}
	asked := l.ask(ctx, "")
	if asked != nil && !errors.Is(asked, transports.ErrNoPeer) && !misses(asked) {
		return asked
	}
	if err := l.settle(ctx, asked, new(int)); err != nil {
		return err
	}
	if l.caps.Log {
		if err := l.checkTail(ctx); err != nil {
			return err
		}
		if err := l.publish(ctx, true); err != nil {
			return err
		}
	}
	l.set(ctx, func(c *condition) { c.offline = whyStopped })
	return l.save(ctx)
}

func (l *link) readToEnd(ctx context.Context) error {
	for range 2 {
		l.mu.Lock()
		from := transports.Cursor(l.rec.Cursor)
		l.mu.Unlock()
		if from == nil {
			if err := l.bootstrap(ctx); errors.Is(err, errMoved) {
				return err
			} else if err != nil {
				l.warn(ctx, "beginning with a snapshot", err)
			}
			l.mu.Lock()
			from = transports.Cursor(l.rec.Cursor)
			l.mu.Unlock()
		}
		err := l.t.Subscribe(ctx, l.r.o.DB, from, func(b transports.Batch) error {
			if err := l.receive(ctx, b); err != nil || !b.Live {
				return err
			}
			return errCaughtUp
		})
		switch {
		case errors.Is(err, errCaughtUp):
			return nil
		case errors.Is(err, transports.ErrCursorLost):
			l.mu.Lock()
			l.count.CursorLost++
			l.missed = l.repairs()
			l.mu.Unlock()
			l.forget(ctx, func(c *condition) { c.live, c.lost = false, err.Error() })
		case err == nil:
			return ctx.Err()
		default:
			return err
		}
	}
	return fmt.Errorf("%w, again and again", transports.ErrCursorLost)
}

// Waiting lists the packages that wait for others.
func (r *Replicator) Waiting(ctx context.Context) ([]engine.PendingInfo, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.e.Pending(ctx)
}
