package conformance_test

import (
	"fmt"
	"strings"

	"github.com/tributary-db/tributary/conformance"
	"github.com/tributary-db/tributary/crdt"
)

func (r *replica) rows(sql string) [][]crdt.Value {
	r.t.Helper()
	rows, err := conformance.ReadRows(r.writer, sql)
	if err != nil {
		r.t.Fatalf("%s: %v: %s", r.name, err, sql)
	}
	return rows
}

// run makes n edits in transactions of one to thirty statements. A transaction that SQLite refuses, say for a foreign
// key, is rolled back whole, as most programs do.
func (e *editor) run(n int) {
	e.t.Helper()
	before := e.r.int("SELECT total_changes()")
	for n > 0 {
		k := min(1+e.rng.IntN(30), n)
		n -= k
		var b strings.Builder
		enforce := !e.orphans || e.rng.IntN(4) > 0
		if enforce {
			b.WriteString("PRAGMA foreign_keys = ON;")
		}
		b.WriteString("PRAGMA synchronous = OFF; BEGIN;") // a plain client's business; it makes this test faster
		for range k {
			b.WriteString(e.edit(enforce))
			b.WriteString(";\n")
		}
		b.WriteString("COMMIT")
		if err := e.r.writer.Exec(b.String()); err == nil {
			e.done += k
		} else if strings.Contains(err.Error(), "constraint") {
			e.refused += k
		} else {
			e.t.Fatalf("%s: %v: %s", e.r.name, err, b.String())
		}
	}
	e.changes += int(e.r.int("SELECT total_changes()") - before)
}

// edit is one statement. With enforcement it keeps to what a careful program would do; without, it deletes parents.
func (e *editor) edit(enforce bool) string {
	t := e.tables[e.rng.IntN(len(e.tables))]
	switch n := e.rng.IntN(100); {
	case n < 35:
		return e.insert(t, "INSERT OR IGNORE")
	case n < 40:
		return e.insert(t, "REPLACE")
	case n < 78:
		return fmt.Sprintf("UPDATE \"%s\" SET %s WHERE rowid = %s", t.name, e.assignment(t), e.pick(t))
	case n < 80 && len(t.key) == 1:
		e.next++
		return fmt.Sprintf("UPDATE OR IGNORE \"%s\" SET \"%s\" = %d WHERE rowid = %s%s", t.name, t.key[0], e.next, e.pick(t), e.childless(t, enforce))
	default:
		// Without enforcement one delete in fifty may leave orphans, but not of the few rows that everything refers to.
		loose := !enforce && e.rng.IntN(50) == 0 && t.rows > 200
		return fmt.Sprintf("DELETE FROM \"%s\" WHERE rowid = %s%s", t.name, e.pick(t), e.childless(t, !loose))
	}
}

func (e *editor) insert(t *editTable, verb string) string {
	var names, values []string
	for _, k := range t.key {
		names = append(names, `"`+k+`"`)
		switch {
		case len(t.key) > 1:
			values = append(values, e.parent(t, k))
		case verb == "REPLACE":
			// Of a row without children: REPLACE deletes the old row, and orphans are not the point here.
			values = append(values, fmt.Sprintf("coalesce((SELECT rowid FROM \"%s\" WHERE rowid = %s%s), %d)", t.name, e.pick(t), e.childless(t, true), e.own()))
		case e.rng.IntN(10) == 0:
			values = append(values, fmt.Sprint(900_000+e.rng.IntN(2000))) // the same range on all replicas: they meet
		default:
			values = append(values, fmt.Sprint(e.own()))
		}
	}
	for _, c := range t.other {
		names, values = append(names, `"`+c.name+`"`), append(values, e.value(t, c))
	}
	return fmt.Sprintf("%s INTO \"%s\"(%s) SELECT %s", verb, t.name, strings.Join(names, ", "), strings.Join(values, ", "))
}

func (e *editor) own() int64 { e.next++; return e.next }

func (e *editor) assignment(t *editTable) string {
	if len(t.other) == 0 { // PlaylistTrack has only a key
		return fmt.Sprintf("\"%s\" = \"%s\"", t.key[0], t.key[0])
	}
	var list []string
	for range 1 + e.rng.IntN(2) {
		c := t.other[e.rng.IntN(len(t.other))]
		list = append(list, fmt.Sprintf("\"%s\" = %s", c.name, e.value(t, c)))
	}
	return strings.Join(list, ", ")
}

func (e *editor) value(t *editTable, c editColumn) string {
	if _, ok := t.refs[c.name]; ok {
		return e.parent(t, c.name)
	}
	if !c.notNull && e.rng.IntN(8) == 0 {
		return "NULL"
	}
	switch c.kind {
	case "INT":
		return fmt.Sprint(e.rng.IntN(1000))
	case "NUM":
		return fmt.Sprintf("%d.%02d", e.rng.IntN(50), e.rng.IntN(100))
	}
	return fmt.Sprintf("'%s %d ünï'", e.r.name, e.rng.IntN(1_000_000))
}

// parent is a key of a row that the column may refer to.
func (e *editor) parent(t *editTable, column string) string {
	p := t.refs[column]
	return fmt.Sprintf("(SELECT \"%s\" FROM \"%s\" WHERE rowid = %s)", p[1], p[0], e.pick(&editTable{name: p[0]}))
}

// pick is the rowid of some row: near a place anywhere in the table, half of the time near its newest rows.
func (e *editor) pick(t *editTable) string {
	at := fmt.Sprintf("%d %% (SELECT max(rowid) + 1 FROM \"%s\")", e.rng.Int64N(1<<40), t.name)
	if e.rng.IntN(2) == 0 {
		at = fmt.Sprint(e.rng.IntN(4000))
	}
	return fmt.Sprintf("coalesce((SELECT rowid FROM \"%s\" WHERE rowid >= %s ORDER BY rowid LIMIT 1), (SELECT max(rowid) FROM \"%s\"))", t.name, at, t.name)
}

// childless limits a statement to rows that no row refers to.
func (e *editor) childless(t *editTable, enforce bool) string {
	if !enforce {
		return ""
	}
	var b strings.Builder
	for _, c := range e.tables {
		for col, p := range c.refs {
			if p[0] == t.name {
				fmt.Fprintf(&b, " AND NOT EXISTS (SELECT 1 FROM \"%s\" x WHERE x.\"%s\" = \"%s\".\"%s\")", c.name, col, t.name, p[1])
			}
		}
	}
	return b.String()
}
