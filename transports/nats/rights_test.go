package nats_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"strings"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/tributary-db/tributary/transports"
	"github.com/tributary-db/tributary/transports/nats"
	"github.com/tributary-db/tributary/transports/nats/embedded"
)

// How long a call may take: one that is to be answered, however busy the machine is, and one to which the server is
// to keep silent.
const long, short = time.Minute, time.Second

var siteA, siteB = strings.Repeat("a", 32), strings.Repeat("b", 32)

// TestRights runs fleet.conf: sites replicate, and none can publish, wipe, or take an id for another.
func TestRights(t *testing.T) {
	srv, err := embedded.Start(embedded.Options{Dir: filepath.Join(t.TempDir(), "store"), Listen: "127.0.0.1:0", ConfigFile: "fleet.conf"})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	open := func(patience time.Duration, user, password, inbox string) *nats.Transport {
		tr, err := nats.Open(nats.Options{URL: srv.URL(), User: user, Password: password, Inbox: inbox, Call: patience})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tr.Close() })
		return tr
	}
	admin := open(long, "admin", "change-me", "")
	if err := admin.Announce(t.Context(), transports.Sighting{DB: "d", Site: "admin"}); err != nil {
		t.Fatal(err)
	}
	if err := admin.Publish(t.Context(), pack("admin", 1, "first")); err != nil {
		t.Fatal(err)
	}
	if err := admin.PutSnapshot(t.Context(), snapshot("admin", "first"), strings.NewReader("first")); err != nil {
		t.Fatal(err)
	}
	a, b := open(long, "site-a", "change-a", "_INBOX_a"), open(long, "site-b", "change-b", "_INBOX_b")

	// What a site must be able to do.
	if err := a.Publish(t.Context(), pack(siteA, 1, "of a"), pack(siteA, 2, string(make([]byte, 700<<10)))); err != nil {
		t.Fatal(err)
	}
	if got := read(t, b); len(got) != 3 || got[1].Site != siteA {
		t.Fatalf("b got %d packages", len(got))
	}
	if p, err := a.Tail(t.Context(), "d", siteA); err != nil || p.To != 2 {
		t.Errorf("tail %+v, %v", p, err)
	}
	if err := a.Announce(t.Context(), transports.Sighting{DB: "d", Site: siteA, Info: []byte("1")}); err != nil {
		t.Error(err)
	}
	if l, err := b.Sites(t.Context(), "d"); err != nil || len(l) != 2 {
		t.Errorf("%d sites, %v", len(l), err)
	}
	if err := a.PutSnapshot(t.Context(), snapshot(siteA, "state of a"), strings.NewReader("state of a")); err != nil {
		t.Error(err)
	}
	if err := readsSnapshot(t, b, siteA, "state of a"); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- b.Serve(ctx, "d", siteB, func(context.Context, transports.Request) iter.Seq2[transports.Package, error] {
			return func(yield func(transports.Package, error) bool) { yield(pack(siteB, 1, "answer"), nil) }
		})
	}()
	var ps []transports.Package
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if ps, err = a.Ask(t.Context(), transports.Request{DB: "d", Site: siteA, Peer: siteB}); !errors.Is(err, transports.ErrNoPeer) {
			break
		}
	}
	if err != nil || len(ps) != 1 || string(ps[0].Body) != "answer" {
		t.Errorf("asked b: %v, %v", ps, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}

	// What it must not.
	denied := open(short, "site-a", "change-a", "_INBOX_a")
	if err := denied.Publish(t.Context(), pack(siteB, 9, "as b")); !errors.Is(err, transports.ErrDenied) {
		t.Errorf("publishing as another: %v, want ErrDenied", err)
	}
	if err := denied.Announce(t.Context(), transports.Sighting{DB: "d", Site: siteB}); !errors.Is(err, transports.ErrDenied) {
		t.Errorf("announcing another: %v, want ErrDenied", err)
	}
	if err := denied.PutSnapshot(t.Context(), snapshot(siteB, "as b"), strings.NewReader("as b")); !errors.Is(err, transports.ErrDenied) {
		t.Errorf("a snapshot as another: %v, want ErrDenied", err)
	}
	nc, err := natsgo.Connect(srv.URL(), natsgo.UserInfo("site-a", "change-a"), natsgo.CustomInboxPrefix("_INBOX_a"), natsgo.ErrorHandler(func(*natsgo.Conn, *natsgo.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for _, subject := range []string{"$JS.API.STREAM.DELETE.CRDT-default-0", "$JS.API.STREAM.PURGE.CRDT-default-0", "$JS.API.STREAM.UPDATE.CRDT-default-0", "$JS.API.STREAM.MSG.DELETE.CRDT-default-0",
		"$JS.API.STREAM.DELETE.CRDT-default-SNAP", "$JS.API.STREAM.PURGE.CRDT-default-SNAP"} {
		if res, err := nc.Request(subject, []byte(`{"seq":1}`), 200*time.Millisecond); err == nil {
			t.Errorf("%s was answered: %s", subject, res.Data)
		}
	}
	for _, subject := range []string{"crdt.v1.0.d.-." + siteA, "snap.v1.d." + siteA + ".0.head"} {
		roll := &natsgo.Msg{Subject: subject, Header: natsgo.Header{"Nats-Rollup": {"all"}}, Data: []byte("x")}
		if res, err := nc.RequestMsg(roll, long); err != nil || !strings.Contains(string(res.Data), "error") {
			t.Errorf("a rollup on %s: %v, %v", subject, res, err)
		}
	}
	if err := readsSnapshot(t, b, "admin", "first"); err != nil {
		t.Error(err)
	}
	spy, err := nc.SubscribeSync("_INBOX_b.>")
	if err == nil {
		nc.Flush()
		b.Tail(t.Context(), "d", siteB)
		if m, err := spy.NextMsg(100 * time.Millisecond); err == nil {
			t.Errorf("a reads b's replies: %s", m.Data)
		}
	}
	if got := read(t, b); len(got) != 3 {
		t.Errorf("%d packages in the log, want 3", len(got))
	}
	if _, err := natsgo.Connect(srv.URL()); err == nil {
		t.Error("a stranger got in")
	}
}

func snapshot(site, content string) transports.Snapshot {
	return transports.Snapshot{DB: "d", Site: site, ID: transports.PackageID([]byte(content)), Size: int64(len(content))}
}

// readsSnapshot reads a snapshot that must be listed.
func readsSnapshot(t *testing.T, tr *nats.Transport, site, want string) error {
	t.Helper()
	list, err := tr.Snapshots(t.Context(), "d")
	if err != nil {
		return err
	}
	for _, s := range list {
		if s.Site != site {
			continue
		}
		r, err := tr.OpenSnapshot(t.Context(), s)
		if err != nil {
			return err
		}
		defer r.Close()
		if got, err := io.ReadAll(r); err != nil || string(got) != want {
			return fmt.Errorf("the snapshot of %s holds %q, %v", site, got, err)
		}
		return nil
	}
	return fmt.Errorf("no snapshot of %s in a list of %d", site, len(list))
}
