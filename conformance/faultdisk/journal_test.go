package faultdisk_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/tributary-db/tributary/conformance/faultdisk"
)

// TestJournalComesBack cuts the power after a fold, with a rollback journal in each of its modes and each level of safety that the
// application may have: a version that was made must be there. In DELETE mode the removal of the journal may not have lasted, and a
// journal that is back takes back what was committed.
func TestJournalComesBack(t *testing.T) {
	ctx := context.Background()
	for _, mode := range []string{"DELETE", "TRUNCATE", "PERSIST"} {
		for level, name := range []string{"OFF", "NORMAL", "FULL", "EXTRA"} {
			t.Run(mode+"/"+name, func(t *testing.T) {
				for seed := range uint64(8) {
					r := open(t, faultdisk.New(seed), "journal")
					r.exec("PRAGMA journal_mode = DELETE; PRAGMA locking_mode = normal; SELECT count(*) FROM sqlite_schema; CREATE TABLE t(id INTEGER PRIMARY KEY, v, pad)")
					r.exec(fmt.Sprintf("PRAGMA journal_mode = %s; PRAGMA synchronous = %d", mode, level))
					if _, _, err := r.e.TrackAll(ctx); err != nil {
						t.Fatal(err)
					}
					r.exec("PRAGMA synchronous = EXTRA; INSERT INTO t VALUES (1, 'before', '')") // what the application writes is its own risk
					r.exec(fmt.Sprintf("PRAGMA synchronous = %d", level))
					f, err := r.e.Fold(ctx)
					if err != nil || f.Version == 0 {
						t.Fatalf("%+v, %v", f, err)
					}
					r.disk.CutPower()
					r.close()
					r = open(t, r.disk.PowerOn(), "journal")
					v, err := r.e.Vector(ctx)
					if err != nil || v[r.e.Site()] < f.Version {
						t.Errorf("seed %d: version %d was made, and after a power cut there is %d (%v)", seed, f.Version, v[r.e.Site()], err)
					}
					if got := r.text("PRAGMA integrity_check"); got != "ok" {
						t.Errorf("seed %d: %s", seed, got)
					}
					r.close()
				}
			})
		}
	}
}
