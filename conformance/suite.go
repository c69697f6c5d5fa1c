package conformance

import (
	"embed"
	"errors"
	"strings"
	"testing"
)

//go:embed scripts/*.txt
var scripts embed.FS

// RunAll runs every scenario of this package as a subtest.
func RunAll(t *testing.T, h Host) {
	names, err := scripts.ReadDir("scripts")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		text, err := scripts.ReadFile("scripts/" + n.Name())
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(n.Name(), ".txt"), func(t *testing.T) {
			t.Parallel()
			Run(t, h, n.Name(), string(text))
		})
	}
}

// Run runs one scenario as a test; name stands in front of its line numbers when one of them fails.
func Run(t *testing.T, h Host, name, script string) {
	t.Helper()
	switch err := RunScript(t.Context(), h, t.TempDir(), name, script); {
	case errors.Is(err, ErrSkip):
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
}
