// Package embedded runs a NATS server with JetStream inside the process: one server, for a fleet that needs no more. It is
// a package of its own so that programs that only connect do not link a server.
//
// Every message is synced to disk before it is acknowledged. That costs throughput (some hundred packages a second), which
// batching makes up for; without it a power cut can take the last two minutes, and even the stream itself.
package embedded

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Options says where and how the server runs. Dir is needed.
type Options struct {
	Dir string // the store; made if missing. The caller keeps two servers off it.
	// Listen is an address for others to connect to, such as :4222. "": no port is open.
	Listen string
	// Token is asked of who connects over the port. "": anybody may. Connections of this process need it too.
	Token string
	// Cert and Key make the port speak TLS; CA asks clients for a certificate that it signed.
	Cert, Key, CA string
	MaxStore      int64        // bytes of the store; 0: 24 GiB
	NoSync        bool         // acknowledge before a sync; for tests
	Log           *slog.Logger // nil: silent
	// ConfigFile is a NATS server configuration that replaces everything above but Dir, Listen and NoSync: users,
	// permissions, TLS. "": none.
	ConfigFile string
}

// Server is a running server. It is an InProcess of package nats.
type Server struct {
	s   *server.Server
	o   Options
	url string
}

// Start starts a server and waits until it is ready.
func Start(o Options) (*Server, error) {
	opts, err := o.server()
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	l := &logger{o.Log, make(chan string, 1)}
	if o.Log == nil {
		l.l = slog.New(slog.DiscardHandler)
	}
	s.SetLogger(l, false, false)
	s.Start()
	if err := l.ready(s); err != nil {
		s.Shutdown()
		return nil, err
	}
	if !s.JetStreamEnabled() {
		s.Shutdown()
		return nil, fmt.Errorf("embedded: JetStream could not use %s", opts.StoreDir)
	}
	srv := &Server{s: s, o: o}
	if o.Listen != "" {
		scheme := "nats"
		if opts.TLS || opts.TLSConfig != nil {
			scheme = "tls"
		}
		srv.url = scheme + "://" + s.Addr().String()
	}
	return srv, nil
}

func (o *Options) server() (*server.Options, error) {
	if o.Dir == "" {
		return nil, errors.New("the store needs a folder")
	}
	opts := &server.Options{}
	if o.ConfigFile != "" {
		var err error
		if opts, err = server.ProcessConfigFile(o.ConfigFile); err != nil {
			return nil, err
		}
	}
	opts.ServerName, opts.JetStream, opts.StoreDir = "tributary", true, o.Dir
	opts.NoSigs, opts.DisableJetStreamBanner, opts.NoLog = true, true, o.Log == nil
	opts.JetStreamLimits.DefaultMaxConsumers = 100_000 // one for each replica; the server's own default is 1,000
	opts.SyncAlways = !o.NoSync
	opts.SyncInterval = 2 * time.Minute
	if opts.JetStreamMaxStore = o.MaxStore; o.MaxStore <= 0 {
		opts.JetStreamMaxStore = 24 << 30 // beyond what the streams of package nats may take
	}
	if opts.JetStreamMaxMemory <= 0 {
		opts.JetStreamMaxMemory = 1 << 30
	}
	if o.Listen == "" {
		opts.DontListen = true
	} else {
		host, port, err := net.SplitHostPort(o.Listen)
		if err != nil {
			return nil, fmt.Errorf("%q is not an address such as :4222: %w", o.Listen, err)
		}
		if opts.Port, err = strconv.Atoi(port); err != nil {
			return nil, fmt.Errorf("%q is not an address such as :4222", o.Listen)
		}
		if opts.Port == 0 {
			opts.Port = server.RANDOM_PORT
		}
		if opts.Host = host; host == "" {
			opts.Host = server.DEFAULT_HOST
		}
	}
	if o.ConfigFile != "" {
		return opts, nil
	}
	opts.Authorization = o.Token
	return opts, o.secure(opts)
}

// secure sets TLS up.
func (o *Options) secure(opts *server.Options) error {
	if o.Cert == "" && o.Key == "" && o.CA == "" {
		return nil
	}
	cert, err := tls.LoadX509KeyPair(o.Cert, o.Key)
	if err != nil {
		return err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
	if o.CA != "" {
		pem, err := os.ReadFile(o.CA)
		if err != nil {
			return err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%s holds no certificate", o.CA)
		}
		c.ClientCAs, c.ClientAuth = pool, tls.RequireAndVerifyClientCert
		opts.TLSVerify = true
	}
	opts.TLS, opts.TLSConfig, opts.TLSTimeout = true, c, 5
	return nil
}

// InProcessConn connects without a port.
func (s *Server) InProcessConn() (net.Conn, error) { return s.s.InProcessConn() }

// URL is where others connect, "" without a port or for nil.
func (s *Server) URL() string {
	if s == nil {
		return ""
	}
	return s.url
}

// Close stops the server and waits until the store is closed.
func (s *Server) Close() error {
	s.s.Shutdown()
	s.s.WaitForShutdown()
	return syncTree(s.o.Dir)
}

// syncTree syncs a folder and all below it: what the server writes once, when it makes a stream, it does not sync itself.
func syncTree(root string) error {
	return filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() && !d.IsDir() {
			return nil // gone meanwhile
		}
		f, err := os.Open(name)
		if err != nil {
			return nil
		}
		defer f.Close()
		_ = f.Sync() // some systems cannot sync a folder
		return nil
	})
}

// logger passes the server's log on. Why the server cannot start is told to it alone, so that is kept for Start to return.
type logger struct {
	l     *slog.Logger
	fatal chan string // holds one; full once the server is ready
}

// ready waits until the server takes connections.
func (l *logger) ready(s *server.Server) error {
	for range 600 {
		if s.ReadyForConnections(50 * time.Millisecond) {
			l.Fatalf("")
			return nil
		}
		select {
		case why := <-l.fatal:
			return errors.New("embedded: " + why)
		default:
		}
	}
	return errors.New("embedded: the server did not start within 30 s; its log says why")
}

func (l *logger) Noticef(f string, v ...any) { l.l.Debug("nats server: " + fmt.Sprintf(f, v...)) }
func (l *logger) Warnf(f string, v ...any)   { l.l.Warn("nats server: " + fmt.Sprintf(f, v...)) }
func (l *logger) Errorf(f string, v ...any) {
	text := fmt.Sprintf(f, v...)
	if strings.Contains(text, "critical write error") { // it goes on by itself for no stream of which it has said so
		text += "; nothing is lost: make room, and start this server again"
	}
	l.l.Error("nats server: " + text)
}
func (l *logger) Fatalf(f string, v ...any) {
	select {
	case l.fatal <- fmt.Sprintf(f, v...):
	default:
		l.Errorf(f, v...)
	}
}
func (l *logger) Debugf(string, ...any) {}
func (l *logger) Tracef(string, ...any) {}
