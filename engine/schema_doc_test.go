package engine

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/tributary-db/tributary/crdt"
)

var schemaExample = regexp.MustCompile("(?ms)^```hex ([a-z]+)\n(.*?)^= (.*?)\n```$")

// TestSchemaExamples decodes every example of SCHEMA.md, compares it with what the text says of it, and encodes it again.
func TestSchemaExamples(t *testing.T) {
	text, err := os.ReadFile("SCHEMA.md")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]func(*Engine, []byte) (string, []byte, error){
		"presence": presenceExample, "cells": cellsExample, "row": rowExample, "key": keyExample, "runs": keysExample(1), "keys": keysExample(2), "packed": keysExample(1),
	}
	found := map[string]bool{}
	for _, m := range schemaExample.FindAllStringSubmatch(string(text), -1) {
		kind, want := m[1], m[3]
		var digits string
		for line := range strings.Lines(m[2]) {
			line, _, _ = strings.Cut(line, ";")
			digits += strings.Join(strings.Fields(line), "")
		}
		body, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		decode := kinds[kind]
		if decode == nil {
			t.Errorf("no test for examples of kind %s", kind)
			continue
		}
		got, again, err := decode(twoSites(), body)
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v; the text says %q", kind, got, err, want)
		}
		if !bytes.Equal(again, body) {
			t.Errorf("%s: encoded again: got %X, want %X", kind, again, body)
		}
		found[kind] = true
	}
	for kind := range kinds {
		if !found[kind] {
			t.Errorf("SCHEMA.md has no example of %s", kind)
		}
	}
}

// TestSchemaNamesEveryColumn holds the tables of SCHEMA.md against the statements that create them.
func TestSchemaNamesEveryColumn(t *testing.T) {
	text, err := os.ReadFile("SCHEMA.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("format version %d\n", schemaFormat); !strings.Contains(string(text), want) {
		t.Errorf("the title does not say %q", want)
	}
	create := regexp.MustCompile(`(?s)CREATE TABLE (\w+)\((.*?)\)(?: WITHOUT ROWID)?;`)
	column := regexp.MustCompile(`(?:^|, )\s*([a-z]\w*)`)
	for _, m := range create.FindAllStringSubmatch(shadowSQL, -1) {
		_, section, ok := strings.Cut(string(text), "| `"+m[1]+"`")
		if !ok && m[1] != "tributary_meta" {
			t.Errorf("SCHEMA.md does not describe %s", m[1])
		}
		section, _, _ = strings.Cut(section, "\n\n")
		for _, c := range column.FindAllStringSubmatch(m[2], -1) {
			if m[1] != "tributary_meta" && !strings.Contains(section, "`"+c[1]+"`") {
				t.Errorf("SCHEMA.md does not describe %s.%s", m[1], c[1])
			}
		}
	}
}

// twoSites is an engine that knows sites 1 and 2 and has no database.
func twoSites() *Engine {
	a, b := crdt.Site{15: 0xa1}, crdt.Site{15: 0xb2}
	return &Engine{sites: []crdt.Site{{}, a, b}, ords: map[crdt.Site]int64{a: 1, b: 2}}
}

func (e *Engine) dotText(d crdt.Dot) string { return fmt.Sprintf("%d:%d", e.ords[d.Site], d.Version) }

func presenceExample(e *Engine, body []byte) (string, []byte, error) {
	c, row, err := throughClock(e, crdt.Blob(body), crdt.Null())
	if err != nil {
		return "", nil, err
	}
	var words, dots []string
	for _, f := range []struct {
		on   bool
		word string
	}{{c.dead, "dead"}, {c.hidden, "hidden"}, {c.siblings, "siblings"}} {
		if f.on {
			words = append(words, f.word)
		}
	}
	for _, d := range c.deleted {
		dots = append(dots, e.dotText(d))
	}
	return strings.Join(append(words, fmt.Sprintf("deleted=%v", dots)), " "), row[4].Bytes(), nil
}

func cellsExample(e *Engine, body []byte) (string, []byte, error) {
	c, row, err := throughClock(e, crdt.Null(), crdt.Blob(body))
	if err != nil {
		return "", nil, err
	}
	s := fmt.Sprintf("birth=%d", c.birth.Pos)
	for _, g := range c.newer {
		s += fmt.Sprintf(" %v at %v by %s pos=%d", g.Columns, g.Write.Time, e.dotText(g.Write.Dot()), g.Write.Pos)
	}
	return s, row[5].Bytes(), nil
}

// throughClock decodes a clock row with these blobs and encodes it again.
func throughClock(e *Engine, presence, cells crdt.Value) (c clock, row []crdt.Value, err error) {
	row = []crdt.Value{crdt.Int(9), crdt.Int(1), crdt.Int(1), crdt.Int(3), presence, cells}
	if err := e.decodeClock(row, &c); err != nil {
		return c, nil, err
	}
	row, err = e.appendClock(nil, &c)
	return c, row, err
}

func rowExample(e *Engine, body []byte) (string, []byte, error) {
	h, err := e.decodeHidden(nil, 1, 3, "", "", body)
	if err != nil {
		return "", nil, err
	}
	var values []string
	h.inc.Has.Each(func(i int) {
		v, _ := h.inc.Value(i)
		values = append(values, v.String())
	})
	again, err := e.encodeHidden(h)
	return fmt.Sprintf("key=[%s] at %v pos=%d groups=%d values=%v", keyText(h.key), h.inc.Birth.Time, h.inc.Birth.Pos, len(h.inc.Newer), values), again, err
}

func keyExample(_ *Engine, body []byte) (string, []byte, error) {
	key, err := decodeKey(body)
	return fmt.Sprint(key), appendKey(nil, key), err
}

func keysExample(width int) func(*Engine, []byte) (string, []byte, error) {
	return func(_ *Engine, body []byte) (string, []byte, error) {
		l, err := decodeKeyList(body, width)
		if err != nil {
			return "", nil, err
		}
		var keys []string
		l.each(func(k []crdt.Value) { keys = append(keys, keyText(k)) })
		return strings.Join(keys, " "), l.append(nil), nil
	}
}
