package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/tributary-db/tributary/crdt"
)

// RefusedInfo is a package that came by a stream and could not be applied: it is kept here so that the stream goes on.
type RefusedInfo struct {
	ID     string // of the package
	Stream string
	Site   string // who published it
	At     int64  // milliseconds since 1970
	Error  string
	Body   []byte
}

// refusedSQL makes the table when the first package is refused: see SCHEMA.md.
const refusedSQL = `CREATE TABLE IF NOT EXISTS tributary_refused(id TEXT NOT NULL PRIMARY KEY, stream TEXT NOT NULL, site TEXT NOT NULL,
 at INTEGER NOT NULL, error TEXT NOT NULL, body BLOB NOT NULL) WITHOUT ROWID`

// maxRefused bounds the bytes that refused packages may take. What is beyond is dropped, and comes again by an exchange.
const maxRefused = 64 << 20

// Refuse keeps a package that could not be applied. It writes in the surrounding transaction if there is one.
func (e *Engine) Refuse(ctx context.Context, r RefusedInfo) error {
	if err := e.load(ctx); err != nil {
		return wrap("refuse", err)
	}
	if err := e.conn.Exec(refusedSQL); err != nil {
		return wrap("refuse", err)
	}
	size, err := e.one("SELECT ifnull(sum(length(body)), 0) FROM tributary_refused")
	if err != nil {
		return wrap("refuse", err)
	}
	if size.Int()+int64(len(r.Body)) > maxRefused {
		return fmt.Errorf("tributary: refused packages take %d bytes already, the limit is %d", size.Int(), maxRefused)
	}
	return wrap("refuse", e.run("INSERT INTO tributary_refused(id, stream, site, at, error, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO UPDATE SET error = excluded.error",
		crdt.TextString(r.ID), crdt.TextString(r.Stream), crdt.TextString(r.Site), crdt.Int(r.At), crdt.TextString(r.Error), crdt.Blob(r.Body)))
}

// Refused lists the packages that were refused, oldest first.
func (e *Engine) Refused(ctx context.Context) (out []RefusedInfo, err error) {
	there, err := e.hasRefused(ctx)
	if err != nil || !there {
		return nil, err
	}
	err = e.each("SELECT id, stream, site, at, error, body FROM tributary_refused ORDER BY at, id", 6, func(r []crdt.Value) error {
		out = append(out, RefusedInfo{string(r[0].Bytes()), string(r[1].Bytes()), string(r[2].Bytes()), r[3].Int(), string(r[4].Bytes()), append([]byte(nil), r[5].Bytes()...)})
		return nil
	})
	return out, wrap("refused", err)
}

// Unrefuse forgets a refused package: it has been applied, or is given up.
func (e *Engine) Unrefuse(ctx context.Context, id string) error {
	there, err := e.hasRefused(ctx)
	if err != nil || !there {
		return err
	}
	return wrap("refused", e.run("DELETE FROM tributary_refused WHERE id = ?1", crdt.TextString(id)))
}

func (e *Engine) hasRefused(ctx context.Context) (bool, error) {
	if err := e.load(ctx); errors.Is(err, ErrNoDatabase) {
		return false, nil
	} else if err != nil {
		return false, wrap("refused", err)
	}
	n, err := e.one("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'tributary_refused'")
	return n.Int() > 0, wrap("refused", err)
}
