package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/tributary-db/tributary/transports"
	"github.com/tributary-db/tributary/transports/dir"
	"github.com/tributary-db/tributary/transports/http"
	"github.com/tributary-db/tributary/transports/nats"
)

// addresses are the forms in which a medium is named, for help texts.
const addresses = `A medium is named by an address:
  dir:PATH              a folder that several machines see or that is carried between them: a network mount, Syncthing, a stick
  http://HOST:PORT      a server that runs "tributary serve --http" or mounts transports/http; https:// too
  nats://HOST:PORT      a NATS server with JetStream, or a machine that runs "tributary serve --listen"; tls:// too`

// isAddress tells the address of a medium from a file name.
func isAddress(s string) bool {
	for _, scheme := range []string{"dir:", "http://", "https://", "nats://", "tls://"} {
		if strings.HasPrefix(s, scheme) {
			return true
		}
	}
	return false
}

// medium is an open transport under the name that its link has in the database.
type medium struct {
	name string
	transports.Transport
}

// credentials are what media ask for.
type credentials struct {
	tokenFile string
	nats      nats.Options // only what says who this is
}

// flags adds the flags for media that are connected to.
func (c *credentials) flags(f *pflag.FlagSet) {
	f.StringVar(&c.tokenFile, "token-file", "", "file with the secret that both ends of http, or of nats, share")
	f.StringVar(&c.nats.Creds, "nats-creds", "", "credentials file for nats (JWT and key)")
	f.StringVar(&c.nats.NKeySeed, "nats-nkey", "", "file with an NKey seed for nats")
	f.StringVar(&c.nats.CA, "nats-ca", "", "certificates to trust for tls:// instead of the system's")
	f.StringVar(&c.nats.Cert, "nats-cert", "", "own certificate for tls://, with --nats-key")
	f.StringVar(&c.nats.Key, "nats-key", "", "key of --nats-cert")
	f.StringVar(&c.nats.Inbox, "nats-inbox", "", "prefix of reply subjects that this site may read")
	f.StringVar(&c.nats.Fleet, "nats-fleet", "", "name of the fleet's streams on the NATS server (default \"default\")")
}

// token reads the secret that both ends share.
func (c credentials) token() (string, error) {
	if c.tokenFile == "" {
		return "", nil
	}
	b, err := os.ReadFile(c.tokenFile)
	if err != nil {
		return "", inFile(c.tokenFile, fmt.Errorf("cannot be read: %w", reason(err)))
	}
	t := strings.TrimSpace(string(b))
	if t == "" || strings.ContainsAny(t, " \t\r\n") {
		return "", inFile(c.tokenFile, errors.New("holds no token: one line without blanks"))
	}
	return t, nil
}

// openMedium opens the medium at an address. It does not wait for a connection. log may be nil.
func openMedium(address string, c credentials, log *slog.Logger) (medium, error) {
	if path, ok := strings.CutPrefix(address, "dir:"); ok {
		if path == "" {
			return medium{}, errors.New("dir: needs a folder, such as dir:/mnt/share")
		}
		return medium{address, dir.Open(path, nil)}, nil
	}
	if !isAddress(address) {
		return medium{}, fmt.Errorf("%q is not the address of a medium.\n%s", address, addresses)
	}
	token, err := c.token()
	if err != nil {
		return medium{}, err
	}
	if strings.HasPrefix(address, "nats:") || strings.HasPrefix(address, "tls:") {
		o := c.nats
		o.URL, o.Token, o.Log = address, token, log
		t, err := nats.Open(o)
		return medium{withoutSecrets(address), t}, err
	}
	t, err := http.Dial(address, &http.Options{Token: token})
	return medium{withoutSecrets(address), t}, err
}

// withoutSecrets is an address that may be stored and shown.
func withoutSecrets(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// defaultFleetName is what a database is called in its fleet unless it is given a name.
const defaultFleetName = "main"

// named splits NAME=FILE; a file alone has the default name.
func named(arg string) (name, file string) {
	n, f, ok := strings.Cut(arg, "=")
	if !ok || f == "" || strings.ContainsAny(n, `/\.`) || n == "" {
		return defaultFleetName, arg
	}
	if _, err := os.Stat(arg); err == nil {
		return defaultFleetName, arg
	}
	return n, f
}
