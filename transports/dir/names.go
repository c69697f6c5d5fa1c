package dir

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// file is what the name of a package's file says.
type file struct {
	number, from, to uint64
	id               string
}

func (f file) name() string {
	return fmt.Sprintf("%016x-%016x-%016x-%s.pkg", f.number, f.from, f.to, f.id)
}

// parseName reads a name; false: it is somebody else's file.
func parseName(name string) (f file, ok bool) {
	rest, ok := strings.CutSuffix(name, ".pkg")
	if !ok || len(rest) != 3*17+64 {
		return f, false
	}
	if _, err := fmt.Sscanf(rest[:51], "%016x-%016x-%016x-", &f.number, &f.from, &f.to); err != nil || f.number == 0 {
		return f, false
	}
	f.id = rest[51:]
	return f, f.name() == name
}

// list gives the packages in a folder by number. A folder that is missing has none.
func list(folder string) ([]file, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []file
	for _, e := range entries {
		if f, ok := parseName(e.Name()); ok {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b file) int { return cmp.Or(cmp.Compare(a.number, b.number), strings.Compare(a.id, b.id)) })
	return out, nil
}

// escape makes any text a file name that every system takes: what is not a letter, a digit, _ or - becomes =XX. Letters
// are lower-case hex in the identities that Tributary makes; capitals are escaped, since some file systems fold them.
func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "=%02x", c)
		}
	}
	if b.Len() == 0 {
		return "="
	}
	return b.String()
}

// unescape is the other way; false: nothing that escape makes.
func unescape(s string) (string, bool) {
	if s == "=" {
		return "", true
	}
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '=' {
			b = append(b, s[i])
			continue
		}
		var c byte
		if i+2 >= len(s) {
			return "", false
		}
		if _, err := fmt.Sscanf(s[i+1:i+3], "%02x", &c); err != nil {
			return "", false
		}
		b = append(b, c)
		i += 2
	}
	return string(b), escape(string(b)) == s
}
