package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

type pullFlags struct {
	since     int64
	output    string
	exclude   []string
	localOnly bool
	maxBytes  int
	format    string
	tables    []string
	asJSON    bool
}

func (a *app) pullCommand() *cobra.Command {
	var f pullFlags
	cmd := &cobra.Command{
		Use:   "pull FILE [--since N] [-o FILE|FOLDER]",
		Short: "Write what changed into packages",
		Long: `Write what changed after a cursor into packages, which apply puts into another replica. Carry them in any way: lost,
doubled and late ones do no harm.

Without -o the packages go to stdout. To a folder (an existing one, or a name that ends in /) goes one file per package,
named after the sender, its cursor, the part and the content: <site>-<cursor>-<part>-<content>.trib. All else is one file
that holds them all: "TRPS", then per package its length in 4 bytes, little-endian, and the package; length 0 ends it.
With --format json packages are JSON texts, one on a line.

The cursor to go on from is printed on stderr, or with -o on stdout.`,
		Example: `  tributary pull shop.db -o changes.trps                # everything
  tributary pull shop.db --since 1200 -o /media/stick/   # what is new, one file per package
  tributary pull shop.db --since 1200 | ssh laptop tributary apply laptop.db -`,
		Args: needArgs(1, 1, "one database file"),
	}
	flags := cmd.Flags()
	flags.Int64Var(&f.since, "since", 0, "only what came after this cursor")
	flags.StringVarP(&f.output, "output", "o", "-", "a file, or a folder for one file per package; - is stdout")
	flags.StringSliceVar(&f.exclude, "exclude", nil, "leave out what these `sites` wrote: they have it")
	flags.BoolVar(&f.localOnly, "local-only", false, "only what was written in this database")
	flags.IntVar(&f.maxBytes, "max-bytes", 0, "begin a new package beyond this size (default 262144); rows of an import stay together up to 48 KB")
	flags.StringVar(&f.format, "format", "binary", "binary or json")
	flags.StringSliceVar(&f.tables, "tables", nil, "only these tables")
	jsonFlag(cmd, &f.asJSON, `{"packages", "rows", "bytes", "since", "cursor", "files"}, the summary; with packages on stdout it goes to stderr.`)
	cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"binary", "json"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.pull(cmd.Context(), args[0], f) }
	return cmd
}

func (f *pullFlags) options() (engine.PullOptions, error) {
	o := engine.PullOptions{Since: f.since, LocalOnly: f.localOnly, MaxBytes: f.maxBytes, Tables: f.tables}
	switch f.format {
	case "binary":
		o.Format = engine.FormatBinary
	case "json":
		o.Format = engine.FormatJSON
	default:
		return o, fmt.Errorf("pull: --format %q is neither binary nor json", f.format)
	}
	if f.since < 0 || f.maxBytes < 0 {
		return o, errors.New("pull: --since and --max-bytes count from 0")
	}
	for _, s := range f.exclude {
		site, err := crdt.ParseSite(s)
		if err != nil {
			return o, fmt.Errorf("pull: --exclude %q is not a site id of 32 hex digits; tributary status shows them", s)
		}
		o.Exclude = append(o.Exclude, site)
	}
	return o, nil
}

// pulled is the summary of a pull.
type pulled struct {
	Packages int      `json:"packages"`
	Rows     int      `json:"rows"`
	Bytes    int64    `json:"bytes"`
	Since    int64    `json:"since"`
	Cursor   int64    `json:"cursor"`
	Files    []string `json:"files"`
}

func (a *app) pull(ctx context.Context, path string, f pullFlags) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	toStdout := f.output == "-"
	if toStdout && o.Format == engine.FormatBinary && isTerminal(a.out) {
		return errors.New("pull: packages are binary and stdout is a terminal; name a file with -o, or say --format json")
	}
	d, err := a.open(ctx, path, toRead)
	if err != nil {
		return err
	}
	defer d.Close()
	out, err := a.newPackageOutput(f.output, o.Format)
	if err != nil {
		return err
	}
	defer out.abandon()
	sum := pulled{Since: f.since, Cursor: f.since}
	for p, err := range d.engine.Pull(ctx, o) {
		if err != nil {
			return d.fail(err)
		}
		if err := out.add(d.engine.Site(), p); err != nil {
			return inFile(f.output, err)
		}
		sum.Packages++
		sum.Rows += p.Rows
		sum.Bytes += int64(len(p.Package))
		sum.Cursor = p.Cursor
	}
	if sum.Files, err = out.finish(); err != nil {
		return inFile(f.output, err)
	}
	a.warnUnfolded(ctx, d)
	return a.printPulled(sum, f.asJSON, toStdout)
}

// warnUnfolded says that a read-only file has changes that only a connection that can write could have sent.
func (a *app) warnUnfolded(ctx context.Context, d *database) {
	if ro, _ := d.conn.ReadOnly("main"); !ro {
		return
	}
	if s, err := d.engine.Status(ctx); err == nil && s.Unfolded > 0 {
		fmt.Fprintf(a.err, "warning: %s is read-only: %s not in the packages yet\n", d.path, plural(s.Unfolded, "change"))
	}
}

func (a *app) printPulled(sum pulled, asJSON, toStdout bool) error {
	w := a.out
	if toStdout {
		w = a.err
	}
	if asJSON {
		return printJSON(w, sum)
	}
	_, err := fmt.Fprintf(w, "%s, %s, %s bytes; go on with --since %d\n",
		plural(sum.Packages, "package"), plural(sum.Rows, "row"), count(sum.Bytes), sum.Cursor)
	return err
}

// isFolder reports whether -o names a folder: one that exists, or one that is to be made.
func isFolder(name string) bool {
	if n := len(name); n > 0 && os.IsPathSeparator(name[n-1]) {
		return true
	}
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}
