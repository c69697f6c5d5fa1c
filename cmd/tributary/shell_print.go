package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ncruces/go-sqlite3"
)

// field is one value of a result row: its class and SQLite's own text of it.
type field struct {
	kind sqlite3.Datatype
	text string  // of a blob: its bytes
	real float64 // of a REAL, whose text is rounded to 15 digits
}

func fieldOf(stmt *sqlite3.Stmt, i int) field {
	f := field{kind: stmt.ColumnType(i)} // before the text, which converts
	switch f.kind {
	case sqlite3.NULL:
	case sqlite3.BLOB:
		f.text = string(stmt.ColumnRawBlob(i))
	case sqlite3.FLOAT:
		f.real = stmt.ColumnFloat(i)
		f.text = string(stmt.ColumnRawText(i))
	default:
		f.text = string(stmt.ColumnRawText(i))
	}
	return f
}

// printer prints the rows of one statement.
type printer interface {
	row([]field)
	finish()
}

func modeNames() []string {
	return []string{"list", "column", "json", "csv", "box", "line", "table", "quote"}
}

func (s *shell) printer(names []string) printer {
	headers := s.mode == "column"
	if s.headers != nil {
		headers = *s.headers
	}
	switch s.mode {
	case "json":
		return &jsonPrinter{w: s.out, names: names}
	case "line":
		return &linePrinter{w: s.out, names: names}
	case "column", "box", "table":
		return &gridPrinter{w: s.out, style: s.mode, headers: headers, names: names}
	}
	p := &joinPrinter{w: s.out, separator: "|", end: "\n", format: func(f field) string { return f.text }, name: func(s string) string { return s }}
	switch s.mode {
	case "csv":
		p.separator, p.end, p.format, p.name = ",", "\r\n", csvText, csvQuote
	case "quote":
		p.separator, p.format, p.name = ",", quoteText, quoteString
	}
	if headers {
		p.header = names
	}
	return p
}

// joinPrinter prints a row as values with a separator between them: modes list, csv and quote.
type joinPrinter struct {
	w              *bufio.Writer
	separator, end string
	header         []string // nil: none
	format         func(field) string
	name           func(string) string
}

func (p *joinPrinter) line(n int, text func(int) string) {
	for i := range n {
		if i > 0 {
			p.w.WriteString(p.separator)
		}
		p.w.WriteString(text(i))
	}
	p.w.WriteString(p.end)
}

func (p *joinPrinter) row(fields []field) {
	if p.header != nil { // before the first row: without rows there is no header either
		p.line(len(p.header), func(i int) string { return p.name(p.header[i]) })
		p.header = nil
	}
	p.line(len(fields), func(i int) string { return p.format(fields[i]) })
}

func (p *joinPrinter) finish() {}

func csvText(f field) string {
	if f.kind == sqlite3.NULL {
		return ""
	}
	return csvQuote(f.text)
}

// csvQuote quotes what could be misread, and the empty text, which is not NULL.
func csvQuote(s string) string {
	needs := s == "" || strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r == '"' || r == '\'' || r == ',' || r >= 0x7f
	})
	if !needs {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// quoteText is the value as an SQL literal.
func quoteText(f field) string {
	switch f.kind {
	case sqlite3.NULL:
		return "NULL"
	case sqlite3.TEXT:
		return quoteString(f.text)
	case sqlite3.BLOB:
		return "X'" + hex.EncodeToString([]byte(f.text)) + "'"
	case sqlite3.FLOAT:
		return realText(f.real)
	}
	return f.text
}

func quoteString(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// linePrinter prints a value per line, and a blank line between rows.
type linePrinter struct {
	w     *bufio.Writer
	names []string
	rows  int
}

func (p *linePrinter) row(fields []field) {
	if p.rows++; p.rows > 1 {
		p.w.WriteByte('\n')
	}
	width := 5
	for _, n := range p.names {
		width = max(width, textWidth(n))
	}
	for i, f := range fields {
		fmt.Fprintf(p.w, "%s%s = %s\n", strings.Repeat(" ", width-textWidth(p.names[i])), p.names[i], f.text)
	}
}

func (p *linePrinter) finish() {}

// jsonPrinter prints one array of objects. Without rows it prints nothing, like the sqlite3 program.
type jsonPrinter struct {
	w     *bufio.Writer
	names []string
	rows  int
}

func (p *jsonPrinter) row(fields []field) {
	if p.rows++; p.rows == 1 {
		p.w.WriteString("[{")
	} else {
		p.w.WriteString(",\n{")
	}
	for i, f := range fields {
		if i > 0 {
			p.w.WriteByte(',')
		}
		p.w.WriteString(jsonString(p.names[i]) + ":" + jsonText(f))
	}
	p.w.WriteByte('}')
}

func (p *jsonPrinter) finish() {
	if p.rows > 0 {
		p.w.WriteString("]\n")
	}
}

func jsonText(f field) string {
	switch f.kind {
	case sqlite3.NULL:
		return "null"
	case sqlite3.TEXT:
		return jsonString(f.text)
	case sqlite3.FLOAT:
		return realText(f.real) // infinity comes out as 9e999, which readers of JSON take for it
	case sqlite3.BLOB:
		var b strings.Builder // a character per byte, so that the bytes can be had back
		for _, c := range []byte(f.text) {
			b.WriteRune(rune(c))
		}
		return jsonString(b.String())
	}
	return f.text
}

func jsonString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case isControl(r):
			b.WriteString(jsonEscape(r))
		default:
			b.WriteRune(r) // of a byte that is not UTF-8: U+FFFD
		}
		i += size
	}
	b.WriteByte('"')
	return b.String()
}

func jsonEscape(r rune) string {
	switch r {
	case '\b', '\f', '\n', '\r', '\t':
		return strings.Trim(strconv.QuoteRune(r), "'")
	}
	return fmt.Sprintf(`\u%04x`, r)
}
