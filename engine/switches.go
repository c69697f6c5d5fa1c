package engine

import "errors"

// manyRows is from when on it pays to switch the triggers off and compile the statements without them, rather than to
// take out of the feed what they log. Tests lower it.
var manyRows = 150

// withoutTriggers runs f with all triggers switched off, if none but our own are on tracked tables.
func (e *Engine) withoutTriggers(f func() error) (err error) {
	for _, t := range e.tables {
		if t.schema == nil || len(t.schema.Triggers) > 0 {
			return f()
		}
	}
	if !e.conn.Undisturbed(e.inUpdate) {
		return f()
	}
	was, err := e.conn.EnableTriggers(false)
	if err != nil {
		return err
	}
	defer func() {
		_, rerr := e.conn.EnableTriggers(was)
		err = errors.Join(err, rerr)
	}()
	return f()
}

// foreignKeysOff runs f with SQLite's own foreign key actions switched off: a cascade here would delete rows that the
// writer of the package never saw. The engine settles references itself. https://sqlite.org/foreignkeys.html
func (e *Engine) foreignKeysOff(inUpdate bool, f func() error) error {
	on, err := e.one("PRAGMA foreign_keys")
	if err != nil {
		return err
	}
	if on.Int() == 0 {
		return f()
	}
	// Only where there is a foreign key at all: the switch makes SQLite compile every statement again.
	any, err := e.one("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%references%')")
	if err != nil {
		return err
	}
	if any.Int() == 0 {
		return f()
	}
	if _, err := e.conn.EnableForeignKeys(false); err != nil {
		return err
	}
	if inUpdate && !e.conn.InTransaction() {
		e.foreignKeys = true // once for all packages of the host's statement: every switch expires statements
		return f()
	}
	err = f()
	_, rerr := e.conn.EnableForeignKeys(true)
	return errors.Join(err, rerr)
}
