package ncruces

import (
	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/vtab"
)

// stream translates a vtab.Stream.
type stream struct {
	table
	s vtab.Stream
}

var _ interface {
	sqlite3.VTabUpdater
	sqlite3.VTabRenamer
	sqlite3.VTabDestroyer
	sqlite3.VTabSavepointer
} = (*stream)(nil)

// Update reads the arguments of xUpdate: https://sqlite.org/vtab.html#xupdate
func (s *stream) Update(arg ...sqlite3.Value) (_ int64, err error) {
	defer s.h.leave(s.h.enter(), &err)
	u := vtab.Update{Kind: vtab.Delete}
	if len(arg) > 1 {
		u.Kind = vtab.Insert
		if arg[0].Type() != sqlite3.NULL {
			u.Kind = vtab.Change
		}
		arg = arg[2:]
		u.Values = arguments(arg)
		for i := range arg {
			if u.Kind == vtab.Change && !arg[i].NoChange() {
				u.Set.Add(i)
			}
		}
	}
	// The rowid is for last_insert_rowid(), which says nothing of a stream: leave it as it was.
	return s.h.conn.db.LastInsertRowID(), s.s.Update(s.h.conn.db.GetInterrupt(), u)
}

func (s *stream) Rename(name string) (err error) {
	defer s.h.leave(s.h.enter(), &err)
	return s.s.Rename(s.h.conn.db.GetInterrupt(), name)
}

// Destroy never fails: the driver lets go of the table even then, while SQLite would keep it and call it again. What
// cannot be removed is an entry of the bookkeeping, which the next stream of that name replaces.
func (s *stream) Destroy() (err error) {
	defer func() { err = nil }()
	defer s.h.leave(s.h.enter(), &err)
	return s.s.Destroy(s.h.conn.db.GetInterrupt())
}

func (s *stream) Begin() (err error) {
	defer s.h.leave(s.h.enter(), &err)
	return s.s.Begin()
}

func (s *stream) Sync() (err error) {
	defer s.h.leave(s.h.enter(), &err)
	return s.s.Sync()
}

func (s *stream) Commit() (err error) {
	defer s.h.leave(s.h.enter(), &err)
	s.s.Commit()
	return nil
}

func (s *stream) Rollback() (err error) {
	defer s.h.leave(s.h.enter(), &err)
	s.s.Rollback()
	return nil
}

func (s *stream) Savepoint(n int) (err error) {
	defer recovered(&err)
	s.s.Savepoint(n)
	return nil
}

func (s *stream) Release(n int) (err error) {
	defer recovered(&err)
	s.s.Release(n)
	return nil
}

func (s *stream) RollbackTo(n int) (err error) {
	defer recovered(&err)
	s.s.RollbackTo(n)
	return nil
}
