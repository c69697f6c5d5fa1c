package crdt

// Cell is one side of a meeting of two writes to one column.
type Cell struct {
	Write    Write
	Value    Value
	HasValue bool // whether Value is at hand; the stamps alone decide all but equivocations
}

// Policy decides which of two writes to one column stays. Wins must be a strict order of cells (irreflexive,
// transitive, and total but for equal cells): then the merge of a column is a maximum and obeys the laws by itself.
//
// LWW is the only policy so far. Counters, maximum and minimum, multi-value columns, groups of columns that
// stay together, documents and resolvers written by users are to come here.
type Policy interface {
	// Name is what names the policy in a schema.
	Name() string
	// Wins says whether theirs replaces ours.
	Wins(ours, theirs Cell) bool
}

// LWW lets the last writer win: the greater stamp. Equal stamps are one write, or the work of a site that gave one
// name to two contents; the greater value then wins, so that the replicas agree even there.
type LWW struct{}

// Name gives "lww".
func (LWW) Name() string { return "lww" }

// Wins says whether theirs has the greater stamp, or the same stamp and the greater value.
func (LWW) Wins(ours, theirs Cell) bool {
	if c := theirs.Write.Stamp.Compare(ours.Write.Stamp); c != 0 {
		return c > 0
	}
	return ours.HasValue && theirs.HasValue && theirs.Value.Compare(ours.Value) > 0
}
