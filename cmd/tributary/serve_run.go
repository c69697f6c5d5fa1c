package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/replicator"
	"github.com/tributary-db/tributary/transports"
	"github.com/tributary-db/tributary/transports/nats/embedded"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

// server is a running serve.
type server struct {
	app        *app
	flags      serveFlags
	log        *slog.Logger
	addresses  []string
	every      time.Duration // as in replicator.Options.Snapshot
	everyBytes int64
	databases  []*served
	media      []medium
	hub        *hub // what --http shows, nil without
	listeners  []*listener
	broker     *embedded.Server // nil without
	store      *lockFile        // of the broker
}

// served is one database of a server.
type served struct {
	name, file string
	lock       *lockFile
	db         *database
	loop       *replicator.Replicator
	mu         sync.Mutex // guards err
	err        error      // why the loop has ended
}

// open takes the locks, opens databases and media, and listens.
func (s *server) open(ctx context.Context) error {
	if s.flags.nats == "embedded" {
		if err := s.openBroker(); err != nil {
			return err
		}
	}
	for _, address := range s.addresses {
		m, err := openMedium(address, s.flags.creds, s.log)
		if err != nil {
			return err
		}
		s.media = append(s.media, m)
	}
	if s.flags.http != "" {
		if err := s.openHub(); err != nil {
			return err
		}
		s.media = append(s.media, medium{"http", s.hub.transport()})
	}
	for _, d := range s.databases {
		if err := s.openDatabase(ctx, d); err != nil {
			return err
		}
	}
	return s.listen()
}

func (s *server) openDatabase(ctx context.Context, d *served) (err error) {
	// What is left to publish goes out after ctx has ended, so statements must not end with it.
	if d.db, err = s.app.open(context.WithoutCancel(ctx), d.file, toWrite); err != nil {
		return err
	}
	if d.db.engine.Site().IsZero() {
		return d.db.fail(fmt.Errorf("%w; run: tributary track %s --all", engine.ErrNoDatabase, d.file))
	}
	if d.lock, err = takeLock(servedLock(d.file)); err != nil {
		return d.db.fail(err)
	}
	if mode, err := journalMode(d.db.conn); err != nil {
		return d.db.fail(err)
	} else if mode != "wal" {
		s.log.Info("programs that read this file wait while another writes; PRAGMA journal_mode=WAL would let them go on", "file", d.file)
	}
	var links []replicator.Link
	for _, m := range s.media {
		links = append(links, replicator.Link{Name: m.name, Transport: m.Transport})
	}
	d.loop, err = replicator.New(d.db.engine, ncruces.NewConn(d.db.conn), replicator.Options{
		DB: d.name, Links: links, Log: s.log, Program: "tributary " + programVersion(),
		Snapshot: s.every, SnapshotBytes: s.everyBytes,
	})
	return err
}

func journalMode(conn *sqlite3.Conn) (string, error) {
	stmt, _, err := conn.Prepare("PRAGMA journal_mode")
	if err != nil {
		return "", err
	}
	defer stmt.Close()
	stmt.Step()
	return stmt.ColumnText(0), stmt.Err()
}

// replicate runs the loops until ctx ends, or until one of them cannot go on.
func (s *server) replicate(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	for _, d := range s.databases {
		wg.Go(func() {
			if err := d.loop.Run(ctx); err != nil {
				d.mu.Lock()
				d.err = d.db.fail(err)
				d.mu.Unlock()
				s.log.Error("the loop has ended", "db", d.name, "file", d.file, "error", err)
				cancel()
			}
		})
	}
	wg.Wait()
	var err error
	for _, d := range s.databases {
		err = errors.Join(err, d.failure())
	}
	return err
}

func (d *served) failure() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// close ends what open began, in the other order. What waits for news over http ends with the media.
func (s *server) close() error {
	var err error
	for _, m := range s.media {
		err = errors.Join(err, m.Close())
	}
	for _, l := range s.listeners {
		err = errors.Join(err, l.close())
	}
	for _, d := range s.databases {
		err = errors.Join(err, d.db.Close())
		d.lock.release()
	}
	if s.broker != nil {
		err = errors.Join(err, s.broker.Close())
	}
	s.store.release()
	return errors.Join(err, s.hub.close())
}

func (s *server) mediaNames() (names []string) {
	for _, m := range s.media {
		names = append(names, m.name)
	}
	return names
}

// address is where others connect, "" for nowhere.
func (s *server) address() string {
	for _, l := range s.listeners {
		if l.sync {
			return l.addr.String()
		}
	}
	return ""
}

// counts are the counters that a medium keeps itself.
func counts(t transports.Transport) map[string]int64 {
	if c, ok := t.(transports.Counter); ok {
		return c.Counts()
	}
	return nil
}

// listenAt listens on TCP.
func listenAt(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen at %s: %w; is another server running, or the address of another machine?", address, err)
	}
	return l, nil
}
