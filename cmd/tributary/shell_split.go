package main

import "strings"

// splitter reads SQL piece by piece and knows whether it could end here: whether the last statement is complete. It is
// the automaton of sqlite3_complete, which the library here is built without, and keeps its state between lines, so that
// a statement of many lines is read once. https://sqlite.org/c3ref/complete.html
type splitter struct {
	state  splitState
	inside byte // the quote that is open; '*' in a block comment, '-' in a line comment
	word   []byte
	last   byte // to see the two characters that open or close a comment
}

type splitState uint8

const (
	splitStart   splitState = iota // nothing but blanks since the last complete statement
	splitNormal                    // inside a statement that ends with ;
	splitExplain                   // after EXPLAIN, which may be followed by CREATE TRIGGER
	splitCreate                    // after CREATE, TEMP
	splitTrigger                   // inside a trigger's body, where ; does not end it
	splitSemi                      // after a ; in a trigger's body
	splitEnd                       // after ; END, which the next ; makes the end
)

// complete reports whether all statements so far are complete.
func (p *splitter) complete() bool {
	p.endWord()
	return p.state == splitStart && p.inside != '*'
}

func (p *splitter) feed(text string) {
	for i := range len(text) {
		p.char(text[i])
	}
}

func (p *splitter) char(c byte) {
	last := p.last
	p.last = c
	switch p.inside {
	case 0:
	case '*':
		if last == '*' && c == '/' {
			p.inside, p.last = 0, 0
		}
		return
	case '-':
		if c == '\n' {
			p.inside = 0
		}
		return
	default:
		if c == p.inside { // a doubled quote closes and opens again, which comes to the same
			p.inside = 0
		}
		return
	}
	switch {
	case isWordChar(c):
		p.word = append(p.word, c)
		return
	case c == '-' && last == '-':
		p.inside = '-'
		return
	case c == '*' && last == '/':
		p.inside, p.last = '*', 0
		return
	}
	p.endWord()
	switch c {
	case ' ', '\t', '\n', '\r', '\f', '-', '/': // a lone - or / starts no statement
	case ';':
		p.semicolon()
	case '\'', '"', '`':
		p.inside = c
		p.other()
	case '[':
		p.inside = ']'
		p.other()
	default:
		p.other()
	}
}

func isWordChar(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// endWord judges the word that has just ended.
func (p *splitter) endWord() {
	if len(p.word) == 0 {
		return
	}
	word := strings.ToLower(string(p.word))
	p.word = p.word[:0]
	switch {
	case word == "explain" && p.state == splitStart:
		p.state = splitExplain
	case word == "create" && (p.state == splitStart || p.state == splitExplain):
		p.state = splitCreate
	case (word == "temp" || word == "temporary") && p.state == splitCreate:
	case word == "trigger" && p.state == splitCreate:
		p.state = splitTrigger
	case word == "end" && p.state == splitSemi:
		p.state = splitEnd
	case p.state == splitExplain && (word == "query" || word == "plan"):
	default:
		p.other()
	}
}

// other is any token without a meaning here.
func (p *splitter) other() {
	switch p.state {
	case splitSemi, splitEnd, splitTrigger:
		p.state = splitTrigger
	default:
		p.state = splitNormal
	}
}

func (p *splitter) semicolon() {
	switch p.state {
	case splitTrigger, splitSemi:
		p.state = splitSemi
	default:
		p.state = splitStart
	}
}
