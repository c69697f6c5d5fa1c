package engine

import (
	"fmt"

	"github.com/tributary-db/tributary/crdt"
)

// durable runs f in a write transaction whose commit is synced to disk, whatever the application has chosen for its
// own commits: a version that was sent must not be forgotten by a power cut and used again for something else. In WAL
// mode with synchronous=NORMAL a commit is not synced. https://sqlite.org/pragma.html#pragma_synchronous
//
// Inside a transaction of the caller the level cannot be changed. Then the database is marked, and the next pull syncs
// before it hands anything out.
func (e *Engine) durable(inUpdate bool, f func() error) error {
	level, err := e.one("PRAGMA synchronous")
	if err != nil {
		return err
	}
	if level.Int() >= 2 {
		return e.nest(inUpdate, f)
	}
	if e.conn.InTransaction() {
		return e.nest(inUpdate, func() error {
			if err := f(); err != nil {
				return err
			}
			if !e.ready {
				return nil
			}
			return e.setMeta("unsynced", crdt.Int(1))
		})
	}
	if err := e.conn.Exec("PRAGMA synchronous = FULL"); err != nil {
		return err
	}
	restore := fmt.Sprintf("PRAGMA synchronous = %d", level.Int())
	if inUpdate {
		e.restore += restore + "; " // the host's statement commits after we return: see EndUpdate
		return f()
	}
	err = e.nest(false, f)
	if rerr := e.conn.Exec(restore); err == nil {
		err = rerr
	}
	return err
}

// EndUpdate tells the engine that the statement in which it was called with ApplyOptions.InUpdate has been committed or
// rolled back. Hosts call it from xCommit and xRollback.
func (e *Engine) EndUpdate() {
	if e.foreignKeys {
		_, err := e.conn.EnableForeignKeys(true)
		e.foreignKeys = err != nil
	}
	if e.restore != "" && !e.conn.InTransaction() {
		if e.conn.Exec(e.restore) == nil {
			e.restore = ""
		}
	}
}
