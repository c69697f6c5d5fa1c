package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/zstd"
)

func (a *app) inspectCommand() *cobra.Command {
	var asJSON bool
	var rows int
	cmd := &cobra.Command{
		Use:   "inspect PACKAGES ...",
		Short: "Show what is in packages",
		Long: `Show what is in packages: who sent them, which versions they cover and which they need, and their rows. Files that pull
wrote, or - for stdin. No database is needed. Exit code 1 when a package is damaged; the reason is on stderr.`,
		Example: `  tributary inspect changes.trps
  tributary pull shop.db --since 1200 | tributary inspect - --json`,
		Args: needArgs(1, -1, "files of packages, or - for stdin"),
	}
	cmd.Flags().IntVar(&rows, "rows", 0, "show at most this many rows of each package, 0 for all")
	jsonFlag(cmd, &asJSON, `one line per package, the package in the JSON form that apply reads too.`)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		p := &inspector{app: a, asJSON: asJSON, rows: rows}
		for _, name := range args {
			if err := p.argument(name); err != nil {
				return err
			}
		}
		if p.damaged {
			return errNo
		}
		return nil
	}
	return cmd
}

// inspector prints packages.
type inspector struct {
	app     *app
	asJSON  bool
	rows    int
	damaged bool
}

func (p *inspector) argument(name string) error {
	if name == "-" {
		return p.stream("stdin", p.app.in)
	}
	f, err := os.Open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return inFile(name, errors.New("no such file; look at the name"))
	case err != nil:
		return inFile(name, reason(err))
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return inFile(name, errors.New("is a folder; name the files in it"))
	}
	return p.stream(name, f)
}

func (p *inspector) stream(name string, in io.Reader) error {
	n := 0
	for pkg, err := range readPackages(in) {
		n++
		var decoded *crdt.Package
		if err == nil {
			decoded, err = engine.Inspect(pkg, zstd.New())
		}
		if err != nil {
			p.damaged = true
			fmt.Fprintf(p.app.err, "tributary: %s: package %d: %s\n", name, n, plain(err))
			continue
		}
		if p.asJSON {
			err = printJSON(p.app.out, decoded)
		} else {
			err = p.text(name, n, pkg, decoded)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *inspector) text(name string, n int, pkg []byte, d *crdt.Package) error {
	w := p.app.out
	fmt.Fprintf(w, "%s: package %d: %s bytes, sha256 %x\n", name, n, count(len(pkg)), sha256.Sum256(pkg))
	head := [][]string{
		{"sender", d.Sender.String()},
		{"as of", d.Sent.String()},
		{"cursor", fmt.Sprintf("after %d, up to %d", d.Since, d.Until)},
		{"part", fmt.Sprintf("%d%s", d.Part, partNotes(d))},
	}
	for _, c := range d.Covers {
		text := fmt.Sprintf("%s versions %d to %d", c.Site, c.From, c.To)
		if c.Forgotten > 0 {
			text += fmt.Sprintf("; the sender has forgotten deletes of versions up to %d", c.Forgotten)
		}
		head = append(head, []string{"covers", text})
	}
	for _, s := range d.Needs.Sites() {
		head = append(head, []string{"needs", fmt.Sprintf("%s up to version %d", s, d.Needs[s])})
	}
	for _, s := range d.Before.Sites() {
		head = append(head, []string{"before", fmt.Sprintf("%s up to version %d", s, d.Before[s])})
	}
	if err := columns(w, "  ", head); err != nil {
		return err
	}
	shown, r := 0, 0
	for i, t := range d.Tables {
		var lines [][]string
		first := r
		for ; r < len(d.Rows) && d.Rows[r].Table == i; r++ { // rows are grouped by table
			if p.rows == 0 || shown < p.rows {
				lines = append(lines, rowLines(t, &d.Rows[r])...)
				shown++
			}
		}
		fmt.Fprintf(w, "  table %s: %s\n", t.Name, plural(r-first, "row"))
		if err := columns(w, "    ", lines); err != nil {
			return err
		}
	}
	return nil
}

func partNotes(d *crdt.Package) (s string) {
	if d.Starts && d.Ends {
		s += ", the whole set"
	} else if d.Starts {
		s += ", first of its set"
	} else if d.Ends {
		s += ", last of its set"
	}
	if d.Bulk {
		s += ", applied part by part"
	}
	if d.LocalOnly {
		s += ", only the sender's own changes"
	}
	return s
}

// rowLines shows one row change: a line for the delete and one for each incarnation.
func rowLines(t crdt.Table, c *crdt.RowChange) (lines [][]string) {
	key := keyText(t.Key, c.Key)
	for _, d := range c.Deleted {
		lines = append(lines, []string{key, "delete", fmt.Sprintf("of the row born at %s %d", short(d.Site), d.Version)})
	}
	for i := range c.Lives {
		l := &c.Lives[i]
		what := "update"
		if l.Full {
			what = "row"
		}
		newest := l.Newest()
		lines = append(lines, []string{key, what, fmt.Sprintf("by %s %d at %s", short(newest.Site), newest.Version, newest.Time),
			assignments(presentColumns(t, l))})
	}
	return lines
}

func presentColumns(t crdt.Table, l *crdt.LiveChange) (names []string, values []crdt.Value) {
	for i, name := range t.Columns {
		if v, ok := l.Value(i); ok {
			names, values = append(names, name), append(values, v)
		}
	}
	return names, values
}
