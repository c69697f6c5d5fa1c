package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"
	"github.com/spf13/cobra"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

func (a *app) cloneCommand() *cobra.Command {
	var force, asJSON bool
	cmd := &cobra.Command{
		Use:   "clone SRC DST",
		Short: "Make a new replica of a tracked database",
		Long: `Make a new replica of a tracked database: a consistent copy of the file, taken while others may go on using it, with a
site id of its own. It is the fastest way to begin a replica. Do not copy a tracked file with cp instead: two files would
write under one name (Tributary notices, but later than here).

The copy appears under its name only when it is complete.`,
		Example: `  tributary clone shop.db laptop.db
  tributary clone --force shop.db laptop.db   # replaces laptop.db and everything that only it has`,
		Args: needArgs(2, 2, "the database to copy and the name of the new one"),
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace DST; changes that only DST has are lost")
	jsonFlag(cmd, &asJSON, `{"source", "clone", "site", "bytes"}`)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.clone(cmd.Context(), args[0], args[1], force)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(a.out, c)
		}
		fmt.Fprintf(a.out, "%s: replica of %s, %s bytes\nsite %s\n", c.Clone, c.Source, count(c.Bytes), c.Site)
		return nil
	}
	return cmd
}

type cloned struct {
	Source string `json:"source"`
	Clone  string `json:"clone"`
	Site   string `json:"site"`
	Bytes  int64  `json:"bytes"`
}

func (a *app) clone(ctx context.Context, src, dst string, force bool) (cloned, error) {
	if err := a.cloneTarget(ctx, src, dst, force); err != nil {
		return cloned{}, err
	}
	temp, err := temporaryName(dst)
	if err != nil {
		return cloned{}, inFile(dst, reason(err))
	}
	defer removeDatabase(temp)
	if err := a.copyTracked(ctx, src, temp); err != nil {
		return cloned{}, err
	}
	// The new identity comes before the name: whoever sees the file under its name sees a site of its own.
	d, err := a.open(ctx, temp, toWrite)
	if err != nil {
		return cloned{}, inFile(dst, errors.Unwrap(err))
	}
	site, err := d.engine.Remint(ctx)
	if err != nil {
		return cloned{}, inFile(dst, errors.Join(err, d.Close()))
	}
	has, err := d.engine.Vector(ctx)
	if err := errors.Join(err, d.Close()); err != nil {
		return cloned{}, inFile(dst, err)
	}
	info, err := os.Stat(temp)
	if err != nil {
		return cloned{}, inFile(dst, reason(err))
	}
	original, err := os.Stat(src)
	if err != nil {
		return cloned{}, inFile(src, reason(err))
	}
	if err := moveDatabase(temp, dst, original.Mode()); err != nil {
		return cloned{}, inFile(dst, err)
	}
	if err := a.expect(ctx, src, site, has); err != nil {
		return cloned{}, fmt.Errorf("%s is made, but its source does not know of it, and may forget deletes that it has not seen: %w", dst, err)
	}
	return cloned{src, dst, site.String(), info.Size()}, nil
}

// expect tells the source of the new member. One that cannot be written forgets nothing anyway.
func (a *app) expect(ctx context.Context, src string, site crdt.Site, has crdt.VersionVector) error {
	d, err := a.open(ctx, src, toRead)
	if err != nil {
		return err
	}
	err = d.engine.Expect(ctx, site, has)
	if errors.Is(err, engine.ErrReadOnly) {
		err = nil
	}
	return d.fail(errors.Join(err, d.Close()))
}

// cloneTarget makes sure that dst may be written.
func (a *app) cloneTarget(ctx context.Context, src, dst string, force bool) error {
	if sameFile(src, dst) {
		return fmt.Errorf("%s and %s are the same file; name another one for the replica", src, dst)
	}
	info, err := os.Stat(dst)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return inFile(dst, reason(err))
	case info.IsDir():
		return inFile(dst, errors.New("is a folder; name the new file"))
	case !info.Mode().IsRegular():
		return inFile(dst, errors.New("is a device or a pipe; name the new file"))
	case !force:
		return inFile(dst, errors.New("exists already; name another file, or replace it with --force"))
	}
	// A program that is writing to the old file would go on writing into a file without a name.
	conn, err := a.openConn(ctx, dst, toWrite)
	if err != nil {
		return inFile(dst, err)
	}
	defer conn.Close()
	if err := conn.Exec("BEGIN EXCLUSIVE; ROLLBACK"); err != nil {
		return inFile(dst, fmt.Errorf("is in use and cannot be replaced: %w", advise(err)))
	}
	return nil
}

// copyTracked copies src page by page into the new file dst.
func (a *app) copyTracked(ctx context.Context, src, dst string) error {
	d, err := a.open(ctx, src, toRead)
	if err != nil {
		return err
	}
	defer d.Close()
	if d.engine.Site().IsZero() {
		return d.fail(fmt.Errorf("%w: a replica of it would be a plain copy; run: tributary track %s --all", engine.ErrNotTracked, src))
	}
	full, err := filepath.Abs(dst)
	if err != nil {
		return d.fail(err)
	}
	if err := foldedSnapshot(ctx, d); err != nil {
		return d.fail(err)
	}
	b, err := d.conn.BackupInit("main", fileURI(full))
	if err != nil {
		return d.fail(err)
	}
	err = copyPages(ctx, b, a.reporter())
	return d.fail(errors.Join(err, b.Close(), d.conn.Exec("ROLLBACK")))
}

// foldedSnapshot begins a read transaction in which every change has its version. A change without one would be in both
// files, and each would publish it under its own name.
//
// Inside the transaction all pages are those of one moment, however many steps the copy takes, and a program that writes
// meanwhile does not make it start again. https://sqlite.org/backup.html
func foldedSnapshot(ctx context.Context, d *database) error {
	for range 100 { // a program may commit between the fold and the snapshot, but hardly every time
		readOnly, _ := d.conn.ReadOnly("main")
		if !readOnly {
			if _, err := d.engine.Fold(ctx); err != nil {
				return err
			}
		}
		if err := d.conn.Exec("BEGIN; SELECT count(*) FROM sqlite_schema"); err != nil {
			return err
		}
		s, err := d.engine.Status(ctx)
		if err == nil && s.Unfolded == 0 && !(readOnly && unnamed(s)) {
			return nil
		}
		if err := errors.Join(err, d.conn.Exec("ROLLBACK")); err != nil {
			return err
		}
		if readOnly {
			return errors.New("is read-only and has changes without a version; make it writable, or clone another replica")
		}
	}
	return errors.New("is written to without a pause; try again")
}

// unnamed says that rows were there before anything was tracked, and that no fold has named them yet.
func unnamed(s *engine.Status) bool {
	return s.Version == 0 && slices.ContainsFunc(s.Tables, func(t engine.TableInfo) bool { return t.Rows > 0 })
}

func copyPages(ctx context.Context, b *sqlite3.Backup, report func(engine.Progress)) error {
	for {
		done, err := b.Step(4096)
		if err != nil || done {
			return err
		}
		if report != nil {
			total := int64(b.PageCount())
			report(engine.Progress{Step: "copying pages", Done: total - int64(b.Remaining()), Total: total})
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// fileURI names an absolute path in the form in which SQLite reads it back unchanged, whatever is in it.
// https://sqlite.org/uri.html
func fileURI(full string) string {
	p := filepath.ToSlash(full)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p // C:/x
	}
	return (&url.URL{Scheme: "file", Path: p, OmitHost: true}).String()
}
