package main

import (
	"fmt"
	"strings"

	"github.com/tributary-db/tributary/conformance/vectors"
	"github.com/tributary-db/tributary/crdt"
)

// merges are changes of one row in the order in which they arrive. Unless it says otherwise the order does not matter;
// the test tries all of them.
func (a *all) merges() {
	pack := func(c crdt.RowChange) vectors.Part {
		c.Key = []crdt.Value{crdt.Int(1)}
		return bin(encode(&crdt.Package{Sender: site(0xaa), Tables: []crdt.Table{task}, Rows: []crdt.RowChange{c}}))
	}
	merge := func(name, comment string, want vectors.Outcome, changes ...crdt.RowChange) {
		var parts []vectors.Part
		for _, c := range changes {
			parts = append(parts, pack(c))
		}
		a.add(vectors.KindMerge, name, want, comment, parts...)
	}
	lives := func(l ...crdt.LiveChange) crdt.RowChange { return crdt.RowChange{Lives: l} }
	deleted := func(by crdt.Stamp, seen ...crdt.Dot) crdt.RowChange {
		return crdt.RowChange{Deleted: seen, Deleter: by}
	}
	title := func(s crdt.Stamp, to string) crdt.RowChange {
		return lives(life(false, at(0, 1, 1), map[int]crdt.Value{0: txt(to)}, group(s, 0)))
	}
	done := func(s crdt.Stamp, to int64) crdt.RowChange {
		return lives(life(false, at(0, 1, 1), map[int]crdt.Value{1: crdt.Int(to)}, group(s, 1)))
	}
	insert := lives(fresh(at(0, 1, 1), txt("first"), crdt.Int(0)))

	merge("insert", "one insert", vectors.Accept, insert)
	merge("duplicate", "the same change again changes nothing", vectors.Accept, insert, insert)
	merge("other_columns", "two updates of different columns: both stay", vectors.Accept, insert, title(at(5, 2, 1), "b"), done(at(3, 3, 1), 1))
	merge("last_writer", "two updates of one column: the later time wins", vectors.Accept, insert, title(at(5, 2, 1), "early"), title(at(6, 1, 2), "late"))
	merge("tie_of_time", "equal times: the greater site wins", vectors.Accept, insert, title(at(5, 3, 1), "of 3"), title(at(5, 2, 9), "of 2"))
	merge("tie_of_stamp", "one stamp with two contents, which a correct site never makes: the greater value wins, column by column", vectors.Accept,
		lives(fresh(at(0, 1, 1), txt("a"), crdt.Int(2))), lives(fresh(at(0, 1, 1), txt("b"), crdt.Int(1))))
	merge("tie_of_kinds", "one stamp, an INTEGER and the REAL that equals it: the REAL is greater", vectors.Accept,
		lives(fresh(at(0, 1, 1), crdt.Int(1), crdt.Int(0))), lives(fresh(at(0, 1, 1), crdt.Real(1), crdt.Int(0))))
	merge("delete", "a delete beats the update that it had not seen", vectors.Accept, insert, deleted(at(2, 2, 1), dot(1, 1)), title(at(9, 1, 2), "too late"))
	merge("delete_before_insert", "a delete that comes first", vectors.Accept, deleted(at(2, 2, 1), dot(1, 1)), insert)
	merge("reinsert", "a re-insert survives a delete that had not seen it", vectors.Accept, insert, deleted(at(2, 1, 2), dot(1, 1)),
		lives(fresh(at(3, 1, 3), txt("again"), crdt.Int(0))), deleted(at(9, 2, 1), dot(1, 1)))
	merge("delete_covers_older", "a delete of a site's version 3 covers its inserts before", vectors.Accept, deleted(at(9, 2, 1), dot(1, 3)), insert, lives(fresh(at(4, 1, 4), txt("new"), crdt.Int(0))))
	merge("two_inserts", "two inserts of one key: the one written last is shown, the other kept whole", vectors.Accept, insert, lives(fresh(at(5, 2, 1), txt("second"), crdt.Int(2))))
	merge("two_inserts_update", "an update of the older insert makes it the one that is shown", vectors.Accept, insert, lives(fresh(at(5, 2, 1), txt("second"), crdt.Int(2))), done(at(6, 1, 2), 7))
	merge("two_inserts_delete", "a delete of the one that is shown uncovers the other", vectors.Accept, insert, lives(fresh(at(5, 2, 1), txt("second"), crdt.Int(2))), deleted(at(6, 3, 1), dot(2, 1)))
	merge("three_inserts", "sorted by insert, shown the newest", vectors.Accept, lives(fresh(at(7, 3, 1), txt("3"), crdt.Int(3))), insert, lives(fresh(at(7, 2, 1), txt("2"), crdt.Int(2))))
	merge("two_deletes", "deletes of two sites' inserts join to the greatest of each", vectors.Accept, deleted(at(6, 3, 1), dot(1, 1), dot(2, 4)), deleted(at(7, 1, 9), dot(1, 7)), insert, lives(fresh(at(5, 2, 5), txt("left"), crdt.Null())))
	merge("full_state", "a state with groups, merged with an older and a newer update", vectors.Accept,
		lives(life(true, at(0, 1, 1), map[int]crdt.Value{0: txt("t5"), 1: crdt.Int(0)}, group(at(5, 2, 1), 0))), title(at(3, 3, 1), "t3"), done(at(8, 3, 2), 8))
	merge("group_regrouped", "one write of two columns of which one was written again", vectors.Accept, insert,
		lives(life(false, at(0, 1, 1), map[int]crdt.Value{0: txt("both"), 1: crdt.Int(5)}, group(at(5, 2, 1), 0, 1))), title(at(6, 2, 2), "one"))
	merge("state_and_delete", "one change that brings a delete of one insert and another insert", vectors.Accept, insert,
		crdt.RowChange{Deleted: []crdt.Dot{dot(1, 1)}, Deleter: at(2, 2, 1), Lives: []crdt.LiveChange{fresh(at(3, 2, 2), txt("new"), crdt.Int(0))}})
	merge("missing_birth", "an update of an insert that has not come: causal delivery rules it out, without it the change is set aside", vectors.MissingBirth, title(at(5, 2, 1), "b"))
	merge("missing_other_birth", "the row is there, but not the insert that the update speaks of", vectors.MissingBirth,
		lives(fresh(at(5, 2, 1), txt("second"), crdt.Int(2))), title(at(6, 2, 2), "of the first"))
}

// jsons are packages in the form for carriers that take no bytes.
func (a *all) jsons() {
	good := func(name, comment string, p *crdt.Package) string {
		p.Sender = site(0xaa)
		b, err := p.MarshalJSON()
		if err != nil {
			panic(err)
		}
		a.add(vectors.KindJSON, name, vectors.Accept, comment, text("json", string(b)+"\n"))
		return string(b)
	}
	empty := good("empty", "the smallest package", &crdt.Package{})
	row := good("row", "an insert with an update, and a delete", &crdt.Package{Starts: true, Ends: true, Since: 1 << 60, Until: 1<<60 + 2, Scope: 1<<64 - 1, Tables: []crdt.Table{task},
		Covers: []crdt.Cover{{Site: site(1), From: 1, To: crdt.MaxVersion, ID: crdt.ChainID{1}}}, Needs: crdt.VersionVector{site(2): 5},
		Rows: []crdt.RowChange{{Key: []crdt.Value{crdt.Int(1)}, Lives: []crdt.LiveChange{life(true, at(0, 1, 1), map[int]crdt.Value{0: txt("a"), 1: crdt.Int(1)}, group(at(9, 1, 2), 1))}},
			{Key: []crdt.Value{crdt.Int(2)}, Deleted: []crdt.Dot{dot(1, 1)}, Deleter: at(2, 1, 2)}}})
	var kinds []crdt.RowChange
	for i, v := range []crdt.Value{crdt.Null(), crdt.Int(-1 << 53), crdt.Int(1<<53 + 1), crdt.Int(-1 << 63), crdt.Real(0.1), crdt.Real(-1.5), crdt.Real(5e-324), crdt.Real(1e300), txt("naïve \"x\" <&>\n"), txt("a\x00"), crdt.Text([]byte{0xff}), crdt.Blob([]byte{1, 2}), crdt.Blob(nil)} {
		kinds = append(kinds, crdt.RowChange{Key: []crdt.Value{v}, Lives: []crdt.LiveChange{fresh(at(crdt.Time(i), 1, 1), v, crdt.Null())}})
	}
	good("kinds", "every storage class, and numbers that JSON would round", &crdt.Package{Tables: []crdt.Table{task}, Rows: kinds})
	part := good("part", "a part that does not begin its set", &crdt.Package{Since: 3, Until: 5, Part: 1, Before: crdt.VersionVector{site(1): 9}})
	refused := func(name string, want vectors.Outcome, comment, json string) {
		a.add(vectors.KindJSON, name, want, comment, text("json", json+"\n"))
	}
	refused("not_json", vectors.Corrupt, "cut off", empty[:len(empty)-1])
	refused("version_2", vectors.Unsupported, "another format version, whatever else it holds", `{"format":2,"new":true}`)
	refused("no_version", vectors.Unsupported, "no format version", "{}")
	refused("unknown_field", vectors.Corrupt, "unknown fields are refused", strings.Replace(empty, `"format":1`, `"format":1,"extra":0`, 1))
	refused("number_for_text", vectors.Corrupt, "64-bit numbers are decimal strings", strings.Replace(row, fmt.Sprintf(`"since":"%d"`, 1<<60), `"since":5`, 1))
	refused("until_before_since", vectors.Corrupt, "since is 2^60", strings.Replace(row, fmt.Sprintf(`"until":"%d"`, 1<<60+2), `"until":"5"`, 1))
	refused("before_the_start", vectors.Corrupt, "nothing lies before the first part of a set", strings.Replace(part, `"format":1`, `"format":1,"starts":true`, 1))
	refused("table_unknown", vectors.Corrupt, "a row of table 1 of 1", strings.Replace(row, `{"table":0,"key":[1]`, `{"table":1,"key":[1]`, 1))
	refused("values_missing", vectors.Corrupt, "one value of two columns", strings.Replace(row, `["a",1]`, `["a"]`, 1))
	refused("fraction", vectors.Corrupt, "a REAL is written as {\"real\":…}", strings.Replace(row, `["a",1]`, `["a",1.5]`, 1))
	refused("value_unknown_tag", vectors.Corrupt, "tags are int, real, text and blob", strings.Replace(row, `["a",1]`, `["a",{"date":"1"}]`, 1))
	refused("birth_of_version_0", vectors.Corrupt, "the rules are those of the bytes", strings.Replace(row, `"version":"1"},"newer"`, `"version":"0"},"newer"`, 1))
}
