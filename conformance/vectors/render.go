package vectors

import (
	"fmt"
	"math"
	"strings"

	"github.com/tributary-db/tributary/crdt"
)

// RenderValue writes a value so that two values look alike only if they are the same to the bit: null, an integer, "real:"
// and the bits in 16 hex digits, a text in quotes, "blob:" and hex.
func RenderValue(v crdt.Value) string {
	switch v.Kind() {
	case crdt.KindInt:
		return fmt.Sprint(v.Int())
	case crdt.KindReal:
		return fmt.Sprintf("real:%016x", math.Float64bits(v.Real()))
	case crdt.KindText:
		return quoted(v.Bytes())
	case crdt.KindBlob:
		return fmt.Sprintf("blob:%x", v.Bytes())
	}
	return "null"
}

// quoted writes the bytes from 0x20 to 0x7e as they are, but not ' and \, and all others as \ and two hex digits.
func quoted(s []byte) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, c := range s {
		if c < 0x20 || c > 0x7e || c == '\'' || c == '\\' {
			fmt.Fprintf(&b, "\\%02x", c)
		} else {
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

func renderStamp(s crdt.Stamp) string { return fmt.Sprintf("%d %s", int64(s.Time), s.Dot()) }

func renderNames(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = quoted([]byte(n))
	}
	return "(" + strings.Join(out, " ") + ")"
}

// RenderColumns writes a column set.
func RenderColumns(s crdt.ColumnSet) string {
	return strings.ReplaceAll(strings.Trim(s.String(), "[]"), " ", ",")
}

// RenderPackage writes all that a package says, a line each.
func RenderPackage(p *crdt.Package) string {
	var b strings.Builder
	b.WriteString("package")
	for _, f := range []struct {
		on   bool
		name string
	}{{p.Starts, "starts"}, {p.Ends, "ends"}, {p.Bulk, "bulk"}, {p.LocalOnly, "local"}} {
		if f.on {
			b.WriteString(" " + f.name)
		}
	}
	fmt.Fprintf(&b, "\nsender %s scope %d sent %d\nsince %d until %d part %d\n", p.Sender, p.Scope, int64(p.Sent), p.Since, p.Until, p.Part)
	for _, c := range p.Covers {
		fmt.Fprintf(&b, "cover %s %d-%d %s %s", c.Site, c.From, c.To, c.Prev, c.ID)
		if c.Forgotten > 0 {
			fmt.Fprintf(&b, " forgotten to %d", c.Forgotten)
		}
		b.WriteString("\n")
	}
	for _, s := range p.Needs.Sites() {
		fmt.Fprintf(&b, "need %s %d\n", s, p.Needs[s])
	}
	for _, s := range p.Before.Sites() {
		fmt.Fprintf(&b, "before %s %d\n", s, p.Before[s])
	}
	for _, t := range p.Tables {
		fmt.Fprintf(&b, "table %s key %s columns %s\n", quoted([]byte(t.Name)), renderNames(t.Key), renderNames(t.Columns))
	}
	for i := range p.Rows {
		r := &p.Rows[i]
		fmt.Fprintf(&b, "row of %d key", r.Table)
		for _, k := range r.Key {
			b.WriteString(" " + RenderValue(k))
		}
		b.WriteByte('\n')
		renderDeleted(&b, r.Deleted)
		if !r.Deleter.IsZero() {
			fmt.Fprintf(&b, "  deleter %s\n", renderStamp(r.Deleter))
		}
		for j := range r.Lives {
			l := &r.Lives[j]
			kind := "part"
			if l.Full {
				kind = "full"
			}
			renderLife(&b, kind, &l.Incarnation)
		}
	}
	return b.String()
}

// RenderRow writes a merged row. "shows" names the incarnation that SQL sees.
func RenderRow(r *crdt.Row) string {
	var b strings.Builder
	renderDeleted(&b, r.Deleted)
	for i := range r.Lives {
		renderLife(&b, "life", &r.Lives[i])
	}
	if i := r.Visible(); i >= 0 {
		fmt.Fprintf(&b, "shows %s\n", r.Lives[i].Birth.Dot())
	} else {
		b.WriteString("shows nothing\n")
	}
	return b.String()
}

func renderDeleted(b *strings.Builder, deleted []crdt.Dot) {
	for _, d := range deleted {
		fmt.Fprintf(b, "  deleted %s\n", d)
	}
}

func renderLife(b *strings.Builder, kind string, l *crdt.Incarnation) {
	fmt.Fprintf(b, "  %s %s\n", kind, renderStamp(l.Birth.Stamp))
	for _, g := range l.Newer {
		fmt.Fprintf(b, "    %s at %s\n", RenderColumns(g.Columns), renderStamp(g.Write.Stamp))
	}
	for c := range l.Has.Columns() {
		v, _ := l.Value(c)
		fmt.Fprintf(b, "    %d = %s\n", c, RenderValue(v))
	}
}
