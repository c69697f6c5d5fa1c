package ncruces

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/conformance/native"
	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// The tests of the SQL surface here run a second time with TRIBUTARY_HOST=extension ("make test-ext"): then their sites
// are connections of a program of its own that has loaded the extension, so that both hosts answer alike.

// ownHost are the tests of what only this host has.
var ownHost = map[string]string{
	"TestCloseFreesTheEngine":   "closes the driver's connection; conformance has it for the extension",
	"TestInterrupt":             "interrupts through a context",
	"TestPanicsInCallbacks":     "registers modules that panic",
	"TestSelectGivesUpWaiting":  "interrupts through a context",
	"TestSelectWaitsForWriters": "writes from another goroutine while the program waits",
}

// openExtension opens a site in a program of its own, or returns nil if this host's are wanted.
func openExtension(t testing.TB, file string) *site {
	t.Helper()
	if os.Getenv("TRIBUTARY_HOST") != "extension" {
		return nil
	}
	name, _, _ := strings.Cut(t.Name(), "/")
	if why := ownHost[name]; why != "" {
		t.Skip(why)
	}
	build, err := filepath.Abs("../../build")
	if err != nil {
		t.Fatal(err)
	}
	p, err := native.Start(filepath.Join(build, "driver"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Open(file)
	if err == nil {
		// Foreign keys as the driver of this host has them from the start.
		err = errors.Join(c.Exec("PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 1000"), c.Load(filepath.Join(build, "tributary.so"), ""))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(c.Close(), p.Close()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return &site{t, nil, extensionConn{c}, strings.TrimSuffix(strings.TrimPrefix(file, "file:"), "?mode=ro")}
}

// extensionConn is as much of an engine.Conn as the tests of the surface use.
type extensionConn struct{ c *native.Conn }

func (c extensionConn) Exec(sql string) error { return extensionErr(c.c.Exec(sql)) }

func (c extensionConn) Prepare(sql string) (engine.Stmt, error) {
	s, err := c.c.Prepare(sql)
	if err != nil {
		return nil, extensionErr(err)
	}
	return &extensionStmt{s}, nil
}

func (c extensionConn) InTransaction() bool {
	in, err := c.c.InTransaction()
	return err != nil || in
}

var errElsewhere = errors.New("this is the extension's own business")

func (c extensionConn) ReadOnly() bool                       { panic(errElsewhere) }
func (c extensionConn) Filename() string                     { panic(errElsewhere) }
func (c extensionConn) Undisturbed(bool) bool                { return false }
func (c extensionConn) EnableTriggers(bool) (bool, error)    { return false, errElsewhere }
func (c extensionConn) EnableForeignKeys(bool) (bool, error) { return false, errElsewhere }
func (c extensionConn) SetRows(*engine.Rows)                 { panic(errElsewhere) }

type extensionStmt struct{ s *native.Stmt }

func (s *extensionStmt) Query(args ...crdt.Value) error { return extensionErr(s.s.Query(args...)) }
func (s *extensionStmt) Run(args ...crdt.Value) error   { return extensionErr(s.s.Run(args...)) }
func (s *extensionStmt) Reset() error                   { return s.s.Reset() }

func (s *extensionStmt) Next(dst []crdt.Value) (bool, error) {
	row, ok, err := s.s.Next()
	copy(dst, row)
	return ok, extensionErr(err)
}

func (s *extensionStmt) Close() (err error) {
	if s.s != nil {
		err = s.s.Close()
		s.s = nil
	}
	return err
}

// extensionError compares itself with the result codes of this host's driver.
type extensionError struct{ e *native.Error }

func (e extensionError) Error() string   { return e.e.Message }
func (e extensionError) SQLiteCode() int { return e.e.Code }

func (e extensionError) Is(target error) bool {
	switch c := target.(type) {
	case sqlite3.ErrorCode:
		return int(c) == e.e.Code&0xff
	case sqlite3.ExtendedErrorCode:
		return int(c) == e.e.Code
	}
	return false
}

func extensionErr(err error) error {
	var e *native.Error
	if errors.As(err, &e) {
		return extensionError{e}
	}
	return err
}
