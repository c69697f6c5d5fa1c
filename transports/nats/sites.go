package nats

import (
	"context"
	"errors"
	"slices"
	"strings"

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
	msgs, err := t.lastOf(ctx, t.hereStream(), here(db, "*"), 500)
	if err != nil {
		return nil, t.fail("listing sites", err)
	}
	var out []transports.Sighting
	for _, m := range msgs {
		site, ok := siteOf(m.Subject())
		md, err := m.Metadata()
		if ok && err == nil {
			out = append(out, transports.Sighting{DB: db, Site: site, At: md.Timestamp, Info: m.Data()})
		}
	}
	slices.SortFunc(out, func(a, b transports.Sighting) int { return strings.Compare(a.Site, b.Site) })
	return out, nil
}
