package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/tributary-db/tributary/transports"
)

// request is the body of a question.
type request struct {
	Site string `json:"site"`
	Have []byte `json:"have"`
	Max  int    `json:"max"`
}

// answering is how many questions a site answers at a time.
const answering = 4

// Serve answers on two subjects: that of the site, and that of anybody.
func (t *Transport) Serve(ctx context.Context, db, site string, answer transports.Answerer) error {
	both, cancel, err := t.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	slots := make(chan struct{}, answering)
	handle := func(m *natsgo.Msg) {
		select {
		case slots <- struct{}{}:
		default:
			t.respond(m.Reply, natsgo.Header{headerError: {"busy answering others; ask again"}})
			return
		}
		t.busy.Go(func() {
			defer func() { <-slots }()
			t.reply(both, db, site, m, answer)
		})
	}
	all, err := t.nc.QueueSubscribe(askAny(db), "ask", handle)
	if err != nil {
		return t.fail("serving", err)
	}
	defer all.Unsubscribe()
	own, err := t.nc.Subscribe(askOne(db, site), handle)
	if err != nil {
		return t.fail("serving", err)
	}
	defer own.Unsubscribe()
	<-both.Done()
	if t.life.Err() != nil {
		return transports.ErrClosed
	}
	return nil
}

func (t *Transport) respond(to string, h natsgo.Header) {
	_ = t.nc.PublishMsg(&natsgo.Msg{Subject: to, Header: h}) // the asker notices that nothing came
}

// reply sends one answer, package by package.
func (t *Transport) reply(ctx context.Context, db, site string, m *natsgo.Msg, answer transports.Answerer) {
	var q request
	if err := json.Unmarshal(m.Data, &q); err != nil {
		t.respond(m.Reply, natsgo.Header{headerError: {"not a request"}})
		return
	}
	if q.Site == site {
		t.respond(m.Reply, natsgo.Header{headerSelf: {"1"}})
		return
	}
	ps, err := transports.Collect(ctx, transports.Request{DB: db, Site: q.Site, Peer: site, Have: q.Have, MaxBytes: q.Max}, answer)
	if err != nil {
		t.respond(m.Reply, natsgo.Header{headerError: {err.Error()}})
		return
	}
	for _, p := range ps {
		for _, c := range messages(m.Reply, p, "") {
			c.Header.Del("Nats-Msg-Id")
			c.Header.Set(headerSite, token(p.Site))
			if t.nc.PublishMsg(c) != nil {
				return
			}
		}
	}
	t.respond(m.Reply, natsgo.Header{headerEnd: {strconv.Itoa(len(ps))}})
}

// errSelf: the question came back to who asked it.
var errSelf = errors.New("nats: asked oneself")

// selfTries is how often a question that came back is asked again: who serves is one of those whom the server picks from.
const selfTries = 24

// Ask asks one site, or whomever the server picks.
func (t *Transport) Ask(ctx context.Context, r transports.Request) ([]transports.Package, error) {
	both, cancel, err := t.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	for range selfTries {
		ps, err := t.askOnce(both, r)
		if !errors.Is(err, errSelf) {
			return ps, err
		}
		if r.Peer != "" {
			break
		}
	}
	return nil, transports.ErrNoPeer
}

func (t *Transport) askOnce(ctx context.Context, r transports.Request) ([]transports.Package, error) {
	limit := r.MaxBytes
	if limit <= 0 || limit > askLimit {
		limit = askLimit
	}
	body, err := json.Marshal(request{r.Site, r.Have, limit})
	if err != nil {
		return nil, err
	}
	subject := askAny(r.DB)
	if r.Peer != "" {
		subject = askOne(r.DB, r.Peer)
	}
	inbox := t.nc.NewRespInbox()
	sub, err := t.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, t.fail("asking", err)
	}
	defer sub.Unsubscribe()
	if err := t.nc.PublishRequest(subject, inbox, body); err != nil {
		return nil, t.fail("asking", err)
	}
	var out []transports.Package
	parts := assembler{open: map[string]*group{}, drop: t.count}
	for {
		// The first message may take the peer a while; a peer that dies in between is noticed by its silence.
		wait, cancel := context.WithTimeout(ctx, 4*t.o.Call)
		m, err := sub.NextMsgWithContext(wait)
		cancel()
		switch {
		case errors.Is(err, natsgo.ErrNoResponders):
			return nil, transports.ErrNoPeer
		case err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
			return nil, t.fail("asking", fmt.Errorf("no answer within %v", 4*t.o.Call/time.Second*time.Second))
		case err != nil:
			return nil, t.fail("asking", err)
		case m.Header.Get(headerSelf) != "":
			return nil, errSelf
		case m.Header.Get(headerError) != "":
			return nil, errors.New(m.Header.Get(headerError))
		case m.Header.Get(headerEnd) != "":
			if n := m.Header.Get(headerEnd); n != strconv.Itoa(len(out)) {
				return nil, fmt.Errorf("nats: %d packages of %s came whole", len(out), n)
			}
			return out, nil
		}
		site, ok := untoken(m.Header.Get(headerSite))
		if !ok {
			continue
		}
		if p, whole := parts.add(site, r.DB, m.Header, m.Data); whole {
			out = append(out, p)
		}
	}
}
