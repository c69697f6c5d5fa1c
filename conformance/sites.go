package conformance

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func (r *runner) stepSite(s step) error {
	for _, n := range s.args {
		if r.sites[n] != nil || isVerb(n) {
			return fmt.Errorf("%q is taken", n)
		}
		if _, err := r.open(n); err != nil {
			return err
		}
	}
	return nil
}

// stepNeeds skips the scenario where the plain writer's SQLite cannot run the SQL.
func (r *runner) stepNeeds(s step) error {
	w, err := r.host.Writer(filepath.Join(r.dir, "needs"))
	if err != nil {
		return err
	}
	why := w.Exec(s.text)
	if err := w.Close(); err != nil {
		return err
	}
	if why != nil {
		return fmt.Errorf("%w: %w", ErrSkip, why)
	}
	return nil
}

func (r *runner) stepSchema(s step) error {
	names := s.args
	if len(names) == 0 {
		names = r.names()
	}
	sites, err := r.find(names, 1)
	if err != nil {
		return err
	}
	for _, x := range sites {
		if err := x.writer.Exec(s.text); err != nil {
			return fmt.Errorf("%s: %w", x.name, err)
		}
	}
	return nil
}

func (r *runner) stepTrack(s step) error {
	sites, err := r.find(s.args, 1)
	if err != nil {
		return err
	}
	for _, x := range sites {
		if err := x.replica.TrackAll(r.ctx); err != nil {
			return fmt.Errorf("%s: %w", x.name, err)
		}
	}
	return nil
}

func (r *runner) stepUntrack(s step) error {
	if len(s.args) != 2 {
		return errors.New("usage: untrack SITE TABLE")
	}
	sites, err := r.find(s.args[:1], 1)
	if err != nil {
		return err
	}
	return sites[0].replica.Untrack(r.ctx, s.args[1])
}

// stepClone is what the clone command does: a consistent copy, and a new site id before anything else.
func (r *runner) stepClone(s step) error {
	if len(s.args) != 2 || r.sites[s.args[1]] != nil {
		return errors.New("usage: clone SITE NEW")
	}
	sites, err := r.find(s.args[:1], 1)
	if err != nil {
		return err
	}
	// What is captured but not folded would become the clone's own, and the same rows would meet as two inserts.
	if err := sites[0].replica.Fold(r.ctx); err != nil {
		return err
	}
	path := filepath.Join(r.dir, s.args[1]+".db")
	if err := sites[0].writer.Exec("VACUUM INTO '" + strings.ReplaceAll(path, "'", "''") + "'"); err != nil {
		return err
	}
	x, err := r.open(s.args[1])
	if err != nil {
		return err
	}
	x.offset = sites[0].offset
	if _, err = x.engine.Remint(r.ctx); err != nil {
		return err
	}
	has, err := x.engine.Vector(r.ctx)
	if err != nil {
		return err
	}
	return sites[0].engine.Expect(r.ctx, x.engine.Site(), has)
}

// stepCopy copies the file alone, as cp does.
func (r *runner) stepCopy(s step) error {
	if len(s.args) != 2 || r.sites[s.args[1]] != nil {
		return errors.New("usage: copy SITE NEW")
	}
	if err := r.swap(s.args[0], func(path string) error { return copyFile(path, filepath.Join(r.dir, s.args[1]+".db")) }); err != nil {
		return err
	}
	_, err := r.open(s.args[1])
	return err
}

func (r *runner) stepBackup(s step) error {
	if len(s.args) != 2 {
		return errors.New("usage: backup SITE NAME")
	}
	to := filepath.Join(r.dir, s.args[1]+".backup")
	r.backups[s.args[1]] = to
	return r.swap(s.args[0], func(path string) error {
		return cmp.Or(copyFile(path, to), copyFile(path+sideFile, to+sideFile))
	})
}

// sideFile is what engine.SideFile adds to the name of a database.
const sideFile = "-tributary"

// stepRestore puts a backup back under the site's path; the side file stays as it was, as after a restore by hand, or is put
// back too.
func (r *runner) stepRestore(s step) error {
	whole := len(s.args) == 3 && s.args[2] == "whole"
	if len(s.args) != 2 && !whole || r.backups[s.args[1]] == "" {
		return errors.New("usage: restore SITE NAME [whole]")
	}
	return r.swap(s.args[0], func(path string) error {
		for _, tail := range []string{"-wal", "-shm", "-journal"} {
			if err := os.Remove(path + tail); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if whole {
			if err := copyFile(r.backups[s.args[1]]+sideFile, path+sideFile); err != nil {
				return err
			}
		}
		return copyFile(r.backups[s.args[1]], path)
	})
}

func (r *runner) stepReopen(s step) error {
	for _, n := range s.args {
		if err := r.swap(n, func(string) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

// swap does something to the closed file of a site and opens it again.
func (r *runner) swap(name string, f func(path string) error) error {
	sites, err := r.find([]string{name}, 1)
	if err != nil {
		return err
	}
	if err := sites[0].close(); err != nil {
		return err
	}
	if err := f(sites[0].path); err != nil {
		return err
	}
	_, err = r.open(name)
	return err
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

// stepSQL runs the plain writer, then moves what the triggers took from the real clock to the site's own.
func (r *runner) stepSQL(s step) error {
	sites, err := r.find(s.args, 1)
	if err != nil {
		return err
	}
	if err := sites[0].writer.Exec(s.text); err != nil {
		return err
	}
	return r.stampFeed(sites[0])
}

func (r *runner) stepFails(s step) error {
	sites, err := r.find(s.args[:min(1, len(s.args))], 1)
	if err != nil {
		return err
	}
	err = sites[0].writer.Exec(s.text)
	switch want := strings.Join(s.args[1:], " "); {
	case err == nil:
		return errors.New("the statement should have failed")
	case !strings.Contains(err.Error(), want):
		return fmt.Errorf("failed with %q, which does not contain %q", err, want)
	}
	return r.stampFeed(sites[0])
}

func (r *runner) stampFeed(x *site) error {
	has, err := ReadRows(x.writer, "SELECT count(*) FROM sqlite_schema WHERE name = 'tributary_feed'")
	if err != nil || has[0][0].Int() == 0 {
		return err
	}
	return x.writer.Exec(fmt.Sprintf("UPDATE tributary_feed SET at = %d WHERE at > %d",
		r.clock.Add(x.offset).UnixMilli(), epoch.AddDate(5, 0, 0).UnixMilli()))
}

// stepClock sets the time of day on every site.
func (r *runner) stepClock(s step) error {
	if len(s.args) != 1 {
		return errors.New("usage: clock HH:MM")
	}
	at, err := timeOfDay(s.args[0])
	r.clock = at
	return err
}

// stepAt moves the wall clock of one site by a duration, or sets it to a time of day.
func (r *runner) stepAt(s step) error {
	if len(s.args) != 2 {
		return errors.New("usage: at SITE +2h | at SITE HH:MM")
	}
	sites, err := r.find(s.args[:1], 1)
	if err != nil {
		return err
	}
	if strings.Contains(s.args[1], ":") {
		at, err := timeOfDay(s.args[1])
		sites[0].offset = at.Sub(r.clock)
		return err
	}
	d, err := time.ParseDuration(s.args[1])
	sites[0].offset += d
	return err
}

func timeOfDay(s string) (time.Time, error) {
	at, err := time.Parse("15:04", s)
	return time.Date(epoch.Year(), epoch.Month(), epoch.Day(), at.Hour(), at.Minute(), 0, 0, time.UTC), err
}
