package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

func (a *app) applyCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "apply FILE PACKAGES ...",
		Short: "Apply packages to a database",
		Long: `Apply packages to a database: files that pull wrote, folders of them, - for stdin. Their order does not matter: a package
that needs another one waits for it in the database. Applying a package twice changes nothing.

For each file it says how many packages were applied, had been applied before (duplicate), or wait for others; and how
many rows are parked (their table or column is not there yet) or in quarantine (a constraint refuses them). A damaged
package is refused and the others are applied; the exit code is then 1.`,
		Example: `  tributary apply laptop.db changes.trps
  tributary apply laptop.db /media/stick/
  tributary pull shop.db | tributary apply laptop.db -`,
		Args: needArgs(2, -1, "a database file, and packages: files, folders or - for stdin"),
	}
	jsonFlag(cmd, &asJSON, `one line per file: {"file", "packages", "applied", "duplicate", "waiting", "released", "refused", "rows",
"changed", "parked", "quarantined", "errors": [texts]}. released are packages that waited before and were applied now.`)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		d, err := a.open(ctx, args[0], toWrite)
		if err != nil {
			return err
		}
		defer d.Close()
		r := &applier{app: a, db: d, asJSON: asJSON}
		for _, name := range args[1:] {
			if err := r.argument(ctx, name); err != nil {
				return err
			}
		}
		if err := r.finish(ctx); err != nil {
			return err
		}
		if err := d.Close(); err != nil {
			return err
		}
		if r.refused {
			return errNo
		}
		return nil
	}
	return cmd
}

// applier applies files of packages to one database.
type applier struct {
	app     *app
	db      *database
	asJSON  bool
	refused bool
}

// applied is what became of one file.
type applied struct {
	File        string   `json:"file"`
	Packages    int      `json:"packages"`
	Applied     int      `json:"applied"`
	Duplicate   int      `json:"duplicate"`
	Waiting     int      `json:"waiting"`
	Released    int      `json:"released"`
	Refused     int      `json:"refused"`
	Rows        int      `json:"rows"`
	Changed     int      `json:"changed"`
	Parked      int      `json:"parked"`
	Quarantined int      `json:"quarantined"`
	Errors      []string `json:"errors"`
}

// argument applies one file, the files of a folder, or stdin. Only what makes the database unusable is an error; what
// is wrong with the file is counted and said.
func (r *applier) argument(ctx context.Context, name string) error {
	if name == "-" {
		return r.stream(ctx, "stdin", r.app.in)
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r.unreadable(name, errors.New("no such file; look at the name"))
	case err != nil:
		return r.unreadable(name, reason(err))
	case !info.IsDir():
		return r.file(ctx, name)
	}
	files, err := os.ReadDir(name)
	if err != nil {
		return r.unreadable(name, reason(err))
	}
	for _, f := range files { // sorted by name
		if f.IsDir() || strings.HasPrefix(f.Name(), ".") {
			continue
		}
		if err := r.file(ctx, filepath.Join(name, f.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (r *applier) file(ctx context.Context, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return r.unreadable(name, reason(err))
	}
	defer f.Close()
	return r.stream(ctx, name, f)
}

// unreadable reports a file of which nothing could be read.
func (r *applier) unreadable(name string, err error) error {
	out := applied{File: name, Errors: []string{}}
	r.refuse(&out, err)
	return r.print(out)
}

func (r *applier) stream(ctx context.Context, name string, in io.Reader) error {
	out := applied{File: name, Errors: []string{}}
	for pkg, err := range readPackages(in) {
		if err != nil {
			r.refuse(&out, err)
			break
		}
		out.Packages++
		res, err := r.db.engine.Apply(ctx, pkg, engine.ApplyOptions{})
		if err != nil {
			if !isRefusal(err) {
				return r.db.fail(err)
			}
			r.refuse(&out, fmt.Errorf("package %d: %s", out.Packages, plain(err)))
			continue
		}
		out.add(res)
	}
	return r.print(out)
}

func (o *applied) add(r engine.ApplyResult) {
	switch r.State {
	case engine.StateApplied:
		o.Applied++
	case engine.StateDuplicate:
		o.Duplicate++
	case engine.StatePending:
		o.Waiting++
	}
	o.Released += r.Released
	o.Rows += r.Rows
	o.Changed += r.Changed
	o.Parked += r.Parked
	o.Quarantined += r.Quarantined
}

// isRefusal tells what is wrong with a package from what is wrong with the database.
func isRefusal(err error) bool {
	for _, e := range []error{
		crdt.ErrCorrupt, crdt.ErrTruncated, crdt.ErrUnsupported, crdt.ErrLimit,
		engine.ErrGap, engine.ErrPendingFull, engine.ErrEquivocation, engine.ErrRetired,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (r *applier) refuse(out *applied, err error) {
	r.refused = true
	out.Refused++
	out.Errors = append(out.Errors, plain(err))
}

func (r *applier) print(o applied) error {
	for _, e := range o.Errors {
		fmt.Fprintf(r.app.err, "tributary: %s: %s\n", o.File, e)
	}
	if r.asJSON {
		return printJSON(r.app.out, o)
	}
	parts := []string{fmt.Sprintf("%s applied", count(o.Applied))}
	for _, p := range []struct {
		n    int
		text string
	}{
		{o.Duplicate, "duplicate"}, {o.Waiting, "waiting"}, {o.Released, "released"}, {o.Refused, "refused"},
	} {
		if p.n > 0 {
			parts = append(parts, count(p.n)+" "+p.text)
		}
	}
	line := strings.Join(parts, ", ") + "; " + plural(o.Changed, "row") + " changed"
	if o.Parked > 0 {
		line += ", " + count(o.Parked) + " parked"
	}
	if o.Quarantined > 0 {
		line += ", " + count(o.Quarantined) + " in quarantine"
	}
	_, err := fmt.Fprintf(r.app.out, "%s: %s\n", o.File, line)
	return err
}

// finish says what still waits, after all files have had their chance to bring what it waits for.
func (r *applier) finish(ctx context.Context) error {
	waiting, err := r.db.engine.Pending(ctx)
	if err != nil {
		return r.db.fail(err)
	}
	if len(waiting) > 0 && !r.asJSON {
		fmt.Fprintf(r.app.out, "%s: %s for others that are still to come; tributary status shows which\n",
			r.db.path, plural(len(waiting), "package")+" waiting")
	}
	return nil
}
