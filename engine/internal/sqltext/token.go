package sqltext

import "strings"

// Kind classes a token. The zero Kind is invalid.
type Kind uint8

const (
	_ Kind = iota
	// Bare is an unquoted identifier or keyword; only the grammar around it tells which.
	Bare
	// Quoted is an identifier in "", [] or “. SQLite may take "x" for a string where no such name exists.
	Quoted
	// String is a literal in single quotes.
	String
	// Blob is x'..'.
	Blob
	// Number is an integer or real literal without its sign.
	Number
	// Variable is a parameter: ?1, :a, @a, $a.
	Variable
	// Operator is an operator or punctuation mark, as SQLite's own tokenizer cuts it (so || is one token).
	Operator
)

// Token is one token of an SQL text. sql[Start:End] is exactly its source.
type Token struct {
	Kind       Kind
	Start, End int
	// Text is the name without its quotes, the content of a string, and the source of everything else.
	Text string
}

// Is reports whether the token is the given keyword, unquoted, or the given operator. Quoted names are never keywords.
func (t Token) Is(word string) bool {
	return (t.Kind == Bare || t.Kind == Operator) && EqualName(t.Text, word)
}

// IsName reports whether the token can be a name: a quoted or an unquoted identifier. SQLite also takes a string
// literal where only a name makes sense, as in CREATE TABLE 'a'(...).
func (t Token) IsName() bool { return t.Kind == Bare || t.Kind == Quoted || t.Kind == String }

// Tokens cuts sql into tokens, without white space and comments. It never fails: what is unterminated ends with
// the text, and a byte that begins no token is an Operator of its own.
// https://sqlite.org/lang_keywords.html and https://sqlite.org/lang_expr.html#literal_values_constants_
func Tokens(sql string) []Token {
	var tokens []Token
	for i := 0; i < len(sql); {
		kind, end := next(sql, i)
		if kind != 0 {
			tokens = append(tokens, Token{Kind: kind, Start: i, End: end, Text: content(kind, sql[i:end])})
		}
		i = end
	}
	return tokens
}

// next finds the token at sql[i]; kind 0 stands for white space and comments.
func next(sql string, i int) (kind Kind, end int) {
	rest := sql[i:]
	switch c := sql[i]; {
	case c == ' ' || c >= '\t' && c <= '\r':
		return 0, i + 1
	case strings.HasPrefix(rest, "--"):
		return 0, i + through(rest, "\n", 2)
	case strings.HasPrefix(rest, "/*"):
		return 0, i + through(rest, "*/", 2)
	case c == '\'':
		return String, i + quoted(rest, c)
	case c == '"' || c == '`':
		return Quoted, i + quoted(rest, c)
	case c == '[':
		return Quoted, i + through(rest, "]", 1)
	case (c == 'x' || c == 'X') && len(rest) > 1 && rest[1] == '\'':
		return Blob, i + 1 + quoted(rest[1:], '\'')
	case isDigit(c) || c == '.' && len(rest) > 1 && isDigit(rest[1]):
		return Number, i + number(rest)
	case c == '?' || c == ':' || c == '@' || c == '$':
		n := 1
		for n < len(rest) && isNameByte(rest[n]) {
			n++
		}
		return Variable, i + n
	case isNameByte(c):
		n := 1
		for n < len(rest) && isNameByte(rest[n]) {
			n++
		}
		return Bare, i + n
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			return Operator, i + len(op)
		}
	}
	return Operator, i + 1
}

// operators lists those of more than one byte, longest first.
var operators = []string{"->>", "->", "||", "<<", ">>", "<=", ">=", "<>", "==", "!="}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isNameByte: every byte of a non-ASCII character may stand in a bare name, as may '$' after the first byte.
func isNameByte(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func through(s, mark string, from int) int {
	if n := strings.Index(s[from:], mark); n >= 0 {
		return from + n + len(mark)
	}
	return len(s)
}

func quoted(s string, quote byte) int {
	for i := 1; i < len(s); i++ {
		if s[i] != quote {
			continue
		}
		if i+1 < len(s) && s[i+1] == quote {
			i++
			continue
		}
		return i + 1
	}
	return len(s)
}

func number(s string) int {
	if len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		n := 2
		for n < len(s) && (isNameByte(s[n])) {
			n++
		}
		return n
	}
	n := 0
	for n < len(s) {
		c := s[n]
		sign := (c == '+' || c == '-') && n > 0 && (s[n-1] == 'e' || s[n-1] == 'E')
		if !isNameByte(c) && c != '.' && !sign {
			break
		}
		n++
	}
	return n
}

func content(kind Kind, s string) string {
	if kind != Quoted && kind != String {
		return s
	}
	quote := s[0]
	s = s[1:]
	if quote == '[' {
		return strings.TrimSuffix(s, "]")
	}
	if n := len(s); n > 0 && s[n-1] == quote {
		s = s[:n-1]
	}
	q := string(quote)
	return strings.ReplaceAll(s, q+q, q)
}
