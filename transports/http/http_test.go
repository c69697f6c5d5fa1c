package http_test

import (
	"context"
	"errors"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tributary-db/tributary/conformance"
	"github.com/tributary-db/tributary/transports"
	"github.com/tributary-db/tributary/transports/http"
	"github.com/tributary-db/tributary/transports/mem"
)

// server is a handler on a hub that can be stopped and started at one address.
type server struct {
	hub  *mem.Hub
	addr string
	srv  *nethttp.Server
	o    *http.HandlerOptions
}

func (s *server) start(t *testing.T) {
	t.Helper()
	var l net.Listener
	var err error
	for end := time.Now().Add(time.Minute); ; { // the port may take a moment to be free again
		if l, err = net.Listen("tcp", s.addr); err == nil || time.Now().After(end) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	s.srv = &nethttp.Server{Handler: nethttp.StripPrefix("/sync", http.NewHandler(s.hub.Transport(), s.o))}
	go s.srv.Serve(l)
}

func (s *server) dial(t *testing.T, o *http.Options) *http.Transport {
	t.Helper()
	c, err := http.Dial("http://"+s.addr+"/sync/", o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTransport(t *testing.T) {
	conformance.TestTransport(t, func(t *testing.T) *conformance.Medium {
		s := &server{hub: mem.New(), addr: "127.0.0.1:0", o: &http.HandlerOptions{MaxWait: time.Second}}
		s.start(t)
		t.Cleanup(func() { s.srv.Close() })
		return &conformance.Medium{
			Open: func(t *testing.T) transports.Transport {
				return s.dial(t, &http.Options{MaxPackage: 8 << 20, Wait: time.Second})
			},
			Truncate: func(*testing.T) { s.hub.Truncate(s.hub.Len() / 2) },
			Recreate: func(*testing.T) { s.hub.Recreate() },
			Rollback: func(_ *testing.T, between func()) {
				n := s.hub.Len()
				between()
				s.hub.Rollback(s.hub.Len() - n)
			},
			Restart: func(t *testing.T) {
				s.srv.Close()
				s.start(t)
			},
			Cannot: map[string]string{"Corrupt": "see TestDamagedOnTheWay"},
		}
	})
}

func pack(site string, body string) transports.Package {
	return transports.Package{DB: "d", Site: site, From: 1, To: 1, ID: transports.PackageID([]byte(body)), Body: []byte(body)}
}

func TestRights(t *testing.T) {
	s := &server{hub: mem.New(), addr: "127.0.0.1:0", o: &http.HandlerOptions{Token: "secret", Authorize: func(r *nethttp.Request, db, site string) error {
		if site == "b" {
			return errors.New("site b may not")
		}
		return nil
	}}}
	s.start(t)
	defer s.srv.Close()
	for _, token := range []string{"", "wrong"} {
		c := s.dial(t, &http.Options{Token: token})
		if err := c.Publish(t.Context(), pack("a", "x")); !errors.Is(err, transports.ErrDenied) {
			t.Errorf("token %q: %v, want ErrDenied", token, err)
		}
		if _, err := c.Ask(t.Context(), transports.Request{DB: "d"}); !errors.Is(err, transports.ErrDenied) {
			t.Errorf("token %q: %v, want ErrDenied", token, err)
		}
		err := c.Subscribe(t.Context(), "d", nil, func(transports.Batch) error { return nil })
		if !errors.Is(err, transports.ErrDenied) {
			t.Errorf("token %q: %v, want ErrDenied", token, err)
		}
	}
	c := s.dial(t, &http.Options{Token: "secret"})
	if err := c.Publish(t.Context(), pack("a", "x")); err != nil {
		t.Error(err)
	}
	if err := c.Publish(t.Context(), pack("a", "y"), pack("b", "z")); !errors.Is(err, transports.ErrDenied) {
		t.Errorf("in another's name: %v, want ErrDenied", err)
	}
	if s.hub.Len() != 1 {
		t.Errorf("%d packages in the log, want 1", s.hub.Len())
	}
}

func TestBounds(t *testing.T) {
	s := &server{hub: mem.New(), addr: "127.0.0.1:0", o: &http.HandlerOptions{MaxBody: 1000}}
	s.start(t)
	defer s.srv.Close()
	c := s.dial(t, nil)
	if err := c.Publish(t.Context(), pack("a", strings.Repeat("x", 2000))); !errors.Is(err, transports.ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	for _, bad := range []string{`{"size":1000000000}` + "\n", `{"size":-1}` + "\n", "junk", `{"db":"d","size":5}` + "\nab"} {
		res, err := nethttp.Post("http://"+s.addr+"/sync/v1/log?db=d", "", strings.NewReader(bad))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 400 && res.StatusCode != 413 {
			t.Errorf("%q: status %d", bad, res.StatusCode)
		}
	}
	if _, err := http.Dial("ftp://x", nil); err == nil {
		t.Error("ftp is taken for an address")
	}
}

// TestDamagedOnTheWay: a proxy that turns a byte does no harm.
func TestDamagedOnTheWay(t *testing.T) {
	hub := mem.New()
	h := http.NewHandler(hub.Transport(), nil)
	proxy := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(rec.Code)
		w.Write([]byte(strings.Replace(rec.Body.String(), "precious", "PRECIOUS", 1)))
	}))
	defer proxy.Close()
	c, err := http.Dial(proxy.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := hub.Transport().Publish(t.Context(), pack("a", "precious"), pack("a", "other")); err != nil {
		t.Fatal(err)
	}
	done := errors.New("done")
	err = c.Subscribe(context.Background(), "d", nil, func(b transports.Batch) error {
		if len(b.Packages) != 1 || string(b.Packages[0].Body) != "other" {
			t.Errorf("got %v", b.Packages)
		}
		return done
	})
	if err != done || c.Counts()["corrupt"] != 1 {
		t.Errorf("%v, %v", err, c.Counts())
	}
}
