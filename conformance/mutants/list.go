package main

// mutant is one planted bug: a text of a file that is there once, replaced by another, and the test that must notice.
type mutant struct {
	name, file, old, new string
	pkg, test            string // what catches it: go test PKG -run TEST
}

const (
	vectors   = "./conformance/vectors"
	scenarios = "./conformance"
)

// list is ordered by what is broken: the rule, the bytes, capture, identity, delivery, the merge in SQL, forgetting. The first of
// each matters most.
var list = []mutant{
	{"wrong tie-break", "crdt/stamp.go", "if c := s.Site.Compare(t.Site); c != 0 {", "if c := t.Site.Compare(s.Site); c != 0 {", vectors, "TestVectors"},
	{"a delete does not cover the insert it saw", "crdt/row.go", "deleted[i].Version >= birth.Version", "deleted[i].Version > birth.Version", vectors, "TestVectors"},
	{"the first insert is shown, not the last written", "crdt/row.go", "s.Compare(best) >= 0 {", "s.Compare(best) < 0 {", vectors, "TestVectors"},
	{"equal stamps keep what came first", "crdt/policy.go", "theirs.Value.Compare(ours.Value) > 0", "false", vectors, "TestMergeOrders"},
	{"the clock does not go on within a millisecond", "crdt/time.go", "\t\tnext++\n", "", vectors, "TestVectors"},

	{"no checksum", "crdt/decode.go", "want != got {", "want != got && false {", vectors, "TestVectors"},
	{"a number in two forms", "crdt/varint.go", "if n > 1 && b[n-1] == 0 {", "if false {", vectors, "TestVectors"},
	{"newer formats are called corrupt", "crdt/decode.go", "r.fail(ErrUnsupported, \"format version", "r.fail(ErrCorrupt, \"format version", vectors, "TestVectors"},
	{"weight is not judged", "crdt/limits.go", "most := uint64(cells) + cellsPerByte*uint64(body)", "most := uint64(cells)<<20 + cellsPerByte*uint64(body)", vectors, "TestVectors"},

	{"lost feed entry on REPLACE", "engine/triggers.go", "return append(out, g.evictions()...)", "return out", scenarios, "TestScenarios$/capture_replace"},
	{"reused version", "engine/fold.go", "version: crdt.Version(v.Int() + 1)", "version: crdt.Version(max(v.Int(), 1))", scenarios, "TestScenarios$/delivery_"},
	{"NORMAL commit", "engine/durable.go", "\"PRAGMA synchronous = FULL\"", "\"PRAGMA synchronous = NORMAL\"", "./conformance/sim", "TestSim$"},
	{"values newer than their clocks go out", "engine/pull.go", "if err == nil && !clean {", "if err == nil && !clean && false {", scenarios, "TestScenarios$/delivery_"},

	{"a copy goes on under the same name", "engine/identity.go", "\t\t_, err := e.remint()\n\t\treturn err\n\t}\n\town, err", "\t\te.checked = true\n\t\treturn nil\n\t}\n\town, err", scenarios, "TestScenarios$/identity_"},
	{"two contents under one version pass", "engine/apply.go", "if !have.IsZero() && !at.id.IsZero() && have != at.id {", "if have != at.id && false {", "./engine", "TestIdentityEquivocation|TestIdentityCopyMeets"},

	{"forgotten needs check", "engine/lack.go", "a.lacking(l, v) {\n\t\t\tl.reason", "a.lacking(l, v) && false {\n\t\t\tl.reason", scenarios, "TestScenarios$/delivery_"},
	{"a set is applied in parts", "engine/pending.go", "if w.flags&waitEnds != 0 {", "if len(chain) > 0 {", "./conformance/sim", "TestSim$"},
	{"the future is taken", "engine/lack.go", "reason: \"its clock is ahead of ours\"}); a.lacking(l, v) {", "reason: \"its clock is ahead of ours\"}); false && a.lacking(l, v) {", scenarios, "TestHostile/future|TestHostile/end"},
	{"the clock does not learn", "engine/apply.go", "if a.newest > last {", "if a.newest > last && false {", scenarios, "TestScenarios$/merge_clock"},
	{"waiting has no bound", "engine/pending.go", "> a.e.opt.MaxPending {", "> a.e.opt.MaxPending && false {", scenarios, "TestHostile/parts"},

	{"parts of two states make a set", "engine/pending.go", "return uint16(first) == uint16(then) || first>>16 <= then>>16", "return true", scenarios, "TestScenarios$/delivery_parts_of_two"},
	{"foreign deletes go with own changes", "engine/pull.go", "} else if mixed {", "} else if mixed && false {", scenarios, "TestScenarios$/delivery_local_only_deletes"},
	{"an update of nothing makes a write younger", "engine/fold.go", "if wrote.IsEmpty() {", "if c.at = max(c.at, at); wrote.IsEmpty() {", scenarios, "TestScenarios$/capture_nothing_changed"},
	{"a column that is gone decides", "engine/slow.go", "s.row.Lives[i].Newer = groupsOf(s.row.Lives[i].Newer, live)", "_, _ = i, live", scenarios, "TestScenarios$/schema_drop_column"},
	{"rows beyond the end of a base are base rows", "engine/adopt.go", "(t.upto == nil || compareKeys(key, t.upto) <= 0)", "(t.upto == nil || compareKeys(key, t.upto) <= 0 || true)", "./engine", "TestAdopt"},
	{"an import that replaced rows is folded as new ones", "engine/foldinserts.go", "if made != rows {", "if made > rows {", "./engine", "TestFoldInserts"},
	{"orphans of an import stay", "engine/foldinserts.go", "w.imported = append(w.imported, f.pos)", "_ = w.imported", "./engine", "TestFoldInserts"},
	{"a gap is no reason to begin earlier", "engine/since.go", "version > ?2 ORDER BY version LIMIT 1", "version > ?2 ORDER BY version DESC LIMIT 1", "./engine", "TestSince"},

	{"local changes are not folded before a merge", "engine/apply.go", "if _, err := a.e.fold(); err != nil {\n\t\treturn err\n\t}\n\tvar err error\n\tif a.pos", "var err error\n\tif a.pos", "./conformance/sim", "TestSim$"},
	{"dead rows come back", "engine/merge.go", "if len(r.Lives) == 1 && !covered(deleted, r.Lives[0].Birth.Dot()) {", "if len(r.Lives) == 1 {", scenarios, "TestAllSmallHistories"},
	{"swapped columns after ALTER", "engine/merge.go", "ord := t.ordinal(name)", "ord := min(j, len(t.columns)-1)", scenarios, "TestScenarios$/schema_"},
	{"cascades delete what the writer never saw", "engine/apply.go", "e.conn.EnableForeignKeys(false)", "e.conn.EnableForeignKeys(true)", scenarios, "TestScenarios$/fk_"},
	{"the last row with a unique value stays", "engine/show.go", "later = later && byBirth(h, b) < 0", "later = later && byBirth(h, b) > 0", scenarios, "TestScenarios$/unique_"},
	{"parked changes are handed to and fro", "engine/parked.go", "if reason != reasonInsert && isNews(&rows[i], v) {", "if reason != reasonInsert && (isNews(&rows[i], v) || true) {", scenarios, "TestScenarios$/schema_parked"},
	{"quarantine has no defaults", "engine/hidden.go", "err = e.fillDefaults(h)", "_ = e.fillDefaults", scenarios, "TestScenarios$/schema_hidden"},

	{"tombstones go when a timer says so", "engine/compact.go", "\t\tr.Blocked = blocked\n", "\t\tr.Blocked = blocked\n\t\tif stable, err = e.vector(); err != nil {\n\t\t\treturn err\n\t\t}\n", scenarios, "TestScenarios$/compact"},
}
