package main

import (
	"fmt"
	"html"
	"strings"
)

// chart is one picture: panels in so many columns, each with horizontal bars on a scale of its own that begins at zero.
type chart struct {
	title, subtitle string
	columns         int
	panels          []panel
	legend          []entry
	note            string // below everything, may be empty
}

type panel struct {
	title string
	bars  []bar
	line  float64 // where a reference line stands, 0: none
	mark  string  // what the line is
}

// bar has one or more parts, which are added up; text is written at its end.
type bar struct {
	label string
	kind  kind
	parts []float64
	text  string
}

type entry struct{ color, text string }

// kind says whose a bar is, which is its colour.
type kind int

const (
	floor kind = iota
	ours
	peer
)

// colors has, for each kind, that of the first and of the second part: distinct in print and for the colour-blind.
var colors = map[kind][2]string{
	floor: {"#8a8f98", "#c4c8cf"},
	ours:  {"#0b6bcb", "#8fc1f5"},
	peer:  {"#d9822b", "#f3cf9f"},
}

const (
	panelWidth  = 330
	labelWidth  = 128
	textWidth   = 76
	rowHeight   = 26
	barHeight   = 17
	headHeight  = 76
	titleHeight = 30
	margin      = 20
)

func (b *bar) total() (sum float64) {
	for _, p := range b.parts {
		sum += p
	}
	return sum
}

// svg draws the chart. Widths of text are not known here, so nothing depends on them but room that is left.
func (c *chart) svg() string {
	rows := 0
	for _, p := range c.panels {
		rows = max(rows, len(p.bars))
	}
	panelHeight := titleHeight + rows*rowHeight + margin
	width := margin + c.columns*(panelWidth+margin)
	height := headHeight + (len(c.panels)+c.columns-1)/c.columns*panelHeight + 3*margin
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="Helvetica, Arial, sans-serif" role="img" aria-label="%s">`+"\n",
		width, height, width, height, html.EscapeString(c.title))
	fmt.Fprintf(&s, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	text(&s, margin, 34, 21, "bold", "start", "#1d2129", c.title)
	text(&s, margin, 57, 13.5, "normal", "start", "#596170", c.subtitle)
	for i, p := range c.panels {
		p.draw(&s, margin+i%c.columns*(panelWidth+margin), headHeight+i/c.columns*panelHeight)
	}
	text(&s, margin, height-margin/2, 12, "normal", "start", "#596170", c.note)
	x := margin
	for _, e := range c.legend {
		y := height - 2*margin
		fmt.Fprintf(&s, `<rect x="%d" y="%d" width="13" height="13" rx="2" fill="%s"/>`+"\n", x, y-11, e.color)
		text(&s, x+19, y, 13, "normal", "start", "#1d2129", e.text)
		x += 45 + 13*len(e.text)/2
	}
	s.WriteString("</svg>\n")
	return s.String()
}

func (p *panel) draw(s *strings.Builder, x, y int) {
	text(s, x, y+16, 15, "bold", "start", "#1d2129", p.title)
	longest := p.line
	for i := range p.bars {
		longest = max(longest, p.bars[i].total())
	}
	room := float64(panelWidth - labelWidth - textWidth)
	scale := func(v float64) float64 {
		if longest == 0 {
			return 0
		}
		return v / longest * room
	}
	left, top := x+labelWidth, y+titleHeight
	if p.line > 0 {
		at, bottom := float64(left)+scale(p.line), top+len(p.bars)*rowHeight
		fmt.Fprintf(s, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#1d2129" stroke-dasharray="4 3"/>`+"\n", at, top-6, at, bottom)
		text(s, int(at), bottom+12, 12, "normal", "middle", "#596170", p.mark)
	}
	for i := range p.bars {
		b := &p.bars[i]
		row := top + i*rowHeight
		weight := "normal"
		if b.kind == ours {
			weight = "bold"
		}
		text(s, left-8, row+13, 13, weight, "end", "#1d2129", b.label)
		at := float64(left)
		for k, v := range b.parts {
			w := max(scale(v), 1)
			fmt.Fprintf(s, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", at, row, w, barHeight, colors[b.kind][min(k, 1)])
			at += w
		}
		// A white edge keeps the figure readable where the reference line passes behind it.
		fmt.Fprintf(s, `<text x="%.1f" y="%d" font-size="13" font-weight="%s" fill="#1d2129" stroke="#ffffff" stroke-width="4" paint-order="stroke">%s</text>`+"\n", at+6, row+13, weight, html.EscapeString(b.text))
	}
}

func text(s *strings.Builder, x, y int, size float64, weight, anchor, color, content string) {
	fmt.Fprintf(s, `<text x="%d" y="%d" font-size="%g" font-weight="%s" text-anchor="%s" fill="%s">%s</text>`+"\n",
		x, y, size, weight, anchor, color, html.EscapeString(content))
}
