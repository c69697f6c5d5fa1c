package http

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tributary-db/tributary/transports"
)

// Options adjusts a client; nil means all defaults.
type Options struct {
	// Client makes the requests, with its TLS settings and proxies; it must not have a Timeout below Wait. nil: one of its own.
	Client *nethttp.Client
	// Token is sent as "Authorization: Bearer TOKEN". "": none.
	Token string
	// Wait is how long a request for news may take. 0: 25 s.
	Wait time.Duration
	// MaxPackage bounds the bytes of a package. 0: 32 MiB.
	MaxPackage int
}

// Transport is a client of a Handler. Nothing is connected before the first call.
type Transport struct {
	base   *url.URL
	o      Options
	life   context.Context
	end    context.CancelFunc
	mu     sync.Mutex // guards counts
	counts map[string]int64
}

var (
	_ transports.Transport = (*Transport)(nil)
	_ transports.Tailer    = (*Transport)(nil)
	_ transports.Registry  = (*Transport)(nil)
	_ transports.Counter   = (*Transport)(nil)
	_ transports.Snapshots = (*Transport)(nil)
)

// Dial makes a transport that speaks to the handler at an address such as https://hub.example/sync. It fails only if that
// is no address.
func Dial(address string, o *Options) (*Transport, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("http: %q is not an address such as https://hub.example/sync", address)
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	t := &Transport{base: u, counts: map[string]int64{}}
	if o != nil {
		t.o = *o
	}
	if t.o.Client == nil {
		t.o.Client = &nethttp.Client{Transport: nethttp.DefaultTransport.(*nethttp.Transport).Clone()}
	}
	if t.o.Wait <= 0 {
		t.o.Wait = 25 * time.Second
	}
	if t.o.MaxPackage <= 0 {
		t.o.MaxPackage = 32 << 20
	}
	t.life, t.end = context.WithCancel(context.Background())
	return t, nil
}

// Caps has both halves. How durable the log is only the server knows.
func (t *Transport) Caps() transports.Caps {
	return transports.Caps{Log: true, Exchange: true, SiteOrder: true, MaxPackage: t.o.MaxPackage, Durability: transports.Accepted}
}

// Close ends requests in progress.
func (t *Transport) Close() error {
	t.end()
	t.o.Client.CloseIdleConnections()
	return nil
}

// Counts has "corrupt": packages that came damaged.
func (t *Transport) Counts() map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return map[string]int64{"corrupt": t.counts["corrupt"]}
}

// call makes one request and returns the answer of a status below 300; the caller closes its body. ctx also bounds the
// reading of the body.
func (t *Transport) call(ctx context.Context, method, path string, q url.Values, body io.Reader) (*nethttp.Response, error) {
	if t.life.Err() != nil {
		return nil, transports.ErrClosed
	}
	u := *t.base
	u.Path += "/v1/" + path
	u.RawQuery = q.Encode()
	r, err := nethttp.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	if t.o.Token != "" {
		r.Header.Set("Authorization", "Bearer "+t.o.Token)
	}
	res, err := t.o.Client.Do(r)
	switch {
	case t.life.Err() != nil:
		if err == nil {
			res.Body.Close()
		}
		return nil, transports.ErrClosed
	case err != nil:
		return nil, fmt.Errorf("http: %w", err)
	case res.StatusCode < 300:
		return res, nil
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	return nil, meaning(res.StatusCode, strings.TrimSpace(string(text)))
}

// meaning turns a status back into an error.
func meaning(status int, text string) error {
	err := map[int]error{
		nethttp.StatusGone: transports.ErrCursorLost, nethttp.StatusRequestEntityTooLarge: transports.ErrTooLarge,
		nethttp.StatusMisdirectedRequest: transports.ErrNoPeer, nethttp.StatusUnauthorized: transports.ErrDenied,
		nethttp.StatusForbidden: transports.ErrDenied, nethttp.StatusNotImplemented: errors.ErrUnsupported,
		nethttp.StatusUnprocessableEntity: transports.ErrDamaged, nethttp.StatusNotFound: transports.ErrNoSnapshot,
	}[status]
	switch {
	case status == nethttp.StatusBadGateway:
		return errors.New(text)
	case err != nil:
		return fmt.Errorf("http: %w (%d: %s)", err, status, text)
	}
	return fmt.Errorf("http: the server says %d: %s", status, text)
}

// alive is ctx that also ends with the transport.
func (t *Transport) alive(ctx context.Context) (context.Context, context.CancelFunc) {
	both, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(t.life, cancel)
	return both, func() { stop(); cancel() }
}

// Publish posts the packages, in requests of at most a few MiB.
func (t *Transport) Publish(ctx context.Context, ps ...transports.Package) error {
	for _, p := range ps {
		if len(p.Body) > t.o.MaxPackage {
			return fmt.Errorf("%w: %d bytes, the limit is %d", transports.ErrTooLarge, len(p.Body), t.o.MaxPackage)
		}
	}
	ctx, cancel := t.alive(ctx)
	defer cancel()
	for len(ps) > 0 {
		n, size := 1, len(ps[0].Body)
		for n < len(ps) && ps[n].DB == ps[0].DB && size+len(ps[n].Body) <= transports.BatchBytes {
			size += len(ps[n].Body)
			n++
		}
		var b bytes.Buffer
		if err := writeFrames(&b, ps[:n]); err != nil {
			return err
		}
		res, err := t.call(ctx, nethttp.MethodPost, "log", url.Values{"db": {ps[0].DB}}, &b)
		if err != nil {
			return err
		}
		res.Body.Close()
		ps = ps[n:]
	}
	if t.life.Err() != nil {
		return transports.ErrClosed
	}
	return nil
}

// Subscribe asks for news again and again; a request waits for some.
func (t *Transport) Subscribe(ctx context.Context, db string, from transports.Cursor, h func(transports.Batch) error) error {
	both, cancel := t.alive(ctx)
	defer cancel()
	wait := time.Duration(0) // the first answer tells whether there is anything
	for {
		b, err := t.read(both, db, from, wait)
		switch {
		case t.life.Err() != nil:
			return transports.ErrClosed
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case b == nil:
			continue
		}
		from, wait = b.Cursor, t.o.Wait
		if !b.Live {
			wait = 0
		}
		if err := h(*b); err != nil {
			return err
		}
	}
}

// read gets one batch; nil: no news.
func (t *Transport) read(ctx context.Context, db string, from transports.Cursor, wait time.Duration) (*transports.Batch, error) {
	ctx, cancel := context.WithTimeout(ctx, wait+30*time.Second) // a server that is gone without a word
	defer cancel()
	res, err := t.call(ctx, nethttp.MethodGet, "log", url.Values{"db": {db}, "cursor": {base64.RawURLEncoding.EncodeToString(from)}, "wait": {wait.String()}}, nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode == nethttp.StatusNoContent {
		return nil, nil
	}
	b := &transports.Batch{Live: res.Header.Get("Tributary-Live") == "true"}
	if b.Cursor, err = base64.RawURLEncoding.DecodeString(res.Header.Get("Tributary-Cursor")); err != nil || len(b.Cursor) == 0 {
		return nil, errors.New("http: an answer without a position; is this a Tributary server?")
	}
	b.Packages, err = t.frames(res)
	return b, err
}

// frames reads the packages of an answer that are whole, and makes sure that it was not cut off between two.
func (t *Transport) frames(res *nethttp.Response) ([]transports.Package, error) {
	ps, damaged, err := readFrames(res.Body, t.o.MaxPackage)
	t.mu.Lock()
	t.counts["corrupt"] += int64(damaged)
	t.mu.Unlock()
	if n := res.Header.Get("Tributary-Count"); err == nil && n != strconv.Itoa(len(ps)+damaged) {
		return nil, fmt.Errorf("http: an answer was cut off: %d packages of %s", len(ps)+damaged, n)
	}
	return ps, err
}

// Ask posts what the asker has.
func (t *Transport) Ask(ctx context.Context, r transports.Request) ([]transports.Package, error) {
	ctx, cancel := t.alive(ctx)
	defer cancel()
	q := url.Values{"db": {r.DB}, "site": {r.Site}, "peer": {r.Peer}, "max": {strconv.Itoa(r.MaxBytes)}}
	res, err := t.call(ctx, nethttp.MethodPost, "ask", q, bytes.NewReader(r.Have))
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return t.frames(res)
}

// Serve fetches requests and posts answers, a few at a time.
func (t *Transport) Serve(ctx context.Context, db, site string, answer transports.Answerer) error {
	both, cancel := t.alive(ctx)
	defer cancel()
	q := url.Values{"db": {db}, "site": {site}, "session": {rand.Text()}}
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, 4)
	for {
		asked, err := t.fetch(both, q)
		switch {
		case t.life.Err() != nil:
			return transports.ErrClosed
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case asked == nil:
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			t.reply(both, q, transports.Request{DB: db, Site: asked.Site, Peer: asked.Peer, Have: asked.Have, MaxBytes: asked.Max}, asked.ID, answer)
		})
	}
}

// fetch gets one request to answer; nil: there is none.
func (t *Transport) fetch(ctx context.Context, q url.Values) (*question, error) {
	ctx, cancel := context.WithTimeout(ctx, t.o.Wait+30*time.Second)
	defer cancel()
	res, err := t.call(ctx, nethttp.MethodPost, "serve", q, nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode == nethttp.StatusNoContent {
		return nil, nil
	}
	asked := new(question)
	return asked, json.NewDecoder(io.LimitReader(res.Body, int64(t.o.MaxPackage))).Decode(asked)
}

// reply answers one request. That it did not get through the asker notices by himself.
func (t *Transport) reply(ctx context.Context, base url.Values, r transports.Request, id string, answer transports.Answerer) {
	q := url.Values{"id": {id}}
	for k, v := range base {
		q[k] = v
	}
	var b bytes.Buffer
	ps, err := transports.Collect(ctx, r, answer)
	if err == nil {
		err = writeFrames(&b, ps)
	}
	if err != nil {
		q.Set("status", "error")
		b.Reset()
		b.WriteString(err.Error())
	}
	if res, err := t.call(ctx, nethttp.MethodPost, "answer", q, &b); err == nil {
		res.Body.Close()
	}
}

// Tail asks for the newest package of a site.
func (t *Transport) Tail(ctx context.Context, db, site string) (transports.Package, error) {
	res, err := t.call(ctx, nethttp.MethodGet, "tail", url.Values{"db": {db}, "site": {site}}, nil)
	if err != nil {
		return transports.Package{}, err
	}
	defer res.Body.Close()
	var f frame
	err = json.NewDecoder(io.LimitReader(res.Body, maxLine)).Decode(&f)
	return transports.Package{DB: f.DB, Site: f.Site, From: f.From, To: f.To, ID: f.ID}, err
}

// Announce posts what a site tells of itself.
func (t *Transport) Announce(ctx context.Context, s transports.Sighting) error {
	res, err := t.call(ctx, nethttp.MethodPost, "site", url.Values{"db": {s.DB}, "site": {s.Site}}, bytes.NewReader(s.Info))
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// Sites gets what all have told.
func (t *Transport) Sites(ctx context.Context, db string) ([]transports.Sighting, error) {
	res, err := t.call(ctx, nethttp.MethodGet, "sites", url.Values{"db": {db}}, nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var out []transports.Sighting
	return out, json.NewDecoder(res.Body).Decode(&out)
}
