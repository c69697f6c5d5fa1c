package main

// mutant is one planted bug: a text of a file that is there once, replaced by another, and the test that must notice.
type mutant struct {
	name, file, old, new string
	pkg, test            string // what catches it: go test PKG -run TEST
	apart                string // why the simulator cannot show it, "" if it can
}

const (
	vectors   = "./conformance/vectors"
	scenarios = "./conformance"
	simulator = "./conformance/sim"
	histories = "conformance/sim/testdata/histories.jsonl"
)

// Why a bug cannot show in the simulator.
const (
	ownBytes   = "its replicas write canonical bytes, and a seal is not forged"
	oneValue   = "one stamp has one value there"
	noStop     = "its replicas talk without a transport of the product"
	ownClock   = "the engine keeps a floor instead: see the next"
	noStream   = "its replicas use no streams"
	oneEngine  = "one engine has a file there"
	oneDefault = "a column has one default there, so it is not missed"
	noStranger = "nobody there means harm"
)

// list is ordered by what is broken: the rule, the bytes, capture, identity, delivery, the merge in SQL, forgetting. The first of
// each matters most.
var list = []mutant{
	{"wrong tie-break", "crdt/stamp.go", "if c := s.Site.Compare(t.Site); c != 0 {", "if c := t.Site.Compare(s.Site); c != 0 {", vectors, "TestVectors", ""},
	{"a delete does not cover the insert it saw", "crdt/row.go", "deleted[i].Version >= birth.Version", "deleted[i].Version > birth.Version", vectors, "TestVectors", ""},
	{"the first insert is shown, not the last written", "crdt/row.go", "s.Compare(best) >= 0 {", "s.Compare(best) < 0 {", vectors, "TestVectors", ""},
	{"equal stamps keep what came first", "crdt/policy.go", "theirs.Value.Compare(ours.Value) > 0", "false", vectors, "TestMergeOrders", oneValue},
	{"the clock does not go on within a millisecond", "crdt/time.go", "\t\tnext++\n", "", vectors, "TestVectors", ownClock},
	{"a fold repeats the last stamp", "engine/fold.go", "floor: last + 1,", "floor: last,", scenarios, "TestScenarios$/merge_clock", ""},

	{"no checksum", "crdt/decode.go", "want != got {", "want != got && false {", vectors, "TestVectors", ""},
	{"a number in two forms", "crdt/varint.go", "if n > 1 && b[n-1] == 0 {", "if false {", vectors, "TestVectors", ownBytes},
	{"newer formats are called corrupt", "crdt/decode.go", "r.fail(ErrUnsupported, \"format version", "r.fail(ErrCorrupt, \"format version", vectors, "TestVectors", ""},
	{"weight is not judged", "crdt/limits.go", "most := uint64(cells) + cellsPerByte*body", "most := uint64(cells)<<20 + cellsPerByte*body", vectors, "TestVectors", noStranger},
	{"a frame vouches for what it holds", "crdt/decode.go", "return body, vouching(len(body), len(rest))", "return body, uint64(len(body))", vectors, "TestVectors", noStranger},
	{"a frame may hold anything", "crdt/decode.go", "case plain > maxPlain(len(rest)):", "case plain > maxPlain(len(rest)) && false:", vectors, "TestVectors", noStranger},

	{"lost feed entry on REPLACE", "engine/triggers.go", "return append(out, g.evictions()...)", "return out", scenarios, "TestScenarios$/capture_replace", ""},
	{"reused version", "engine/fold.go", "version: crdt.Version(v.Int() + 1)", "version: crdt.Version(max(v.Int(), 1))", scenarios, "TestScenarios$/delivery_", ""},
	{"NORMAL commit", "engine/durable.go", "\"PRAGMA synchronous = EXTRA\"", "\"PRAGMA synchronous = NORMAL\"", simulator, "TestSim$", ""},
	{"FULL is enough for a journal that is removed", "engine/durable.go", "!= \"delete\", err", "!= \"none\", err", "./conformance/faultdisk", "TestJournalComesBack", ""},
	{"values newer than their clocks go out", "engine/pull.go", "if err == nil && !clean {", "if err == nil && !clean && false {", scenarios, "TestScenarios$/delivery_", ""},

	{"a copy goes on under the same name", "engine/identity.go", "\t\t_, err := e.remint()\n\t\treturn err\n\t}\n\town, err", "\t\te.checked = true\n\t\treturn nil\n\t}\n\town, err", scenarios, "TestScenarios$/identity_", ""},
	{"two contents under one version pass", "engine/apply.go", "if !have.IsZero() && !at.id.IsZero() && have != at.id {", "if have != at.id && false {", "./engine", "TestIdentityEquivocation|TestIdentityCopyMeets", ""},

	{"forgotten needs check", "engine/lack.go", "a.lacking(l, v) {\n\t\t\tl.reason", "a.lacking(l, v) && false {\n\t\t\tl.reason", scenarios, "TestScenarios$/delivery_", ""},
	{"a set is applied in parts", "engine/pending.go", "whole := w.flags&waitEnds != 0", "whole := len(chain) > 0", simulator, "TestSim$", ""},
	{"the future is taken", "engine/lack.go", "reason: \"its clock is ahead of ours\"}); a.lacking(l, v) {", "reason: \"its clock is ahead of ours\"}); false && a.lacking(l, v) {", scenarios, "TestHostile/future|TestHostile/end", ""},
	{"the clock does not learn", "engine/apply.go", "if a.newest > last {", "if a.newest > last && false {", scenarios, "TestScenarios$/merge_clock", ""},
	{"waiting has no bound", "engine/pending.go", "> a.e.opt.MaxPending {", "> a.e.opt.MaxPending && false {", scenarios, "TestHostile/parts", ""},

	{"parts of two states make a set", "engine/pending.go", "{ return first>>waitSent <= then>>waitSent }", "{ return true }", scenarios, "TestScenarios$/delivery_parts_of_two", ""},
	{"foreign deletes go with own changes", "engine/pull.go", "} else if mixed || p", "} else if mixed && false || p", scenarios, "TestScenarios$/delivery_local_only_deletes", ""},
	{"an update of nothing makes a write younger", "engine/fold.go", "if wrote.IsEmpty() {", "if c.at = max(c.at, at); wrote.IsEmpty() {", scenarios, "TestScenarios$/capture_nothing_changed", ""},
	{"a column that is gone decides", "engine/slow.go", "s.row.Lives[i].Newer = groupsOf(s.row.Lives[i].Newer, live)", "_, _ = i, live", scenarios, "TestScenarios$/schema_drop_column", ""},
	{"rows between base rows are base rows", "engine/chunk.go", "if !found {\n\t\treturn nil, nil", "if !found && false {\n\t\treturn nil, nil", "./engine", "TestInsertBetween|TestAdopt", ""},
	{"an import that replaced rows is folded as new ones", "engine/foldinserts.go", "if made != rows {", "if made > rows {", "./engine", "TestFoldInserts", ""},
	{"orphans of an import stay", "engine/foldinserts.go", "w.imported = append(w.imported, candidates{t.rangeSQL()", "_ = append(w.imported, candidates{t.rangeSQL()", "./engine", "TestFoldInserts|TestImport", ""},
	{"a gap is no reason to begin earlier", "engine/since.go", "version > ?2 ORDER BY version LIMIT 1", "version > ?2 ORDER BY version DESC LIMIT 1", "./engine", "TestSince", noStop},

	{"local changes are not folded before a merge", "engine/apply.go", "if _, err := a.e.fold(); err != nil {\n\t\treturn err\n\t}\n\tvar err error\n\tif a.pos", "var err error\n\tif a.pos", simulator, "TestSim$", ""},
	{"dead rows come back", "engine/merge.go", "if len(r.Lives) == 1 && !covered(deleted, r.Lives[0].Birth.Dot()) {", "if len(r.Lives) == 1 {", scenarios, "TestAllSmallHistories", ""},
	{"swapped columns after ALTER", "engine/merge.go", "ord := t.ordinal(name)", "ord := min(j, len(t.columns)-1)", scenarios, "TestScenarios$/schema_", ""},
	{"a schema that was rolled back is known", "engine/sql.go", "e.ready, e.reconciled = false, e.committed", "e.ready = false", "./engine", "TestSchemaCookie", ""},
	{"cascades delete what the writer never saw", "engine/switches.go", "e.conn.EnableForeignKeys(false)", "e.conn.EnableForeignKeys(true)", scenarios, "TestScenarios$/fk_", ""},
	{"a row displaces one without which it cannot be shown", "engine/knot.go", "return won[o] })", "return won[o] && false })", "./engine", "TestKnot", ""},
	{"who lost against one that is gone stays away", "engine/knot.go", "more = c.grown() || c.addOne()", "more = false", "./engine", "TestKnot", ""},
	{"what refers to a row in question is taken as certain", "engine/untie.go", "next = e.childrenOf", "next = func(*hidden) ([]*hidden, error) { return nil, nil }", scenarios, "TestScenarios$/(fk|unique)_", ""},
	{"the last row with a unique value stays", "engine/show.go", "older = older && byBirth(h, b) < 0", "older = older && byBirth(h, b) > 0", scenarios, "TestScenarios$/unique_", ""},
	{"parked changes are handed to and fro", "engine/parked.go", "fresh := reason != reasonInsert && isNews(&rows[i], v)", "fresh := reason != reasonInsert && (isNews(&rows[i], v) || true)", scenarios, "TestScenarios$/schema_parked", ""},
	{"forms are forgotten from package to package", "engine/forms.go", "if p.Starts {\n\t\ta.twice = nil", "if true {\n\t\ta.twice = nil", scenarios, "TestScenarios$/schema_relay", oneDefault},
	{"what comes in a second form is known", "engine/forms.go", "f.made[i].keys.has(key) {", "f.made[i].keys.has(key) && false {", scenarios, "TestScenarios$/schema_relay", oneDefault},
	{"quarantine has no defaults", "engine/hidden.go", "err = e.fillDefaults(h)", "_ = e.fillDefaults", scenarios, "TestScenarios$/schema_hidden", ""},

	{"parts of who was retired wait for ever", "engine/batch.go", "return e.run(\"DELETE FROM tributary_waiting WHERE sender = ?1 OR sender IN (SELECT", "return e.run(\"DELETE FROM tributary_waiting WHERE sender = ?1 AND sender IN (SELECT", "./engine", "TestCompactDropsEnded", ""},
	{"positions of a feed are given anew", "engine/identity.go", "if pos < ev.Position {", "if pos < ev.Position && false {", scenarios, "TestScenarios$/identity_restored_positions", ""},
	{"positions that others know are not noted", "engine/pull.go", "e.witness(0, p.until)", "", scenarios, "TestScenarios$/identity_restored_positions", ""},
	{"parts up to a cursor that is not true are here", "engine/peercursor.go", "case !p.Starts:", "case !p.Starts && false:", scenarios, "TestScenarios$/identity_restored_parts", ""},
	{"what goes on from such a cursor is applied", "engine/peercursor.go", "!have.Covers(p.Before), err", "!have.Covers(nil), err", scenarios, "TestScenarios$/identity_restored_cursor", ""},
	{"a feed ends where no version does", "engine/pull.go", "e.one(\"SELECT \" + unnamed); err != nil || v.Int() == 0 {", "e.one(\"SELECT \" + unnamed); err != nil || v.Int() >= 0 {", "./engine", "TestPullNamesEnd", ""},
	{"a log that was compacted is taken for a whole one", "engine/engine.go", "if pos > compacted.Int() {", "if pos >= min(0, compacted.Int()) {", "./engine", "TestPullBehindCompactedLog", noStream},
	{"old parts bring rows back", "engine/forgotten.go", "here || !b.a.forgotten.Has(d)", "here || d.Version > 0", scenarios, "TestScenarios$/compact_old_parts", ""},
	{"a stream that has not acknowledged holds no tombstones", "engine/compact.go", "at < pos {", "at < pos && false {", "./engine", "TestCompactWaitsForStreams", noStream},
	{"what a stream has yet to read of a version is forgotten", "engine/compact.go", "stable[s] = min(v, read[s])", "stable[s] = max(v, read[s])", "./engine", "TestCompactWaitsForStreams", noStream},
	{"tombstones go when a timer says so", "engine/compact.go", "\t\tr.Blocked = cmp.Or(blocked, unread)\n", "\t\tr.Blocked = cmp.Or(blocked, unread)\n\t\tif stable, err = e.vector(); err != nil {\n\t\t\treturn err\n\t\t}\n", scenarios, "TestScenarios$/compact", ""},

	{"twins go before all members know them", "engine/twins.go", "if !known {\n\t\t\treturn nil", "if !known && false {\n\t\t\treturn nil", scenarios, "TestScenarios$/merge_concurrent_inserts_equal", ""},
	{"a delete leaves the twin", "engine/twins.go", "if twins(h.detail) {\n\t\t\tdeleted", "if twins(h.detail) && false {\n\t\t\tdeleted", scenarios, "TestScenarios$/(import|merge_concurrent|merge_base)", ""},
	{"an edit makes a twin another row", "engine/twins.go", "case len(l.Newer) == 0 && before(l)", "case false && before(l)", scenarios, "TestScenarios$/(import|merge_concurrent|merge_base)", ""},
	{"twins of which a column is missing are dropped", "engine/twins.go", "err != nil || parked.Int() != 0 {", "err != nil || parked.Int() < 0 {", scenarios, "TestScenarios$/merge_concurrent_inserts_equal", ""},
	{"what came without a column is no twin", "engine/twins.go", "if inA != inB {", "if inA != inB && false {", scenarios, "TestScenarios$/merge_concurrent_inserts_equal", ""},
	{"what was told apart are twins still", "engine/twins.go", "!slices.Contains(s.told, d) && (d", "(!slices.Contains(s.told, d) || true) && (d", scenarios, "TestScenarios$/merge_concurrent_inserts_told", ""},
	{"a twin takes an older insert of its site with it", "engine/twins.go", "l.Birth.Version < d.Version && !slices", "l.Birth.Version < d.Version && false && !slices", scenarios, "TestScenarios$/merge_concurrent_inserts_equal", ""},
	{"a twin of a row that is set aside goes in no version", "engine/fold.go", "case c.absorbed && c.known && !c.clock.dead:", "case c.absorbed && c.known && false:", simulator, "TestSim$", ""},
	{"parts are not told apart by what they need", "engine/pending.go", "uint64(h.Sum32())", "uint64(h.Sum32()&0)", scenarios, "TestScenarios$/delivery_parts", ""},
	{"parts of own changes go with parts of all", "engine/pending.go", "about = p.Scope | 1<<32", "about = 0 * p.Scope", scenarios, "TestScenarios$/delivery_parts_of_own", ""},
	{"a set of some changes ends the waiting of all", "engine/pending.go", "(upon >> 32 = ?3 OR ?3 = 0)", "(upon >> 32 = ?3 OR 1)", scenarios, "TestScenarios$/delivery_parts_of_own", ""},
	{"what can not be told apart any more goes on", "engine/pull.go", "p.cursor = p.since\n\t\t}", "}", "./engine", "TestPullContinuesWhole", ""},
	{"the wall clock says which of two states is the later one", "engine/engine.go", "ELSE max(excluded.value, value + 1) END", "ELSE excluded.value END", scenarios, "TestScenarios$/delivery_parts_clock", ""},
	{"any part goes on, also where none leads to the end", "engine/pending.go", "if best = n; n.led {", "if best = n; true {", scenarios, "TestScenarios$/delivery_parts_that", ""},
	{"what comes beyond a gap fills it", "engine/apply.go", "(!p.LocalOnly || own) && have.Covers(p.Needs) {", "(!p.LocalOnly || own) {", scenarios, "TestScenarios$/delivery_eventual_gap", ""},
	{"what later parts need is not asked", "engine/pending.go", "for _, w := range chain[1:] {", "for _, w := range chain[len(chain):] {", scenarios, "TestScenarios$/delivery_parts", ""},
	{"a set begins where the cursor is not", "engine/pending.go", "err != nil || cursor < w.since {", "err != nil || cursor < w.since && false {", simulator, "TestSim$", ""},
	{"a run goes over stamps", "engine/adopt.go", "i == from || b.rows[i].Lives[0].Birth.Stamp == b.rows[from].Lives[0].Birth.Stamp", "true", "./engine", "TestImportsMeet", ""},
	{"a run goes over rows that are there", "engine/adopt.go", "if alone {", "if alone || true {", "./engine", "TestAdoptBetween", ""},
	{"rows are adopted in the order of the package", "engine/merge.go", "if !slices.IsSortedFunc(b.rows, byKey) {", "if false {", scenarios, "TestScenarios$/import_nocase", ""},
	{"rows that were changed are adopted as base rows", "engine/adopt.go", "return l.Full && len(l.Newer) == 0", "return l.Full", "./engine", "TestImportIsBase", ""},
	{"a list of keys has one more", "engine/keylist.go", "uint64(v.Int())-uint64(l.runs[i].first) < uint64(l.runs[i].n)", "uint64(v.Int())-uint64(l.runs[i].first) <= uint64(l.runs[i].n)", "./engine", "TestKeyList|TestInsertBetween", ""},
	{"keys are found by bytes, not by the collation", "engine/keylist.go", "c := t.compare(k, key)", "c := (&table{schema: &tableSchema{Key: make([]columnSchema, len(k))}}).compare(k, key)", "./engine", "TestFindKey", ""},
	{"base rows are of today", "engine/base.go", "crdt.Stamp{Site: e.site, Version: version}", "crdt.Stamp{Time: crdt.TimeOf(e.opt.Now().UnixMilli()), Site: e.site, Version: version}", scenarios, "TestScenarios$/(import|merge)_", ""},
	{"a base row that changed is a base row still", "engine/base.go", "sql += \" AND c.pos IS NULL\"", "sql += \" AND true\"", "./engine", "TestBaseRows|TestImport", ""},
	{"base rows that are forgotten stay on the list", "engine/chunk.go", "return set.has(k) })", "return set.has(k) && false })", "./engine", "TestCompactForgetsBaseRows", ""},
	{"other connections do not hear of chunks", "engine/chunk.go", "e.bases = n.Int() + 1", "e.bases = n.Int()", "./engine", "TestChunksByAnotherConnection", oneEngine},
	{"rows of an import that have gone are in its chunk", "engine/foldinserts.go", "there[0][0].Int() != s.rows {", "there[0][0].Int() < 0 {", "./engine", "TestImport|TestFoldInserts", ""},
	{"an import into a base replaces nothing", "engine/foldinserts.go", "found = base != nil", "found = base != nil && false", "./engine", "TestImportReplacesBase", ""},

	{"a memory goes on with the cursor of another", "transports/mem/mem.go", "if p.epoch != h.epoch || p.next", "if p.next", "./transports/mem", "TestAnotherHub|TestKept", noStop},
	{"a cursor goes over what was deleted", "transports/mem/mem.go", "p.next < h.first || p.next >", "p.next >", "./transports/mem", "TestTransport|TestLimit", noStop},
	{"a folder forgets its holes", "transports/dir/subscribe.go", "if f.number <= last && !p.missing(f.number) {", "if f.number <= last {", "./transports/dir", "TestPartialCopies", noStop},
	{"a folder does not miss what it had read", "transports/dir/subscribe.go", "return f.name() == p.Last }) {", "return f.name() == p.Last }) && false {", "./transports/dir", "TestTransport|TestPulledOut", noStop},
	{"what stands at a position is not compared", "transports/mem/mem.go", "return p.stamp == 0 ||", "return true ||", "./transports/mem", "TestTransport", noStop},
	{"packages that are known are stored again", "transports/mem/mem.go", "!h.ids[key] && !taken[key] {", "key != \"\" {", "./transports/mem", "TestTransport", noStop},
	{"a deleted folder is no loss", "transports/dir/subscribe.go", "\t\tif !there[name] {\n", "\t\tif false {\n", "./transports/dir", "TestTransport", noStop},
	{"damaged files are handed on", "transports/dir/subscribe.go", "err != nil || !pkg.Intact() {", "err != nil {", "./transports/dir", "TestTransport", noStop},
	{"what came over the wire is believed", "transports/http/frame.go", "if !p.Intact() {", "if false {", "./transports/http", "TestTransport|TestDamaged|TestFrame", noStop},
	{"another message at the position", "transports/nats/subscribe.go", "if raw.Time.UnixNano() != at.Stored {", "if raw.Time.UnixNano() != at.Stored && false {", "./transports/nats", "TestTransport", noStop},
	{"a duplicate is believed", "transports/nats/publish.go", "if err == nil && raw.Subject == m.Subject && bytes.Equal(raw.Data, m.Data) {", "if err == nil && (raw.Subject == m.Subject && bytes.Equal(raw.Data, m.Data) || true) {", "./transports/nats", "TestSquatted", noStop},
	{"who misses deletes is answered", "engine/forgotten.go", "if v > 0 && have[s] > 0 {", "if v > 0 && have[s] > 0 && false {", "./engine", "TestForgotten", ""},
	{"a sync goes on with who misses deletes", "engine/sync.go", "if MissesDeletes(have, forgotten) {", "if MissesDeletes(have, forgotten) && false {", "./engine", "TestSyncForgotten", ""},
	{"what no set covers is parked again and again", "engine/parked.go", "a.covers != nil && isNews(&rows[i], told)", "a.covers != nil && !isNews(&rows[i], told) && false", scenarios, "TestScenarios$/schema_parked_not_covered", ""},
	{"tombstones of parked rows go", "engine/compact.go", "if parked.has(r[:k]) {", "if parked == nil {", scenarios, "TestScenarios$/compact_parked", ""},
	{"what is forgotten is not noted", "engine/forgotten.go", "v.Join(upto)", "_ = upto", "./engine", "TestForgotten", ""},
	{"parts of a later state go with a set that is here", "engine/batch.go", "ends[s] = end{r[1].Int(), r[2].Int() >> waitSent}", "ends[s] = end{r[1].Int(), math.MaxInt64}", simulator, "TestSim$", ""},
	{"what waited brings rows back that are forgotten meanwhile", "engine/forgotten.go", "a.forgotten = nil", "_ = a.forgotten", scenarios, "TestScenarios$/compact_waiting", ""},
	{"a package of one who forgot is taken", "engine/forgotten.go", "if missing < 0 || !knows {", "if missing < 0 || !knows || true {", scenarios, "TestScenarios$/compact_by_hand", ""},
	{"what a package did not bring is not passed on", "engine/forgotten.go", "return a.e.noteForgotten(without)", "return nil", scenarios, "TestScenarios$/compact_by_hand", ""},
	{"a snapshot of one who forgot is taken", "engine/replicator/snaptake.go", "if engine.MissesDeletes(have, a.Forgotten) {", "if engine.MissesDeletes(have, a.Forgotten) && false {", "./engine/replicator", "TestSnapshotForgotten", noStop},
}
