package vtab

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

const (
	inSite = iota
	inApplied
	inGaps
	inPending
	inLastError
	inPackage
)

const inDeclaration = `CREATE TABLE x(site TEXT, applied INTEGER, gaps TEXT, pending INTEGER, last_error TEXT, package BLOB HIDDEN)`

// inTable is one stream_in table.
type inTable struct {
	listTable
	transaction
	s    *Session
	book *book
	mode engine.Mode
}

func (s *Session) connectIn(a Arguments) (Table, error) {
	peer, mode, err := parseIn(a.List)
	if err != nil {
		return nil, err
	}
	b, err := s.open("in", peer, a)
	if err != nil {
		return nil, err
	}
	t := &inTable{transaction: transaction{s: s}, s: s, book: b, mode: mode}
	t.listTable = listTable{listing: &listing{declaration: inDeclaration, rows: t.rows}, s: s}
	return t, nil
}

func (t *inTable) Create(ctx context.Context) error              { return t.book.create(ctx) }
func (t *inTable) Destroy(ctx context.Context) error             { return t.book.destroy(ctx) }
func (t *inTable) Rename(ctx context.Context, name string) error { return t.book.rename(ctx, name) }

// Update applies a package in the transaction of the statement.
func (t *inTable) Update(ctx context.Context, u Update) error {
	if u.Kind != Insert {
		return errors.New("tributary: a stream_in table takes INSERT INTO …(package) VALUES (?) and shows with SELECT what has arrived")
	}
	if err := t.Sync(); err != nil {
		return err
	}
	for i, v := range u.Values {
		if i != inPackage && !v.IsNull() {
			return errors.New("tributary: of a stream_in table only the column package can be inserted")
		}
	}
	pkg := u.Values[inPackage]
	if k := pkg.Kind(); k != crdt.KindBlob && k != crdt.KindText {
		return fmt.Errorf("tributary: %w: a package is a BLOB, or TEXT in its JSON form, not %v", crdt.ErrCorrupt, k)
	}
	e, err := t.s.Engine(ctx)
	if err != nil {
		return err
	}
	r, err := e.Apply(ctx, pkg.Bytes(), engine.ApplyOptions{Mode: t.mode, Stream: t.book.name, InUpdate: true})
	t.note(r.Sender, err)
	if partial := (*engine.PartialError)(nil); errors.As(err, &partial) {
		t.fail(err)
	}
	return err
}

// note remembers why a sender's package was refused. It cannot be stored, since the refusal undoes what is written.
func (t *inTable) note(sender crdt.Site, err error) {
	key := t.book.key()
	if err == nil {
		delete(t.s.failed[key], sender)
		delete(t.s.failed[key], crdt.Site{}) // of packages that could not be decoded, whoever sent them
		return
	}
	if t.s.failed[key] == nil {
		t.s.failed[key] = map[crdt.Site]string{}
	}
	t.s.failed[key][sender] = err.Error()
}

// rows shows what has arrived, by origin site; a sender whose packages were all refused has a row too, and what could
// not be decoded has one without a site.
func (t *inTable) rows(ctx context.Context, e *engine.Engine) ([][]crdt.Value, error) {
	list, err := e.Inbound(ctx, t.book.name)
	if err != nil {
		return nil, err
	}
	failed := t.s.failed[t.book.key()]
	for s := range failed {
		if !slices.ContainsFunc(list, func(i engine.InboundInfo) bool { return i.Site == s }) {
			list = append(list, engine.InboundInfo{Site: s})
		}
	}
	slices.SortFunc(list, func(a, b engine.InboundInfo) int { return a.Site.Compare(b.Site) })
	var out [][]crdt.Value
	for _, i := range list {
		if why := failed[i.Site]; why != "" {
			i.LastError = why
		}
		out = append(out, []crdt.Value{siteValue(i.Site), crdt.Int(int64(i.Applied)), textOrNull(i.Gaps),
			crdt.Int(int64(i.Pending)), textOrNull(i.LastError), crdt.Null()})
	}
	return out, nil
}
