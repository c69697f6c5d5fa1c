package vtab

import (
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/tributary-db/tributary/crdt"
)

func usable(column int, op Operator) Constraint {
	return Constraint{Column: column, Operator: op, Usable: true}
}

func TestPlanOfStreamOut(t *testing.T) {
	table := &outTable{}
	for name, test := range map[string]struct {
		in      Index
		want    Plan
		args    []int // by constraint
		ordered bool
		err     error
	}{
		"count(*)":           {in: Index{}, want: Plan{planState, ""}, ordered: true},
		"cursor":             {in: Index{Used: 1 << outCursor}, want: Plan{planState, ""}, ordered: true},
		"state after cursor": {in: Index{Used: 1 << outCursor, Constraints: []Constraint{usable(outCursor, Greater)}}, want: Plan{planState, ""}, args: []int{0}, ordered: true},
		"update":             {in: Index{Used: math.MaxUint64}, want: Plan{planState, ""}, ordered: true},
		"package":            {in: Index{Used: 1 << outPackage}, want: Plan{planPackages, ""}},
		"*":                  {in: Index{Used: 1<<(outLastAcked+1) - 1}, want: Plan{planPackages, ""}},
		"rows":               {in: Index{Used: 1 << outRows}, want: Plan{planPackages, ""}},
		"after":              {in: Index{Used: 1, Constraints: []Constraint{usable(outCursor, Greater)}}, want: Plan{planPackages, ">"}, args: []int{1}},
		"from":               {in: Index{Used: 1, Constraints: []Constraint{usable(outPeer, Equal), usable(outCursor, GreaterOrEqual)}}, want: Plan{planPackages, "g"}, args: []int{0, 1}},
		"between":            {in: Index{Used: 1, Constraints: []Constraint{usable(outCursor, Greater), usable(outCursor, LessOrEqual), usable(outCursor, Greater)}}, want: Plan{planPackages, ">>"}, args: []int{1, 0, 2}},
		"equal":              {in: Index{Used: 1, Constraints: []Constraint{usable(outCursor, Equal)}}, want: Plan{planPackages, ""}, args: []int{0}},
		"ordered":            {in: Index{Used: 1, Order: []Order{{Column: outCursor}}}, want: Plan{planPackages, ""}, ordered: true},
		"descending":         {in: Index{Used: 1, Order: []Order{{Column: outCursor, Desc: true}}}, want: Plan{planPackages, ""}},
		"two orders":         {in: Index{Used: 1, Order: []Order{{Column: outCursor}, {Column: outRows}}}, want: Plan{planPackages, ""}},
		"not usable":         {in: Index{Used: 1, Constraints: []Constraint{{Column: outCursor, Operator: Greater}}}, err: ErrNoPlan},
		"other not usable":   {in: Index{Used: 1, Constraints: []Constraint{{Column: outCursor, Operator: Less}, {Column: outPeer, Operator: Greater}}}, want: Plan{planPackages, ""}, args: []int{0, 0}},
	} {
		err := table.Plan(&test.in)
		if !errors.Is(err, test.err) {
			t.Errorf("%s: got %v, want %v", name, err, test.err)
		}
		if err != nil {
			continue
		}
		var args []int
		for _, c := range test.in.Constraints {
			args = append(args, c.Argument)
			if c.Omit != (c.Argument > 0) {
				t.Errorf("%s: omit %v of argument %d", name, c.Omit, c.Argument)
			}
		}
		if test.in.Plan != test.want || test.in.Ordered != test.ordered || !reflect.DeepEqual(args, test.args) {
			t.Errorf("%s: got %+v ordered %v arguments %v", name, test.in.Plan, test.in.Ordered, args)
		}
	}
}

func TestPlanOfListings(t *testing.T) {
	ix := Index{Constraints: []Constraint{usable(0, Greater)}}
	if err := (listTable{listing: changesListing}).Plan(&ix); err != nil || ix.Plan.Text != ">" {
		t.Errorf("changes: %+v, %v", ix, err)
	}
	ix = Index{Constraints: []Constraint{usable(0, Greater)}}
	if err := (listTable{listing: pendingListing}).Plan(&ix); err != nil || ix.Plan.Text != "" {
		t.Errorf("pending: %+v, %v", ix, err)
	}
}

func TestSince(t *testing.T) {
	const none = -1
	for _, test := range []struct {
		operators string
		args      []crdt.Value
		want      int64
	}{
		{"", nil, 0},
		{">", []crdt.Value{crdt.Int(7)}, 7},
		{"g", []crdt.Value{crdt.Int(7)}, 6},
		{">", []crdt.Value{crdt.Int(-7)}, 0},
		{"g", []crdt.Value{crdt.Int(math.MinInt64)}, 0},
		{">", []crdt.Value{crdt.Int(math.MaxInt64)}, math.MaxInt64},
		{">>", []crdt.Value{crdt.Int(7), crdt.Int(9)}, 9},
		{">g", []crdt.Value{crdt.Int(7), crdt.Int(8)}, 7},
		{">", []crdt.Value{crdt.Real(2.5)}, 2},
		{"g", []crdt.Value{crdt.Real(2.5)}, 2},
		{"g", []crdt.Value{crdt.Real(2)}, 1},
		{">", []crdt.Value{crdt.Real(-0.5)}, 0},
		{">", []crdt.Value{crdt.Real(1e300)}, math.MaxInt64},
		{">", []crdt.Value{crdt.Real(-1e300)}, 0},
		{">", []crdt.Value{crdt.TextString(" 12\n")}, 12},
		{"g", []crdt.Value{crdt.TextString("12")}, 11},
		{">", []crdt.Value{crdt.TextString("1.25e1")}, 12},
		{">", []crdt.Value{crdt.TextString("twelve")}, none},
		{">", []crdt.Value{crdt.TextString("0x10")}, none},
		{">", []crdt.Value{crdt.TextString("inf")}, none},
		{">", []crdt.Value{crdt.TextString("1_000")}, none},
		{">", []crdt.Value{crdt.TextString("")}, none},
		{">", []crdt.Value{crdt.Blob([]byte("12"))}, none},
		{">", []crdt.Value{crdt.Null()}, none},
		{">>", []crdt.Value{crdt.Int(3), crdt.Null()}, none},
	} {
		got, given, no := since(Plan{Text: test.operators}, test.args)
		if no {
			got = none
		}
		if got != test.want || given != (len(test.args) > 0) {
			t.Errorf("%s %v: got %d %v, want %d", test.operators, test.args, got, given, test.want)
		}
	}
}

func TestInteger(t *testing.T) {
	for _, test := range []struct {
		v    crdt.Value
		want int64
		ok   bool
	}{
		{crdt.Int(5), 5, true}, {crdt.TextString("5"), 5, true}, {crdt.Real(5), 5, true}, {crdt.TextString("5.0"), 5, true},
		{crdt.Real(5.5), 0, false}, {crdt.Real(1e18), 0, false}, {crdt.TextString("x"), 0, false}, {crdt.Null(), 0, false},
		{crdt.Blob([]byte("5")), 0, false}, {crdt.Real(math.Inf(1)), 0, false}, {crdt.Real(math.NaN()), 0, false},
	} {
		if got, ok := integer(test.v); got != test.want || ok != test.ok {
			t.Errorf("%v: got %d %v", test.v, got, ok)
		}
	}
}
