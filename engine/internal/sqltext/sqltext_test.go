package sqltext

import (
	"fmt"
	"strings"
	"testing"
)

func TestTokens(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{"SELECT a.b", "bare SELECT, bare a, op ., bare b"},
		{`"a""b" [c d] ` + "`e``f`", "quoted a\"b, quoted c d, quoted e`f"},
		{"'it''s' x'0aF' X'' xx", "string it's, blob x'0aF', blob X'', bare xx"},
		{"1 2.5 .5 1e-3 1E+9-1 0x1F 1_000", "number 1, number 2.5, number .5, number 1e-3, number 1E+9, op -, number 1, number 0x1F, number 1_000"},
		{"a--b\nc/*d*/e/*f", "bare a, bare c, bare e"},
		{"a-b/c*d", "bare a, op -, bare b, op /, bare c, op *, bare d"},
		{"a||b<<1>=2<>3!=4->>'x'->y", "bare a, op ||, bare b, op <<, number 1, op >=, number 2, op <>, number 3, op !=, number 4, op ->>, string x, op ->, bare y"},
		{"?1 :a @b $c ?", "variable ?1, variable :a, variable @b, variable $c, variable ?"},
		{"é_1$ 日本", "bare é_1$, bare 日本"},
		{"'open", "string open"},
		{`"open`, "quoted open"},
		{"[open", "quoted open"},
		{"a;b~\\", "bare a, op ;, bare b, op ~, op \\"},
		{"", ""},
	} {
		names := map[Kind]string{Bare: "bare", Quoted: "quoted", String: "string", Blob: "blob", Number: "number", Variable: "variable", Operator: "op"}
		var got []string
		for _, tok := range Tokens(c.sql) {
			got = append(got, names[tok.Kind]+" "+tok.Text)
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.sql, s, c.want)
		}
	}
}

// checkSpans: tokens are in order, apart, not empty, and what lies between them is white space or comment.
func checkSpans(sql string) error {
	end := 0
	for _, tok := range Tokens(sql) {
		if tok.Start < end || tok.End <= tok.Start || tok.End > len(sql) {
			return fmt.Errorf("span %d:%d after %d", tok.Start, tok.End, end)
		}
		if n := len(Tokens(sql[end:tok.Start])); n != 0 {
			return fmt.Errorf("%d tokens were left out before %d", n, tok.Start)
		}
		if tok.Kind == 0 {
			return fmt.Errorf("token at %d has no kind", tok.Start)
		}
		if again := Tokens(sql[tok.Start:tok.End]); len(again) != 1 || again[0].Text != tok.Text {
			return fmt.Errorf("%q is not one token by itself", sql[tok.Start:tok.End])
		}
		end = tok.End
	}
	return nil
}

func FuzzTokens(f *testing.F) {
	for _, s := range []string{`CREATE TABLE "a"(b DEFAULT 'x''y', [c] /* d */ x'00')`, "1e", "1e+", "0x", "--", "/*", "/**/", "'", "''", `"""`, "[", "x'", "a.5", "..", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		if err := checkSpans(sql); err != nil {
			t.Fatalf("%q: %v", sql, err)
		}
	})
}

func TestQuote(t *testing.T) {
	for _, name := range []string{"a", `a"b`, `""`, "select", "a b", "é", "]", "`", "'"} {
		if tok := Tokens(Ident(name)); len(tok) != 1 || tok[0].Kind != Quoted || tok[0].Text != name {
			t.Errorf("Ident(%q) = %s reads back as %+v", name, Ident(name), tok)
		}
		if tok := Tokens(Literal(name)); len(tok) != 1 || tok[0].Kind != String || tok[0].Text != name {
			t.Errorf("Literal(%q) = %s reads back as %+v", name, Literal(name), tok)
		}
	}
	if got := Idents([]string{"a", `b"`}); got != `"a", "b"""` {
		t.Error(got)
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		a, b  string
		equal bool
	}{{"aZ", "Az", true}, {"é", "É", false}, {"a", "ab", false}, {"[", "{", false}, {"@", "`", false}, {"K", "\u212a", false}} {
		if EqualName(c.a, c.b) != c.equal || (FoldName(c.a) == FoldName(c.b)) != c.equal {
			t.Errorf("%q and %q: want equal = %v", c.a, c.b, c.equal)
		}
	}
	tok := Tokens(`select "select"`)
	if !tok[0].Is("SELECT") || tok[1].Is("SELECT") || !tok[1].IsName() {
		t.Error("only unquoted words are keywords")
	}
}
