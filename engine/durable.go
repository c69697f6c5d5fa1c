package engine

import (
	"fmt"

	"github.com/tributary-db/tributary/crdt"
)

// durable runs f in a write transaction whose commit is synced to disk, whatever the application has chosen for its
// own commits: a version that was sent must not be forgotten by a power cut and used again for something else. In WAL
// mode with synchronous=NORMAL a commit is not synced. In DELETE mode, SQLite's default, even FULL does not do: the journal is
// removed, but not its name in the folder, and a journal that is back after a power cut takes the commit back. EXTRA syncs that
// too, and is FULL in the other modes. https://sqlite.org/pragma.html#pragma_synchronous
//
// Inside a transaction of the caller the level cannot be changed. Then the database is marked, and the next pull syncs
// before it hands anything out.
func (e *Engine) durable(inUpdate bool, f func() error) error {
	level, err := e.one("PRAGMA synchronous")
	if err != nil {
		return err
	}
	if lasts, err := e.lasts(level.Int()); err != nil {
		return err
	} else if lasts {
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
	if err := e.conn.Exec("PRAGMA synchronous = EXTRA"); err != nil {
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

// lasts says whether a commit at a level of PRAGMA synchronous outlives a power cut.
func (e *Engine) lasts(level int64) (bool, error) {
	const full, extra = 2, 3
	if level != full {
		return level >= extra, nil
	}
	mode, err := e.one("PRAGMA journal_mode")
	return string(mode.Bytes()) != "delete", err
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
