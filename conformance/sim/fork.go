package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tributary-db/tributary/engine"
)

// fork copies the file of a site with all that is beside it, so that nothing tells the two apart, as when a virtual machine is
// cloned. Both write one version. Whoever hears of both must refuse the second. It is the last thing that is done to a world.
func (w *world) fork() error {
	ctx := context.Background()
	a, b, f := w.sites[0], w.sites[1], w.newSite()
	f.index = a.index
	err := w.closed(a, func() error {
		for name, body := range a.disk.Files() {
			f.disk.Put(name, body)
		}
		f.notes.saved = slices.Clone(a.notes.saved)
		return nil
	})
	if err != nil {
		return err
	}
	if err := f.start(); err != nil {
		return err
	}
	since, err := b.e.PeerCursor(ctx, a.e)
	if err != nil {
		return err
	}
	for _, s := range []*site{a, f} {
		if err := s.app.Exec(fmt.Sprintf("INSERT INTO log VALUES ('%s/1/0', '%[1]s', 1, 0, 1, '')", s.origin)); err != nil {
			return err
		}
		before, err := b.hash()
		if err != nil {
			return err
		}
		var refused error
		for p, err := range s.e.Pull(ctx, engine.PullOptions{Since: since}) {
			if err != nil {
				return err
			}
			if _, err := b.e.Apply(ctx, p.Package, engine.ApplyOptions{}); errors.Is(err, engine.ErrEquivocation) {
				refused = err
			} else if err != nil {
				return err
			}
		}
		after, err := b.hash()
		if err != nil {
			return err
		}
		if s == a && (refused != nil || after == before) || s == f && s.e.Site() == a.e.Site() && (refused == nil || after != before) {
			return violation("fork", "site %d and a copy of it have written one version: of site %d's packages (the copy's: %v) site %d says: %v", a.index, s.index, s == f, b.index, refused)
		}
	}
	return nil
}
