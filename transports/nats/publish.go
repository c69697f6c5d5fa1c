package nats

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tributary-db/tributary/transports"
)

// JetStream's error codes that mean something here.
// https://github.com/nats-io/nats-server/blob/main/server/errors.json
const (
	codeWrongLast      = 10071 // Nats-Expected-Last-Subject-Sequence does not fit
	codeBatchDuplicate = 10201 // a batch holds an id that is known
)

// pending is a package on its way.
type pending struct {
	pkg    *transports.Package
	msg    *natsgo.Msg
	future jetstream.PubAckFuture
}

// Publish sends packages in order: those of one chunk with many on the way, larger ones as atomic batches.
func (t *Transport) Publish(ctx context.Context, ps ...transports.Package) error {
	for _, p := range ps {
		if len(p.Body) > maxPackage {
			return fmt.Errorf("%w: %d bytes, the limit is %d", transports.ErrTooLarge, len(p.Body), maxPackage)
		}
	}
	ctx, cancel, err := t.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	t.publishing.Lock()
	defer t.publishing.Unlock()
	if err := t.ensureLog(ctx); err != nil {
		return err
	}
	var window []pending
	for i := range ps {
		p := &ps[i]
		msgs := messages(changes(p.DB, p.Site), *p, "")
		expected, first := t.expect(msgs[0], p.ID)
		if len(msgs) == 1 && !first {
			f, err := t.js.PublishMsgAsync(msgs[0], jetstream.WithStallWait(t.o.Call))
			if err != nil {
				return t.fail("publishing", err)
			}
			window = append(window, pending{p, msgs[0], f})
			continue
		}
		if err := t.settle(ctx, window); err != nil {
			return err
		}
		window = nil
		if err := t.publishOne(ctx, p, msgs, expected, first); err != nil {
			return err
		}
	}
	return t.settle(ctx, window)
}

// settle waits for the acknowledgements of a window.
func (t *Transport) settle(ctx context.Context, window []pending) error {
	for _, w := range window {
		select {
		case a := <-w.future.Ok():
			if a.Duplicate {
				if err := t.verify(ctx, w.pkg, w.msg, a.Sequence); err != nil {
					return err
				}
			}
		case err := <-w.future.Err():
			if errors.Is(err, jetstream.ErrNoStreamResponse) {
				t.gone(t.stream())
			}
			return t.fail("publishing", err)
		case <-ctx.Done():
			return t.fail("publishing", ctx.Err())
		case <-time.After(2 * t.o.Call): // a request in flight when the server dies is never failed by the client
			return t.fail("publishing", context.DeadlineExceeded)
		}
	}
	return nil
}

// verify looks at what stands where an acknowledgement says that a package was known already. Whoever may publish at all
// can take another's id; then the package goes out under a new one.
func (t *Transport) verify(ctx context.Context, p *transports.Package, m *natsgo.Msg, seq uint64) error {
	t.count("duplicates")
	call, cancel := context.WithTimeout(ctx, t.o.Call)
	defer cancel()
	s, err := t.js.Stream(call, t.stream())
	if err != nil {
		return t.fail("verifying a duplicate", err)
	}
	raw, err := s.GetMsg(call, seq)
	if err == nil && raw.Subject == m.Subject && bytes.Equal(raw.Data, m.Data) {
		return nil
	}
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return t.fail("verifying a duplicate", err)
	}
	t.count("squatted")
	t.o.Log.Warn("nats: the id of a package was taken by another message; publishing under a new one", "subject", m.Subject, "id", p.ID)
	return t.publishOne(ctx, p, messages(m.Subject, *p, "."+rand.Text()), 0, false)
}

// expect says at which sequence the subject must be, if this is the first package after a Tail: a second writer under
// the same identity is found out before two contents stand under one version.
func (t *Transport) expect(m *natsgo.Msg, id string) (seq uint64, first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.recent[id] = true
	seq, first = t.tails[m.Subject]
	return seq, first
}

// publishOne sends a package and waits for its acknowledgement.
func (t *Transport) publishOne(ctx context.Context, p *transports.Package, msgs []*natsgo.Msg, expected uint64, first bool) error {
	if first {
		msgs[0].Header.Set("Nats-Expected-Last-Subject-Sequence", strconv.FormatUint(expected, 10))
	}
	a, err := t.send(ctx, msgs)
	code := 0
	if a != nil && a.Error != nil {
		code = a.Error.ErrCode
		err = fmt.Errorf("%s (%d)", a.Error.Description, code)
	}
	subject := msgs[0].Subject
	switch {
	case code == codeWrongLast && first:
		return t.whoElse(ctx, p, subject)
	case code == codeBatchDuplicate, code == codeWrongLast:
		return t.already(ctx, p, subject, err)
	case err != nil:
		if errors.Is(err, natsgo.ErrNoResponders) {
			t.gone(t.stream())
		}
		return t.fail("publishing", err)
	}
	t.mu.Lock()
	delete(t.tails, subject)
	clear(t.recent)
	t.mu.Unlock()
	if a.Duplicate && len(msgs) == 1 {
		return t.verify(ctx, p, msgs[0], a.Sequence)
	}
	return nil
}

// whoElse looks at who has published under this site since its tail was read: a retry of ours whose acknowledgement was
// lost, or somebody else.
func (t *Transport) whoElse(ctx context.Context, p *transports.Package, subject string) error {
	newest, seq, err := t.last(ctx, subject)
	if err != nil {
		return err
	}
	t.mu.Lock()
	ours := t.recent[newest.ID]
	t.tails[subject] = seq
	t.mu.Unlock()
	if newest.ID == p.ID {
		return nil
	}
	if ours || newest.ID == "" { // or the log was cut since
		return fmt.Errorf("nats: the log has changed since its tail was read; publishing again")
	}
	t.count("clones")
	return fmt.Errorf("%w: package %s on %s is not from here", transports.ErrClone, newest.ID, subject)
}

// already finds out whether a batch that holds a known id is in the log.
func (t *Transport) already(ctx context.Context, p *transports.Package, subject string, cause error) error {
	t.count("duplicates")
	newest, _, err := t.last(ctx, subject)
	if err != nil {
		return err
	}
	if newest.ID == p.ID {
		return nil
	}
	t.count("squatted")
	a, err := t.send(ctx, messages(subject, *p, "."+rand.Text()))
	if err == nil && a.Error != nil {
		err = fmt.Errorf("%s (%d), after: %w", a.Error.Description, a.Error.ErrCode, cause)
	}
	return t.fail("publishing", err)
}

// ack is JetStream's answer to a published message.
type ack struct {
	Sequence  uint64 `json:"seq"`
	Duplicate bool   `json:"duplicate"`
	Error     *struct {
		ErrCode     int    `json:"err_code"`
		Description string `json:"description"`
	} `json:"error"`
}

// send publishes the chunks of a package and returns the last acknowledgement. Several are an atomic batch.
// https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-50.md
func (t *Transport) send(ctx context.Context, msgs []*natsgo.Msg) (*ack, error) {
	batch := rand.Text()
	for i, m := range msgs {
		lastOne := i == len(msgs)-1
		if len(msgs) > 1 {
			m.Header.Set("Nats-Batch-Id", batch)
			m.Header.Set("Nats-Batch-Sequence", strconv.Itoa(i+1))
			if lastOne {
				m.Header.Set("Nats-Batch-Commit", "1")
			}
		}
		if i > 0 && !lastOne {
			if err := t.nc.PublishMsg(m); err != nil {
				return nil, err
			}
			continue
		}
		call, cancel := context.WithTimeout(ctx, t.o.Call)
		res, err := t.nc.RequestMsgWithContext(call, m)
		cancel()
		if err != nil {
			return nil, err
		}
		if len(res.Data) == 0 { // the first of a batch is only heard
			continue
		}
		a := new(ack)
		if err := json.Unmarshal(res.Data, a); err != nil {
			return nil, err
		}
		if a.Error != nil || lastOne {
			return a, nil
		}
	}
	return nil, errors.New("no acknowledgement came")
}

// last is the newest package on a subject and its sequence; zero: there is none.
func (t *Transport) last(ctx context.Context, subject string) (transports.Package, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, t.o.Call)
	defer cancel()
	s, err := t.js.Stream(ctx, t.stream())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		t.gone(t.stream())
		return transports.Package{}, 0, nil
	}
	if err != nil {
		return transports.Package{}, 0, t.fail("reading the tail", err)
	}
	raw, err := s.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return transports.Package{}, 0, nil
	}
	if err != nil {
		return transports.Package{}, 0, t.fail("reading the tail", err)
	}
	p, _, _, _ := envelope(raw.Header)
	return p, raw.Sequence, nil
}

// Tail is the newest package of a site.
func (t *Transport) Tail(ctx context.Context, db, site string) (transports.Package, error) {
	ctx, cancel, err := t.begin(ctx)
	if err != nil {
		return transports.Package{}, err
	}
	defer cancel()
	subject := changes(db, site)
	p, seq, err := t.last(ctx, subject)
	if err != nil || p.ID == "" {
		return transports.Package{}, err
	}
	p.DB, p.Site = db, site
	t.mu.Lock()
	t.tails[subject] = seq
	t.mu.Unlock()
	return p, nil
}
