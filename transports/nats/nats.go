package nats

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tributary-db/tributary/transports"
)

// Transport is a connection to a NATS server or cluster.
type Transport struct {
	o    Options
	nc   *natsgo.Conn
	js   jetstream.JetStream
	life context.Context
	end  context.CancelFunc
	busy sync.WaitGroup // answers in progress

	publishing sync.Mutex // packages of a transport go out in order

	making sync.Mutex // one stream is made at a time

	mu     sync.Mutex // guards what follows
	made   map[string]bool
	counts map[string]int64
	missed error             // why the last attempt to connect failed
	denied string            // the server's last refusal
	tails  map[string]uint64 // subject -> sequence of its newest message, until the first package after a Tail
	recent map[string]bool   // ids that this handle has tried to publish since then
}

var (
	_ transports.Transport = (*Transport)(nil)
	_ transports.Tailer    = (*Transport)(nil)
	_ transports.Registry  = (*Transport)(nil)
	_ transports.Counter   = (*Transport)(nil)
	_ transports.Snapshots = (*Transport)(nil)
)

// Open begins to connect, and goes on trying for ever. It fails only if the options cannot be used.
func Open(o Options) (*Transport, error) {
	t := &Transport{o: o.withDefaults(), made: map[string]bool{}, counts: map[string]int64{}, tails: map[string]uint64{}, recent: map[string]bool{}}
	t.life, t.end = context.WithCancel(context.Background())
	opts, err := t.o.dialing(t)
	if err != nil {
		return nil, err
	}
	if t.nc, err = natsgo.Connect(t.o.URL, opts...); err != nil {
		return nil, fmt.Errorf("nats: %s: %w", t.o.URL, err)
	}
	if t.js, err = jetstream.New(t.nc, jetstream.WithPublishAsyncMaxPending(256), jetstream.WithDefaultTimeout(t.o.Call)); err != nil {
		t.nc.Close()
		return nil, fmt.Errorf("nats: %w", err)
	}
	return t, nil
}

// Caps has both halves.
func (t *Transport) Caps() transports.Caps {
	return transports.Caps{Log: true, Exchange: true, SiteOrder: true, MaxPackage: maxPackage, Durability: t.o.Durability}
}

// Close ends everything.
func (t *Transport) Close() error {
	t.end()
	t.nc.Close()
	t.busy.Wait()
	return nil
}

// Counts has "reconnects", "denied", "duplicates" (acknowledged as known), "squatted" (somebody had taken an id),
// "incomplete" (groups of chunks) and "corrupt".
func (t *Transport) Counts() map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.counts)
}

func (t *Transport) count(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what]++
}

// asynchronous takes what the server says without being asked. A publisher without permission is told nothing else.
func (t *Transport) asynchronous(_ *natsgo.Conn, _ *natsgo.Subscription, err error) {
	t.o.Log.Warn("nats", "error", err)
	if errors.Is(err, natsgo.ErrPermissionViolation) || strings.Contains(strings.ToLower(err.Error()), "permissions violation") {
		t.mu.Lock()
		t.denied = err.Error()
		t.counts["denied"]++
		t.mu.Unlock()
	}
}

// begin is at the start of every call: it tells a closed transport, a server that is away, and binds ctx to Close.
func (t *Transport) begin(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if t.life.Err() != nil {
		return nil, nil, transports.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if !t.nc.IsConnected() {
		return nil, nil, t.away()
	}
	t.mu.Lock()
	t.denied = ""
	t.mu.Unlock()
	both, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(t.life, cancel)
	return both, func() { stop(); cancel() }, nil
}

// fail explains the error of a call.
func (t *Transport) fail(doing string, err error) error {
	t.mu.Lock()
	denied := t.denied
	t.mu.Unlock()
	switch {
	case err == nil:
		return nil
	case t.life.Err() != nil:
		return transports.ErrClosed
	case denied != "":
		return fmt.Errorf("%w: %s: %s; the server's configuration must allow it", transports.ErrDenied, doing, denied)
	case errors.Is(err, natsgo.ErrMaxPayload):
		return fmt.Errorf("%w: the server takes messages of %d bytes: %w", transports.ErrTooLarge, t.nc.MaxPayload(), err)
	}
	return fmt.Errorf("nats: %s: %w", doing, err)
}

// ensure makes a stream if it is missing. What exists is used as it is: changing it is the administrator's business.
func (t *Transport) ensure(ctx context.Context, c jetstream.StreamConfig) error {
	t.mu.Lock()
	made := t.made[c.Name]
	t.mu.Unlock()
	if made {
		return nil
	}
	t.making.Lock()
	defer t.making.Unlock()
	ctx, cancel := context.WithTimeout(ctx, t.o.Call)
	defer cancel()
	_, err := t.js.Stream(ctx, c.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) && !t.o.NoCreate {
		if _, err = t.js.CreateStream(ctx, c); err != nil {
			if _, again := t.js.Stream(ctx, c.Name); again == nil {
				err = nil // somebody was faster; the server has several ways of saying so
			}
		}
	}
	if err != nil {
		return t.fail("stream "+c.Name, err)
	}
	t.mu.Lock()
	t.made[c.Name] = true
	t.mu.Unlock()
	return nil
}

// gone notes that a stream has to be made again.
func (t *Transport) gone(stream string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.made, stream)
}

func (t *Transport) ensureLog(ctx context.Context) error {
	return t.ensure(ctx, jetstream.StreamConfig{
		Name: t.stream(), Description: "Tributary: packages", Subjects: []string{"crdt.v1." + part + ".>"},
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
		MaxAge: t.o.MaxAge, MaxBytes: t.o.MaxBytes, MaxMsgSize: 2 * chunkSize, MaxConsumers: 100_000, Duplicates: 2 * time.Minute,
		DenyDelete: true, DenyPurge: true, AllowDirect: true, AllowAtomicPublish: true, Replicas: t.o.Replicas,
	})
}

func (t *Transport) ensureHere(ctx context.Context) error {
	return t.ensure(ctx, jetstream.StreamConfig{
		Name: t.hereStream(), Description: "Tributary: what sites tell of themselves", Subjects: []string{"here.v1.>"},
		Storage: jetstream.FileStorage, Discard: jetstream.DiscardOld, MaxMsgsPerSubject: 1, MaxAge: 7 * 24 * time.Hour,
		MaxBytes: 256 << 20, MaxMsgSize: 32 << 10, MaxConsumers: 100_000, DenyDelete: true, DenyPurge: true, Replicas: t.o.Replicas,
	})
}

// unreached takes why an attempt to connect failed.
func (t *Transport) unreached(_ *natsgo.Conn, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.missed = err
}

// away says why the server cannot be spoken to now.
func (t *Transport) away() error {
	t.mu.Lock()
	err := t.missed
	t.mu.Unlock()
	if err == nil {
		err = t.nc.LastError()
	}
	if err == nil {
		err = natsgo.ErrDisconnected
	}
	if refused(err) {
		return fmt.Errorf("%w: %s does not let this client in: %w", transports.ErrDenied, t.where(), err)
	}
	return fmt.Errorf("nats: not connected to %s: %w", t.where(), err)
}

// refused says that a server was reached, and turned the client away.
func refused(err error) bool {
	alert, unknown := tls.AlertError(0), new(tls.CertificateVerificationError)
	if errors.As(err, &alert) || errors.As(err, &unknown) {
		return true
	}
	return errors.Is(err, natsgo.ErrAuthorization) || errors.Is(err, natsgo.ErrAuthExpired) || errors.Is(err, natsgo.ErrAuthRevoked)
}

// Connected waits until the server has been reached, or has turned this client away. Calls before that fail at once.
func (t *Transport) Connected(ctx context.Context) error {
	up := t.nc.StatusChanged(natsgo.CONNECTED)
	defer t.nc.RemoveStatusListener(up)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !t.nc.IsConnected() {
		select {
		case <-up:
		case <-look.C:
			if err := t.away(); errors.Is(err, transports.ErrDenied) {
				return err
			}
		case <-t.life.Done():
			return transports.ErrClosed
		case <-ctx.Done():
			return t.away()
		}
	}
	return nil
}

// where is the server's address without secrets.
func (t *Transport) where() string {
	if t.o.InProcess != nil {
		return "the server in this process"
	}
	if list := t.nc.Servers(); len(list) > 0 {
		for i, s := range list {
			if at := strings.LastIndexByte(s, '@'); at >= 0 {
				list[i] = s[at+1:]
			}
		}
		return strings.Join(list, ", ")
	}
	return "the server"
}
