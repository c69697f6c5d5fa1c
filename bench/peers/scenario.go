package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

// scenario is what a worker does in one run.
type scenario struct {
	data    *dataset
	scratch string
	tracked bool // Tributary; else bare tables
	a, b    *replica
}

func (s *scenario) run() (err error) {
	if s.a, err = s.open("a"); err != nil {
		return err
	}
	if s.b, err = s.open("b"); err != nil {
		return err
	}
	if s.tracked {
		if err := errors.Join(join(s.a, s.b), join(s.b, s.a)); err != nil {
			return err
		}
	}
	for _, step := range []func() error{
		func() error { return s.change("insert", 0) },
		s.sizes,
		func() error { return s.change("update", 1) },
		func() error { return s.change("update-all", 2) },
		s.losing,
		func() error { return s.change("delete", 0) },
		func() error { return s.a.verify(s.data, -1) },
		func() error { return s.b.verify(s.data, -1) },
		s.a.close,
		s.b.close,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// change writes at a, and brings the change to b. For bare tables, the floor of an apply is the same statements at b, in
// one transaction with a synced log.
func (s *scenario) change(name string, generation int) error {
	rows := s.data.rows()
	if err := phase("local "+name, rows, func() error { return s.a.write(s.data, name, generation, 1000) }); err != nil {
		return err
	}
	if !s.tracked {
		again := map[bool]string{true: "upsert", false: name}[name == "insert"]
		if err := s.b.writer.Exec("PRAGMA synchronous = FULL"); err != nil {
			return err
		}
		if err := phase("apply "+name, rows, func() error { return s.b.write(s.data, again, generation, 0) }); err != nil {
			return err
		}
		return s.b.writer.Exec("PRAGMA synchronous = NORMAL")
	}
	if err := phase("seal "+name, rows, func() error { return s.a.db.Exec("SELECT tributary_fold()") }); err != nil {
		return err
	}
	since := s.a.cursor
	var packages [][]byte
	err := phase("pull "+name, rows, func() (err error) {
		packages, err = s.a.pull()
		return err
	})
	if err != nil {
		return err
	}
	path := filepath.Join(s.scratch, name)
	sent := bytes.Join(packages, nil)
	if err := os.WriteFile(path, sent, 0o600); err != nil {
		return err
	}
	fmt.Printf("wire\t%s\t%d\t%s\n", name, len(sent), path)
	if err := s.plain(name, since); err != nil {
		return err
	}
	if err := phase("apply "+name, rows, func() error { return s.b.apply(packages) }); err != nil || name != "insert" {
		return err
	}
	return phase("apply duplicate", rows, func() error { return s.b.apply(packages) })
}

// plain pulls the same once more without compression, which nothing waits for, to tell the format from the compressor.
func (s *scenario) plain(name string, since int64) error {
	ctx := context.Background()
	db, err := connect(filepath.Join(s.scratch, "a.db"))
	if err != nil {
		return err
	}
	defer db.Close()
	e, err := engine.Open(ctx, ncruces.NewConn(db), nil)
	if err != nil {
		return err
	}
	defer e.Close()
	var all []byte
	for p, err := range e.Pull(ctx, engine.PullOptions{Since: since}) {
		if err != nil {
			return err
		}
		all = append(all, p.Package...)
	}
	path := filepath.Join(s.scratch, name+"-plain")
	if err := os.WriteFile(path, all, 0o600); err != nil {
		return err
	}
	fmt.Printf("wire\t%s uncompressed\t%d\t%s\n", name, len(all), path)
	return nil
}

// sizes prints how large the replicas are after a bulk load, and once both know that both have it.
func (s *scenario) sizes() error {
	for _, x := range []struct {
		what string
		r    *replica
	}{{"loaded", s.a}, {"received", s.b}, {"settled", s.a}} {
		if x.what == "settled" && s.tracked {
			if err := s.settle(); err != nil {
				return err
			}
		}
		n, err := x.r.used()
		if err != nil {
			return err
		}
		fmt.Printf("bytes\t%s\t%d\n", x.what, n)
	}
	return nil
}

func (s *scenario) settle() error {
	for i := range 3 { // the last time to send the word that a compaction gives
		if err := s.carry(s.a, s.b); err != nil {
			return err
		}
		if err := s.carry(s.b, s.a); err != nil {
			return err
		}
		for _, r := range []*replica{s.a, s.b} {
			if i == 2 {
				break
			}
			if err := r.db.Exec("SELECT tributary_compact()"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *scenario) carry(from, to *replica) error {
	packages, err := from.pull()
	if err != nil {
		return err
	}
	return to.apply(packages)
}

// losing applies writes to a replica that has later ones, and makes both equal again.
func (s *scenario) losing() error {
	if !s.tracked {
		return nil
	}
	if err := s.a.write(s.data, "update", 3, 1000); err != nil {
		return err
	}
	lost, err := s.a.pull()
	if err != nil {
		return err
	}
	for _, generation := range []int{4, 5} {
		if err := s.b.write(s.data, "update", generation, 1000); err != nil {
			return err
		}
	}
	if err := s.b.db.Exec("SELECT tributary_fold()"); err != nil {
		return err
	}
	if err := phase("apply losing", s.data.rows(), func() error { return s.b.apply(lost) }); err != nil {
		return err
	}
	if err := s.b.verify(s.data, 5); err != nil {
		return err
	}
	if err := s.carry(s.b, s.a); err != nil {
		return err
	}
	return s.a.verify(s.data, 5)
}
