package http

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	nethttp "net/http"
	"strconv"
	"time"

	"github.com/tributary-db/tributary/transports"
)

// session is a client that answers peers: it fetches requests and brings answers, since nobody can call it.
type session struct {
	requests chan *pendingRequest
	open     map[string]*pendingRequest // fetched and not answered; the Handler's mu guards it
	next     int
	expire   *time.Timer
	end      context.CancelFunc
}

type pendingRequest struct {
	id     string
	req    transports.Request
	answer chan answered // holds one
}

type answered struct {
	ps  []transports.Package
	err error
}

// sessionKey is long and random, so a session cannot be joined by guessing.
func sessionKey(r *nethttp.Request) string {
	q := r.URL.Query()
	return q.Get("db") + "\x00" + q.Get("site") + "\x00" + q.Get("session")
}

// maxSessions bounds the memory that strangers can take.
const maxSessions = 10_000

// sessionOf finds or begins a session.
func (h *Handler) sessionOf(r *nethttp.Request) (*session, error) {
	key := sessionKey(r)
	life := 2*h.o.MaxWait + 5*time.Second
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.sessions[key]; s != nil {
		s.expire.Reset(life)
		return s, nil
	}
	if len(h.sessions) >= maxSessions {
		return nil, &statusError{nethttp.StatusServiceUnavailable, "too many peers serve here"}
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &session{requests: make(chan *pendingRequest), open: map[string]*pendingRequest{}, end: cancel}
	s.expire = time.AfterFunc(life, func() { h.drop(key, s) })
	h.sessions[key] = s
	q := r.URL.Query()
	go func() {
		defer h.drop(key, s)
		h.t.Serve(ctx, q.Get("db"), q.Get("site"), h.forward(s))
	}()
	return s, nil
}

func (h *Handler) drop(key string, s *session) {
	s.end()
	s.expire.Stop()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sessions[key] == s {
		delete(h.sessions, key)
	}
}

// forward is the Answerer that passes requests on to the client of a session.
func (h *Handler) forward(s *session) transports.Answerer {
	return func(ctx context.Context, req transports.Request) iter.Seq2[transports.Package, error] {
		return func(yield func(transports.Package, error) bool) {
			ctx, cancel := context.WithTimeout(ctx, h.o.MaxWait)
			defer cancel()
			p := &pendingRequest{req: req, answer: make(chan answered, 1)}
			h.mu.Lock()
			s.next++
			p.id = strconv.Itoa(s.next)
			h.mu.Unlock()
			select {
			case s.requests <- p:
			case <-ctx.Done():
				yield(transports.Package{}, errors.New("http: the peer does not fetch requests"))
				return
			}
			defer func() {
				h.mu.Lock()
				delete(s.open, p.id)
				h.mu.Unlock()
			}()
			select {
			case a := <-p.answer:
				if a.err != nil {
					yield(transports.Package{}, a.err)
					return
				}
				for _, pkg := range a.ps {
					if !yield(pkg, nil) {
						return
					}
				}
			case <-ctx.Done():
				yield(transports.Package{}, errors.New("http: the peer does not answer"))
			}
		}
	}
}

// question is a request on its way to who answers it.
type question struct {
	ID   string `json:"id"`
	Site string `json:"site"`
	Peer string `json:"peer"`
	Have []byte `json:"have"`
	Max  int    `json:"max"`
}

// serve hands one request to the client that serves.
func (h *Handler) serve(w nethttp.ResponseWriter, r *nethttp.Request) error {
	s, err := h.sessionOf(r)
	if err != nil {
		return err
	}
	select {
	case p := <-s.requests:
		h.mu.Lock()
		s.open[p.id] = p
		h.mu.Unlock()
		return json.NewEncoder(w).Encode(question{p.id, p.req.Site, p.req.Peer, p.req.Have, p.req.MaxBytes})
	case <-time.After(h.o.MaxWait):
	case <-r.Context().Done():
	}
	w.WriteHeader(nethttp.StatusNoContent)
	return nil
}

// answer takes the answer to a request.
func (h *Handler) answer(w nethttp.ResponseWriter, r *nethttp.Request) error {
	q := r.URL.Query()
	h.mu.Lock()
	var p *pendingRequest
	if s := h.sessions[sessionKey(r)]; s != nil {
		p = s.open[q.Get("id")]
		delete(s.open, q.Get("id"))
	}
	h.mu.Unlock()
	if p == nil {
		return &statusError{nethttp.StatusNotFound, "nobody waits for this answer any more"}
	}
	if q.Get("status") == "error" {
		text, err := io.ReadAll(io.LimitReader(r.Body, 4<<10))
		if err != nil {
			return err
		}
		p.answer <- answered{err: errors.New(string(text))}
		return nil
	}
	ps, damaged, err := readFrames(r.Body, int(h.o.MaxBody))
	if err == nil && damaged > 0 {
		err = errFrame
	}
	if err != nil {
		p.answer <- answered{err: err}
		return err
	}
	p.answer <- answered{ps: ps}
	return nil
}
