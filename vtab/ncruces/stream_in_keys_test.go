package ncruces

import "testing"

// TestForeignKeyActionsStayOut applies a delete of a parent inside the application's transaction, where PRAGMA
// foreign_keys cannot be changed: a cascade would delete a child that the writer of the delete never saw.
func TestForeignKeyActionsStayOut(t *testing.T) {
	for _, begin := range []string{"SELECT 1", "BEGIN", "SAVEPOINT s"} {
		a, b := newSite(t), newSite(t)
		for _, s := range []*site{a, b} {
			s.exec(`PRAGMA foreign_keys = ON; CREATE TABLE c(id INTEGER PRIMARY KEY, k REFERENCES t(k) ON DELETE CASCADE ON UPDATE CASCADE);
				SELECT tributary_track('c')`)
		}
		a.exec("INSERT INTO t VALUES (1, 'parent'), (2, 'parent')")
		send(a, b)
		b.exec("INSERT INTO c VALUES (10, 1), (20, 2)")
		a.exec("DELETE FROM t WHERE k = 1; INSERT INTO t VALUES (3, 'parent')")
		b.exec(begin)
		send(a, b)
		b.want("SELECT k FROM t ORDER BY k", "2", "3")
		b.want("SELECT id FROM c", "20")
		b.want("SELECT count(*) FROM tributary_quarantine", "1")
		b.want("PRAGMA foreign_keys", "1")
		b.exec("INSERT INTO c VALUES (30, 3)") // what the application writes is checked as before
		b.refused("FOREIGN KEY", "INSERT INTO c VALUES (40, 4)")
		b.exec("DELETE FROM t WHERE k = 2")
		b.want("SELECT id FROM c", "30")
		if begin != "SELECT 1" {
			b.exec("COMMIT")
		}
		send(b, a)
		a.want("SELECT id FROM c", "30")
		a.exec("INSERT INTO t VALUES (1, 'back')")
		send(a, b)
		send(b, a)
		for _, s := range []*site{a, b} {
			s.want("SELECT id FROM c ORDER BY id", "10", "30")
			s.want("PRAGMA foreign_key_check")
			s.want("SELECT tributary_check()", "'[]'")
		}
	}
}
