package nats_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tributary-db/tributary/conformance"
	"github.com/tributary-db/tributary/transports"
	"github.com/tributary-db/tributary/transports/nats"
	"github.com/tributary-db/tributary/transports/nats/embedded"
)

// broker is a server on a folder that can be stopped, started and hurt.
type broker struct {
	t   *testing.T
	o   embedded.Options
	srv *embedded.Server
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	b := &broker{t: t, o: embedded.Options{Dir: filepath.Join(t.TempDir(), "store"), Listen: "127.0.0.1:0", NoSync: true}}
	b.start()
	t.Cleanup(func() { b.srv.Close() })
	return b
}

func (b *broker) start() {
	b.t.Helper()
	var err error
	if b.srv, err = embedded.Start(b.o); err != nil {
		b.t.Fatal(err)
	}
	b.o.Listen = b.srv.URL()[len("nats://"):]
}

func (b *broker) stop() {
	b.t.Helper()
	if err := b.srv.Close(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *broker) open() *nats.Transport {
	b.t.Helper()
	t, err := nats.Open(nats.Options{URL: b.srv.URL(), Verify: 200 * time.Millisecond, Call: 5 * time.Second})
	if err != nil {
		b.t.Fatal(err)
	}
	return t
}

// admin is a plain client with all rights.
func (b *broker) admin() (jetstream.JetStream, *natsgo.Conn) {
	b.t.Helper()
	nc, err := natsgo.Connect(b.srv.URL())
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		b.t.Fatal(err)
	}
	return js, nc
}

const stream = "CRDT-default-0"

func (b *broker) info() *jetstream.StreamInfo {
	b.t.Helper()
	js, _ := b.admin()
	s, err := js.Stream(b.t.Context(), stream)
	if err != nil {
		b.t.Fatal(err)
	}
	return s.CachedInfo()
}

func TestTransport(t *testing.T) {
	conformance.TestTransport(t, func(t *testing.T) *conformance.Medium {
		b := newBroker(t)
		return &conformance.Medium{
			Open: func(*testing.T) transports.Transport { return b.open() },
			Truncate: func(t *testing.T) { // by the limits, since nobody may purge
				js, _ := b.admin()
				i := b.info()
				c := i.Config
				c.MaxMsgs = int64(i.State.Msgs / 2)
				if _, err := js.UpdateStream(t.Context(), c); err != nil {
					t.Fatal(err)
				}
			},
			Recreate: func(t *testing.T) {
				js, _ := b.admin()
				if err := js.DeleteStream(t.Context(), stream); err != nil {
					t.Fatal(err)
				}
			},
			Rollback: func(t *testing.T, between func()) {
				old := b.o.Dir + "-old"
				b.stop()
				if err := os.CopyFS(old, os.DirFS(b.o.Dir)); err != nil {
					t.Fatal(err)
				}
				b.start()
				between()
				b.stop()
				if err := errors.Join(os.RemoveAll(b.o.Dir), os.Rename(old, b.o.Dir)); err != nil {
					t.Fatal(err)
				}
				b.start()
			},
			Restart: func(*testing.T) { b.stop(); b.start() },
			Cannot:  map[string]string{"Corrupt": "what a server holds cannot be altered from outside; see TestDamaged"},
		}
	})
}

func pack(site string, v uint64, body string) transports.Package {
	return transports.Package{DB: "d", Site: site, From: v, To: v, ID: transports.PackageID([]byte(body)), Body: []byte(body)}
}

// read collects what a subscription brings until it is live.
func read(t *testing.T, tr *nats.Transport) (out []transports.Package) {
	t.Helper()
	done := errors.New("done")
	err := tr.Subscribe(t.Context(), "d", nil, func(b transports.Batch) error {
		if out = append(out, b.Packages...); b.Live {
			return done
		}
		return nil
	})
	if err != done {
		t.Fatal(err)
	}
	return out
}

// TestDamaged: bytes that are not those of the id, chunks without their beginning or end, and messages that are none of
// ours are left out, and stand in nobody's way.
func TestDamaged(t *testing.T) {
	b := newBroker(t)
	tr := b.open()
	defer tr.Close()
	js, _ := b.admin()
	if err := tr.Publish(t.Context(), pack("a", 1, "one")); err != nil {
		t.Fatal(err)
	}
	id := transports.PackageID([]byte("other"))
	for _, h := range []natsgo.Header{
		{"C-Id": {id}, "C-From": {"2"}, "C-To": {"2"}, "C-Chunk": {"0/1"}},
		{"C-Id": {id}, "C-From": {"2"}, "C-To": {"2"}, "C-Chunk": {"1/2"}},
		{"C-Id": {id}, "C-From": {"2"}, "C-To": {"2"}, "C-Chunk": {"0/2"}},
		{"C-Id": {id}, "C-From": {"x"}, "C-To": {"2"}, "C-Chunk": {"0/1"}},
		{"C-Id": {id}, "C-From": {"2"}, "C-To": {"2"}, "C-Chunk": {"0/1000000000"}},
		{},
	} {
		if _, err := js.PublishMsg(t.Context(), &natsgo.Msg{Subject: "crdt.v1.0.d.-.a", Header: h, Data: []byte("damaged")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := tr.Publish(t.Context(), pack("a", 3, "three"), pack("b", 1, "of b")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, tr); len(got) != 3 || got[1].From != 3 {
		t.Errorf("got %d packages: %+v", len(got), got)
	}
	if c := tr.Counts(); c["corrupt"] < 3 || c["incomplete"] < 1 {
		t.Errorf("counted %v", c)
	}
}

// TestSquatted: who takes a site's next id beforehand does not keep its package out of the log.
func TestSquatted(t *testing.T) {
	b := newBroker(t)
	tr := b.open()
	defer tr.Close()
	if err := tr.Publish(t.Context(), pack("a", 1, "one")); err != nil {
		t.Fatal(err)
	}
	js, _ := b.admin()
	for _, p := range []transports.Package{pack("a", 2, "two"), pack("a", 3, string(make([]byte, 600<<10)))} {
		squat := natsgo.Header{"Nats-Msg-Id": {p.ID + "#0"}}
		if _, err := js.PublishMsg(t.Context(), &natsgo.Msg{Subject: "crdt.v1.0.d.-.evil", Header: squat, Data: []byte("squat")}); err != nil {
			t.Fatal(err)
		}
		if err := tr.Publish(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, tr); len(got) != 3 {
		t.Errorf("%d packages, want 3", len(got))
	}
	if c := tr.Counts(); c["squatted"] != 2 {
		t.Errorf("counted %v", c)
	}
}

// TestClone: a second writer under one identity is noticed by the first package after the tail was read.
func TestClone(t *testing.T) {
	b := newBroker(t)
	one, two := b.open(), b.open()
	defer one.Close()
	defer two.Close()
	if err := one.Publish(t.Context(), pack("a", 1, "one")); err != nil {
		t.Fatal(err)
	}
	if _, err := two.Tail(t.Context(), "d", "a"); err != nil {
		t.Fatal(err)
	}
	if err := one.Publish(t.Context(), pack("a", 2, "two")); err != nil {
		t.Fatal(err)
	}
	if err := two.Publish(t.Context(), pack("a", 2, "another two")); !errors.Is(err, transports.ErrClone) {
		t.Fatalf("got %v, want ErrClone", err)
	}
	// A retry whose acknowledgement was lost is no clone.
	if _, err := one.Tail(t.Context(), "d", "a"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := one.Publish(t.Context(), pack("a", 3, "three")); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAway: a server that is not there is an error of each call, and opening does not wait for it.
func TestAway(t *testing.T) {
	b := newBroker(t)
	b.stop()
	tr := b.open()
	defer tr.Close()
	err := tr.Publish(t.Context(), pack("a", 1, "one"))
	if err == nil || errors.Is(err, transports.ErrClosed) {
		t.Fatalf("got %v", err)
	}
	b.start()
	for end := time.Now().Add(time.Minute); err != nil && time.Now().Before(end); {
		transports.Wait(t.Context(), 20*time.Millisecond, nil)
		err = tr.Publish(t.Context(), pack("a", 1, "one"))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestOptions(t *testing.T) {
	for what, o := range map[string]nats.Options{
		"two credentials": {Token: "x", User: "y"}, "a key alone": {Key: "k"}, "no seed": {NKeySeed: "nowhere"},
	} {
		if tr, err := nats.Open(o); err == nil {
			tr.Close()
			t.Errorf("%s: no error", what)
		}
	}
}
