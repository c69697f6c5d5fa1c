package conformance_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/tributary-db/tributary/conformance"
	"github.com/tributary-db/tributary/conformance/purehost"
)

type host = purehost.Host

// shell is host with the sqlite3 program as the plain writer: another library version, another process.
type shell struct{ host }

type shellWriter struct {
	*purehost.Writer
	path string
}

func (h shell) Writer(path string) (conformance.Writer, error) {
	w, err := h.host.Writer(path)
	if err != nil {
		return nil, err
	}
	return &shellWriter{w.(*purehost.Writer), path}, nil
}

func (w *shellWriter) Exec(sql string) error {
	cmd := exec.Command("sqlite3", "-batch", "-bail", "-cmd", ".timeout 10000", w.path)
	cmd.Stdin = strings.NewReader(sql + "\n;\n")
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("sqlite3: %s", strings.TrimSpace(out.String()))
	}
	return nil
}

func TestScenarios(t *testing.T) { conformance.RunAll(t, host{}) }

// TestScenariosShell writes with the sqlite3 program.
func TestScenariosShell(t *testing.T) {
	if testing.Short() {
		t.Skip("short: TestScenarios runs the same scenarios with the driver's own connection")
	}
	if _, err := exec.LookPath("sqlite3"); err != nil {
		t.Skip("the sqlite3 program is not installed (Debian package sqlite3)")
	}
	conformance.RunAll(t, shell{})
}
