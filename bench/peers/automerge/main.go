// Command automerge is a worker of the cross-engine harness for Automerge documents: one map for each table, in it one map
// for each row by its key. It is a module of its own because it needs cgo. See ../worker.go for what it reads and prints.
//
//	automerge DATA SCRATCH
package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/automerge/automerge-go"
)

// batch is the number of rows in a commit.
const batch = 1000

var scratch string

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: automerge DATA SCRATCH")
		os.Exit(2)
	}
	scratch = os.Args[2]
	err := readData(os.Args[1])
	if err == nil {
		fmt.Printf("version\tAutomerge, automerge-go %s\n", version())
		for in := bufio.NewScanner(os.Stdin); err == nil && in.Scan(); {
			if err = scenario(); err == nil {
				fmt.Printf("bytes\tmemory\t%d\nend\n", peakMemory())
			}
		}
	}
	if err != nil {
		fmt.Printf("error\t%v\n", err)
		os.Exit(1)
	}
}

// version is that of the library, which is pinned by the date of its commit.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if strings.HasPrefix(d.Path, "github.com/automerge/") {
				return d.Version
			}
		}
	}
	return "unknown"
}

// replica is a document with the maps of its tables.
type replica struct {
	doc *automerge.Doc
	// maps are the tables' maps, by the tables' order.
	maps []*automerge.Map
}

func open(doc *automerge.Doc, actor string) (*replica, error) {
	if err := doc.SetActorID(actor); err != nil {
		return nil, err
	}
	r := &replica{doc: doc}
	for _, t := range tables {
		r.maps = append(r.maps, doc.Path(t.name).Map())
	}
	return r, nil
}

// pair is two replicas that share the creation of the tables' maps, and nothing else.
func pair() (a, b *replica, err error) {
	doc := automerge.New()
	for _, t := range tables {
		if err := doc.Path(t.name).Set(automerge.NewMap()); err != nil {
			return nil, nil, err
		}
	}
	if _, err := doc.Commit("schema"); err != nil {
		return nil, nil, err
	}
	other, err := automerge.Load(doc.Save())
	if err != nil {
		return nil, nil, err
	}
	if a, err = open(doc, "aa"); err != nil {
		return nil, nil, err
	}
	b, err = open(other, "bb")
	return a, b, err
}

func (r *replica) insert(t int, row []any) error {
	m := automerge.NewMap()
	if err := r.maps[t].Set(tables[t].key(row), m); err != nil {
		return err
	}
	for i, c := range tables[t].columns {
		if err := m.Set(c, row[i]); err != nil {
			return err
		}
	}
	return nil
}

// set changes the columns from first on.
func (r *replica) set(t int, row []any, first, generation int) error {
	v, err := r.maps[t].Get(tables[t].key(row))
	if err != nil {
		return err
	}
	for i := first; i < len(row); i++ {
		if err := v.Map().Set(tables[t].columns[i], next(row[i], generation)); err != nil {
			return err
		}
	}
	return nil
}

func (r *replica) write(name string, generation int) error {
	n := 0
	for t := range tables {
		last := len(tables[t].columns) - 1
		for _, row := range tables[t].rows {
			var err error
			switch {
			case name == "insert":
				err = r.insert(t, row)
			case name == "delete":
				err = r.maps[t].Delete(tables[t].key(row))
			case name == "update" && last >= tables[t].keys:
				err = r.set(t, row, last, generation)
			case name == "update-all" && last >= tables[t].keys:
				err = r.set(t, row, tables[t].keys, generation)
			}
			if err != nil {
				return fmt.Errorf("%s: table %s: %w", name, tables[t].name, err)
			}
			if n++; n%batch == 0 { // empty if the tables of the last rows have no column to change
				if _, err := r.doc.Commit(name, automerge.CommitOptions{AllowEmpty: true}); err != nil {
					return err
				}
			}
		}
	}
	_, err := r.doc.Commit(name, automerge.CommitOptions{AllowEmpty: true})
	return err
}

func (r *replica) since(heads []automerge.ChangeHash) ([]byte, error) {
	list, err := r.doc.Changes(heads...)
	return automerge.SaveChanges(list), err
}

func (r *replica) verify(generation int) error {
	for t := range tables {
		wrong := generation < 0 && r.maps[t].Len() != 0
		last := len(tables[t].columns) - 1
		for _, row := range tables[t].rows {
			if generation < 0 || wrong {
				break
			}
			v, err := r.maps[t].Get(tables[t].key(row))
			if err != nil {
				return err
			}
			if v.Kind() != automerge.KindMap {
				wrong = true
				break
			}
			got, err := v.Map().Get(tables[t].columns[last])
			if err != nil {
				return err
			}
			want := row[last]
			if last >= tables[t].keys {
				want = next(want, generation)
			}
			wrong = fmt.Sprint(got.Interface()) != fmt.Sprint(want)
		}
		if wrong {
			return fmt.Errorf("table %s: the replica does not show what was written last (generation %d)", tables[t].name, generation)
		}
	}
	return nil
}

func scenario() error {
	a, b, err := pair()
	if err != nil {
		return err
	}
	// Documents are freed by finalizers; without this the memory of the last run would be counted again.
	defer func() { runtime.GC(); runtime.GC() }()
	if err := change(a, b, "insert", 0); err != nil {
		return err
	}
	fmt.Printf("bytes\tloaded\t%[1]d\nbytes\tsettled\t%[1]d\nbytes\treceived\t%[2]d\n", len(a.doc.Save()), len(b.doc.Save()))
	if err := change(a, b, "update", 1); err != nil {
		return err
	}
	if err := change(a, b, "update-all", 2); err != nil {
		return err
	}
	if err := losing(a, b); err != nil {
		return err
	}
	if err := change(a, b, "delete", 0); err != nil {
		return err
	}
	if err := a.verify(-1); err != nil {
		return err
	}
	return b.verify(-1)
}

// losing applies writes to a replica that has later ones, and makes both equal again.
func losing(a, b *replica) error {
	heads := b.doc.Heads()
	if err := a.write("update", 3); err != nil {
		return err
	}
	lost, err := a.since(heads)
	if err != nil {
		return err
	}
	for _, generation := range []int{4, 5} {
		if err := b.write("update", generation); err != nil {
			return err
		}
	}
	if err := phase("apply losing", func() error { return b.doc.LoadIncremental(lost) }); err != nil {
		return err
	}
	if err := b.verify(5); err != nil {
		return err
	}
	news, err := b.since(heads)
	if err != nil {
		return err
	}
	if err := a.doc.LoadIncremental(news); err != nil {
		return err
	}
	return a.verify(5)
}

// change writes at a, and brings the change to b.
func change(a, b *replica, name string, generation int) error {
	if err := phase("local "+name, func() error { return a.write(name, generation) }); err != nil {
		return err
	}
	heads := b.doc.Heads()
	var bytes []byte
	err := phase("pull "+name, func() (err error) {
		bytes, err = a.since(heads)
		return err
	})
	if err != nil {
		return err
	}
	path := filepath.Join(scratch, name)
	if err := os.WriteFile(path, bytes, 0o600); err != nil {
		return err
	}
	fmt.Printf("wire\t%s\t%d\t%s\n", name, len(bytes), path)
	apply := func() error { return b.doc.LoadIncremental(bytes) }
	if err := phase("apply "+name, apply); err != nil || name != "insert" {
		return err
	}
	return phase("apply duplicate", apply)
}

func phase(name string, f func() error) error {
	cpu, wall := cpuTime(), time.Now()
	if err := f(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	ns := time.Since(wall).Nanoseconds()
	fmt.Printf("phase\t%s\t%d\t%d\t%d\n", name, total, ns, cpuTime()-cpu)
	return nil
}

// peakMemory is the most that was ever resident, in bytes, 0 if the system does not tell.
func peakMemory() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	var kb int64
	fmt.Sscan(rest, &kb)
	return kb << 10
}

func cpuTime() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
