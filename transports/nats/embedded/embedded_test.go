package embedded_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tributary-db/tributary/transports/nats/embedded"
)

// TestCannotStart: a server that cannot start says why.
func TestCannotStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		o    embedded.Options
		want string
	}{
		"port in use":      {embedded.Options{Dir: filepath.Join(t.TempDir(), "s"), Listen: taken.Addr().String()}, "listening on port"},
		"no folder":        {embedded.Options{}, "needs a folder"},
		"a file":           {embedded.Options{Dir: filepath.Join(file, "s")}, "JetStream"},
		"no address":       {embedded.Options{Dir: t.TempDir(), Listen: "4222"}, "not an address"},
		"no configuration": {embedded.Options{Dir: t.TempDir(), ConfigFile: filepath.Join(t.TempDir(), "none")}, "none"},
	} {
		s, err := embedded.Start(c.o)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
