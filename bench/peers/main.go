// Command peers compares Tributary with other engines on the same work: the same rows in the same order, written, sent,
// merged and deleted. Every engine runs in a process of its own, which stays up; the runs of all are interleaved, so that
// a busy minute falls on all alike. What is missing is named with the reason and the remedy, never left out silently.
//
//	go run ./bench/peers                       # all that is there, a table on the terminal
//	go run ./bench/peers -json bench/peers.json
//
// TRIBUTARY_EXT names Tributary's loadable extension, CRSQLITE_EXT that of cr-sqlite. Yjs and Loro need node and npm,
// Automerge a C compiler, everything native also SQLite's header and library. See ../README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/tributary-db/tributary/bench/record"
)

func main() {
	if len(os.Args) == 5 && os.Args[1] == "worker" { // one of our own processes
		if err := work(os.Args[2], os.Args[3], os.Args[4]); err != nil {
			fmt.Printf("error\t%s\n", strings.ReplaceAll(err.Error(), "\n", " "))
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := compare(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func compare(ctx context.Context) error {
	rows := flag.Int("rows", 10000, "rows of the made-up table")
	runs := flag.Int("runs", 5, "runs of each engine, interleaved; medians are printed")
	only := flag.String("only", "", "names of engines, separated by commas; empty: all")
	chinook := flag.String("chinook", "../shared/data/chinook.sql", "script of the Chinook sample database; empty: do not use it")
	recorded := flag.String("record-history", "", "file to which the history of the git repository in this folder is written as a data set; nothing is measured then")
	out := flag.String("json", "", "file to write the results to, besides the terminal")
	limit := flag.Duration("timeout", 5*time.Minute, "time for one run of one engine")
	flag.Parse()
	if flag.NArg() > 0 || *rows < 1 || *runs < 1 {
		flag.Usage()
		return errors.New("want no arguments, and at least one row and one run")
	}
	if *recorded != "" {
		return recordHistory(ctx, *recorded)
	}
	dir, err := os.MkdirTemp("", "tributary-peers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	edited, err := readHistory()
	if err != nil {
		return err
	}
	sets := []*dataset{synthetic(*rows), edited}
	if real, err := readChinook(*chinook); errors.Is(err, fs.ErrNotExist) {
		fmt.Printf("missing: Chinook: no file %s: put the Chinook SQLite script there, or name it with -chinook\n", *chinook)
	} else if err != nil {
		return err
	} else if real != nil {
		sets = append(sets, real)
	}
	peers := discover(ctx, dir, *only)
	for _, p := range peers {
		if p.missing != "" {
			fmt.Printf("missing: %s: %s\n", p.name, p.missing)
		}
	}
	report := record.New(strings.Join(append([]string{"go run ./bench/peers"}, os.Args[1:]...), " "), *runs)
	for _, set := range sets {
		s, err := race(ctx, set, peers, *runs, *limit, dir)
		if err != nil {
			return err
		}
		report.Sets = append(report.Sets, s)
		printSet(os.Stdout, s)
	}
	if *out == "" {
		return nil
	}
	return report.Write(*out)
}

// race runs every peer on a data set, one after the other, as often as asked.
func race(ctx context.Context, set *dataset, peers []*peer, runs int, limit time.Duration, dir string) (*record.Set, error) {
	data := filepath.Join(dir, set.name+".tsv")
	if err := set.write(data); err != nil {
		return nil, err
	}
	measured := map[*peer]*measurement{}
	for _, p := range peers {
		measured[p] = &measurement{missing: p.missing}
	}
	workers := map[*peer]*worker{}
	defer func() {
		for _, w := range workers {
			w.stop()
		}
	}()
	for _, p := range peers {
		if p.missing != "" {
			continue
		}
		w, err := start(ctx, p, data, filepath.Join(dir, "runs", p.name))
		if err != nil {
			return nil, err
		}
		workers[p] = w
	}
	for i := range runs {
		for _, p := range peers {
			w, m := workers[p], measured[p]
			if w == nil || m.missing != "" {
				continue
			}
			fmt.Fprintf(os.Stderr, "%s: run %d of %d: %s\n", set.name, i+1, runs, p.name)
			r, err := w.run(limit)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil {
				m.missing = "failed: " + err.Error()
				fmt.Printf("missing: %s: %s\n", p.name, m.missing)
				continue
			}
			m.runs = append(m.runs, r)
		}
	}
	for p, w := range workers {
		measured[p].version = w.version
	}
	return summarize(set, peers, measured), nil
}
