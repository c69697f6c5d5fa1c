package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/tributary-db/tributary/engine"
)

// ErrSkip is what RunScript returns for a scenario that the plain writer's SQLite cannot run.
var ErrSkip = errors.New("the plain writer's SQLite cannot run this")

// RunScript runs one scenario in an empty folder. name stands in front of the number of the line that fails. It is not safe to run
// two in one folder; otherwise scenarios know nothing of each other.
func RunScript(ctx context.Context, h Host, dir, name, script string) (err error) {
	steps, err := parse(script)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	r := newRunner(ctx, h, dir)
	defer func() { err = errors.Join(err, r.close()) }()
	for _, s := range steps {
		r.clock = r.clock.Add(time.Second) // so that a later line is later
		if err := verbs[s.verb](r, s); err != nil {
			return fmt.Errorf("%s:%d: %s %s: %w", name, s.line, s.verb, strings.Join(s.args, " "), err)
		}
	}
	if err := r.check(r.names()); err != nil {
		return fmt.Errorf("%s: at the end: %w", name, err)
	}
	return nil
}

// runner is the state of a scenario.
type runner struct {
	ctx      context.Context
	host     Host
	dir      string
	sites    map[string]*site
	packages map[string]*parcel
	cursors  map[[2]string]int64 // what send has carried from the first site to the second
	backups  map[string]string   // path by name
	clock    time.Time
	random   *rand.Rand
}

// site is one replica of a scenario.
type site struct {
	name, path string
	offset     time.Duration // of its wall clock
	writer     Writer
	conn       engine.Conn
	closer     io.Closer
	engine     *engine.Engine // looks at the site, and is its replica unless the host has others
	replica    Replica
}

// parcel is what pull kept under a name.
type parcel struct {
	packages [][]byte
	cursor   int64
}

// epoch lies before any real clock, so that what a trigger captured by the real one can be told apart.
var epoch = time.Date(2001, time.February, 3, 10, 0, 0, 0, time.UTC)

func newRunner(ctx context.Context, h Host, dir string) *runner {
	return &runner{ctx: ctx, host: h, dir: dir, sites: map[string]*site{}, packages: map[string]*parcel{},
		cursors: map[[2]string]int64{}, backups: map[string]string{}, clock: epoch, random: rand.New(rand.NewPCG(1, 2))}
}

// verbs are the commands; README.md describes them.
var verbs map[string]func(*runner, step) error

func init() {
	verbs = map[string]func(*runner, step) error{
		"needs": (*runner).stepNeeds, "site": (*runner).stepSite, "schema": (*runner).stepSchema, "track": (*runner).stepTrack, "untrack": (*runner).stepUntrack,
		"clone": (*runner).stepClone, "copy": (*runner).stepCopy, "backup": (*runner).stepBackup, "restore": (*runner).stepRestore,
		"reopen": (*runner).stepReopen, "sql": (*runner).stepSQL, "fails": (*runner).stepFails,
		"clock": (*runner).stepClock, "at": (*runner).stepAt, "fold": (*runner).stepFold, "compact": (*runner).stepCompact,
		"sync": (*runner).stepSync, "send": (*runner).stepSend, "pull": (*runner).stepPull, "apply": (*runner).stepApply,
		"empty": (*runner).stepEmpty,
		"same":  (*runner).stepSame, "differ": (*runner).stepDiffer, "rows": (*runner).stepRows, "check": (*runner).stepCheck,
		"quarantine": (*runner).stepQuarantine, "parked": (*runner).stepParked, "pending": (*runner).stepPending,
		"newid": (*runner).stepNewID, "sameid": (*runner).stepSameID,
	}
}

func (r *runner) names() []string {
	var out []string
	for n := range r.sites {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

// find returns the named sites, at least min of them.
func (r *runner) find(names []string, least int) ([]*site, error) {
	if len(names) < least {
		return nil, fmt.Errorf("needs %d sites", least)
	}
	var out []*site
	for _, n := range names {
		s := r.sites[n]
		if s == nil {
			return nil, fmt.Errorf("there is no site %q", n)
		}
		out = append(out, s)
	}
	return out, nil
}

func (r *runner) open(name string) (*site, error) {
	s := &site{name: name, path: filepath.Join(r.dir, name+".db")}
	if old := r.sites[name]; old != nil {
		s.offset = old.offset
	}
	var err error
	if s.writer, err = r.host.Writer(s.path); err != nil {
		return nil, err
	}
	// A plain client creates the file.
	if err := s.writer.Exec("PRAGMA user_version = 0"); err != nil {
		return nil, err
	}
	if s.conn, s.closer, err = r.host.Conn(s.path); err != nil {
		return nil, err
	}
	s.engine, err = engine.Open(r.ctx, s.conn, &engine.Options{
		Now:        func() time.Time { return r.clock.Add(s.offset) },
		Compressor: r.host.Compressor(),
	})
	r.sites[name] = s
	if err != nil {
		return s, err
	}
	s.replica = engineReplica{s.engine}
	if h, ok := r.host.(ReplicaHost); ok {
		other, err := h.Replica(s.path, func() time.Time { return r.clock.Add(s.offset) })
		if err != nil {
			return s, err
		}
		if other != nil {
			s.replica = other
		}
	}
	return s, nil
}

func (s *site) close() error {
	if s.replica != nil {
		if err := s.replica.Close(); err != nil {
			return err
		}
		s.replica = nil
	}
	if s.engine != nil {
		if err := s.engine.Close(); err != nil {
			return err
		}
		s.engine = nil
	}
	if s.closer != nil {
		if err := s.closer.Close(); err != nil {
			return err
		}
		s.closer = nil
	}
	if s.writer != nil {
		if err := s.writer.Close(); err != nil {
			return err
		}
		s.writer = nil
	}
	return nil
}

func (r *runner) close() (err error) {
	for _, n := range r.names() {
		if e := r.sites[n].close(); e != nil {
			err = errors.Join(err, fmt.Errorf("closing site %s: %w", n, e))
		}
	}
	return err
}
