package nats

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tributary-db/tributary/transports"
)

// Announce replaces the last word of a site.
func (t *Transport) Announce(ctx context.Context, s transports.Sighting) error {
	ctx, cancel, err := t.begin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	if err := t.ensureHere(ctx); err != nil {
		return err
	}
	call, stop := context.WithTimeout(ctx, t.o.Call)
	defer stop()
	_, err = t.js.PublishMsg(call, &natsgo.Msg{Subject: here(s.DB, token(s.Site)), Data: s.Info})
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		t.gone(t.hereStream())
	}
	return t.fail("telling of this site", err)
}

// Sites reads the last words.
func (t *Transport) Sites(ctx context.Context, db string) ([]transports.Sighting, error) {
	ctx, cancel, err := t.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	call, stop := context.WithTimeout(ctx, 4*t.o.Call)
	defer stop()
	c, err := t.js.CreateConsumer(call, t.hereStream(), jetstream.ConsumerConfig{
		AckPolicy: jetstream.AckNonePolicy, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, FilterSubject: here(db, "*"),
		MemoryStorage: true, InactiveThreshold: 30 * time.Second,
	})
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, t.fail("listing sites", err)
	}
	defer t.js.DeleteConsumer(call, t.hereStream(), c.CachedInfo().Name)
	var out []transports.Sighting
	for left := int(c.CachedInfo().NumPending); left > 0; {
		b, err := c.Fetch(min(left, 500), jetstream.FetchMaxWait(t.o.Call))
		if err != nil {
			return nil, t.fail("listing sites", err)
		}
		n := 0
		for m := range b.Messages() {
			n++
			site, ok := siteOf(m.Subject())
			md, err := m.Metadata()
			if ok && err == nil {
				out = append(out, transports.Sighting{DB: db, Site: site, At: md.Timestamp, Info: m.Data()})
			}
		}
		if err := b.Error(); err != nil {
			return nil, t.fail("listing sites", err)
		}
		if n == 0 {
			break // they were replaced meanwhile
		}
		left -= n
	}
	slices.SortFunc(out, func(a, b transports.Sighting) int { return strings.Compare(a.Site, b.Site) })
	return out, nil
}
