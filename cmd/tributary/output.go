package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// jsonFlag adds --json; fields describes what is printed, for the help text.
func jsonFlag(cmd *cobra.Command, on *bool, fields string) {
	cmd.Flags().BoolVar(on, "json", false, "print JSON")
	cmd.Long += "\n\nWith --json: " + fields
}

// printJSON prints one value on one line; what people read elsewhere (<, >, &) is left as it is.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// count prints a number with its thousands apart: 1,234,567.
func count[T ~int | ~int64 | ~uint64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// plural prints "1 row", "2 rows".
func plural[T ~int | ~int64 | ~uint64](n T, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "y") {
		noun = strings.TrimSuffix(noun, "y") + "ie"
	}
	return count(n) + " " + noun + "s"
}

// short is a site as it is shown where a line holds many: its first 8 digits.
func short(site fmt.Stringer) string { return site.String()[:8] }

// cell makes a text safe for one line of a terminal: control characters are shown as escapes, length is bounded.
func cell(s string, width int) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if strings.ContainsFunc(s, isControl) {
		s = strings.Trim(strconv.Quote(s), `"`)
	}
	if r := []rune(s); width > 0 && len(r) > width {
		s = string(r[:width-1]) + "…"
	}
	return s
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 }

// columns prints rows of text in aligned columns, two blanks apart, without trailing blanks.
func columns(w io.Writer, indent string, rows [][]string) error {
	var width []int
	for _, r := range rows {
		for i, c := range r {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	for _, r := range rows {
		var b strings.Builder
		for i, c := range r {
			b.WriteString(c)
			b.WriteString(strings.Repeat(" ", width[i]-utf8.RuneCountInString(c)+2))
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(indent+b.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}
