package nats

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tributary-db/tributary/transports"
)

// slots is how many snapshots of a database a site has room for: one is being written while the others are kept.
const slots = transports.KeptSnapshots + 1

// ahead is how many chunks of a snapshot are on the way at a time.
const ahead = 16

// head is what tells of a snapshot: the last message of it that is stored.
type head struct {
	snap transports.Snapshot
	slot string
	seq  uint64
}

func (t *Transport) ensureSnapshots(ctx context.Context) error {
	return t.ensure(ctx, jetstream.StreamConfig{
		Name: t.snapStream(), Description: "Tributary: snapshots", Subjects: []string{"snap.v1.>"},
		Storage: jetstream.FileStorage, Discard: jetstream.DiscardOld, MaxMsgsPerSubject: 1, MaxAge: 4 * t.o.MaxAge,
		MaxBytes: t.o.MaxBytes, MaxMsgSize: 2 * chunkSize, MaxConsumers: 100_000, DenyDelete: true, DenyPurge: true,
		AllowDirect: true, Replicas: t.o.Replicas,
	})
}

// PutSnapshot stores the chunks in the slot of this site's oldest snapshot, and what tells of it after them.
func (t *Transport) PutSnapshot(ctx context.Context, s transports.Snapshot, content io.Reader) error {
	ctx, cancel, err := t.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	if err := s.Valid(); err != nil {
		return err
	}
	if s.Size > t.o.MaxBytes/2 {
		return fmt.Errorf("%w: a snapshot of %d bytes; the stream %s holds %d", transports.ErrTooLarge, s.Size, t.snapStream(), t.o.MaxBytes)
	}
	if err := t.ensureSnapshots(ctx); err != nil {
		return err
	}
	slot, err := t.freeSlot(ctx, s)
	if err != nil {
		return err
	}
	content = transports.Whole(s, content)
	for n, end := 0, false; !end; {
		var window []jetstream.PubAckFuture
		for len(window) < ahead && !end {
			chunk := make([]byte, chunkSize)
			size, err := io.ReadFull(content, chunk)
			end = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
			if err != nil && !end {
				return fmt.Errorf("nats: reading a snapshot: %w", err)
			}
			if size == 0 {
				break
			}
			f, err := t.js.PublishMsgAsync(&natsgo.Msg{
				Subject: snapPart(s.DB, s.Site, slot, strconv.Itoa(n)), Data: chunk[:size], Header: natsgo.Header{headerID: {s.ID}},
			}, jetstream.WithStallWait(t.o.Call))
			if err != nil {
				return t.fail("storing a snapshot", err)
			}
			window = append(window, f)
			n++
		}
		if err := t.stored(ctx, window); err != nil {
			return err
		}
	}
	about, err := json.Marshal(s)
	if err != nil {
		return err
	}
	call, stop := context.WithTimeout(ctx, t.o.Call)
	defer stop()
	_, err = t.js.PublishMsg(call, &natsgo.Msg{Subject: snapPart(s.DB, s.Site, slot, snapHead), Data: about})
	return t.fail("storing a snapshot", err)
}

// stored waits for the acknowledgements of chunks.
func (t *Transport) stored(ctx context.Context, window []jetstream.PubAckFuture) error {
	for _, f := range window {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			if errors.Is(err, jetstream.ErrNoStreamResponse) {
				t.gone(t.snapStream())
			}
			return t.fail("storing a snapshot", err)
		case <-ctx.Done():
			return t.fail("storing a snapshot", ctx.Err())
		case <-time.After(2 * t.o.Call):
			return t.fail("storing a snapshot", context.DeadlineExceeded)
		}
	}
	return nil
}

// freeSlot is where a site may put its next snapshot: where it has this one already, an empty slot, or that of its oldest.
func (t *Transport) freeSlot(ctx context.Context, s transports.Snapshot) (string, error) {
	heads, err := t.heads(ctx, s.DB, token(s.Site))
	if err != nil {
		return "", err
	}
	used := map[string]bool{}
	for _, h := range heads {
		if used[h.slot] = true; h.snap.ID == s.ID {
			return h.slot, nil
		}
	}
	for i := range slots {
		if slot := strconv.Itoa(i); !used[slot] {
			return slot, nil
		}
	}
	return heads[len(heads)-1].slot, nil
}

// heads lists what tells of snapshots, the newest first; site is a token or *.
func (t *Transport) heads(ctx context.Context, db, site string) ([]head, error) {
	msgs, err := t.lastOf(ctx, t.snapStream(), snapOf(db, site, "*", snapHead), 64)
	if err != nil {
		return nil, t.fail("listing snapshots", err)
	}
	var out []head
	for _, m := range msgs {
		at := strings.Split(m.Subject(), ".") // snap v1 db site slot head
		h := head{slot: at[4]}
		site, ok := untoken(at[3])
		md, err := m.Metadata()
		if !ok || err != nil || json.Unmarshal(m.Data(), &h.snap) != nil || h.snap.Valid() != nil || h.snap.Site != site || h.snap.DB != db {
			t.count("corrupt")
			continue
		}
		h.snap.At, h.seq = md.Timestamp, md.Sequence.Stream
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b head) int { return int(int64(b.seq) - int64(a.seq)) })
	return out, nil
}

// Snapshots lists those of all sites.
func (t *Transport) Snapshots(ctx context.Context, db string) ([]transports.Snapshot, error) {
	ctx, cancel, err := t.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	heads, err := t.heads(ctx, db, "*")
	if err != nil {
		return nil, err
	}
	var out []transports.Snapshot
	for _, h := range heads {
		out = append(out, h.snap)
	}
	return out, nil
}

// OpenSnapshot reads the chunks of one.
func (t *Transport) OpenSnapshot(ctx context.Context, s transports.Snapshot) (io.ReadCloser, error) {
	ctx, cancel, err := t.begin(ctx)
	if err != nil {
		return nil, err
	}
	heads, err := t.heads(ctx, s.DB, token(s.Site))
	if err != nil {
		cancel()
		return nil, err
	}
	i := slices.IndexFunc(heads, func(h head) bool { return h.snap.ID == s.ID })
	if i < 0 {
		cancel()
		return nil, transports.ErrNoSnapshot
	}
	call, stop := context.WithTimeout(ctx, t.o.Call)
	defer stop()
	c, err := t.js.CreateConsumer(call, t.snapStream(), jetstream.ConsumerConfig{
		AckPolicy: jetstream.AckNonePolicy, DeliverPolicy: jetstream.DeliverAllPolicy, FilterSubject: snapPart(s.DB, s.Site, heads[i].slot, "*"),
		MemoryStorage: true, Replicas: 1, InactiveThreshold: 2 * time.Minute,
	})
	if err != nil {
		cancel()
		return nil, t.fail("reading a snapshot", err)
	}
	r := &chunks{t: t, ctx: ctx, cancel: cancel, c: c, id: s.ID, left: s.Size, queued: c.CachedInfo().NumPending}
	r.whole = transports.Whole(s, readerFunc(r.next))
	return r, nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// chunks reads a snapshot, a few chunks at a time.
type chunks struct {
	t      *Transport
	ctx    context.Context
	cancel context.CancelFunc
	c      jetstream.Consumer
	whole  io.Reader
	id     string
	left   int64  // bytes that have not been fetched
	queued uint64 // messages that have not been fetched
	n      int    // the next chunk
	data   []byte // of the chunk that is being read
	queue  [][]byte
	err    error
}

func (r *chunks) Read(b []byte) (int, error) { return r.whole.Read(b) }

func (r *chunks) next(b []byte) (int, error) {
	for len(r.data) == 0 {
		if len(r.queue) > 0 {
			r.data, r.queue = r.queue[0], r.queue[1:]
			continue
		}
		if r.left == 0 {
			return 0, io.EOF
		}
		if r.err == nil {
			r.err = r.fetch()
		}
		if r.err != nil {
			return 0, r.err
		}
	}
	n := copy(b, r.data)
	r.data = r.data[n:]
	return n, nil
}

// fetch gets the next chunks. Those of an older snapshot in the slot, which was longer, are passed over.
func (r *chunks) fetch() error {
	if r.t.life.Err() != nil {
		return transports.ErrClosed
	}
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if r.queued == 0 {
		return fmt.Errorf("%w: another has taken its place, or %d bytes were dropped", transports.ErrDamaged, r.left)
	}
	b, err := r.c.Fetch(int(min(ahead, r.queued)), jetstream.FetchMaxWait(r.t.o.Call))
	if err != nil {
		return r.t.fail("reading a snapshot", err)
	}
	got := 0
	for m := range b.Messages() {
		got++
		md, err := m.Metadata()
		if err != nil {
			return r.t.fail("reading a snapshot", err)
		}
		r.queued = md.NumPending
		part := m.Subject()[strings.LastIndexByte(m.Subject(), '.')+1:]
		if part == snapHead || m.Headers().Get(headerID) != r.id {
			continue
		}
		if part != strconv.Itoa(r.n) || int64(len(m.Data())) > r.left {
			return fmt.Errorf("%w: chunk %s came in the place of %d", transports.ErrDamaged, part, r.n)
		}
		r.n++
		r.left -= int64(len(m.Data()))
		r.queue = append(r.queue, m.Data())
	}
	if err := b.Error(); got == 0 {
		return r.t.fail("reading a snapshot", cmp.Or(err, context.DeadlineExceeded))
	}
	return nil
}

// Close lets the consumer go.
func (r *chunks) Close() error {
	call, stop := context.WithTimeout(context.WithoutCancel(r.ctx), time.Second)
	defer stop()
	defer r.cancel()
	if r.t.nc.IsConnected() {
		_ = r.t.js.DeleteConsumer(call, r.t.snapStream(), r.c.CachedInfo().Name) // else it goes after two minutes
	}
	return nil
}

// lastOf reads the newest message of each subject, at most many at a time; a stream that is missing has none.
func (t *Transport) lastOf(ctx context.Context, stream, filter string, many int) (out []jetstream.Msg, err error) {
	call, stop := context.WithTimeout(ctx, 4*t.o.Call)
	defer stop()
	c, err := t.js.CreateConsumer(call, stream, jetstream.ConsumerConfig{
		AckPolicy: jetstream.AckNonePolicy, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, FilterSubject: filter,
		MemoryStorage: true, InactiveThreshold: 30 * time.Second,
	})
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		t.gone(stream)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer t.js.DeleteConsumer(call, stream, c.CachedInfo().Name)
	for left := int(c.CachedInfo().NumPending); left > 0; {
		b, err := c.Fetch(min(left, many), jetstream.FetchMaxWait(t.o.Call))
		if err != nil {
			return nil, err
		}
		n := 0
		for m := range b.Messages() {
			n++
			out = append(out, m)
		}
		if err := b.Error(); err != nil {
			return nil, err
		}
		if n == 0 {
			break // they were replaced meanwhile
		}
		left -= n
	}
	return out, nil
}
