package conformance

import (
	"fmt"
	"strings"
)

// step is one command of a scenario.
type step struct {
	line int
	verb string   // "site", "sync", ...; "sql" for SITE: SQL
	args []string // words after the verb, before the colon
	text string   // after the colon
	want []string // the indented lines below, trimmed; part of text unless the verb is "rows"
}

// parse reads a scenario: one command a line, comments from "#" at the start of a line or from "  #" on.
// Indented lines belong to the command above: more SQL, or for rows the rows that are expected.
func parse(script string) ([]step, error) {
	var steps []step
	for i, raw := range strings.Split(script, "\n") {
		line := strings.TrimRight(raw, " \t\r")
		if strings.HasPrefix(strings.TrimSpace(line), "#") || strings.TrimSpace(line) == "" {
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			if len(steps) == 0 {
				return nil, fmt.Errorf("line %d: an indented line belongs to a command, and there is none above", i+1)
			}
			s := &steps[len(steps)-1]
			s.want = append(s.want, strings.TrimSpace(line))
			continue
		}
		if at := strings.Index(line, "  #"); at >= 0 {
			line = strings.TrimRight(line[:at], " \t")
		}
		head, text, colon := strings.Cut(line, ":")
		if strings.TrimSpace(head) == "" {
			return nil, fmt.Errorf("line %d: nothing before the colon", i+1)
		}
		if colon && isVerb(strings.Fields(head)[0]) && !textual[strings.Fields(head)[0]] {
			head, text, colon = line, "", false // a time of day, not the start of a text
		}
		s := step{line: i + 1, args: strings.Fields(head), text: strings.TrimSpace(text)}
		s.verb, s.args = s.args[0], s.args[1:]
		switch {
		case isVerb(s.verb):
			if textual[s.verb] != colon {
				return nil, fmt.Errorf("line %d: %s: a colon and SQL belong after needs, schema, fails and rows, and after nothing else", i+1, s.verb)
			}
		case colon && len(s.args) == 0:
			s.verb, s.args = "sql", []string{s.verb}
		default:
			return nil, fmt.Errorf("line %d: there is no command %q", i+1, s.verb)
		}
		steps = append(steps, s)
	}
	for i := range steps {
		if s := &steps[i]; s.verb != "rows" && len(s.want) > 0 {
			s.text = strings.TrimSpace(s.text + "\n" + strings.Join(s.want, "\n"))
			s.want = nil
		}
	}
	return steps, nil
}

// textual are the verbs that a colon and a text follow.
var textual = map[string]bool{"needs": true, "schema": true, "fails": true, "rows": true}

func isVerb(w string) bool { _, ok := verbs[w]; return ok }
