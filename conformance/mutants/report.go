package main

import (
	"fmt"
	"os"
	"strings"
)

const resultsHead = `# What catches each planted bug

Written by ` + "`go run ./conformance/mutants -report`" + ` (the test that is named in list.go), and with ` + "`-sim`" + ` (the simulator alone, with
the histories that it keeps and the worlds that CI runs). Times are of one run on a busy machine, without building.

| planted bug | in | caught by | after | the simulator alone | after |
| --- | --- | --- | --- | --- | --- |
`

// record puts a verdict into its place in the table of results: a line for each mutant, in the order of the list.
func record(name string, m mutant, v verdict, sim bool) error {
	known := map[string][]string{}
	if b, err := os.ReadFile(name); err == nil {
		for l := range strings.Lines(string(b)) {
			if cells := strings.Split(strings.Trim(strings.TrimSpace(l), "|"), " | "); len(cells) == 6 {
				for i := range cells {
					cells[i] = strings.TrimSpace(cells[i])
				}
				known[cells[0]] = cells
			}
		}
	} else if !os.IsNotExist(err) {
		return err
	}
	row := known[m.name]
	if row == nil {
		row = []string{m.name, "", "", "", "", ""}
	}
	row[1] = m.file
	test, took := v.test, fmt.Sprintf("%.1f s", v.took.Seconds())
	switch {
	case test == "" && v.apart != "":
		test, took = "cannot: "+v.apart, ""
	case test == "" && sim:
		test, took = fmt.Sprintf("not in %d worlds or %s", *seeds, *limit), ""
	case test == "":
		test, took = "**not caught**", ""
	}
	if at := 2; sim {
		at = 4
		if v.test != "" && v.worlds != "" {
			by := "world " + v.worlds
			if strings.Contains(test, "TestHistories") {
				by = "a history"
			}
			_, test, _ = strings.Cut(strings.TrimSuffix(test, ")"), "(")
			took = by + ", " + took
		}
		row[at], row[at+1] = test, took
	} else {
		row[at], row[at+1] = test, took
	}
	known[m.name] = row
	var out strings.Builder
	out.WriteString(resultsHead)
	for _, m := range list {
		if row := known[m.name]; row != nil {
			fmt.Fprintf(&out, "| %s |\n", strings.Join(row, " | "))
		}
	}
	return os.WriteFile(name, []byte(out.String()), 0o644)
}
