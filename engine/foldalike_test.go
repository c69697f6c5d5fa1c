package engine_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tributary-db/tributary/engine"
)

// TestFoldAlike changes many rows in many ways. The clocks must say what they say when each row is folded by itself.
func TestFoldAlike(t *testing.T) {
	const many = "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 300) INSERT INTO t(k, a, b, c) SELECT %s, 'a' || i, 'b' || i, i FROM g;"
	keys := map[string]string{"k INTEGER PRIMARY KEY": "i", "k TEXT PRIMARY KEY": "i || 'k'", "k REAL NOT NULL PRIMARY KEY": "i * 1.5", "k, j DEFAULT 0, PRIMARY KEY (j, k)": "i"}
	scripts := map[string][]string{
		"base rows, some columns":     {many, "UPDATE t SET a = a || '!', c = 0"},
		"the same columns again":      {many, "UPDATE t SET a = a || '!'", "UPDATE t SET a = a || '?'", "UPDATE t SET a = a || '?' WHERE c > 7"},
		"other columns":               {many, "UPDATE t SET a = a || '!'", "UPDATE t SET b = b || '?'", "UPDATE t SET a = a || '?' WHERE c > 7"},
		"all columns after some":      {many, "UPDATE t SET a = a || '!'", "UPDATE t SET b = b || '!' WHERE c % 2", "UPDATE t SET a = a || '?', b = 'b', c = c + 1"},
		"twice before the fold":       {many, "UPDATE t SET a = a || '!'; UPDATE t SET b = b || '?'; UPDATE t SET b = b || 'x' WHERE c > 8"},
		"updates and deletes":         {many, "UPDATE t SET a = a || '!'; DELETE FROM t WHERE c % 3; UPDATE t SET c = c + 1000"},
		"deletes":                     {many, "DELETE FROM t WHERE c > 5"},
		"deletes of all kinds":        {many, "UPDATE t SET a = a || '!' WHERE c % 2", "DELETE FROM t WHERE c % 5 = 0", strings.Replace(many, "INSERT", "INSERT OR IGNORE", 1), "DELETE FROM t WHERE c % 3"},
		"back and gone":               {many, "DELETE FROM t WHERE c < 200", strings.Replace(many, "INSERT", "INSERT OR IGNORE", 1), "UPDATE t SET b = 'b'", "DELETE FROM t"},
		"among inserts":               {many, "INSERT INTO t(k, a) VALUES (-1, 'x'); UPDATE t SET a = a || '!'", "UPDATE t SET a = a || '!'; INSERT INTO t(k) VALUES (-2); DELETE FROM t"},
		"rows with clocks and no one": {"INSERT INTO t(k, a, c) VALUES (-9, 'x', 0)", "INSERT INTO t(k, a, c) VALUES (900, 'x', 0)", "INSERT OR IGNORE INTO t(k, a, c) VALUES (-7, 'x', 1)", many, "UPDATE t SET a = a || '!'", "UPDATE t SET a = a || '?'", "DELETE FROM t"},
		"deletes between base rows":   {strings.Replace(many, "%s", "2 * %s", 1), "INSERT OR IGNORE INTO t(k, c) VALUES (101, 1), (103, 2), (107, 3)", "UPDATE t SET c = 0", "DELETE FROM t"},
		"a key moves":                 {many, "UPDATE t SET k = -8 WHERE c = 8; UPDATE t SET a = 'x'"},
		"nothing changes":             {many, "UPDATE t SET a = a; UPDATE t SET b = 'b'"},
		"keys in disorder":            {many, "UPDATE t SET a = 'x' WHERE c > 150; UPDATE t SET a = 'x' WHERE c <= 150; DELETE FROM t WHERE c % 2; DELETE FROM t"},
	}
	defer engine.SetChunkRows(100)()
	for key, value := range keys {
		for name, script := range scripts {
			if key != "k INTEGER PRIMARY KEY" && !strings.HasPrefix(name, "deletes") && !strings.HasPrefix(name, "all columns") {
				continue
			}
			t.Run(key+"/"+name, func(t *testing.T) {
				var want [][]string
				for _, alike := range []bool{false, true} {
					restore := func() {}
					if !alike {
						restore = engine.FoldRowByRow()
					}
					r := newReplicas(t, 2, fmt.Sprintf("CREATE TABLE t(a, b, c, %s)", key))
					a, b := r[0], r[1]
					a.fold()
					for n := range 130 { // so that positions have two bytes
						a.exec(fmt.Sprintf("INSERT INTO t(k, a) VALUES (%d, 'x')", -100-n))
					}
					a.fold()
					var got [][]string
					for n, sql := range script {
						if strings.Contains(sql, "%s") {
							sql = fmt.Sprintf(sql, value)
						}
						a.exec(sql)
						a.fold()
						list, err := a.e.Clocks("t")
						if err != nil {
							t.Fatal(err)
						}
						got = append(got, list)
						if n%2 == 1 {
							sync(t, a, b)
							same(t, a, b)
							a.check()
							b.check()
						}
					}
					restore()
					sync(t, a, b)
					same(t, a, b)
					if want == nil {
						want = got
					}
					for n := range got {
						for i := range min(len(got[n]), len(want[n])) {
							if got[n][i] != want[n][i] {
								t.Fatalf("after %s:\n got %s\nwant %s", script[n], got[n][i], want[n][i])
							}
						}
						if !slices.Equal(got[n], want[n]) {
							t.Fatalf("after %s: %d clocks, want %d", script[n], len(got[n]), len(want[n]))
						}
					}
				}
			})
		}
	}
}

func TestVarintSQL(t *testing.T) {
	r := newReplicas(t, 1, "CREATE TABLE t(k INTEGER PRIMARY KEY)")[0]
	for _, n := range []int64{0, 1, 127, 128, 129, 300, 16383, 16384, 2097151, 2097152, 12345678, 268435455} {
		r.expect("SELECT hex("+engine.VarintSQL(n)+")", fmt.Sprintf("%X", binary.AppendUvarint(nil, uint64(n))))
	}
	r.expect("SELECT "+engine.VarintSQL(268435456)+" IS NULL", "1")
}
