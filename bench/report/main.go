// Command report turns measurements into bench/RESULTS.md and the pictures beside it. It measures nothing itself:
//
//	go test ./bench -run '^$' -bench . > bench/results/go.txt
//	go run ./bench/peers -json bench/results/peers.json
//	go run ./bench/report
//
// is what make bench-report does. Either file may be missing; then the report says so.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tributary-db/tributary/bench/record"
)

func main() {
	dir := flag.String("dir", "bench", "folder with results/, to which RESULTS.md and plots/ are written")
	command := flag.String("command", "go test ./bench -run '^$' -bench .", "how results/go.txt was made")
	flag.Parse()
	if err := write(*dir, *command); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func write(dir, command string) error {
	r, err := record.Read(filepath.Join(dir, "results", "peers.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	g, err := readGoBench(filepath.Join(dir, "results", "go.txt"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if r == nil && g == nil {
		return fmt.Errorf("no measurements in %s: run make bench-report", filepath.Join(dir, "results"))
	}
	var files []string
	if r != nil && len(r.Sets) > 0 {
		if err := os.MkdirAll(filepath.Join(dir, "plots"), 0o755); err != nil {
			return err
		}
		for name, c := range plots(r.Sets[0]) {
			if err := os.WriteFile(filepath.Join(dir, "plots", name), []byte(c.svg()), 0o644); err != nil {
				return err
			}
			files = append(files, name)
		}
	}
	text := results(r, g, command)
	if len(files) > 0 && !strings.Contains(text, files[0]) {
		return fmt.Errorf("%s is drawn, but RESULTS.md does not show it", files[0])
	}
	return os.WriteFile(filepath.Join(dir, "RESULTS.md"), []byte(text), 0o644)
}
