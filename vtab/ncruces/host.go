package ncruces

import (
	"errors"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/vtab"
)

// host is everything that Tributary keeps for one connection. It is found again through the eponymous virtual table
// tributary_host, and not through a global map, so that it dies with its connection; and there must be only one of it,
// since a second registration of tributary_rows would steal the table from the engine that uses the first.
type host struct {
	conn     *conn
	session  *vtab.Session // nil until Register
	attached bool          // tributary_host has an instance, which SQLite disconnects before it closes the connection
}

// enter begins a callback that may run SQL, and returns what leave needs.
func (h *host) enter() (lastInsert int64) {
	if !h.attached {
		// To prepare a query is enough. Should it fail, closing the connection will report unfinalized statements.
		if s, _, err := h.conn.db.Prepare("SELECT 1 FROM tributary_host"); err == nil {
			s.Close()
		}
	}
	return h.conn.db.LastInsertRowID()
}

// leave is deferred around such a callback: it stops a panic, gives the error its result code, and hides from the
// application what nested statements have inserted. https://sqlite.org/c3ref/set_last_insert_rowid.html
func (h *host) leave(lastInsert int64, err *error) {
	if v := recover(); v != nil {
		*err = panicked(v)
	}
	*err = sqlError(*err)
	h.conn.db.SetLastInsertRowID(lastInsert)
}

// hostOf finds or makes the host of a connection.
func hostOf(db *sqlite3.Conn) (*host, error) {
	h, err := findHost(db)
	if h != nil || err != nil {
		return h, err
	}
	h = &host{conn: &conn{db: db}}
	if err := registerRows(h.conn); err != nil {
		return nil, wrap(err)
	}
	if err := registerHost(h); err != nil {
		return nil, wrap(err)
	}
	return h, nil
}

// findHost asks tributary_host to write its host to a pointer that only Go code can bind.
// https://sqlite.org/bindptr.html
func findHost(db *sqlite3.Conn) (*host, error) {
	known, _, err := db.Prepare("SELECT 1 FROM pragma_module_list WHERE name = 'tributary_host'")
	if err != nil {
		return nil, wrap(err)
	}
	defer known.Close()
	if !known.Step() {
		return nil, wrap(known.Err())
	}
	ask, _, err := db.Prepare("SELECT 1 FROM tributary_host(?1)")
	if err != nil {
		return nil, wrap(err)
	}
	defer ask.Close()
	var answer *host
	if err := ask.BindPointer(1, &answer); err != nil {
		return nil, wrap(err)
	}
	ask.Step()
	if err := ask.Err(); err != nil {
		return nil, wrap(err)
	}
	if answer == nil {
		return nil, errors.New("tributary: another module is called tributary_host")
	}
	return answer, nil
}

func registerHost(h *host) error {
	connect := func(db *sqlite3.Conn, _, _, _ string, _ ...string) (_ *hostTable, err error) {
		defer recovered(&err)
		if err := db.VTabConfig(sqlite3.VTAB_DIRECTONLY); err != nil {
			return nil, err
		}
		h.attached = true
		return &hostTable{h}, db.DeclareVTab("CREATE TABLE x(attached INTEGER, answer HIDDEN)")
	}
	//lint:ignore SA1019 the generic method needs a newer Go than go.mod asks for
	return sqlite3.CreateModule(h.conn.db, "tributary_host", nil, connect)
}

// hostTable is tributary_host: an empty table whose hidden argument receives the host.
type hostTable struct{ h *host }

func (t *hostTable) BestIndex(ix *sqlite3.IndexInfo) error {
	for i, c := range ix.Constraint {
		if c.Column == 1 && c.Op == sqlite3.INDEX_CONSTRAINT_EQ && c.Usable {
			ix.ConstraintUsage[i] = sqlite3.IndexConstraintUsage{ArgvIndex: 1, Omit: true}
			break
		}
	}
	ix.EstimatedCost = 1
	return nil
}

// Close is called when SQLite is about to close the connection, and before it looks whether statements are left. It is
// the only chance to finalize those of the engine that Register opened; should the connection stay open because the
// application has left some itself, the engine is opened again when it is needed.
func (t *hostTable) Close() (err error) {
	defer recovered(&err)
	t.h.attached = false
	if t.h.session == nil {
		return nil
	}
	return t.h.session.Close()
}

func (t *hostTable) Open() (sqlite3.VTabCursor, error) { return &hostCursor{t.h}, nil }

type hostCursor struct{ h *host }

func (c *hostCursor) Filter(_ int, _ string, arg ...sqlite3.Value) (err error) {
	defer recovered(&err)
	if len(arg) == 1 {
		if answer, ok := arg[0].Pointer().(**host); ok {
			*answer = c.h
		}
	}
	return nil
}

func (c *hostCursor) Next() error                       { return nil }
func (c *hostCursor) EOF() bool                         { return true }
func (c *hostCursor) Column(sqlite3.Context, int) error { return nil }
func (c *hostCursor) RowID() (int64, error)             { return 0, nil }
