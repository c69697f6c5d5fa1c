package nats

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/tributary-db/tributary/transports"
)

// Options adjusts a Transport. The zero value connects to a server on this machine without credentials.
type Options struct {
	// URL is one address or several with commas between: nats://host:4222, tls://host. "": nats://127.0.0.1:4222.
	URL string
	// InProcess is a server in this process (embedded.Server); then URL is not used.
	InProcess natsgo.InProcessConnProvider

	// At most one of these says who this is.
	Creds    string // file with a JWT and its key
	NKeySeed string // file with an NKey seed
	Token    string
	User     string
	Password string
	// CA is a file of certificates to trust instead of the system's. Cert and Key are this side's, for mutual TLS.
	CA, Cert, Key string
	// Inbox is the prefix of reply subjects, so that permissions can keep sites from reading each other's replies.
	// "": _INBOX, which all share.
	Inbox string
	// Name is how the server's administrator sees this connection. "": tributary.
	Name string

	Fleet    string        // "": default
	Replicas int           // of streams that are made here; 0: 1
	MaxAge   time.Duration // 0: 7 days
	MaxBytes int64         // of the log, and of all snapshots; 0: 10 GiB
	NoCreate bool          // streams are made by the administrator
	// Durability is what the server's configuration promises; the protocol cannot tell. 0: Replicated for a stream of three
	// replicas or more, else Accepted.
	Durability transports.Durability

	Verify time.Duration // how often a position is verified; 0: 30 s
	Call   time.Duration // how long one request may take; 0: 5 s
	Log    *slog.Logger  // nil: silent
}

const (
	chunkSize  = 256 << 10
	maxChunks  = 128
	maxPackage = chunkSize * maxChunks
	askLimit   = 4 << 20
)

func (o Options) withDefaults() Options {
	if o.URL == "" {
		o.URL = natsgo.DefaultURL
	}
	if o.Fleet == "" {
		o.Fleet = "default"
	}
	if o.Name == "" {
		o.Name = "tributary"
	}
	if o.Replicas <= 0 {
		o.Replicas = 1
	}
	if o.MaxAge <= 0 {
		o.MaxAge = 7 * 24 * time.Hour
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 10 << 30
	}
	if o.Durability == 0 {
		o.Durability = transports.Accepted
		if o.Replicas >= 3 {
			o.Durability = transports.Replicated
		}
	}
	if o.Verify <= 0 {
		o.Verify = 30 * time.Second
	}
	if o.Call <= 0 {
		o.Call = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// dialing are the client's options. A connection is tried for ever: a server that is away is a state, not an error.
func (o *Options) dialing(t *Transport) ([]natsgo.Option, error) {
	list := []natsgo.Option{
		natsgo.Name(o.Name), natsgo.RetryOnFailedConnect(true), natsgo.MaxReconnects(-1),
		natsgo.ReconnectWait(250 * time.Millisecond), natsgo.ReconnectJitter(250*time.Millisecond, time.Second),
		natsgo.Timeout(2 * time.Second), natsgo.ReconnectBufSize(-1), natsgo.NoEcho(),
		natsgo.ErrorHandler(t.asynchronous), natsgo.IgnoreAuthErrorAbort(), natsgo.ReconnectErrHandler(t.unreached),
		natsgo.ReconnectHandler(func(*natsgo.Conn) { t.count("reconnects") }),
	}
	list = list[:len(list):len(list)]
	ways := 0
	add := func(given bool, opt func() (natsgo.Option, error)) error {
		if !given {
			return nil
		}
		ways++
		n, err := opt()
		list = append(list, n)
		return err
	}
	plain := func(n natsgo.Option) func() (natsgo.Option, error) {
		return func() (natsgo.Option, error) { return n, nil }
	}
	err := errors.Join(
		add(o.Creds != "", plain(natsgo.UserCredentials(o.Creds))),
		add(o.NKeySeed != "", func() (natsgo.Option, error) { return natsgo.NkeyOptionFromSeed(o.NKeySeed) }),
		add(o.Token != "", plain(natsgo.Token(o.Token))),
		add(o.User != "", plain(natsgo.UserInfo(o.User, o.Password))),
	)
	if err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	if ways > 1 {
		return nil, errors.New("nats: several credentials are given; one says who this is")
	}
	if o.CA != "" {
		list = append(list, natsgo.RootCAs(o.CA))
	}
	if (o.Cert == "") != (o.Key == "") {
		return nil, errors.New("nats: a certificate needs its key, and a key its certificate")
	}
	if o.Cert != "" {
		list = append(list, natsgo.ClientCert(o.Cert, o.Key))
	}
	if o.Inbox != "" {
		list = append(list, natsgo.CustomInboxPrefix(o.Inbox))
	}
	if o.InProcess != nil {
		list = append(list, natsgo.InProcessServer(o.InProcess))
	}
	return list, nil
}
