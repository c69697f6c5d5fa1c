// Package fault wraps a transport and does to it, by a seed, what media do: it drops, doubles, delays, reorders and
// damages packages, cuts a site off, and fails after the work is done. It is for tests of what runs above a transport.
// Some of it (dropping, damaging) is more than a transport may do; the loop above must survive that too.
package fault

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"sync"

	"github.com/tributary-db/tributary/transports"
)

// Rates are probabilities from 0 to 1, per package or call.
type Rates struct {
	Drop    float64 // a delivered package is left out, the cursor moves on
	Double  float64 // a package is delivered twice
	Delay   float64 // a package is held back and comes with a later batch
	Reorder float64 // a batch is shuffled
	Corrupt float64 // a bit of a delivered package is turned; its ID stays
	Refuse  float64 // Publish or Ask fails before it does anything
	Unsure  float64 // Publish does its work, and fails
}

// ErrInjected is what injected failures are.
var ErrInjected = errors.New("fault: injected")

// Transport is the wrapped transport.
type Transport struct {
	transports.Transport
	mu     sync.Mutex // guards what follows
	rng    *rand.Rand
	rates  Rates
	cut    bool
	mended chan struct{} // closed and replaced when cut changes
	counts map[string]int64
}

// Wrap returns t with faults. The wrapper closes t.
func Wrap(t transports.Transport, seed uint64, r Rates) *Transport {
	return &Transport{Transport: t, rng: rand.New(rand.NewPCG(seed, 1)), rates: r, mended: make(chan struct{}), counts: map[string]int64{}}
}

// Set changes the rates.
func (t *Transport) Set(r Rates) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rates = r
}

// Partition cuts this handle off from the medium, or mends it. What runs meanwhile fails.
func (t *Transport) Partition(cut bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cut != cut {
		t.cut = cut
		close(t.mended)
		t.mended = make(chan struct{})
	}
}

// Counts says how often each fault happened, by its name in lower case.
func (t *Transport) Counts() map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.counts)
}

// hit throws the dice.
func (t *Transport) hit(name string, rate func(Rates) float64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := rate(t.rates)
	if p == 0 || t.rng.Float64() >= p {
		return false
	}
	t.counts[name]++
	return true
}

// connected returns a context that ends with ctx or when the handle is cut off.
func (t *Transport) connected(ctx context.Context) (context.Context, context.CancelFunc, error) {
	t.mu.Lock()
	cut, changed := t.cut, t.mended
	t.mu.Unlock()
	if cut {
		return nil, nil, ErrInjected
	}
	both, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-changed:
			cancel(ErrInjected)
		case <-both.Done():
		}
	}()
	return both, func() { cancel(nil) }, nil
}

// Publish may refuse, or do the work and fail.
func (t *Transport) Publish(ctx context.Context, ps ...transports.Package) error {
	both, cancel, err := t.connected(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	if t.hit("refuse", func(r Rates) float64 { return r.Refuse }) {
		return ErrInjected
	}
	if err := t.Transport.Publish(both, ps...); err != nil {
		return err
	}
	if t.hit("unsure", func(r Rates) float64 { return r.Unsure }) {
		return ErrInjected
	}
	return nil
}

// Subscribe hurts what is delivered.
func (t *Transport) Subscribe(ctx context.Context, db string, from transports.Cursor, h func(transports.Batch) error) error {
	both, cancel, err := t.connected(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	var held []transports.Package
	err = t.Transport.Subscribe(both, db, from, func(b transports.Batch) error {
		var out []transports.Package
		late := held
		held = nil
		for _, p := range b.Packages {
			switch {
			case t.hit("drop", func(r Rates) float64 { return r.Drop }):
			case t.hit("delay", func(r Rates) float64 { return r.Delay }):
				held = append(held, p)
			default:
				out = append(out, t.spoil(p))
			}
			if t.hit("double", func(r Rates) float64 { return r.Double }) {
				q := p
				q.Body = bytes.Clone(p.Body)
				out = append(out, q)
			}
		}
		b.Packages = append(out, late...)
		if t.hit("reorder", func(r Rates) float64 { return r.Reorder }) {
			t.mu.Lock()
			t.rng.Shuffle(len(b.Packages), func(i, j int) { b.Packages[i], b.Packages[j] = b.Packages[j], b.Packages[i] })
			t.mu.Unlock()
		}
		return h(b)
	})
	if ctx.Err() == nil && context.Cause(both) != nil {
		return context.Cause(both)
	}
	return err
}

// spoil may turn a bit.
func (t *Transport) spoil(p transports.Package) transports.Package {
	if len(p.Body) == 0 || !t.hit("corrupt", func(r Rates) float64 { return r.Corrupt }) {
		return p
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p.Body = bytes.Clone(p.Body)
	p.Body[t.rng.IntN(len(p.Body))] ^= 1 << t.rng.IntN(8)
	return p
}

// Ask may refuse; an answer may be damaged.
func (t *Transport) Ask(ctx context.Context, r transports.Request) ([]transports.Package, error) {
	both, cancel, err := t.connected(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	if t.hit("refuse", func(r Rates) float64 { return r.Refuse }) {
		return nil, ErrInjected
	}
	ps, err := t.Transport.Ask(both, r)
	for i := range ps {
		ps[i] = t.spoil(ps[i])
	}
	return ps, err
}

// Serve does not answer while the handle is cut off.
func (t *Transport) Serve(ctx context.Context, db, site string, answer transports.Answerer) error {
	both, cancel, err := t.connected(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	err = t.Transport.Serve(both, db, site, answer)
	if ctx.Err() == nil && context.Cause(both) != nil {
		return context.Cause(both)
	}
	return err
}

// PutSnapshot may refuse.
func (t *Transport) PutSnapshot(ctx context.Context, s transports.Snapshot, content io.Reader) error {
	return t.kept(ctx, func(ctx context.Context, k transports.Snapshots) error { return k.PutSnapshot(ctx, s, content) })
}

// Snapshots may refuse.
func (t *Transport) Snapshots(ctx context.Context, db string) (list []transports.Snapshot, err error) {
	err = t.kept(ctx, func(ctx context.Context, k transports.Snapshots) error {
		list, err = k.Snapshots(ctx, db)
		return err
	})
	return list, err
}

// OpenSnapshot may refuse, or turn a bit of the content. A handle that is cut off meanwhile reads on.
func (t *Transport) OpenSnapshot(ctx context.Context, s transports.Snapshot) (r io.ReadCloser, err error) {
	err = t.kept(ctx, func(_ context.Context, k transports.Snapshots) error {
		if r, err = k.OpenSnapshot(ctx, s); err == nil && t.hit("corrupt", func(r Rates) float64 { return r.Corrupt }) {
			r = &spoiled{r, s}
		}
		return err
	})
	return r, err
}

// kept runs a call of a wrapped transport that keeps snapshots.
func (t *Transport) kept(ctx context.Context, call func(context.Context, transports.Snapshots) error) error {
	k, ok := t.Transport.(transports.Snapshots)
	if !ok {
		return errors.ErrUnsupported
	}
	both, cancel, err := t.connected(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	if t.hit("refuse", func(r Rates) float64 { return r.Refuse }) {
		return ErrInjected
	}
	return call(both, k)
}

// spoiled turns the first bit of a snapshot, and fails at its end as a transport must.
type spoiled struct {
	io.ReadCloser
	s transports.Snapshot
}

func (r *spoiled) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	if n > 0 && r.s.Size > 0 {
		b[0] ^= 1
		r.s.Size = 0
	}
	if err == io.EOF {
		err = transports.ErrDamaged
	}
	return n, err
}
