package sim

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/tributary-db/tributary/conformance/faultdisk"
	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

// site is one replica: a file on a disk of its own, and one connection that the application and the engine share, or one for each.
type site struct {
	w      *world
	index  int
	vfs    string
	disk   *faultdisk.Disk
	notes  evidence
	db     *sqlite3.Conn
	app    *sqlite3.Conn // of the application; db, if they share one
	e      *engine.Engine
	offset time.Duration // of its wall clock

	origin  string // names what the application writes from one start to the next; see oracle.go
	n       int    // transactions of that origin
	level   int    // version of the schema
	durable map[string]bool
	backup  *backup
	moment  *backup // its disk some events ago
	broken  bool    // the disk fails for a while
	failed  int     // operations that it refused since done was asked last
	asked   bool    // the engine has been given a package since the file was opened: before that it looks whose file it is
	ear     ear
	got     got
	// vague is what the site must have before it can be compared. Of own changes that travel alone only that is sent which others have
	// not overwritten, or deleted with the row.
	vague crdt.VersionVector
}

// got is what has come to a site.
type got struct {
	parts  map[*set]map[int]bool // of sets that are not known to be applied; nil: it is not known any more what has come
	newest map[place]crdt.Time   // the latest state of which a package was at a place
}

// backup is a file that was put away, and what was durable in it.
type backup struct {
	files   map[string][]byte
	notes   []engine.Evidence // beside it
	durable map[string]bool
	ear     ear
	with    *site // with whom it was about to talk
}

// evidence is the engine.IdentityStore of one site. A power cut treats it as it does a file that is replaced by renaming and
// never synced: it is what it was after any of the saves, or gone.
type evidence struct{ saved []engine.Evidence }

func (v *evidence) Load(string) (engine.Evidence, error) {
	if len(v.saved) == 0 {
		return engine.Evidence{}, fs.ErrNotExist
	}
	return v.saved[len(v.saved)-1], nil
}

func (v *evidence) Save(_ string, ev engine.Evidence) error {
	v.saved = append(v.saved, ev)
	return nil
}

// Inode is that of the file at a path: every site's file has one of its own.
func (v *evidence) Inode(path string) string { return "inode of " + path }

func (v *evidence) cut(r *rand.Rand) {
	switch r.IntN(8) {
	case 0:
		v.saved = nil
	case 1:
		v.saved = slices.Clip(v.saved[:r.IntN(len(v.saved)+1)])
	}
}

// namedConn has a name, because the file is not in the real file system: so the engine keeps evidence of its identity.
type namedConn struct {
	engine.Conn
	name string
}

func (c namedConn) Filename() string { return c.name }

var disks atomic.Int64 // the registry of file systems is global

const file = "/r.db"

func (w *world) newSite() *site {
	s := &site{w: w, index: len(w.sites), vfs: fmt.Sprint("sim", disks.Add(1)), disk: faultdisk.New(w.o.Seed<<8 + uint64(len(w.sites))), durable: map[string]bool{}, got: got{map[*set]map[int]bool{}, map[place]crdt.Time{}}, vague: crdt.VersionVector{}, offset: w.wrong(w.random)}
	w.sites = append(w.sites, s)
	return s
}

// wrong draws by how much a wall clock is wrong; after healing none is.
func (w *world) wrong(r *rand.Rand) time.Duration {
	if w.o.Skew == 0 || w.at < 0 {
		return 0
	}
	return time.Duration(r.Int64N(2*int64(w.o.Skew)) - int64(w.o.Skew))
}

func (s *site) path() string { return fmt.Sprintf("/%d%s", s.index, file) }

func (s *site) now() time.Time { return s.w.now.Add(s.offset) }

// open opens the file, creating it with the first version of the schema, and begins a new origin.
func (s *site) open() error {
	vfs.Register(s.vfs, s.disk)
	var err error
	if s.db, err = sqlite3.Open("file:" + file + "?vfs=" + s.vfs); err != nil {
		return err
	}
	s.app = s.db
	pragmas := "PRAGMA locking_mode = exclusive; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 40;"
	if s.w.o.Two {
		pragmas = "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL;"
	}
	pragmas += fmt.Sprintf("PRAGMA foreign_keys = %t;", s.w.o.Enforce) // the driver has its own idea of the default
	if err = s.db.Exec(pragmas); err != nil {
		return err
	}
	if s.w.o.Two {
		if s.app, err = sqlite3.Open("file:" + file + "?vfs=" + s.vfs); err != nil {
			return err
		}
		if err = s.app.Exec(pragmas); err != nil {
			return err
		}
	}
	level, err := s.int("PRAGMA user_version")
	if err != nil {
		return err
	}
	if s.level = int(level) - 1; s.level < 0 {
		if err = s.app.Exec("BEGIN;" + schema + toldTable + "PRAGMA user_version = 1; COMMIT"); err != nil {
			return err
		}
		s.level = 0
		if s.w.o.Base && s.index == 0 {
			if err = s.tell(baseRows); err != nil {
				return err
			}
		}
	}
	random := rand.NewChaCha8([32]byte{byte(s.w.opened), byte(s.w.opened >> 8), byte(s.w.o.Seed), byte(s.w.o.Seed >> 8), byte(s.w.o.Seed >> 16), byte(s.w.o.Seed >> 24)})
	s.w.opened++
	s.e, err = engine.Open(context.Background(), namedConn{ncruces.NewConn(s.db), s.path()},
		&engine.Options{Now: s.now, Identity: &s.notes, Random: random, MaxPending: s.w.o.MaxPending})
	if err != nil {
		return err
	}
	if err = s.track(); err != nil {
		return err
	}
	s.asked = false
	s.origin, s.n = fmt.Sprintf("o%d", s.w.opened), 0
	return nil
}

// track tracks all tables, unless they are: reading the whole schema takes longer than the rest of an event.
func (s *site) track() error {
	if n, err := s.int("SELECT count(*) FROM sqlite_schema WHERE name = 'tributary_table'"); err != nil {
		return err
	} else if n > 0 {
		all, err := s.int("SELECT count(*) = (SELECT count(*) FROM tributary_table) FROM sqlite_schema WHERE type = 'table' AND name IN ('log', 't', 'customer', 'orders', 'line', 'link', 'note', 'extra')")
		if err != nil || all != 0 {
			return err
		}
	}
	_, _, err := s.e.TrackAll(context.Background())
	return err
}

func (s *site) close() {
	if s.e != nil {
		s.e.Close()
		s.e = nil
	}
	if s.app != nil && s.app != s.db {
		s.app.Close()
	}
	if s.db != nil {
		s.db.Close()
	}
	s.db, s.app = nil, nil
}

// start opens, again and again while the power goes already in opening.
func (s *site) start() error {
	for {
		err := s.open()
		if err == nil {
			return nil
		}
		if !s.disk.Off() && s.failed == 0 {
			return fmt.Errorf("site %d: open: %w", s.index, err)
		}
		s.down()
	}
}

// down closes what is left after a power cut, or a fault in opening, and puts the power back on.
func (s *site) down() {
	s.close()
	if s.disk.Off() {
		s.disk = s.disk.PowerOn()
		s.w.stats.Cuts++
		s.w.stats.Lost += s.disk.Lost
		s.notes.cut(s.w.random)
	}
	s.mend()
}

// mend ends the faults of the disk.
func (s *site) mend() { s.broken, s.failed, s.disk.Fault, s.disk.Crash = false, 0, nil, 0 }

// hit says that a power cut or a fault has come between since done was asked last.
func (s *site) hit() bool { return s.disk.Off() || s.failed > 0 }

// done judges the error of something that was done with the site. Errors that a power cut or a failing disk explains are
// handled here, and the site is as good as new afterwards; others come back.
func (s *site) done(err error) error {
	if s.disk.Off() {
		s.down()
		if err := s.start(); err != nil {
			return err
		}
		return s.w.afterCrash(s)
	}
	for _, db := range []*sqlite3.Conn{s.db, s.app} {
		if db == nil || db.GetAutocommit() {
			continue
		}
		if rerr := db.Exec("ROLLBACK"); rerr != nil && s.failed == 0 {
			return errors.Join(err, rerr)
		}
	}
	if failed := s.failed; failed > 0 {
		s.w.stats.Faults += failed
		s.failed = 0
		if err != nil {
			return nil
		}
	}
	if errors.Is(err, engine.ErrClock) && s.w.o.Skew > 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("site %d: %w", s.index, err)
	}
	return nil
}

// spared keeps the power on while an oracle reads: a reader may have to clear away a journal. It comes right after.
func (s *site) spared() (end func()) {
	disk, at := s.disk, s.disk.Crash
	disk.Crash = 0
	return func() {
		if at > 0 {
			disk.Crash = max(at, disk.Ops()+1)
		}
	}
}

// int is the first column of the first row.
func (s *site) int(sql string) (int64, error) {
	defer s.spared()()
	q, _, err := s.app.Prepare(sql)
	if err != nil {
		return 0, err
	}
	defer q.Close()
	if !q.Step() {
		return 0, q.Err()
	}
	return q.ColumnInt64(0), q.Err()
}

// each calls f for every row.
func (s *site) each(sql string, f func(*sqlite3.Stmt) error) error {
	defer s.spared()()
	q, _, err := s.app.Prepare(sql)
	if err != nil {
		return err
	}
	defer q.Close()
	for q.Step() {
		if err := f(q); err != nil {
			return err
		}
	}
	return q.Err()
}
