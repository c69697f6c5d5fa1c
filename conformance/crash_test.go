package conformance_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tributary-db/tributary/conformance"
	"github.com/tributary-db/tributary/engine"
)

const crashSchema = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT, u TEXT UNIQUE); CREATE TABLE log(id TEXT PRIMARY KEY NOT NULL, note TEXT) WITHOUT ROWID"

// TestKill kills a process in the middle of writing, folding, pulling, applying and syncing, over and over on the same two
// files. Whatever it had reported must still be there, both files must be clean, and the packages that it had let out
// before it died must fit what the site says afterwards: a third replica that got only those ends equal to the others.
func TestKill(t *testing.T) {
	rounds := 30
	if testing.Short() {
		rounds = 6
	}
	for _, journal := range []string{"wal", "delete"} {
		t.Run(journal, func(t *testing.T) { kill(t, journal, rounds) })
	}
}

func kill(t *testing.T, journal string, rounds int) {
	rng, dir := seeded(t), t.TempDir()
	func() {
		a := newReplica(t, dir, "a")
		a.execf("PRAGMA journal_mode = %s", journal)
		a.exec(crashSchema)
		a.exec("INSERT INTO t VALUES (0, 'base', 'base')")
		a.track()
		for _, name := range []string{"b", "c"} {
			c := a.clone(name)
			c.execf("PRAGMA journal_mode = %s", journal)
			c.close()
		}
		a.close()
	}()
	acked, killed := map[string]map[string]bool{"a": {}, "b": {}}, 0
	for round := range rounds {
		v := child(t, "victim", dir, fmt.Sprint(round), fmt.Sprint(rng.Int32()))
		if err := v.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(50+rng.IntN(700))*time.Millisecond, func() { v.Process.Kill() })
		err := v.Wait()
		timer.Stop()
		if err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("round %d: the process ended by itself: %v\n%s", round, err, complaints(v.Stdout.String()))
		}
		killed++
		folded := int64(0)
		for line := range strings.Lines(cut(v.Stdout.Bytes())) {
			var what, where, id string
			fmt.Sscan(line, &what, &where, &id)
			switch what {
			case "wrote", "applied":
				acked[where][id] = true
			case "folded":
				fmt.Sscan(id, &folded)
			}
		}
		a, b, c := newReplica(t, dir, "a"), newReplica(t, dir, "b"), newReplica(t, dir, "c")
		for _, r := range []*replica{a, b} {
			have := map[string]bool{}
			for _, id := range r.strings("SELECT id FROM log") {
				have[id] = true
			}
			for id := range acked[r.name] {
				if !have[id] {
					t.Errorf("round %d: %s has lost row %s, which was acknowledged", round, r.name, id)
				}
			}
			if err := conformance.CheckDatabase(t.Context(), r.writer, r.engine); err != nil {
				t.Errorf("round %d: after the kill: %s: %v", round, r.name, err)
			}
		}
		if v, err := a.engine.Version(t.Context()); err != nil || int64(v) < folded {
			t.Errorf("round %d: a is at version %d (%v), but %d was committed", round, v, err, folded)
		}
		applyFiles(t, rng, dir, c)
		sync(t, a, b)
		sync(t, b, c)
		converged(t, a, b, c)
		for _, r := range []*replica{a, b, c} {
			r.close()
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d processes killed, %d rows acknowledged", killed, len(acked["a"])+len(acked["b"]))
	if len(acked["a"]) < rounds {
		t.Errorf("only %d rows were acknowledged in %d rounds: the processes die before they work", len(acked["a"]), rounds)
	}
}

// complaints leaves out what a victim reports in good order.
func complaints(out string) string {
	var b strings.Builder
	for line := range strings.Lines(out) {
		if w, _, _ := strings.Cut(line, " "); w != "wrote" && w != "applied" && w != "folded" {
			b.WriteString(line)
		}
	}
	return b.String()
}

// cut drops the line that the process was printing when it died.
func cut(b []byte) string { return string(b[:bytes.LastIndexByte(b, '\n')+1]) }

// applyFiles gives c the packages that the victim had let out, in any order.
func applyFiles(t *testing.T, rng *rand.Rand, dir string, c *replica) {
	names, err := filepath.Glob(filepath.Join(dir, "*.package"))
	if err != nil {
		t.Fatal(err)
	}
	rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, name := range names {
		p, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.engine.Apply(t.Context(), p, engine.ApplyOptions{}); err != nil {
			t.Errorf("apply %s: %v", filepath.Base(name), err)
		}
		os.Remove(name)
	}
}

// victim works on a and b until it is killed, and reports what is done.
func victim(t *testing.T, dir, round string, seed int) {
	rng := rand.New(rand.NewPCG(uint64(seed), 7))
	a, b := newReplica(t, dir, "a"), newReplica(t, dir, "b")
	cursor, err := a.engine.Cursor(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		switch k := rng.IntN(10); {
		case k < 5: // a transaction of some rows, one of which is reported
			r := []*replica{a, b}[rng.IntN(2)]
			id := fmt.Sprintf("%s-%s-%d", r.name, round, n)
			r.execf(`BEGIN; INSERT INTO log VALUES ('%s', 'x'); INSERT OR IGNORE INTO t VALUES (%d, '%s', 'u%d');
				UPDATE OR IGNORE t SET v = '%s', u = 'u%d' || id WHERE id %% 17 = %d; DELETE FROM t WHERE id %% 41 = %d; COMMIT`,
				id, rng.IntN(2000), id, rng.IntN(50), id, n, rng.IntN(17), rng.IntN(41))
			fmt.Println("wrote", r.name, id)
		case k < 6:
			f, err := a.engine.Fold(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			fmt.Println("folded a", f.Version)
		case k < 8: // packages leave the house for a third replica, and go to b
			for p, err := range a.engine.Pull(t.Context(), engine.PullOptions{Since: cursor, MaxBytes: 4096}) {
				if err != nil {
					t.Fatal(err)
				}
				name := filepath.Join(dir, fmt.Sprintf("%s-%d-%d.package", round, n, p.Part))
				if err := os.WriteFile(name+".tmp", p.Package, 0o644); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(name+".tmp", name); err != nil {
					t.Fatal(err)
				}
				if _, err := b.engine.Apply(t.Context(), p.Package, engine.ApplyOptions{}); err != nil {
					t.Fatal(err)
				}
				cursor = p.Cursor
			}
		default:
			known := a.strings("SELECT id FROM log")
			if _, err := engine.Sync(t.Context(), a.engine, b.engine, engine.SyncOptions{}); err != nil {
				t.Fatal(err)
			}
			for _, id := range known {
				fmt.Println("applied b", id)
			}
		}
	}
}
