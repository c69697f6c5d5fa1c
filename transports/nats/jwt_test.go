package nats_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/tributary-db/tributary/transports"
	"github.com/tributary-db/tributary/transports/nats"
	"github.com/tributary-db/tributary/transports/nats/embedded"
)

// operator is an operator with one account, whose scoped signing key enrols sites: their rights are a template with the
// name of the user in it, so that the server's configuration stays as it is.
type operator struct {
	t       *testing.T
	account string
	signer  nkeys.KeyPair // of sites
	admin   nkeys.KeyPair // the account's own key: no limits
	config  string
}

func newOperator(t *testing.T, dir string) *operator {
	t.Helper()
	key := func(make func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string) {
		k, err := make()
		if err != nil {
			t.Fatal(err)
		}
		public, err := k.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		return k, public
	}
	top, topID := key(nkeys.CreateOperator)
	o := &operator{t: t, config: filepath.Join(dir, "operator.conf")}
	var scopeID string
	o.admin, o.account = key(nkeys.CreateAccount)
	o.signer, scopeID = key(nkeys.CreateAccount)

	claims := jwt.NewAccountClaims(o.account)
	claims.Name = "FLEET"
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	scope := jwt.NewUserScope()
	scope.Key, scope.Role = scopeID, "site"
	allowed := rights(t)
	scope.Template.Pub.Allow, scope.Template.Sub.Allow = allowed.pub, allowed.sub
	scope.Template.Resp = &jwt.ResponsePermission{MaxMsgs: 100_000, Expires: 5 * time.Minute}
	claims.SigningKeys.AddScopedSigner(scope)
	account := o.encode(claims, top)
	_, systemID := key(nkeys.CreateAccount) // JetStream asks for one
	system := o.encode(jwt.NewAccountClaims(systemID), top)
	self := o.encode(jwt.NewOperatorClaims(topID), top)
	text := fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: { %s: %s, %s: %s }\n", self, systemID, o.account, account, systemID, system)
	if err := os.WriteFile(o.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *operator) encode(c jwt.Claims, with nkeys.KeyPair) string {
	o.t.Helper()
	text, err := c.Encode(with)
	if err != nil {
		o.t.Fatal(err)
	}
	return text
}

// creds enrols a user and writes its credentials file; a site has no rights but those of the template.
func (o *operator) creds(name string, site bool) string {
	o.t.Helper()
	k, err := nkeys.CreateUser()
	if err != nil {
		o.t.Fatal(err)
	}
	public, err := k.PublicKey()
	if err != nil {
		o.t.Fatal(err)
	}
	c := jwt.NewUserClaims(public)
	c.Name = name
	with := o.admin
	if site {
		c.IssuerAccount, with = o.account, o.signer
		c.SetScoped(true)
	}
	seed, err := k.Seed()
	if err != nil {
		o.t.Fatal(err)
	}
	text, err := jwt.FormatUserConfig(o.encode(c, with), seed)
	if err != nil {
		o.t.Fatal(err)
	}
	file := filepath.Join(o.t.TempDir(), "user.creds")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		o.t.Fatal(err)
	}
	return file
}

// permissions are lists of subjects.
type permissions struct{ pub, sub []string }

// rights reads those of site-a from fleet.conf, so that there is one list: with the name of the user in the place of the
// site, they are the template.
func rights(t *testing.T) (p permissions) {
	t.Helper()
	b, err := os.ReadFile("fleet.conf")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(b), "user: site-a")
	text, _, _ = strings.Cut(text, "allow_responses")
	into := &p.pub
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if strings.Contains(line, "subscribe:") {
			into = &p.sub
		}
		for i, s := range strings.Split(line, `"`) {
			if i%2 == 1 {
				*into = append(*into, strings.NewReplacer(siteA, "{{name()}}", "_INBOX_a", "_INBOX_{{name()}}").Replace(s))
			}
		}
	}
	if len(p.pub) < 10 || len(p.sub) < 3 {
		t.Fatalf("read from fleet.conf: %+v", p)
	}
	return p
}

// TestJWT: sites with credentials files that one scoped key has signed replicate, and none can publish, wipe, or take an id
// for another. A site is enrolled by signing its name; the server knows nothing of it.
func TestJWT(t *testing.T) {
	dir := t.TempDir()
	o := newOperator(t, dir)
	srv, err := embedded.Start(embedded.Options{Dir: filepath.Join(dir, "store"), Listen: "127.0.0.1:0", NoSync: true, ConfigFile: o.config})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	open := func(patience time.Duration, creds, inbox string) *nats.Transport {
		t.Helper()
		tr, err := nats.Open(nats.Options{URL: srv.URL(), Creds: creds, Inbox: inbox, Call: patience})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tr.Close() })
		if err := tr.Connected(t.Context()); err != nil {
			t.Fatal(err)
		}
		return tr
	}
	admin := open(long, o.creds("admin", false), "")
	if err := errors.Join(
		admin.Announce(t.Context(), transports.Sighting{DB: "d", Site: "admin"}),
		admin.Publish(t.Context(), pack("admin", 1, "first")),
		admin.PutSnapshot(t.Context(), snapshot("admin", "first"), strings.NewReader("first")),
	); err != nil {
		t.Fatal(err)
	}
	credsA := o.creds(siteA, true)
	a, b := open(long, credsA, "_INBOX_"+siteA), open(long, o.creds(siteB, true), "_INBOX_"+siteB)

	if err := errors.Join(
		a.Publish(t.Context(), pack(siteA, 1, "of a"), pack(siteA, 2, string(make([]byte, 700<<10)))),
		b.Publish(t.Context(), pack(siteB, 1, "of b")),
		a.Announce(t.Context(), transports.Sighting{DB: "d", Site: siteA, Info: []byte("1")}),
		a.PutSnapshot(t.Context(), snapshot(siteA, "state of a"), strings.NewReader("state of a")),
		readsSnapshot(t, b, siteA, "state of a"),
	); err != nil {
		t.Fatal(err)
	}
	if got := read(t, b); len(got) != 4 {
		t.Fatalf("b got %d packages, want 4", len(got))
	}
	if p, err := a.Tail(t.Context(), "d", siteA); err != nil || p.To != 2 {
		t.Errorf("tail %+v, %v", p, err)
	}
	denied := open(short, credsA, "_INBOX_"+siteA)
	for what, err := range map[string]error{
		"publishing as another":   denied.Publish(t.Context(), pack(siteB, 9, "as b")),
		"announcing another":      denied.Announce(t.Context(), transports.Sighting{DB: "d", Site: siteB}),
		"another's snapshot":      denied.PutSnapshot(t.Context(), snapshot(siteB, "as b"), strings.NewReader("as b")),
		"a large one for another": denied.Publish(t.Context(), pack(siteB, 9, string(make([]byte, 600<<10)))),
	} {
		if !errors.Is(err, transports.ErrDenied) {
			t.Errorf("%s: %v, want ErrDenied", what, err)
		}
	}
	nc, err := natsgo.Connect(srv.URL(), natsgo.UserCredentials(credsA), natsgo.CustomInboxPrefix("_INBOX_"+siteA), natsgo.ErrorHandler(func(*natsgo.Conn, *natsgo.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for _, stream := range []string{"CRDT-default-0", "CRDT-default-HERE", "CRDT-default-SNAP"} {
		for _, what := range []string{"DELETE", "PURGE", "UPDATE", "MSG.DELETE", "RESTORE"} {
			if res, err := nc.Request("$JS.API.STREAM."+what+"."+stream, []byte(`{"seq":1}`), 50*time.Millisecond); err == nil {
				t.Errorf("%s of %s was answered: %s", what, stream, res.Data)
			}
		}
	}
	// A squat: b's next id, on the only subject that a may publish to. b's package gets in all the same.
	next := pack(siteB, 2, "two of b")
	squat := &natsgo.Msg{Subject: "crdt.v1.0.d.-." + siteA, Header: natsgo.Header{"Nats-Msg-Id": {next.ID + "#0"}}, Data: []byte("squat")}
	if _, err := nc.RequestMsg(squat, long); err != nil {
		t.Fatal(err)
	}
	if err := b.Publish(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"crdt.v1.0.d.-." + siteA, "snap.v1.d." + siteA + ".0.head", "here.v1.d." + siteA} {
		roll := &natsgo.Msg{Subject: subject, Header: natsgo.Header{"Nats-Rollup": {"all"}}, Data: []byte("x")}
		if res, err := nc.RequestMsg(roll, long); err != nil || !strings.Contains(string(res.Data), "error") {
			t.Errorf("a rollup on %s: %v, %v", subject, res, err)
		}
	}
	if got := read(t, b); len(got) != 5 {
		t.Errorf("%d packages in the log, want 5", len(got))
	}
	if err := readsSnapshot(t, b, "admin", "first"); err != nil {
		t.Error(err)
	}

	// Strangers: without credentials, and with those of another operator.
	if _, err := natsgo.Connect(srv.URL()); err == nil {
		t.Error("a stranger got in")
	}
	other := newOperator(t, t.TempDir())
	tr, err := nats.Open(nats.Options{URL: srv.URL(), Creds: other.creds(siteA, true)})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if err := tr.Connected(t.Context()); !errors.Is(err, transports.ErrDenied) {
		t.Errorf("credentials of another operator: %v, want ErrDenied", err)
	}
}
