package main

import (
	"bufio"
	"strings"
	"unicode/utf8"

	"github.com/ncruces/go-sqlite3"
)

// gridWrap is how wide a cell may be before its text goes on in the next line, as in the sqlite3 program.
const gridWrap = 60

// gridPrinter collects all rows to know how wide the columns are: modes column, table and box.
type gridPrinter struct {
	w       *bufio.Writer
	style   string
	headers bool // of mode column; the others always have one
	names   []string
	rows    [][][]string // row, column, line
	tall    bool         // a row has several lines: rows are then kept apart by rules
}

// ruling is how lines and corners are drawn.
type ruling struct {
	top, middle, bottom [4]string // left, line, cross, right
	bar                 string
}

var rulings = map[string]ruling{
	"table": {[4]string{"+", "-", "+", "+"}, [4]string{"+", "-", "+", "+"}, [4]string{"+", "-", "+", "+"}, "|"},
	"box":   {[4]string{"┌", "─", "┬", "┐"}, [4]string{"├", "─", "┼", "┤"}, [4]string{"└", "─", "┴", "┘"}, "│"},
}

func (p *gridPrinter) row(fields []field) {
	row := make([][]string, len(fields))
	for i, f := range fields {
		row[i] = []string{""}
		if f.kind != sqlite3.NULL {
			row[i] = wrapLines(f.text, gridWrap)
			p.tall = p.tall || len(row[i]) > 1
		}
	}
	p.rows = append(p.rows, row)
}

func (p *gridPrinter) finish() {
	if len(p.rows) == 0 {
		return
	}
	width := make([]int, len(p.names))
	for i, n := range p.names {
		width[i] = textWidth(n)
	}
	for _, row := range p.rows {
		for i, lines := range row {
			for _, l := range lines {
				width[i] = max(width[i], textWidth(l))
			}
		}
	}
	if p.style == "column" {
		p.column(width)
		return
	}
	r := rulings[p.style]
	p.rule(r.top, width)
	p.cells(r.bar, width, p.names, centered)
	p.rule(r.middle, width)
	for i, row := range p.rows {
		if p.tall && i > 0 {
			p.rule(r.middle, width)
		}
		eachLine(row, func(line []string) { p.cells(r.bar, width, line, padded) })
	}
	p.rule(r.bottom, width)
}

func (p *gridPrinter) column(width []int) {
	line := func(cells []string) {
		for i, c := range cells {
			p.w.WriteString(padded(c, width[i]))
			if i < len(cells)-1 {
				p.w.WriteString("  ")
			}
		}
		p.w.WriteByte('\n')
	}
	if p.headers {
		line(p.names)
		dashes := make([]string, len(width))
		for i, w := range width {
			dashes[i] = strings.Repeat("-", w)
		}
		line(dashes)
	}
	for i, row := range p.rows {
		if p.tall && i > 0 {
			p.w.WriteByte('\n')
		}
		eachLine(row, line)
	}
}

func (p *gridPrinter) rule(r [4]string, width []int) {
	p.w.WriteString(r[0])
	for i, w := range width {
		if i > 0 {
			p.w.WriteString(r[2])
		}
		p.w.WriteString(strings.Repeat(r[1], w+2))
	}
	p.w.WriteString(r[3] + "\n")
}

func (p *gridPrinter) cells(bar string, width []int, cells []string, place func(string, int) string) {
	for i, c := range cells {
		p.w.WriteString(bar + " " + place(c, width[i]) + " ")
	}
	p.w.WriteString(bar + "\n")
}

// eachLine calls f for every line of a row whose cells may have several.
func eachLine(row [][]string, f func([]string)) {
	height := 1
	for _, lines := range row {
		height = max(height, len(lines))
	}
	for l := range height {
		line := make([]string, len(row))
		for i, lines := range row {
			if l < len(lines) {
				line[i] = lines[l]
			}
		}
		f(line)
	}
}

// wrapLines breaks text at its line ends and at width.
func wrapLines(text string, width int) (lines []string) {
	for l := range strings.SplitSeq(strings.ToValidUTF8(text, "\uFFFD"), "\n") {
		var b strings.Builder
		n := 0
		for _, r := range strings.TrimSuffix(l, "\r") {
			if n == width {
				lines = append(lines, b.String())
				b.Reset()
				n = 0
			}
			switch {
			case r == '\t':
				b.WriteByte(' ')
				for n++; n%8 != 0 && n < width; n++ {
					b.WriteByte(' ')
				}
				continue
			case isControl(r):
				r = '\uFFFD' // would move the cursor
			}
			b.WriteRune(r)
			n++
		}
		lines = append(lines, b.String())
	}
	if n := len(lines); n > 1 && lines[n-1] == "" {
		lines = lines[:n-1] // a line end at the end of the text starts no line
	}
	return lines
}

func textWidth(s string) int { return utf8.RuneCountInString(s) }

func padded(s string, width int) string { return s + strings.Repeat(" ", width-textWidth(s)) }

func centered(s string, width int) string {
	left := (width - textWidth(s)) / 2
	return padded(strings.Repeat(" ", left)+s, width)
}
