package ncruces

import (
	"errors"

	"github.com/ncruces/go-sqlite3"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/vtab"
)

// Register gives db the streams, tables and functions of package vtab. The engine behind them is opened with options o
// when one of them is first used, and freed when db is closed. Registering twice changes nothing, so the options of the
// first call stay.
//
// With database/sql, hand it to the driver, which calls it for every connection of the pool: see the example.
func Register(db *sqlite3.Conn, o *engine.Options) error {
	h, err := hostOf(db)
	if err != nil || h.session != nil {
		return err
	}
	s := vtab.NewSession(h.conn, o)
	for _, m := range s.Modules() {
		err = errors.Join(err, registerModule(h, m))
	}
	for _, f := range s.Functions() {
		err = errors.Join(err, registerFunction(h, f))
	}
	if err == nil {
		h.session = s
	}
	return wrap(err)
}

func registerModule(h *host, m vtab.Module) error {
	if m.Eponymous {
		//lint:ignore SA1019 the generic method needs a newer Go than go.mod asks for
		return sqlite3.CreateModule(h.conn.db, m.Name, nil, func(db *sqlite3.Conn, _, schema, name string, arg ...string) (_ *table, err error) {
			defer h.leave(h.enter(), &err)
			t, err := m.Connect(vtab.Arguments{Schema: schema, Table: name, List: arg})
			if err != nil {
				return nil, err
			}
			return &table{h, t}, declare(db, t)
		})
	}
	connect := func(db *sqlite3.Conn, _, schema, name string, arg ...string) (_ *stream, err error) {
		defer h.leave(h.enter(), &err)
		t, err := m.Connect(vtab.Arguments{Schema: schema, Table: name, List: arg})
		if err != nil {
			return nil, err
		}
		return &stream{table{h, t}, t.(vtab.Stream)}, declare(db, t)
	}
	create := func(db *sqlite3.Conn, module, schema, name string, arg ...string) (_ *stream, err error) {
		defer h.leave(h.enter(), &err)
		s, err := connect(db, module, schema, name, arg...)
		if err != nil {
			return nil, err
		}
		return s, s.s.Create(db.GetInterrupt())
	}
	//lint:ignore SA1019 the generic method needs a newer Go than go.mod asks for
	return sqlite3.CreateModule(h.conn.db, m.Name, create, connect)
}

func declare(db *sqlite3.Conn, t vtab.Table) error {
	if err := db.VTabConfig(sqlite3.VTAB_DIRECTONLY); err != nil {
		return err
	}
	return db.DeclareVTab(t.Declaration())
}

func registerFunction(h *host, f vtab.Function) error {
	return h.conn.db.CreateFunction(f.Name, f.Arguments, sqlite3.DIRECTONLY, func(ctx sqlite3.Context, arg ...sqlite3.Value) {
		var v crdt.Value
		err := func() (err error) {
			defer h.leave(h.enter(), &err)
			v, err = f.Call(ctx.Conn().GetInterrupt(), arguments(arg))
			return err
		}()
		if err != nil {
			ctx.ResultError(err)
			return
		}
		result(ctx, &v)
	})
}

func arguments(arg []sqlite3.Value) []crdt.Value {
	out := make([]crdt.Value, len(arg))
	for i := range arg {
		out[i] = argument(arg[i])
	}
	return out
}
