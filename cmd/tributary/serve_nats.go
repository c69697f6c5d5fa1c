package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/tributary-db/tributary/transports"
	"github.com/tributary-db/tributary/transports/nats"
	"github.com/tributary-db/tributary/transports/nats/embedded"
)

// openBroker starts the embedded NATS server and connects to it without a port. Two servers on one store would destroy it.
func (s *server) openBroker() error {
	store := s.flags.store
	if store == "" {
		store = s.databases[0].file + "-tributary-nats"
	}
	full, err := filepath.Abs(store)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(full), 0o777); err != nil {
		return inFile(store, reason(err))
	}
	if s.store, err = takeLock(full + "-lock"); err != nil {
		return inFile(store, err)
	}
	token, err := s.flags.creds.token()
	if err != nil {
		return err
	}
	if s.flags.listen != "" { // the server says it in words of its own, which are about its store
		l, err := listenAt(s.flags.listen)
		if err != nil {
			return err
		}
		l.Close()
	}
	if s.broker, err = embedded.Start(embedded.Options{Dir: full, Listen: s.flags.listen, Token: token, ConfigFile: s.flags.natsConf, Log: s.log}); err != nil {
		return fmt.Errorf("%s: %w", store, err)
	}
	if s.flags.listen != "" && token == "" && s.flags.natsConf == "" && !loopback(s.flags.listen) {
		s.log.Warn("anybody who reaches this address can read and write the databases; give --token-file or --nats-config", "nats", s.broker.URL())
	}
	o := s.flags.creds.nats
	o.InProcess, o.Token, o.Log, o.Durability = s.broker, token, s.log, transports.Synced
	t, err := nats.Open(o)
	if err != nil {
		return err
	}
	s.media = append(s.media, medium{"nats", t})
	return nil
}

// loopback says that only this machine can connect to an address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
