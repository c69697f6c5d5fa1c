package vtab

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/tributary-db/tributary/crdt"
)

// ErrNoPlan says that SQLite must find another order of joins. A host returns SQLITE_CONSTRAINT from xBestIndex.
var ErrNoPlan = errors.New("tributary: the cursor to start from is not known yet")

// Operator is a comparison, with SQLite's number for it: https://sqlite.org/c3ref/c_index_constraint_eq.html
type Operator uint8

const (
	Equal          Operator = 2
	Greater        Operator = 4
	LessOrEqual    Operator = 8
	Less           Operator = 16
	GreaterOrEqual Operator = 32
)

// Index is the question that SQLite asks before a query, and the answer: https://sqlite.org/c3ref/index_info.html
type Index struct {
	Constraints []Constraint
	Order       []Order
	// Used has bit i when column i is used, and bit 63 when any column from 63 on is.
	Used uint64

	// The answer.
	Plan    Plan
	Ordered bool // rows come in the order that is asked for
	Cost    float64
	Rows    int64
}

// Constraint is one comparison of a column with a value that is known before the scan.
type Constraint struct {
	Column   int // -1 is the rowid
	Operator Operator
	Usable   bool

	// The answer: Argument i > 0 makes the value args[i-1] of Filter; Omit says that SQLite need not compare again.
	Argument int
	Omit     bool
}

// Order is one term of an ORDER BY.
type Order struct {
	Column int
	Desc   bool
}

// Plan is what Filter is told of the Index that was chosen. The meaning is the table's own.
type Plan struct {
	Number int
	Text   string
}

// startAfter plans a scan that begins after a cursor, in a column that counts up. Text gets one operator for each
// argument, for since to read.
func (ix *Index) startAfter(column int) error {
	var operators []byte
	for i := range ix.Constraints {
		c := &ix.Constraints[i]
		if c.Column != column || c.Operator != Greater && c.Operator != GreaterOrEqual {
			continue
		}
		if !c.Usable {
			// Without the value the scan would begin elsewhere, which is another result and not only a slower one.
			return ErrNoPlan
		}
		operators = append(operators, map[Operator]byte{Greater: '>', GreaterOrEqual: 'g'}[c.Operator])
		// Omitted, because a cursor from before the file was restored starts again from 0: SQLite would drop all rows.
		c.Argument, c.Omit = len(operators), true
	}
	ix.Plan.Text = string(operators)
	ix.Ordered = len(ix.Order) == 1 && ix.Order[0] == Order{Column: column}
	ix.Cost, ix.Rows = 1e6, 1e6
	if len(operators) > 0 {
		ix.Cost, ix.Rows = 1e4, 1e4
	}
	return nil
}

// since reads back what startAfter planned: the greatest of the cursors, whether there was one, and none for a
// comparison that no integer passes. It compares as SQLite compares an INTEGER column: text that looks like a number
// is one, other text and blobs are greater than every number, and nothing is greater than NULL.
func since(p Plan, args []crdt.Value) (cursor int64, given, none bool) {
	cursor = math.MinInt64
	for i, a := range args {
		n, ok := floor(a)
		if !ok {
			return 0, true, true
		}
		if p.Text[i] == 'g' && n > math.MinInt64 && isWhole(a) {
			n--
		}
		cursor = max(cursor, n)
	}
	return max(cursor, 0), len(args) > 0, false
}

// floor is the greatest integer that is not greater than a number, and false if v compares like none.
func floor(v crdt.Value) (int64, bool) {
	switch v.Kind() {
	case crdt.KindInt:
		return v.Int(), true
	case crdt.KindReal:
		f := math.Floor(v.Real())
		switch {
		case f >= math.MaxInt64:
			return math.MaxInt64, true
		case f <= math.MinInt64:
			return math.MinInt64, true
		}
		return int64(f), true
	case crdt.KindText:
		return floorText(v)
	}
	return 0, false
}

func floorText(v crdt.Value) (int64, bool) {
	n, ok := number(v)
	if !ok {
		return 0, false
	}
	return floor(n)
}

// number turns text that looks like a number into one; clients that know only text bind cursors that way.
func number(v crdt.Value) (crdt.Value, bool) {
	if v.Kind() != crdt.KindText {
		return v, v.Kind() == crdt.KindInt || v.Kind() == crdt.KindReal
	}
	s := strings.Trim(string(v.Bytes()), " \t\n\v\f\r")
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return crdt.Int(n), true
	}
	if strings.ContainsAny(s, "xXpP_nN") { // Go's own spellings, and NaN and Inf
		return crdt.Null(), false
	}
	f, err := strconv.ParseFloat(s, 64)
	return crdt.Real(f), err == nil
}

// isWhole says whether a number has no fraction.
func isWhole(v crdt.Value) bool {
	v, _ = number(v)
	return v.Kind() == crdt.KindInt || v.Real() == math.Floor(v.Real())
}

// integer reads a whole number from a value that should be one.
func integer(v crdt.Value) (int64, bool) {
	n, ok := number(v)
	if !ok || !isWhole(n) || n.Kind() == crdt.KindReal && math.Abs(n.Real()) > 1<<53 {
		return 0, false
	}
	return floor(n)
}
