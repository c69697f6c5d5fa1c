package nats_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/tributary-db/tributary/transports"
	"github.com/tributary-db/tributary/transports/nats"
	"github.com/tributary-db/tributary/transports/nats/embedded"
)

// authority signs certificates into files.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	CA   string
}

func (a *authority) file(name, kind string, der []byte) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.key, a.cert, a.CA, _ = a.issue("ca", true)
	return a
}

// issue makes a certificate for this machine, signed by the authority or by itself.
func (a *authority) issue(name string, ca bool) (key *ecdsa.PrivateKey, cert *x509.Certificate, certFile, keyFile string) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: ca, BasicConstraintsValid: ca,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := c, key
	if !ca {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	if cert, err = x509.ParseCertificate(der); err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return key, cert, a.file(name+".pem", "CERTIFICATE", der), a.file(name+".key", "EC PRIVATE KEY", private)
}

// reach says whether a server lets a client in. Who is to be let in has as long as a busy machine may take for that.
func reach(t *testing.T, patience time.Duration, o nats.Options) error {
	t.Helper()
	o.Call = patience
	tr, err := nats.Open(o)
	if err != nil {
		return err
	}
	defer tr.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := tr.Connected(ctx); err != nil {
		return err
	}
	return tr.Publish(t.Context(), pack("a", 1, "one"))
}

// TestMutualTLS: a client needs the server's authority and a certificate that it signed.
func TestMutualTLS(t *testing.T) {
	a := newAuthority(t)
	_, _, cert, key := a.issue("server", false)
	srv, err := embedded.Start(embedded.Options{Dir: filepath.Join(t.TempDir(), "store"), Listen: "127.0.0.1:0", NoSync: true, Cert: cert, Key: key, CA: a.CA})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	_, _, cert, key = a.issue("client", false)
	if err := reach(t, long, nats.Options{URL: srv.URL(), CA: a.CA, Cert: cert, Key: key}); err != nil {
		t.Errorf("with a certificate: %v", err)
	}
	if err := reach(t, short, nats.Options{URL: srv.URL(), CA: a.CA}); err == nil {
		t.Error("a client without a certificate got in")
	}
	if err := reach(t, short, nats.Options{URL: srv.URL(), Cert: cert, Key: key}); err == nil {
		t.Error("a server of an unknown authority was trusted")
	}
	stranger := newAuthority(t)
	_, _, cert, key = stranger.issue("stranger", false)
	if err := reach(t, short, nats.Options{URL: srv.URL(), CA: a.CA, Cert: cert, Key: key}); err == nil {
		t.Error("a certificate of another authority was taken")
	}
}

// TestNKey: who has the seed gets in, and nobody else.
func TestNKey(t *testing.T) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	conf, seedFile := filepath.Join(dir, "conf"), filepath.Join(dir, "seed")
	if err := os.WriteFile(conf, []byte(`accounts: { F: { jetstream: enabled, users: [ { nkey: `+public+` } ] } }`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(seedFile, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	srv, err := embedded.Start(embedded.Options{Dir: filepath.Join(dir, "store"), Listen: "127.0.0.1:0", NoSync: true, ConfigFile: conf})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	if err := reach(t, long, nats.Options{URL: srv.URL(), NKeySeed: seedFile}); err != nil {
		t.Errorf("with the seed: %v", err)
	}
	for what, o := range map[string]nats.Options{"nothing": {}, "a token": {Token: "x"}} {
		if o.URL = srv.URL(); reach(t, short, o) == nil {
			t.Errorf("a client with %s got in", what)
		}
	}
}

// TestToken: the embedded server's own secret, over the port and in the process.
func TestToken(t *testing.T) {
	srv, err := embedded.Start(embedded.Options{Dir: filepath.Join(t.TempDir(), "store"), Listen: "127.0.0.1:0", NoSync: true, Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	for _, o := range []nats.Options{{URL: srv.URL(), Token: "secret"}, {InProcess: srv, Token: "secret"}} {
		if err := reach(t, long, o); err != nil {
			t.Errorf("with the token: %v", err)
		}
	}
	if err := reach(t, short, nats.Options{URL: srv.URL(), Token: "wrong"}); !errors.Is(err, transports.ErrDenied) {
		t.Errorf("with a wrong token: %v, want ErrDenied", err)
	}
}
