package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/conformance"
	"github.com/tributary-db/tributary/conformance/native"
	"github.com/tributary-db/tributary/conformance/purehost"
	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

// built is a file that "make ext" has made. Without it the test is skipped, unless TRIBUTARY_EXT says that it must be
// there, as "make test-ext" does.
func built(t *testing.T, name string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("short: make test-ext runs this")
	}
	path, err := filepath.Abs(filepath.Join(root, "build", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		if env("TRIBUTARY_EXT") != "" {
			t.Fatal(err)
		}
		t.Skip("the loadable extension is not built: make test-ext")
	}
	return path
}

// extension is the loadable extension in a program of its own: every site, or every other one with vtab/ncruces in between.
type extension struct {
	host
	library, program string
	mixed            bool
	opened           *int
}

func (h extension) Replica(path string, now func() time.Time) (conformance.Replica, error) {
	if *h.opened++; h.mixed && *h.opened%2 == 0 {
		return nil, nil
	}
	clock := path + "-clock"
	p, err := native.Start(h.program, "TRIBUTARY_TEST_CLOCK="+clock)
	if err != nil {
		return nil, err
	}
	c, err := p.Open(path)
	if err == nil {
		err = c.Exec("PRAGMA busy_timeout = 10000")
	}
	if err == nil {
		err = c.Load(h.library, "sqlite3_tributary_init")
	}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	other, err := openNcruces(path, &engine.Options{Compressor: h.Compressor(), Now: now})
	if err != nil {
		return nil, errors.Join(err, c.Close(), p.Close())
	}
	return &extensionReplica{p, c, other, clock, now}, nil
}

// ncrucesSQL is vtab/ncruces, spoken to in SQL like the extension.
type ncrucesSQL struct {
	*sqlite3.Conn
	conn engine.Conn
}

func openNcruces(path string, o *engine.Options) (*ncrucesSQL, error) {
	db, err := purehost.Open(path)
	if err != nil {
		return nil, err
	}
	return &ncrucesSQL{db, ncruces.NewConn(db)}, ncruces.Register(db, o)
}

func (c *ncrucesSQL) Rows(sql string, args ...crdt.Value) (rows [][]crdt.Value, err error) {
	s, err := c.conn.Prepare(sql)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := s.Query(args...); err != nil {
		return nil, err
	}
	row := make([]crdt.Value, 8)
	for {
		ok, err := s.Next(row)
		if err != nil || !ok {
			return rows, err
		}
		kept := make([]crdt.Value, len(row))
		for i := range row {
			kept[i] = row[i].Clone()
		}
		rows = append(rows, kept)
	}
}

// extensionReplica replicates by SQL only.
type extensionReplica struct {
	p     *native.Process
	c     *native.Conn
	other *ncrucesSQL
	clock string // the file that the library, built for this test, takes for the wall clock
	now   func() time.Time
}

func (r *extensionReplica) Close() error {
	return errors.Join(r.c.Close(), r.p.Close(), r.other.Close())
}

func (r *extensionReplica) query(sql string, args ...crdt.Value) ([][]crdt.Value, error) {
	if err := os.WriteFile(r.clock, []byte(strconv.FormatInt(r.now().UnixMilli(), 10)), 0o644); err != nil {
		return nil, err
	}
	return r.c.Rows(sql, args...)
}

func (r *extensionReplica) exec(sql string, args ...crdt.Value) error {
	_, err := r.query(sql, args...)
	return err
}

func (r *extensionReplica) TrackAll(context.Context) error {
	return r.exec("SELECT tributary_track_all()")
}
func (r *extensionReplica) Fold(context.Context) error { return r.exec("SELECT tributary_fold()") }
func (r *extensionReplica) Compact(context.Context) error {
	return r.exec("SELECT tributary_compact()")
}

func (r *extensionReplica) Untrack(_ context.Context, table string) error {
	return r.exec("SELECT tributary_untrack(?1)", crdt.TextString(table))
}

// Pull goes through a stream with the options wanted, in the temp schema so that it leaves nothing behind.
func (r *extensionReplica) Pull(_ context.Context, o engine.PullOptions) iter.Seq2[engine.Pulled, error] {
	var words []string
	if o.LocalOnly {
		words = append(words, "local_only=1")
	}
	if o.MaxBytes > 0 {
		words = append(words, fmt.Sprint("max_bytes=", o.MaxBytes))
	}
	if o.Format == engine.FormatJSON {
		words = append(words, "format=json")
	}
	if len(o.Tables) > 0 {
		words = append(words, "tables='"+strings.Join(o.Tables, ",")+"'")
	}
	var sites []string
	for _, s := range o.Exclude {
		sites = append(sites, s.String())
	}
	if len(sites) > 0 {
		words = append(words, "exclude_sites='"+strings.Join(sites, ",")+"'")
	}
	arguments := strings.Join(words, ", ")
	return func(yield func(engine.Pulled, error) bool) {
		list, err := pulled(r.query, arguments, o.Since)
		if err == nil {
			err = r.equal(list, arguments, o.Since)
		}
		if err != nil {
			yield(engine.Pulled{}, err)
			return
		}
		for _, p := range list {
			if !yield(p, nil) {
				return
			}
		}
	}
}

// equal says that vtab/ncruces makes the same packages of the same file, byte for byte.
func (r *extensionReplica) equal(list []engine.Pulled, arguments string, since int64) error {
	others, err := pulled(r.other.Rows, arguments, since)
	if err != nil || cmp.Equal(list, others) {
		return err
	}
	return fmt.Errorf("packages (%s) differ from those that vtab/ncruces makes of the same file:\n%s", arguments, cmp.Diff(others, list))
}

// pulled reads all packages of a stream with these arguments.
func pulled(query func(string, ...crdt.Value) ([][]crdt.Value, error), arguments string, since int64) (list []engine.Pulled, err error) {
	if _, err := query("CREATE VIRTUAL TABLE temp.pulled USING stream_out(" + arguments + ")"); err != nil {
		return nil, err
	}
	rows, err := query("SELECT package, cursor, rows, part, last FROM temp.pulled WHERE cursor > ?1", crdt.Int(since))
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		list = append(list, engine.Pulled{Package: row[0].Bytes(), Cursor: row[1].Int(), Rows: int(row[2].Int()), Part: int(row[3].Int()), Last: row[4].Int() == 1})
	}
	_, err = query("DROP TABLE temp.pulled")
	return list, err
}

// Apply tells by what has changed what became of the package, since an INSERT does not say.
func (r *extensionReplica) Apply(_ context.Context, body []byte, o engine.ApplyOptions) (engine.ApplyState, error) {
	const state = "SELECT tributary_vector(), tributary_cursor(), (SELECT count(*) FROM tributary_waiting), " +
		"(SELECT json_group_array(site || ':' || cursor) FROM tributary_peer)"
	mode := [...]string{engine.ModeCausal: "causal", engine.ModeOrdered: "ordered", engine.ModeEventual: "eventual"}[o.Mode]
	before, err := r.query(state)
	if err != nil {
		return 0, err
	}
	if err := r.exec("CREATE VIRTUAL TABLE temp.arriving USING stream_in(mode=" + mode + ")"); err != nil {
		return 0, err
	}
	value := crdt.Blob(body)
	if len(body) > 0 && body[0] == '{' {
		value = crdt.Text(body)
	}
	err = r.exec("INSERT INTO temp.arriving(package) VALUES (?1)", value)
	if err = errors.Join(err, r.exec("DROP TABLE temp.arriving")); err != nil {
		return 0, err
	}
	after, err := r.query(state)
	switch {
	case err != nil:
		return 0, err
	case after[0][2].Int() > before[0][2].Int():
		return engine.StatePending, nil
	case fmt.Sprint(before) == fmt.Sprint(after):
		return engine.StateDuplicate, nil
	}
	return engine.StateApplied, nil
}

// TestExtensionScenarios runs the scenarios with SQL only, each site in a process of its own; every package is
// compared, byte for byte, with what vtab/ncruces makes of the same file.
func TestExtensionScenarios(t *testing.T) {
	t.Parallel()
	library, program := built(t, "tributary-testclock.so"), built(t, "driver")
	for name, mixed := range map[string]bool{"alone": false, "with ncruces": true} {
		t.Run(name, func(t *testing.T) {
			conformance.RunAll(t, extension{library: library, program: program, mixed: mixed, opened: new(int)})
		})
	}
}
