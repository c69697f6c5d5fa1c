package vtab

import (
	"reflect"
	"strings"
	"testing"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

func TestParseOut(t *testing.T) {
	site, err := crdt.ParseSite(strings.Repeat("0a", 16))
	if err != nil {
		t.Fatal(err)
	}
	peer, o, err := parseOut([]string{"peer = 'it''s; a=b'", `Exclude_Sites="` + site.String() + `, ` + site.String() + `"`, "local_only=1", " since=5 ",
		"max_bytes='1000'", "format=JSON", "tables='a, b,'"})
	want := engine.PullOptions{Since: 5, Exclude: []crdt.Site{site, site}, LocalOnly: true, MaxBytes: 1000, Format: engine.FormatJSON, Tables: []string{"a", "b"}}
	if err != nil || peer != "it's; a=b" || !reflect.DeepEqual(o, want) {
		t.Errorf("got %q %+v %v", peer, o, err)
	}
	if peer, o, err := parseOut([]string{""}); err != nil || peer != "" || !reflect.DeepEqual(o, engine.PullOptions{}) {
		t.Errorf("nothing: got %q %+v %v", peer, o, err)
	}
}

func TestParseIn(t *testing.T) {
	for text, want := range map[string]engine.Mode{"causal": engine.ModeCausal, "Ordered": engine.ModeOrdered, "eventual": engine.ModeEventual} {
		peer, mode, err := parseIn([]string{"peer=p", "mode='" + text + "'"})
		if err != nil || peer != "p" || mode != want {
			t.Errorf("%s: got %q %v %v", text, peer, mode, err)
		}
	}
}

func TestBadArguments(t *testing.T) {
	for _, test := range []struct{ argument, why string }{
		{"peer", "is not one of"},
		{"mode='x'", "is not one of"},
		{"peer=", "missing"},
		{"peer='x", "no closing quote"},
		{"peer='", "no closing quote"},
		{"peer='a'b'", "quote inside"},
		{"peer=a b", "must be quoted"},
		{"since=1.5", "whole number"},
		{"since=-1", "whole number"},
		{"max_bytes=0", "whole number"},
		{"max_bytes=9999999999", "whole number"},
		{"local_only=yes", "whole number"},
		{"format=xml", "binary, json"},
		{"exclude_sites='ab, cd'", "32 hex digits"},
		{"Tables=t", "twice"},
	} {
		if _, _, err := parseOut([]string{"tables=t", test.argument}); err == nil || !strings.Contains(err.Error(), test.why) {
			t.Errorf("%s: got %v, want an error that says %q", test.argument, err, test.why)
		}
	}
	if _, _, err := parseIn([]string{"mode='soon'"}); err == nil || !strings.Contains(err.Error(), "causal, ordered, eventual") {
		t.Errorf("mode: got %v", err)
	}
}
