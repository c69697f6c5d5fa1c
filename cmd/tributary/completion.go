package main

import (
	"context"
	"slices"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/spf13/cobra"
)

type completion = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

// completeTables completes a file name first and then names that list finds in it, without those already given. A file
// that cannot be read completes to nothing: this is no place for errors.
func completeTables(a *app, list func(context.Context, *database) ([]string, error)) completion {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return a.complete(cmd, args, list)
	}
}

// completeSites completes a file name, then one of the sites that the replica knows.
func (a *app) completeSites(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return nil, cobra.ShellCompDirectiveDefault
	case 1:
		return a.complete(cmd, args, knownSites)
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) complete(cmd *cobra.Command, args []string, list func(context.Context, *database) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	none := cobra.ShellCompDirectiveNoFileComp
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	quick := *a
	quick.timeout = 200 * time.Millisecond
	d, err := quick.open(ctx, args[0], toRead)
	if err != nil {
		return nil, none
	}
	defer d.Close()
	names, err := list(ctx, d)
	if err != nil {
		return nil, none
	}
	return slices.DeleteFunc(names, func(n string) bool { return slices.Contains(args[1:], n) }), none
}

func trackedTables(ctx context.Context, d *database) ([]string, error) {
	tables, err := d.engine.Tables(ctx)
	var names []string
	for _, t := range tables {
		names = append(names, t.Name)
	}
	return names, err
}

func untrackedTables(ctx context.Context, d *database) ([]string, error) {
	tracked, err := trackedTables(ctx, d)
	if err != nil {
		return nil, err
	}
	all, err := userTables(d.conn)
	return slices.DeleteFunc(all, func(n string) bool { return slices.Contains(tracked, n) }), err
}

// userTables lists the ordinary tables that are not SQLite's, the engine's or a virtual table's own.
func userTables(conn *sqlite3.Conn) ([]string, error) {
	return queryNames(conn, `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
		AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT LIKE 'tributary\_%' ESCAPE '\' ORDER BY name`)
}

// queryNames returns the first column of a query as text.
func queryNames(conn *sqlite3.Conn, sql string) ([]string, error) {
	stmt, _, err := conn.Prepare(sql)
	if err != nil {
		return nil, err
	}
	defer stmt.Close()
	var names []string
	for stmt.Step() {
		names = append(names, stmt.ColumnText(0))
	}
	return names, stmt.Err()
}

func knownSites(ctx context.Context, d *database) ([]string, error) {
	vector, err := d.engine.Vector(ctx)
	var names []string
	for _, s := range vector.Sites() {
		if s != d.engine.Site() {
			names = append(names, s.String())
		}
	}
	return names, err
}
