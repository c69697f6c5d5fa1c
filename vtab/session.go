package vtab

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// Session is Tributary on one connection: what its modules and functions share. The engine is opened when something
// first needs it, so that registering costs a connection next to nothing.
type Session struct {
	host    Host
	options *engine.Options
	engine  *engine.Engine
	stale   bool                          // what the engine has read may have been rolled back
	temp    map[string]*engine.StreamInfo // streams of the temp schema, by lower-case name
	// retrieved is the last cursor that each stream has handed out here, until an UPDATE stores it.
	retrieved map[string]int64
	// began is where the set began of which a stream has last handed out packages, and up to where it has.
	began map[string]span
	// failed is why the last package of a sender was refused, by stream, until one of its packages is accepted.
	failed   map[string]map[crdt.Site]string
	patience patience
}

// NewSession makes a session; options go to the engine.
func NewSession(h Host, o *engine.Options) *Session {
	return &Session{host: h, options: o, temp: map[string]*engine.StreamInfo{}, retrieved: map[string]int64{}, began: map[string]span{}, failed: map[string]map[crdt.Site]string{}}
}

// Engine is the session's engine. It stays the session's.
func (s *Session) Engine(ctx context.Context) (*engine.Engine, error) {
	if s.stale {
		if err := s.Close(); err != nil {
			return nil, err
		}
	}
	if s.engine == nil {
		e, err := engine.Open(ctx, s.host, s.options)
		if err != nil {
			return nil, err
		}
		s.engine = e
	}
	return s.engine, nil
}

// Close frees the engine's statements, without which SQLite cannot close the connection. The session stays usable: it
// opens another engine when it needs one. Closing twice is harmless.
func (s *Session) Close() error {
	s.stale = false
	if s.engine == nil {
		return nil
	}
	e := s.engine
	s.engine = nil
	return e.Close()
}

// ended is called when a transaction in which a stream took part has been committed or rolled back.
func (s *Session) ended(rolledBack bool) {
	if s.engine != nil {
		s.engine.EndUpdate()
	}
	s.stale = s.stale || rolledBack
}

// Modules are the virtual tables.
func (s *Session) Modules() []Module {
	return []Module{
		{Name: "stream_out", Connect: s.connectOut},
		{Name: "stream_in", Connect: s.connectIn},
		s.listing(changesListing),
		s.listing(statusListing),
		s.listing(pendingListing),
		s.listing(parkedListing),
		s.listing(quarantineListing),
	}
}

// span is part of a feed: cursors after the first, up to the second, and whether the changes of all were read there.
type span struct {
	after, upto int64
	whole       bool
}

// book is the bookkeeping of one stream: a row of the engine, or an entry in memory for one in the temp schema.
type book struct {
	s         *Session
	name      string
	temporary bool
	fresh     engine.StreamInfo // as it is right after CREATE VIRTUAL TABLE
}

func (s *Session) open(kind, peer string, a Arguments) (*book, error) {
	b := &book{s: s, name: a.Table, fresh: engine.StreamInfo{Kind: kind, Peer: peer, Options: strings.Join(a.List, ", ")}}
	switch strings.ToLower(a.Schema) {
	case "main":
	case "temp":
		b.temporary = true
	default:
		return nil, fmt.Errorf("tributary: a stream lives in the schema main or temp, not in %s", a.Schema)
	}
	return b, nil
}

func (b *book) key() string { return strings.ToLower(b.name) }

// read is the stream's present bookkeeping.
func (b *book) read(ctx context.Context) (engine.StreamInfo, error) {
	i, ok := engine.StreamInfo{}, false
	if b.temporary {
		if p := b.s.temp[b.key()]; p != nil {
			i, ok = *p, true
		}
	} else {
		e, err := b.s.Engine(ctx)
		if err != nil {
			return i, err
		}
		if i, ok, err = e.Stream(ctx, b.name); err != nil {
			return i, err
		}
	}
	if !ok {
		// The table is there and its bookkeeping is not, as after the shadow tables were removed by hand.
		i = b.fresh
		i.Name = b.name
	}
	i.LastRetrieved = max(i.LastRetrieved, b.s.retrieved[b.key()])
	return i, nil
}

// write stores bookkeeping in the surrounding transaction.
func (b *book) write(ctx context.Context, i engine.StreamInfo) error {
	i.Name = b.name
	if b.temporary {
		b.s.temp[b.key()] = &i
		return nil
	}
	e, err := b.s.Engine(ctx)
	if err != nil {
		return err
	}
	return e.PutStream(ctx, i)
}

func (b *book) create(ctx context.Context) error {
	delete(b.s.retrieved, b.key())
	delete(b.s.began, b.key())
	return b.write(ctx, b.fresh)
}

func (b *book) destroy(ctx context.Context) error {
	delete(b.s.retrieved, b.key())
	delete(b.s.began, b.key())
	delete(b.s.failed, b.key())
	if b.temporary {
		delete(b.s.temp, b.key())
		return nil
	}
	e, err := b.s.Engine(ctx)
	if err != nil {
		return err
	}
	return e.DropStream(ctx, b.name)
}

func (b *book) rename(ctx context.Context, name string) error {
	from := b.key()
	if b.temporary {
		b.s.temp[strings.ToLower(name)] = b.s.temp[from]
	} else {
		e, err := b.s.Engine(ctx)
		if err != nil {
			return err
		}
		if err := e.RenameStream(ctx, b.name, name); err != nil && !errors.Is(err, engine.ErrNoDatabase) {
			return err
		}
	}
	b.name = name
	if from != b.key() {
		delete(b.s.temp, from)
		b.s.retrieved[b.key()] = b.s.retrieved[from]
		delete(b.s.retrieved, from)
		b.s.began[b.key()] = b.s.began[from]
		delete(b.s.began, from)
		b.s.failed[b.key()] = b.s.failed[from]
		delete(b.s.failed, from)
	}
	return nil
}
