package vtab

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// settings are module arguments by name.
type settings map[string]string

// parseSettings reads arguments of the form name = value. A value is a bare word or quoted as SQL quotes, and must be one
// of known.
func parseSettings(list []string, known ...string) (settings, error) {
	s := settings{}
	for _, a := range list {
		if strings.TrimSpace(a) == "" && len(list) == 1 {
			break // USING stream_out()
		}
		name, value, ok := strings.Cut(a, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if !ok || !slices.Contains(known, name) {
			return nil, fmt.Errorf("tributary: argument %q is not one of %s", strings.TrimSpace(a), strings.Join(known, "=, ")+"=")
		}
		if _, twice := s[name]; twice {
			return nil, fmt.Errorf("tributary: argument %s is given twice", name)
		}
		value, err := unquote(strings.TrimSpace(value))
		if err != nil {
			return nil, fmt.Errorf("tributary: argument %s: %w", name, err)
		}
		s[name] = value
	}
	return s, nil
}

// unquote reads 'it”s', "it's", or a bare word.
func unquote(s string) (string, error) {
	if s == "" {
		return "", fmt.Errorf("the value is missing")
	}
	q := s[:1]
	if q != "'" && q != `"` {
		if strings.ContainsAny(s, ` '"`) {
			return "", fmt.Errorf("%s must be quoted", s)
		}
		return s, nil
	}
	if len(s) < 2 || !strings.HasSuffix(s, q) {
		return "", fmt.Errorf("%s has no closing quote", s)
	}
	inner := s[1 : len(s)-1]
	plain := strings.ReplaceAll(inner, q+q, "")
	if strings.Contains(plain, q) {
		return "", fmt.Errorf("%s has a quote inside, which must be doubled", s)
	}
	return strings.ReplaceAll(inner, q+q, q), nil
}

// integer is a setting between lo and hi, or def if it is not given.
func (s settings) integer(name string, def, lo, hi int64) (int64, error) {
	text, ok := s[name]
	if !ok {
		return def, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < lo || n > hi {
		return 0, fmt.Errorf("tributary: argument %s: %q is not a whole number from %d to %d", name, text, lo, hi)
	}
	return n, nil
}

// list is a setting of several words with commas between them.
func (s settings) list(name string) (out []string) {
	for w := range strings.SplitSeq(s[name], ",") {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// choice is a setting that names one of several things; the first is the default.
func (s settings) choice(name string, names ...string) (int, error) {
	text, ok := s[name]
	if !ok {
		return 0, nil
	}
	i := slices.Index(names, strings.ToLower(text))
	if i < 0 {
		return 0, fmt.Errorf("tributary: argument %s: %q is not one of %s", name, text, strings.Join(names, ", "))
	}
	return i, nil
}

const maxPackage = 1 << 30 // as crdt.DefaultLimits

// parseOut reads the arguments of stream_out.
func parseOut(list []string) (peer string, o engine.PullOptions, err error) {
	s, err := parseSettings(list, "peer", "exclude_sites", "local_only", "since", "max_bytes", "format", "tables")
	if err != nil {
		return "", o, err
	}
	for _, text := range s.list("exclude_sites") {
		site, err := crdt.ParseSite(text)
		if err != nil {
			return "", o, fmt.Errorf("tributary: argument exclude_sites: %w", err)
		}
		o.Exclude = append(o.Exclude, site)
	}
	localOnly, err := s.integer("local_only", 0, 0, 1)
	if err != nil {
		return "", o, err
	}
	if o.Since, err = s.integer("since", 0, 0, 1<<62); err != nil {
		return "", o, err
	}
	maxBytes, err := s.integer("max_bytes", 0, 1, maxPackage)
	if err != nil {
		return "", o, err
	}
	format, err := s.choice("format", "binary", "json")
	if err != nil {
		return "", o, err
	}
	o.LocalOnly, o.MaxBytes = localOnly == 1, int(maxBytes)
	o.Format = []engine.Format{engine.FormatBinary, engine.FormatJSON}[format]
	o.Tables = s.list("tables")
	return s["peer"], o, nil
}

// parseIn reads the arguments of stream_in.
func parseIn(list []string) (peer string, mode engine.Mode, err error) {
	s, err := parseSettings(list, "peer", "mode")
	if err != nil {
		return "", mode, err
	}
	i, err := s.choice("mode", "causal", "ordered", "eventual")
	if err != nil {
		return "", mode, err
	}
	return s["peer"], []engine.Mode{engine.ModeCausal, engine.ModeOrdered, engine.ModeEventual}[i], nil
}
