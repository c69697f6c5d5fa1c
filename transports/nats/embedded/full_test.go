package embedded

import (
	"log/slog"
	"strings"
	"testing"
)

// TestFullDisk: what the server says of a stream that it could not write comes with what to do.
func TestFullDisk(t *testing.T) {
	var out strings.Builder
	l := &logger{slog.New(slog.NewTextHandler(&out, nil)), make(chan string, 1)}
	l.Errorf("JetStream stream '%s' critical write error: %s", "S", "no space left on device")
	if got := out.String(); !strings.Contains(got, "no space left") || !strings.Contains(got, "start this server again") {
		t.Error(got)
	}
	out.Reset()
	if l.Errorf("something else"); strings.Contains(out.String(), "again") {
		t.Error(out.String())
	}
}
