package main

import (
	"math"
	"strconv"
	"strings"

	"github.com/tributary-db/tributary/crdt"
)

// jsonValue is a value as listings print it in JSON: as package crdt writes it, but a finite REAL is a number with a
// point or an exponent (1.0, 1e+300), so that what reads it sees a number and still tells it from an INTEGER.
type jsonValue struct{ crdt.Value }

func (v jsonValue) MarshalJSON() ([]byte, error) {
	if v.Kind() != crdt.KindReal || math.IsInf(v.Real(), 0) || math.IsNaN(v.Real()) {
		return v.Value.MarshalJSON()
	}
	return []byte(realText(v.Real())), nil
}

func jsonValues(values []crdt.Value) []jsonValue {
	if values == nil {
		return nil
	}
	out := make([]jsonValue, len(values))
	for i, v := range values {
		out[i] = jsonValue{v}
	}
	return out
}

// realText is the shortest text that reads back as the same REAL in SQL, and never as an INTEGER.
func realText(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "9e999"
	case math.IsInf(f, -1):
		return "-9e999"
	}
	s := strconv.FormatFloat(f, 'g', 17, 64)
	if short := strconv.FormatFloat(f, 'g', -1, 64); len(short) < len(s) {
		s = short
	}
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}
