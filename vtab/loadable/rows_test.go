package loadable

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/vtab"
)

type collected []int64

func (c *collected) Row(id int64, _ ...crdt.Value) { *c = append(*c, id) }

// bound is a comparison of the rowid.
type bound struct {
	operator vtab.Operator
	value    crdt.Value
}

// scan plans and runs a query. SQLite compares again what the table does not omit, and so does this.
func scan(t *testing.T, m vtab.Module, bounds []bound) string {
	t.Helper()
	table, err := m.Connect(vtab.Arguments{})
	if err != nil {
		t.Fatal(err)
	}
	ix := vtab.Index{Order: []vtab.Order{{Column: -1}}}
	for _, b := range bounds {
		ix.Constraints = append(ix.Constraints, vtab.Constraint{Column: -1, Operator: b.operator, Usable: true})
	}
	if err := table.Plan(&ix); err != nil || !ix.Ordered {
		t.Fatal(err, ix)
	}
	args := make([]crdt.Value, len(bounds))
	for i, k := range ix.Constraints {
		if k.Omit {
			t.Errorf("%v is omitted", k)
		}
		args[k.Argument-1] = bounds[i].value
	}
	c := table.Open()
	defer c.Close()
	if err := c.Filter(context.Background(), ix.Plan, args); err != nil {
		t.Fatal(err)
	}
	var rows collected
	for more := true; more; {
		n := len(rows)
		if more, err = c.Fill(context.Background(), &rows); err != nil || more && len(rows) == n {
			t.Fatal(err, more)
		}
	}
	var words []string
	for _, id := range rows {
		if b := bounds; len(b) == 1 && b[0].operator == vtab.Greater && b[0].value.Kind() == crdt.KindInt && id <= b[0].value.Int() {
			continue
		}
		words = append(words, fmt.Sprint(id))
	}
	return strings.Join(words, " ")
}

func TestRowBounds(t *testing.T) {
	rows := &engine.Rows{}
	for i := range 5 {
		rows.Data = append(rows.Data, []crdt.Value{crdt.Int(int64(i))})
	}
	const lowest, highest = -1 << 63, 1<<63 - 1
	for _, test := range []struct {
		bounds []bound
		want   string
	}{
		{nil, "0 1 2 3 4"},
		{[]bound{{vtab.Equal, crdt.Int(3)}}, "3"},
		{[]bound{{vtab.Equal, crdt.Int(5)}}, ""},
		{[]bound{{vtab.Equal, crdt.Int(-1)}}, ""},
		{[]bound{{vtab.GreaterOrEqual, crdt.Int(1)}, {vtab.Less, crdt.Int(3)}}, "1 2"},
		{[]bound{{vtab.Greater, crdt.Int(1)}}, "2 3 4"},
		{[]bound{{vtab.LessOrEqual, crdt.Int(2)}}, "0 1 2"},
		{[]bound{{vtab.Less, crdt.Int(lowest)}}, ""},
		{[]bound{{vtab.LessOrEqual, crdt.Int(highest)}}, "0 1 2 3 4"},
		{[]bound{{vtab.Greater, crdt.Int(highest)}}, ""},
		{[]bound{{vtab.Less, crdt.Real(2.5)}}, "0 1 2 3 4"}, // SQLite drops 3 and 4 itself
		{[]bound{{vtab.Less, crdt.Null()}}, "0 1 2 3 4"},
	} {
		for _, m := range rowsModules(func() *engine.Rows { return rows }) {
			if got := scan(t, m, test.bounds); got != test.want {
				t.Errorf("%s %v: got %s, want %s", m.Name, test.bounds, got, test.want)
			}
		}
	}
	for _, m := range rowsModules(func() *engine.Rows { return nil }) {
		if got := scan(t, m, nil); got != "" {
			t.Errorf("%s without rows: got %s", m.Name, got)
		}
	}
}

// A scan crosses in batches, and the last one says that it is the last.
func TestManyRows(t *testing.T) {
	for _, n := range []int{rowsBatch - 1, rowsBatch, rowsBatch + 1, 3 * rowsBatch} {
		rows := &engine.Rows{Data: make([][]crdt.Value, n)}
		got := scan(t, rowsModules(func() *engine.Rows { return rows })[0], nil)
		if count := len(strings.Fields(got)); count != n {
			t.Errorf("got %d rows, want %d", count, n)
		}
	}
}
