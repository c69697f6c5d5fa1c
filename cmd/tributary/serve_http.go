package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	nethttp "net/http"
	"time"

	"github.com/tributary-db/tributary/engine/replicator"
	"github.com/tributary-db/tributary/transports"
	"github.com/tributary-db/tributary/transports/http"
)

// listener is one HTTP server.
type listener struct {
	addr  net.Addr
	sync  bool // others replicate over it
	srv   *nethttp.Server
	front transports.Transport // what the handler shows; nil without
	ended chan error
}

// listen starts the HTTP servers that were asked for.
func (s *server) listen() error {
	token, err := s.flags.creds.token()
	if err != nil {
		return err
	}
	for _, at := range []struct {
		address string
		sync    bool
	}{{s.flags.http, true}, {s.flags.metrics, false}} {
		if at.address == "" {
			continue
		}
		mux := nethttp.NewServeMux()
		mux.HandleFunc("GET /metrics", s.serveMetrics)
		mux.HandleFunc("GET /healthz", s.serveHealth)
		l := &listener{sync: at.sync, ended: make(chan error, 1)}
		if at.sync {
			l.front = s.hub.transport()
			mux.Handle("/v1/", http.NewHandler(l.front, &http.HandlerOptions{Token: token}))
		}
		socket, err := listenAt(at.address)
		if err != nil {
			return err
		}
		l.addr = socket.Addr()
		// No bound for a whole request: some wait for news, some bring a lot.
		l.srv = &nethttp.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
		go func() { l.ended <- l.srv.Serve(socket) }()
		s.listeners = append(s.listeners, l)
	}
	return nil
}

// close lets requests in progress end, for a moment.
func (l *listener) close() error {
	if l.front != nil {
		l.front.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := l.srv.Shutdown(ctx); err != nil {
		l.srv.Close()
	}
	if err := <-l.ended; !errors.Is(err, nethttp.ErrServerClosed) {
		return err
	}
	return nil
}

// health is what /healthz says. A medium that is away does not make a server unhealthy: it goes on without.
type health struct {
	OK        bool             `json:"ok"`
	Databases []databaseHealth `json:"databases"`
}

type databaseHealth struct {
	Name  string              `json:"name"`
	OK    bool                `json:"ok"`
	Error string              `json:"error,omitempty"`
	Links []replicator.Status `json:"links"`
}

// health is 503 when a loop has ended or a database goes on under an identity that another uses.
func (s *server) health() health {
	h := health{OK: true}
	for _, d := range s.databases {
		x := databaseHealth{Name: d.name, OK: true, Links: d.loop.Status()}
		if err := d.failure(); err != nil {
			x.OK, x.Error = false, plain(err)
		}
		for _, l := range x.Links {
			if l.State == replicator.StateClone {
				x.OK, x.Error = false, l.Why
			}
		}
		h.OK = h.OK && x.OK
		h.Databases = append(h.Databases, x)
	}
	return h
}

func (s *server) serveHealth(w nethttp.ResponseWriter, _ *nethttp.Request) {
	h := s.health()
	w.Header().Set("Content-Type", "application/json")
	if !h.OK {
		w.WriteHeader(nethttp.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(h) // the client has gone
}
