package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tributary-db/tributary/transports"
)

func (t *Transport) sites(db string) string { return filepath.Join(t.root, escape(db), ".sites") }

// Announce replaces the site's file.
func (t *Transport) Announce(ctx context.Context, s transports.Sighting) error {
	if err := t.open(ctx); err != nil {
		return err
	}
	folder := t.sites(s.DB)
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return fmt.Errorf("dir: %w", err)
	}
	f, err := os.CreateTemp(folder, ".new-*")
	if err != nil {
		return fmt.Errorf("dir: %w", err)
	}
	_, err = f.Write(s.Info)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(folder, escape(s.Site)+".json"))
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("dir: %w", err)
	}
	return nil
}

// Sites reads the sites' files. At is the time of the file.
func (t *Transport) Sites(ctx context.Context, db string) ([]transports.Sighting, error) {
	if err := t.open(ctx); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(t.sites(db))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("dir: %w", err)
	}
	var out []transports.Sighting
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		site, ok2 := unescape(name)
		info, err := e.Info()
		if !ok || !ok2 || err != nil || info.Size() > 16<<10 {
			continue
		}
		b, err := os.ReadFile(filepath.Join(t.sites(db), e.Name()))
		if err != nil {
			continue // replaced or gone meanwhile
		}
		out = append(out, transports.Sighting{DB: db, Site: site, At: info.ModTime(), Info: b})
	}
	slices.SortFunc(out, func(a, b transports.Sighting) int { return strings.Compare(a.Site, b.Site) })
	return out, nil
}
