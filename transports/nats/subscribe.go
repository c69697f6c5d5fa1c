package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tributary-db/tributary/transports"
)

// position names a place in the stream, and what stood there.
type position struct {
	Created int64  `json:"c"` // when the stream was made, nanoseconds since 1970
	Seq     uint64 `json:"s"` // of the message before it, 0: none
	Stored  int64  `json:"t"` // when that message was stored
}

func (p position) cursor() transports.Cursor {
	b, _ := json.Marshal(p) // three numbers
	return b
}

// check says whether a position still means what it meant. The zero position becomes the beginning of the stream.
func (t *Transport) check(ctx context.Context, at *position) error {
	// A server that has just come back may drop requests; then it is better to begin again soon.
	ctx, cancel := context.WithTimeout(ctx, min(t.o.Call, time.Second))
	defer cancel()
	s, err := t.js.Stream(ctx, t.stream())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		t.gone(t.stream())
		return fmt.Errorf("%w: there is no stream %s", transports.ErrCursorLost, t.stream())
	}
	if err != nil {
		return t.fail("verifying the position", err)
	}
	i := s.CachedInfo()
	switch {
	case at.Created == 0:
		at.Created = i.Created.UnixNano()
		return nil
	case at.Created != i.Created.UnixNano():
		return fmt.Errorf("%w: the stream was made anew", transports.ErrCursorLost)
	case i.State.FirstSeq > at.Seq+1:
		return fmt.Errorf("%w: the stream begins at %d, after %d", transports.ErrCursorLost, i.State.FirstSeq, at.Seq)
	case i.State.LastSeq < at.Seq:
		return fmt.Errorf("%w: the stream ends at %d, before %d", transports.ErrCursorLost, i.State.LastSeq, at.Seq)
	case at.Seq == 0 || i.State.FirstSeq == at.Seq+1: // nothing stands there, or not any more
		return nil
	}
	raw, err := s.GetMsg(ctx, at.Seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("%w: message %d is gone", transports.ErrCursorLost, at.Seq)
	}
	if err != nil {
		return t.fail("verifying the position", err)
	}
	if raw.Time.UnixNano() != at.Stored {
		return fmt.Errorf("%w: another message stands at %d", transports.ErrCursorLost, at.Seq)
	}
	return nil
}

// Subscribe reads with a consumer of its own, in memory and without acknowledgements: what was applied stands in the
// database with its cursor. Any doubt about the consumer ends the subscription with an error.
func (t *Transport) Subscribe(ctx context.Context, db string, from transports.Cursor, h func(transports.Batch) error) error {
	both, cancel, err := t.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	var at position
	if len(from) > 0 {
		if json.Unmarshal(from, &at) != nil || at.Created == 0 {
			return transports.ErrCursorLost
		}
	} else if err := t.ensureLog(both); err != nil {
		return err
	}
	r := &reader{t: t, db: db, at: at, h: h}
	err = r.run(both)
	switch {
	case t.life.Err() != nil:
		return transports.ErrClosed
	case ctx.Err() != nil:
		return nil
	}
	return err
}

// reader is one subscription.
type reader struct {
	t        *Transport
	db       string
	h        func(transports.Batch) error
	at       position // behind what was handed out
	head     position // behind what was read
	consumer jetstream.Consumer
	read     uint64 // messages of the consumer
	parts    assembler
	batch    transports.Batch
	size     int
	told     bool // that there is nothing newer
}

func (r *reader) run(ctx context.Context) error {
	t := r.t
	if err := t.check(ctx, &r.at); err != nil {
		return err
	}
	r.head = r.at
	r.parts = assembler{open: map[string]*group{}, drop: t.count}
	call, cancel := context.WithTimeout(ctx, t.o.Call)
	var err error
	r.consumer, err = t.js.CreateConsumer(call, t.stream(), jetstream.ConsumerConfig{
		AckPolicy: jetstream.AckNonePolicy, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: r.at.Seq + 1,
		FilterSubject: changesOf(r.db) + "*", MemoryStorage: true, Replicas: 1, InactiveThreshold: 2 * time.Minute,
	})
	cancel()
	if err != nil {
		return t.fail("subscribing", err)
	}
	defer func() {
		call, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if t.nc.IsConnected() {
			_ = t.js.DeleteConsumer(call, t.stream(), r.consumer.CachedInfo().Name) // else it goes after two minutes
		}
	}()
	return r.consume(ctx)
}

// consume reads until something is odd. It uses Consume and not Next: a Next with a short wait never notices a missing
// heartbeat (nats.go 1.55). The pull is bounded in bytes: 500 messages of 256 KiB make the server disconnect a client.
func (r *reader) consume(ctx context.Context) error {
	msgs, odd, quit := make(chan jetstream.Msg, 64), make(chan error, 1), make(chan struct{})
	lost := r.t.nc.StatusChanged(natsgo.RECONNECTING, natsgo.DISCONNECTED, natsgo.CLOSED)
	defer r.t.nc.RemoveStatusListener(lost)
	c, err := r.consumer.Consume(func(m jetstream.Msg) {
		select {
		case msgs <- m: // blocks while the handler works: then nothing more is pulled
		case <-quit:
		}
	}, jetstream.PullMaxMessagesWithBytesLimit(500, 16<<20), jetstream.PullHeartbeat(5*time.Second), jetstream.PullExpiry(30*time.Second),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			select {
			case odd <- err:
			default:
			}
		}))
	if err != nil {
		return r.t.fail("subscribing", err)
	}
	defer func() {
		close(quit)
		c.Stop()
		<-c.Closed()
	}()
	if r.consumer.CachedInfo().NumPending == 0 {
		if err := r.flush(true); err != nil {
			return err
		}
	}
	verify := time.NewTicker(r.t.o.Verify)
	defer verify.Stop()
	for {
		select {
		case m := <-msgs:
			if err := r.take(m, len(msgs)); err != nil {
				return err
			}
		case err := <-odd:
			return r.doubt(ctx, err)
		case s := <-lost:
			return fmt.Errorf("nats: the connection is %v", s)
		case <-verify.C:
			if err := r.verify(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// doubt finds out whether trouble with the consumer means that the position is gone.
func (r *reader) doubt(ctx context.Context, err error) error {
	if cerr := r.t.check(ctx, &r.head); cerr != nil {
		return cerr
	}
	return r.t.fail("subscribing", err)
}

// take reads one message; buffered is how many more wait here.
func (r *reader) take(m jetstream.Msg, buffered int) error {
	md, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("nats: a message without metadata: %w", err)
	}
	if r.read++; md.Sequence.Consumer != r.read {
		return fmt.Errorf("nats: message %d of the consumer came in place of %d", md.Sequence.Consumer, r.read)
	}
	r.head.Seq, r.head.Stored = md.Sequence.Stream, md.Timestamp.UnixNano()
	if site, ok := siteOf(m.Subject()); ok {
		if p, whole := r.parts.add(site, r.db, m.Headers(), m.Data()); whole {
			r.batch.Packages = append(r.batch.Packages, p)
			r.size += len(p.Body)
		}
	}
	live := md.NumPending == 0 && buffered == 0
	if live || len(r.batch.Packages) >= transports.BatchPackages || r.size >= transports.BatchBytes {
		return r.flush(live)
	}
	return nil
}

// flush hands the batch out. While chunks of a package are missing the position stays before them.
func (r *reader) flush(live bool) error {
	if len(r.parts.open) == 0 {
		r.at = r.head
	} else {
		live = false
	}
	if len(r.batch.Packages) == 0 && (!live || r.told) {
		return nil
	}
	r.told = live
	r.batch.Cursor, r.batch.Live = r.at.cursor(), live
	b := r.batch
	r.batch, r.size = transports.Batch{}, 0
	return r.h(b)
}

// verify looks at the position, and moves it on over what other databases have published meanwhile.
func (r *reader) verify(ctx context.Context) error {
	if err := r.t.check(ctx, &r.head); err != nil {
		return err
	}
	if len(r.parts.open) > 0 || len(r.batch.Packages) > 0 {
		return nil
	}
	call, cancel := context.WithTimeout(ctx, r.t.o.Call)
	defer cancel()
	s, err := r.t.js.Stream(call, r.t.stream())
	if err != nil {
		return r.t.fail("verifying the position", err)
	}
	end := s.CachedInfo().State
	i, err := r.consumer.Info(call)
	if err != nil {
		return r.doubt(ctx, err)
	}
	if i.NumPending > 0 || i.Delivered.Consumer != r.read || end.LastSeq <= r.head.Seq {
		return nil
	}
	r.head.Seq, r.head.Stored = end.LastSeq, end.LastTime.UnixNano()
	r.at = r.head
	return r.h(transports.Batch{Cursor: r.at.cursor(), Live: true})
}
