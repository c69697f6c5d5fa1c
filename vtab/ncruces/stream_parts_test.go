package ncruces

import (
	"fmt"
	"testing"
)

// TestPartsOfSets carries sets of many packages: in one scan, with each package acknowledged before the next is asked
// for, with the application started anew in between, and with rows that change meanwhile.
func TestPartsOfSets(t *testing.T) {
	for _, how := range []string{"one scan", "one by one", "restarted"} {
		t.Run(how, func(t *testing.T) {
			a, b := newSite(t), newSite(t)
			a.exec("DROP TABLE o; CREATE VIRTUAL TABLE o USING stream_out(max_bytes=3000)")
			for round := range 3 {
				a.exec(fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
					INSERT INTO t SELECT %d + i, hex(randomblob(400)) FROM n`, 1000*round))
				a.exec("SELECT tributary_fold(); UPDATE t SET v = hex(randomblob(400)) WHERE k % 3 = 0")
				if how == "one scan" {
					list := a.packages("SELECT package FROM o")
					if len(list) < 10 {
						t.Fatalf("%d packages are not a set of many parts", len(list))
					}
					seen := map[string]bool{}
					for _, p := range list {
						if seen[string(p.Bytes())] {
							t.Error("a part twice")
						}
						seen[string(p.Bytes())] = true
						if err := b.insert("i", p); err != nil {
							t.Fatal(err)
						}
					}
					a.exec("UPDATE o SET acked = last_retrieved")
				}
				for n := 0; how != "one scan"; n++ {
					list := a.packages("SELECT package FROM o LIMIT 1")
					if len(list) == 0 {
						break
					}
					if n == 200 {
						t.Fatal("the set does not end")
					}
					if err := b.insert("i", list[0]); err != nil {
						t.Fatal(err)
					}
					a.exec("UPDATE o SET acked = last_retrieved")
					if n == 5 {
						a.exec("UPDATE t SET v = 'changed' WHERE k % 7 = 0")
					}
					if how == "restarted" && n%3 == 0 {
						a.db.Close()
						*a = *openSite(t, a.file)
					}
				}
				b.want("SELECT count(*) FROM tributary_pending", "0")
				b.want("SELECT * FROM t ORDER BY k", all(t, a.c, "SELECT * FROM t ORDER BY k")...)
			}
			b.want("SELECT tributary_check()", "'[]'")
		})
	}
}
