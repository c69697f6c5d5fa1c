package engine_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tributary-db/tributary/engine"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run the random histories from this seed; 0: a fixed few")
	seedCount = flag.Int("seeds", 12, "how many seeds to run")
)

const shop = `
CREATE TABLE customer(id TEXT PRIMARY KEY, email TEXT UNIQUE, name TEXT);
CREATE TABLE orders(id INTEGER PRIMARY KEY, customer TEXT REFERENCES customer(id) ON DELETE CASCADE, total REAL);
CREATE TABLE line(o INTEGER REFERENCES orders(id) ON DELETE SET NULL, n INTEGER, what BLOB, PRIMARY KEY (o, n)) WITHOUT ROWID;
CREATE TABLE note(id TEXT COLLATE NOCASE PRIMARY KEY, body, pinned INT);
CREATE UNIQUE INDEX pinned ON note(lower(body)) WHERE pinned = 1;
`

// TestRandomHistories lets replicas edit at random, talk to each other in random pairs with packages lost, doubled and
// out of order, and in the end compares them.
func TestRandomHistories(t *testing.T) {
	first, n := uint64(1), *seedCount
	if *seedFlag != 0 {
		first, n = *seedFlag, 1
	}
	if testing.Short() {
		n = min(n, 3)
	}
	for seed := first; seed < first+uint64(n); seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { history(t, seed) })
	}
}

func history(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 7))
	defer engine.SetChunkRows(1 + rnd.IntN(3))()
	var before []string // rows from before tracking
	for range rnd.IntN(3) {
		before = append(before, randomRows(rnd))
	}
	r := filledReplicas(t, 2+rnd.IntN(3), shop, before...)
	for _, x := range r {
		x.skew = time.Duration(rnd.IntN(2000)-1000) * time.Millisecond
		x.exec(fmt.Sprintf("PRAGMA foreign_keys=%d; PRAGMA recursive_triggers=%d", rnd.IntN(2), rnd.IntN(2)))
	}
	var late [][]byte
	for range 60 {
		x := r[rnd.IntN(len(r))]
		switch rnd.IntN(4) {
		case 0, 1:
			for range 1 + rnd.IntN(6) {
				if x.writer.Exec(randomEdit(rnd)) != nil { // a constraint may refuse it: that is an edit too
					x.writer.Exec("ROLLBACK")
				}
			}
		case 2:
			y := r[rnd.IntN(len(r))]
			if x != y {
				sync(t, x, y)
			}
		case 3:
			for p, err := range x.e.Pull(context.Background(), engine.PullOptions{Since: int64(rnd.IntN(40)), MaxBytes: 1 + rnd.IntN(2000)}) {
				if err != nil {
					t.Fatal(err)
				}
				late = append(late, p.Package)
			}
			rnd.Shuffle(len(late), func(i, j int) { late[i], late[j] = late[j], late[i] })
			for range rnd.IntN(len(late) + 1) {
				if _, err := r[rnd.IntN(len(r))].e.Apply(context.Background(), late[rnd.IntN(len(late))], engine.ApplyOptions{}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for range 3 {
		for i := range r {
			sync(t, r[i], r[(i+1)%len(r)])
		}
	}
	same(t, r...)
	q := quarantine(r[0])
	for _, x := range r {
		x.expect("PRAGMA foreign_key_check", "")
		if d := cmp.Diff(q, quarantine(x)); d != "" {
			t.Errorf("quarantines of %s and %s differ:\n%s", r[0].path, x.path, d)
		}
	}
	if t.Failed() {
		t.Logf("again: go test ./engine -run TestRandomHistories -seed=%d", seed)
	}
}

// randomRows fills the shop with rows that obey its constraints.
func randomRows(rnd *rand.Rand) string {
	sql := ""
	for range 1 + rnd.IntN(12) {
		c, o := rnd.IntN(5), rnd.IntN(5)
		sql += fmt.Sprintf(`INSERT OR IGNORE INTO customer VALUES ('c%d', 'e%d', 'base%d');
			INSERT OR IGNORE INTO orders SELECT %d, id, 1.5 FROM customer WHERE id = 'c%d';
			INSERT OR IGNORE INTO line SELECT id, %d, x'00' FROM orders WHERE id = %d;
			INSERT OR IGNORE INTO note VALUES ('%s', 'base', 0);`, c, rnd.IntN(4), rnd.IntN(2), o, c, rnd.IntN(3), o, string(rune('a'+rnd.IntN(4))))
	}
	return sql
}

func quarantine(r *replica) (out []string) {
	for _, q := range r.quarantined() {
		out = append(out, fmt.Sprint(q.Table, q.Key, q.Values, q.Reason, q.Site, q.Version))
	}
	return out
}

func randomEdit(rnd *rand.Rand) string {
	c, o, l := rnd.IntN(5), rnd.IntN(5), rnd.IntN(3)
	id := string(rune('a' + rnd.IntN(4)))
	switch rnd.IntN(16) {
	case 0:
		return fmt.Sprintf("INSERT INTO customer VALUES ('c%d', 'e%d', 'n%d')", c, rnd.IntN(4), rnd.IntN(100))
	case 1:
		return fmt.Sprintf("INSERT OR REPLACE INTO customer VALUES ('c%d', 'e%d', 'r%d')", c, rnd.IntN(4), rnd.IntN(100))
	case 2:
		return fmt.Sprintf("UPDATE OR REPLACE customer SET email = 'e%d' WHERE id = 'c%d'", rnd.IntN(4), c)
	case 3:
		return fmt.Sprintf("UPDATE customer SET name = 'u%d' WHERE id = 'c%d'", rnd.IntN(100), c)
	case 4:
		return fmt.Sprintf("DELETE FROM customer WHERE id = 'c%d'", c)
	case 5, 6:
		return fmt.Sprintf("INSERT INTO orders VALUES (%d, 'c%d', %d.5)", o, c, rnd.IntN(50))
	case 7:
		return fmt.Sprintf("UPDATE orders SET total = %d, customer = 'c%d' WHERE id = %d", rnd.IntN(50), c, o)
	case 8:
		return fmt.Sprintf("DELETE FROM orders WHERE id = %d", o)
	case 9:
		return fmt.Sprintf("INSERT INTO line VALUES (%d, %d, x'%02x')", o, l, rnd.IntN(256))
	case 10:
		return fmt.Sprintf("UPDATE line SET n = %d WHERE o = %d AND n = %d", rnd.IntN(3), o, l)
	case 11:
		return fmt.Sprintf("UPDATE orders SET id = %d WHERE id = %d", rnd.IntN(5), o)
	case 12:
		return fmt.Sprintf("INSERT INTO note VALUES ('%s', 'B%d', %d) ON CONFLICT (id) DO UPDATE SET body = excluded.body", id, rnd.IntN(4), rnd.IntN(2))
	case 13:
		return fmt.Sprintf("UPDATE note SET id = upper(id), pinned = %d WHERE id = '%s'", rnd.IntN(2), id)
	case 14:
		return fmt.Sprintf("BEGIN; DELETE FROM note WHERE id = '%s'; SAVEPOINT s; DELETE FROM customer; ROLLBACK TO s; INSERT INTO note VALUES ('%s', 'again', 0); COMMIT", id, id)
	}
	return fmt.Sprintf("UPDATE OR REPLACE note SET body = 'b%d', pinned = 1 WHERE id = '%s'", rnd.IntN(4), id)
}
