// Command gen writes the vectors. It is deterministic: it draws nothing at random, reads no clock and compresses nothing
// by a library, so equal programs write equal files. It fails if package crdt does not answer as a vector expects, so
// a wrong text can get in only by a defect of crdt that agrees with a mistake made here; reader.py is there against that.
//
//	go run ./conformance/vectors/gen conformance/vectors/data
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tributary-db/tributary/conformance/vectors"
	"github.com/tributary-db/tributary/engine/zstd"
)

// all collects the vectors; the files beside this one add to it.
type all struct{ list []*vectors.Vector }

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen DIRECTORY")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	a := &all{}
	a.values()
	a.columnSets()
	a.clocks()
	a.versionVectors()
	a.packages()
	a.envelopes()
	a.headers()
	a.bodies()
	a.compressed()
	a.jsons()
	a.merges()
	keep := map[string]bool{}
	for _, v := range a.list {
		got, text, err := vectors.Judge(v, zstd.New())
		if err != nil || got != v.Expect {
			return fmt.Errorf("%s: crdt says %s (%v), want %s", v.Name, got, err, v.Expect)
		}
		if text != "" {
			v.Parts = append(v.Parts, vectors.Part{Name: "text", Data: []byte(text)})
		}
		name := filepath.Join(dir, filepath.FromSlash(v.Name)+".txt")
		if keep[name] {
			return fmt.Errorf("%s is there twice", v.Name)
		}
		keep[name] = true
		if err := put(name, v.Format()); err != nil {
			return err
		}
	}
	old, err := filepath.Glob(filepath.Join(dir, "*", "*.txt"))
	if err != nil {
		return err
	}
	for _, name := range old {
		if !keep[name] {
			if err := os.Remove(name); err != nil {
				return err
			}
		}
	}
	return nil
}

func put(name string, b []byte) error {
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, b) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, b, 0o644)
}

func (a *all) add(kind vectors.Kind, name string, want vectors.Outcome, comment string, parts ...vectors.Part) *vectors.Vector {
	v := &vectors.Vector{Name: string(kind) + "/" + name, Kind: kind, Expect: want, Comment: comment, Parts: parts}
	a.list = append(a.list, v)
	return v
}

func bin(b []byte) vectors.Part { return vectors.Part{Name: "bytes", Data: b} }

func text(name, s string) vectors.Part { return vectors.Part{Name: name, Data: []byte(s)} }
