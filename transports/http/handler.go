package http

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	nethttp "net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tributary-db/tributary/transports"
)

// HandlerOptions adjusts a Handler; nil means all defaults.
type HandlerOptions struct {
	// Token must be in every request as "Authorization: Bearer TOKEN". "": no token is asked for; then let something else
	// keep strangers out.
	Token string
	// Authorize is asked after the token for every request; site is "" where none is named. nil: everybody may everything.
	// An error is shown to the client, with 403.
	Authorize func(r *nethttp.Request, db, site string) error
	// MaxBody bounds the bytes of one request. 0: 64 MiB.
	MaxBody int64
	// MaxSnapshot bounds the bytes of one snapshot. 0: 4 GiB. A medium in memory wants less.
	MaxSnapshot int64
	// MaxWait bounds how long a request waits for news. 0: 25 s, which proxies allow.
	MaxWait time.Duration
}

// Handler shows a transport to the network. Closing is its owner's business; requests that wait then end.
type Handler struct {
	t   transports.Transport
	o   HandlerOptions
	mux *nethttp.ServeMux

	mu       sync.Mutex // guards sessions
	sessions map[string]*session
}

// NewHandler makes a handler. Mount it anywhere, with http.StripPrefix if that is not the root.
func NewHandler(t transports.Transport, o *HandlerOptions) *Handler {
	h := &Handler{t: t, mux: nethttp.NewServeMux(), sessions: map[string]*session{}}
	if o != nil {
		h.o = *o
	}
	if h.o.MaxBody <= 0 {
		h.o.MaxBody = 64 << 20
	}
	if h.o.MaxWait <= 0 {
		h.o.MaxWait = 25 * time.Second
	}
	if h.o.MaxSnapshot <= 0 {
		h.o.MaxSnapshot = 4 << 30
	}
	for pattern, f := range map[string]func(nethttp.ResponseWriter, *nethttp.Request) error{
		"POST /v1/log": h.publish, "GET /v1/log": h.read, "POST /v1/ask": h.ask, "POST /v1/serve": h.serve, "POST /v1/answer": h.answer,
		"GET /v1/tail": h.tail, "POST /v1/site": h.announce, "GET /v1/sites": h.sites,
		"POST /v1/snapshot": h.putSnapshot, "GET /v1/snapshot": h.getSnapshot, "GET /v1/snapshots": h.listSnapshots,
	} {
		h.mux.HandleFunc(pattern, func(w nethttp.ResponseWriter, r *nethttp.Request) {
			if err := h.admit(r); err != nil {
				fail(w, err)
				return
			}
			if r.URL.Path != "/v1/snapshot" { // which has a limit of its own
				r.Body = nethttp.MaxBytesReader(w, r.Body, h.o.MaxBody)
			}
			if err := f(w, r); err != nil {
				fail(w, err)
			}
		})
	}
	return h
}

// ServeHTTP serves one request.
func (h *Handler) ServeHTTP(w nethttp.ResponseWriter, r *nethttp.Request) { h.mux.ServeHTTP(w, r) }

// statusError is an error with a status of its own.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string { return e.text }

func (h *Handler) admit(r *nethttp.Request) error {
	if h.o.Token != "" {
		got, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || subtle.ConstantTimeCompare([]byte(got), []byte(h.o.Token)) != 1 {
			return &statusError{nethttp.StatusUnauthorized, "the token is missing or wrong"}
		}
	}
	if h.o.Authorize != nil {
		if err := h.o.Authorize(r, r.URL.Query().Get("db"), r.URL.Query().Get("site")); err != nil {
			return &statusError{nethttp.StatusForbidden, err.Error()}
		}
	}
	return nil
}

func fail(w nethttp.ResponseWriter, err error) {
	status := nethttp.StatusServiceUnavailable
	own, big := new(statusError), new(nethttp.MaxBytesError)
	switch {
	case errors.As(err, &own):
		status = own.status
	case errors.Is(err, transports.ErrCursorLost):
		status = nethttp.StatusGone
	case errors.Is(err, transports.ErrTooLarge), errors.As(err, &big):
		status = nethttp.StatusRequestEntityTooLarge
	case errors.Is(err, transports.ErrNoPeer):
		status = nethttp.StatusMisdirectedRequest
	case errors.Is(err, transports.ErrNoSnapshot):
		status = nethttp.StatusNotFound
	case errors.Is(err, transports.ErrDamaged):
		status = nethttp.StatusUnprocessableEntity
	case errors.Is(err, errFrame):
		status = nethttp.StatusBadRequest
	}
	nethttp.Error(w, err.Error(), status)
}

func (h *Handler) publish(w nethttp.ResponseWriter, r *nethttp.Request) error {
	ps, damaged, err := readFrames(r.Body, int(h.o.MaxBody))
	if err != nil {
		return err
	}
	if damaged > 0 {
		return &statusError{nethttp.StatusBadRequest, "a package was damaged on the way; send it again"}
	}
	for _, p := range ps {
		if p.DB != r.FormValue("db") {
			return &statusError{nethttp.StatusBadRequest, "a package of another database than the request's"}
		}
		if h.o.Authorize != nil {
			if err := h.o.Authorize(r, p.DB, p.Site); err != nil {
				return &statusError{nethttp.StatusForbidden, err.Error()}
			}
		}
	}
	return h.t.Publish(r.Context(), ps...)
}

// read answers with one batch.
func (h *Handler) read(w nethttp.ResponseWriter, r *nethttp.Request) error {
	from, err := base64.RawURLEncoding.DecodeString(r.FormValue("cursor"))
	if err != nil {
		return transports.ErrCursorLost
	}
	wait, err := time.ParseDuration(r.FormValue("wait"))
	if err != nil || wait < 0 {
		wait = 0
	}
	ctx, cancel := context.WithTimeout(r.Context(), max(min(wait, h.o.MaxWait), time.Millisecond))
	defer cancel()
	if wait == 0 { // the first batch comes at once in any case
		ctx = r.Context()
	}
	var got *transports.Batch
	done := errors.New("done")
	err = h.t.Subscribe(ctx, r.FormValue("db"), cursorOf(from), func(b transports.Batch) error {
		if len(b.Packages) == 0 && wait > 0 {
			return nil
		}
		got = &b
		return done
	})
	if err != nil && !errors.Is(err, done) {
		return err
	}
	if got == nil {
		w.WriteHeader(nethttp.StatusNoContent)
		return nil
	}
	w.Header().Set("Content-Type", "application/vnd.tributary.packages")
	w.Header().Set("Tributary-Cursor", base64.RawURLEncoding.EncodeToString(got.Cursor))
	w.Header().Set("Tributary-Live", strconv.FormatBool(got.Live))
	w.Header().Set("Tributary-Count", strconv.Itoa(len(got.Packages)))
	_ = writeFrames(w, got.Packages) // the client has gone, or notices that it is cut off
	return nil
}

func cursorOf(b []byte) transports.Cursor {
	if len(b) == 0 {
		return nil
	}
	return b
}

func (h *Handler) ask(w nethttp.ResponseWriter, r *nethttp.Request) error {
	have, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	limit, _ := strconv.Atoi(q.Get("max"))
	ps, err := h.t.Ask(r.Context(), transports.Request{DB: q.Get("db"), Site: q.Get("site"), Peer: q.Get("peer"), Have: have, MaxBytes: limit})
	switch {
	case errors.Is(err, transports.ErrNoPeer), errors.Is(err, transports.ErrClosed):
		return err
	case err != nil:
		return &statusError{nethttp.StatusBadGateway, err.Error()}
	}
	w.Header().Set("Content-Type", "application/vnd.tributary.packages")
	w.Header().Set("Tributary-Count", strconv.Itoa(len(ps)))
	_ = writeFrames(w, ps)
	return nil
}

func (h *Handler) tail(w nethttp.ResponseWriter, r *nethttp.Request) error {
	tailer, ok := h.t.(transports.Tailer)
	if !ok {
		return &statusError{nethttp.StatusNotImplemented, "the log cannot be asked for the newest package of a site"}
	}
	p, err := tailer.Tail(r.Context(), r.FormValue("db"), r.FormValue("site"))
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(frame{p.DB, p.Site, p.From, p.To, p.ID, 0})
}

// maxInfo bounds what a site may tell of itself.
const maxInfo = 16 << 10

func (h *Handler) announce(w nethttp.ResponseWriter, r *nethttp.Request) error {
	reg, ok := h.t.(transports.Registry)
	if !ok {
		return &statusError{nethttp.StatusNotImplemented, "the medium remembers no sites"}
	}
	info, err := io.ReadAll(nethttp.MaxBytesReader(w, r.Body, maxInfo))
	if err != nil {
		return err
	}
	q := r.URL.Query()
	return reg.Announce(r.Context(), transports.Sighting{DB: q.Get("db"), Site: q.Get("site"), Info: info})
}

func (h *Handler) sites(w nethttp.ResponseWriter, r *nethttp.Request) error {
	reg, ok := h.t.(transports.Registry)
	if !ok {
		return &statusError{nethttp.StatusNotImplemented, "the medium remembers no sites"}
	}
	list, err := reg.Sites(r.Context(), r.FormValue("db"))
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(list)
}
