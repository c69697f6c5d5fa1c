package crdt

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// maxJSONInt is the greatest integer that every reader of JSON keeps exact.
const maxJSONInt = 1 << 53

// MarshalJSON gives null; a number for an INTEGER of at most 2^53, else {"int":"digits"}; {"real":"hexadecimal"} for a
// REAL; a string for a TEXT of UTF-8 without NUL, else {"text":"base64"}; {"blob":"base64"}. Nothing is lost.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.kind {
	case KindNull:
		return []byte("null"), nil
	case KindInt:
		if v.bits >= -maxJSONInt && v.bits <= maxJSONInt {
			return strconv.AppendInt(nil, v.bits, 10), nil
		}
		return fmt.Appendf(nil, `{"int":"%d"}`, v.bits), nil
	case KindReal:
		if f := v.Real(); !math.IsNaN(f) {
			return fmt.Appendf(nil, `{"real":"%s"}`, strconv.FormatFloat(f, 'x', -1, 64)), nil
		}
		return fmt.Appendf(nil, `{"real":"nan:%016x"}`, uint64(v.bits)), nil
	case KindText:
		if utf8.Valid(v.bytes) && bytes.IndexByte(v.bytes, 0) < 0 {
			return json.Marshal(string(v.bytes))
		}
	}
	return fmt.Appendf(nil, `{"%v":"%s"}`, v.kind, base64.StdEncoding.EncodeToString(v.bytes)), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (v *Value) UnmarshalJSON(b []byte) error {
	var err error
	b = bytes.TrimSpace(b)
	switch {
	case string(b) == "null":
		*v = Value{}
	case len(b) > 0 && b[0] == '"':
		var s string
		err = json.Unmarshal(b, &s)
		*v = TextString(s)
	case len(b) > 0 && b[0] == '{':
		*v, err = taggedValue(b)
	default:
		var i int64
		i, err = strconv.ParseInt(string(b), 10, 64)
		*v = Int(i)
	}
	if err != nil {
		return fmt.Errorf("crdt: value %.60q: %w", b, ErrCorrupt)
	}
	return nil
}

func taggedValue(b []byte) (Value, error) {
	var tagged map[string]string
	if err := json.Unmarshal(b, &tagged); err != nil {
		return Value{}, err
	}
	if len(tagged) != 1 {
		return Value{}, ErrCorrupt
	}
	for tag, s := range tagged {
		switch tag {
		case "int":
			i, err := strconv.ParseInt(s, 10, 64)
			return Int(i), err
		case "real":
			return parseReal(s)
		case "text":
			b, err := base64.StdEncoding.DecodeString(s)
			return Text(b), err
		case "blob":
			b, err := base64.StdEncoding.DecodeString(s)
			return Blob(b), err
		}
	}
	return Value{}, ErrCorrupt
}

func parseReal(s string) (Value, error) {
	if len(s) > 4 && s[:4] == "nan:" {
		u, err := strconv.ParseUint(s[4:], 16, 64)
		return Value{kind: KindReal, bits: int64(u)}, err
	}
	f, err := strconv.ParseFloat(s, 64)
	return Real(f), err
}
