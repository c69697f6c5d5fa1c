package ncruces

import (
	"errors"
	"os"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/engine"
)

// conn is engine.Conn over one connection. There is one of it per connection, see host.
type conn struct {
	db   *sqlite3.Conn
	rows *engine.Rows // what tributary_rows shows; nil: nothing
	err  error        // why the connection cannot serve as a host; returned by Exec and Prepare
}

// NewConn returns the port through which an engine uses db. Calling it again for the same db returns the same port.
// It registers the virtual tables tributary_rows and tributary_rows_wide; an error in that comes out of the port's
// Prepare and Exec. Closing db is the caller's business, and comes after closing the engine.
func NewConn(db *sqlite3.Conn) engine.Conn {
	h, err := hostOf(db)
	if err != nil {
		return &conn{db: db, err: err}
	}
	return h.conn
}

func (c *conn) Exec(sql string) (err error) {
	defer noMemory(&err)
	if c.err != nil {
		return c.err
	}
	return wrap(c.db.Exec(sql))
}

func (c *conn) Prepare(sql string) (_ engine.Stmt, err error) {
	defer noMemory(&err)
	if c.err != nil {
		return nil, c.err
	}
	// Persistent: these statements live as long as the engine, they should not sit in the lookaside memory.
	// https://sqlite.org/c3ref/c_prepare_dont_log.html
	s, tail, err := c.db.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return nil, wrap(err)
	}
	if s == nil {
		return nil, &Error{code: int(sqlite3.MISUSE), err: errors.New("tributary: no statement to prepare")}
	}
	if strings.TrimLeft(tail, " \t\r\n;") != "" {
		s.Close()
		return nil, &Error{code: int(sqlite3.MISUSE), err: errors.New("tributary: more than one statement to prepare")}
	}
	return &stmt{s: s, parameters: s.BindCount()}, nil
}

func (c *conn) InTransaction() bool { return !c.db.GetAutocommit() }

// Writing implements vtab.Host.
func (c *conn) Writing() bool { return c.db.TxnState("") == sqlite3.TXN_WRITE }

func (c *conn) ReadOnly() bool {
	readOnly, _ := c.db.ReadOnly("main")
	return readOnly
}

// Filename asks the file system, since virtual file systems that keep everything in memory also have names.
func (c *conn) Filename() string {
	name := c.db.Filename("main").String()
	if name == "" {
		return ""
	}
	vfs, err := c.db.FileControl("main", sqlite3.FCNTL_VFSNAME)
	if err != nil || vfs == "memdb" || vfs == "mvcc" || vfs == "reader" {
		return ""
	}
	if _, err := os.Stat(name); err != nil {
		return ""
	}
	return name
}

func (c *conn) EnableTriggers(on bool) (bool, error) {
	return c.configure(sqlite3.DBCONFIG_ENABLE_TRIGGER, on)
}

func (c *conn) EnableForeignKeys(on bool) (bool, error) {
	return c.configure(sqlite3.DBCONFIG_ENABLE_FKEY, on)
}

// configure sets a switch of the connection. Setting what is set already would expire every prepared statement for
// nothing.
func (c *conn) configure(option sqlite3.DBConfig, on bool) (was bool, err error) {
	was, err = c.db.Config(option)
	if err != nil || was == on {
		return was, wrap(err)
	}
	_, err = c.db.Config(option, on)
	return was, wrap(err)
}

// Undisturbed does not see the statements of sqlite3_exec: where one must be running and none is seen, it is one of those.
func (c *conn) Undisturbed(inUpdate bool) bool {
	seen := false
	for s := range c.db.Stmts() {
		if !s.Busy() {
			continue
		}
		if seen = true; strings.Contains(strings.ToUpper(s.SQL()), "SELECT") {
			return false
		}
	}
	return seen || !inUpdate
}

func (c *conn) SetRows(rows *engine.Rows) { c.rows = rows }
