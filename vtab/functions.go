package vtab

import (
	"context"
	"fmt"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// Functions are the SQL functions. Those that write run in the explicit transaction around them or else commit before
// they return; inside another writing statement they are refused.
func (s *Session) Functions() []Function {
	read := func(name string, n int, f func(ctx context.Context, e *engine.Engine, args []crdt.Value) (crdt.Value, error)) Function {
		return Function{name, n, func(ctx context.Context, args []crdt.Value) (crdt.Value, error) {
			e, err := s.Engine(ctx)
			if err != nil {
				return crdt.Null(), err
			}
			return f(ctx, e, args)
		}}
	}
	write := func(name string, n int, f func(ctx context.Context, e *engine.Engine, args []crdt.Value) (crdt.Value, error)) Function {
		r := read(name, n, f)
		call := r.Call
		r.Call = func(ctx context.Context, args []crdt.Value) (crdt.Value, error) {
			if s.host.Writing() && !s.host.InTransaction() {
				return crdt.Null(), fmt.Errorf("tributary: call %s in a SELECT of its own, not inside a statement that writes", name)
			}
			v, err := call(ctx, args)
			// What the engine has read of its own writes is wrong once they are rolled back, which nobody tells us.
			s.stale = s.stale || s.host.InTransaction()
			return v, err
		}
		return r
	}
	return []Function{
		read("tributary_site", 0, func(ctx context.Context, e *engine.Engine, _ []crdt.Value) (crdt.Value, error) {
			_, err := e.Cursor(ctx) // reads anew who we are, which another connection may have changed
			return siteValue(e.Site()), err
		}),
		read("tributary_version", 0, func(ctx context.Context, e *engine.Engine, _ []crdt.Value) (crdt.Value, error) {
			v, err := e.Version(ctx)
			return crdt.Int(int64(v)), err
		}),
		read("tributary_vector", 0, func(ctx context.Context, e *engine.Engine, _ []crdt.Value) (crdt.Value, error) {
			v, err := e.Vector(ctx)
			return orJSON(v, err)
		}),
		read("tributary_cursor", 0, func(ctx context.Context, e *engine.Engine, _ []crdt.Value) (crdt.Value, error) {
			c, err := e.Cursor(ctx)
			return crdt.Int(c), err
		}),
		read("tributary_check", 0, func(ctx context.Context, e *engine.Engine, _ []crdt.Value) (crdt.Value, error) {
			found, err := e.Check(ctx)
			if found == nil {
				found = []engine.Violation{}
			}
			return orJSON(found, err)
		}),
		// tributary_track returns a JSON array of warnings.
		write("tributary_track", 1, func(ctx context.Context, e *engine.Engine, args []crdt.Value) (crdt.Value, error) {
			table, err := name(args[0])
			if err != nil {
				return crdt.Null(), err
			}
			warnings, err := e.Track(ctx, table)
			return orJSON(words(warnings), err)
		}),
		write("tributary_track_all", 0, func(ctx context.Context, e *engine.Engine, _ []crdt.Value) (crdt.Value, error) {
			tracked, warnings, err := e.TrackAll(ctx)
			return orJSON(struct {
				Tracked  []string `json:"tracked"`
				Warnings []string `json:"warnings"`
			}{words(tracked), words(warnings)}, err)
		}),
		write("tributary_untrack", 1, func(ctx context.Context, e *engine.Engine, args []crdt.Value) (crdt.Value, error) {
			table, err := name(args[0])
			if err != nil {
				return crdt.Null(), err
			}
			return crdt.Null(), e.Untrack(ctx, table)
		}),
		write("tributary_fold", 0, func(ctx context.Context, e *engine.Engine, _ []crdt.Value) (crdt.Value, error) {
			r, err := e.Fold(ctx)
			return orJSON(r, err)
		}),
		write("tributary_compact", 0, func(ctx context.Context, e *engine.Engine, _ []crdt.Value) (crdt.Value, error) {
			r, err := e.Compact(ctx)
			return orJSON(r, err)
		}),
		write("tributary_forget_peer", 1, func(ctx context.Context, e *engine.Engine, args []crdt.Value) (crdt.Value, error) {
			text, err := name(args[0])
			if err != nil {
				return crdt.Null(), err
			}
			site, err := crdt.ParseSite(text)
			if err != nil {
				return crdt.Null(), err
			}
			return crdt.Null(), e.ForgetPeer(ctx, site)
		}),
		{"tributary_inspect", 1, func(_ context.Context, args []crdt.Value) (crdt.Value, error) {
			if args[0].IsNull() {
				return crdt.Null(), nil
			}
			var z crdt.Compressor
			if s.options != nil {
				z = s.options.Compressor
			}
			p, err := engine.Inspect(args[0].Bytes(), z)
			if err != nil {
				return crdt.Null(), err
			}
			return orJSON(p, nil)
		}},
	}
}

// name reads an argument that names something.
func name(v crdt.Value) (string, error) {
	if v.Kind() != crdt.KindText {
		return "", fmt.Errorf("tributary: want a name as text, not %v", v.Kind())
	}
	return string(v.Bytes()), nil
}

// words is a list that is [] in JSON and not null when it is empty.
func words(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func orJSON(v any, err error) (crdt.Value, error) {
	if err != nil {
		return crdt.Null(), err
	}
	return jsonValue(v)
}
