package nats

import (
	"encoding/hex"
	"regexp"
	"strings"
)

// part is the only partition of a fleet for now, and scope the only scope: the tokens are reserved.
const (
	part  = "0"
	scope = "-"
)

var plainToken = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// token makes any text a subject token; no two texts have one.
func token(s string) string {
	if plainToken.MatchString(s) && !strings.HasPrefix(s, "x-") {
		return s
	}
	return "x-" + hex.EncodeToString([]byte(s))
}

// untoken is the other way; false: nothing that token makes.
func untoken(t string) (string, bool) {
	digits, ok := strings.CutPrefix(t, "x-")
	if !ok {
		return t, true
	}
	b, err := hex.DecodeString(digits)
	return string(b), err == nil && token(string(b)) == t
}

func (t *Transport) stream() string     { return "CRDT-" + token(t.o.Fleet) + "-" + part }
func (t *Transport) hereStream() string { return "CRDT-" + token(t.o.Fleet) + "-HERE" }
func (t *Transport) snapStream() string { return "CRDT-" + token(t.o.Fleet) + "-SNAP" }
func changes(db, site string) string    { return changesOf(db) + token(site) }
func changesOf(db string) string        { return "crdt.v1." + part + "." + token(db) + "." + scope + "." }
func here(db, site string) string       { return "here.v1." + token(db) + "." + site }
func askAny(db string) string           { return "ask.v1." + token(db) }
func askOne(db, site string) string     { return "ask.v1." + token(db) + "." + token(site) }

// snapHead is the last token of what tells of a snapshot; its chunks have their numbers there.
const snapHead = "head"

func snapPart(db, site, slot, part string) string { return snapOf(db, token(site), slot, part) }
func snapOf(db, site, slot, part string) string {
	return "snap.v1." + token(db) + "." + site + "." + slot + "." + part
}

func siteOf(subject string) (string, bool) {
	return untoken(subject[strings.LastIndexByte(subject, '.')+1:])
}
