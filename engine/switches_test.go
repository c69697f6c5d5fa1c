package engine_test

import (
	"fmt"
	"testing"

	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

// switched counts how often triggers that were on were switched off.
type switched struct {
	engine.Conn
	off int
}

func (c *switched) EnableTriggers(on bool) (bool, error) {
	was, err := c.Conn.EnableTriggers(on)
	if was && !on {
		c.off++
	}
	return was, err
}

// TestManyRowsWithoutTriggers: a batch of packages with many rows is merged with the triggers switched off once, as every
// switch makes SQLite compile statements anew, unless a trigger of the user's is to run; and they are on again.
func TestManyRowsWithoutTriggers(t *testing.T) {
	for _, c := range []struct {
		name, trigger string
		rows, off     int
	}{
		{"few", "", 0, 0},
		{"many", "", 60, 1},
		{"user trigger", "CREATE TRIGGER x AFTER INSERT ON t BEGIN INSERT INTO seen VALUES (new.id); END", 60, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReplicas(t, 2, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
			a, b := r[0], r[1]
			b.exec("CREATE TABLE seen(id INTEGER PRIMARY KEY);" + c.trigger)
			b.e.Close()
			conn := &switched{Conn: ncruces.NewConn(b.db)}
			var err error
			if b.e, err = engine.Open(t.Context(), conn, nil); err != nil {
				t.Fatal(err)
			}
			var parcels []engine.Parcel
			var cursor int64
			for i := range 5 {
				a.exec(fmt.Sprintf("INSERT INTO t SELECT value + %d, 'a text' FROM generate_series(1, %d)", 1000*i, c.rows))
				for _, p := range a.pull(engine.PullOptions{Since: cursor}, -1) {
					parcels, cursor = append(parcels, engine.Parcel{Body: p.Package}), p.Cursor
				}
			}
			if _, err := b.e.ApplyBatch(t.Context(), parcels, nil); err != nil {
				t.Fatal(err)
			}
			if conn.off != c.off {
				t.Errorf("triggers were switched off %d times for %d packages", conn.off, len(parcels))
			}
			if was, err := conn.EnableTriggers(true); !was || err != nil {
				t.Errorf("triggers are off, %v", err)
			}
			same(t, a, b)
		})
	}
}
