package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/tributary-db/tributary/transports"
	"github.com/tributary-db/tributary/transports/dir"
	"github.com/tributary-db/tributary/transports/http"
)

// addresses are the forms in which a medium is named, for help texts.
const addresses = `A medium is named by an address:
  dir:PATH              a folder that several machines see or that is carried between them: a network mount, Syncthing, a stick
  http://HOST:PORT      a server that runs "tributary serve --http" or mounts transports/http; https:// too`

// isAddress tells the address of a medium from a file name.
func isAddress(s string) bool {
	for _, scheme := range []string{"dir:", "http://", "https://"} {
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

// access to media that ask for it
type credentials struct {
	tokenFile string
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

// openMedium opens the medium at an address. It connects to nothing yet.
func openMedium(address string, c credentials) (medium, error) {
	if path, ok := strings.CutPrefix(address, "dir:"); ok {
		if path == "" {
			return medium{}, errors.New("dir: needs a folder, such as dir:/mnt/share")
		}
		return medium{address, dir.Open(path, nil)}, nil
	}
	if !isAddress(address) {
		return medium{}, fmt.Errorf("%q is not the address of a medium; %s", address, addresses)
	}
	token, err := c.token()
	if err != nil {
		return medium{}, err
	}
	t, err := http.Dial(address, &http.Options{Token: token})
	if err != nil {
		return medium{}, err
	}
	return medium{withoutSecrets(address), t}, nil
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
