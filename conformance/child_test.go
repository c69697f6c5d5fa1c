package conformance_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// Some tests need processes of their own: to be killed, or to have their memory measured. They run this test binary
// again with TRIBUTARY_CHILD set, which TestChild then obeys.
const childEnv = "TRIBUTARY_CHILD"

type childProcess struct {
	*exec.Cmd
	Stdout, Stderr *bytes.Buffer
}

// child prepares a process that runs one of the roles of TestChild.
func child(t *testing.T, role string, args ...string) *childProcess {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &childProcess{exec.Command(exe, "-test.run=^TestChild$", "-test.count=1", "-test.timeout=5m"), new(bytes.Buffer), new(bytes.Buffer)}
	if testing.Short() {
		c.Args = append(c.Args, "-test.short")
	}
	c.Env = append(os.Environ(), childEnv+"="+strings.Join(append([]string{role}, args...), "\x1f"))
	c.Cmd.Stdout, c.Cmd.Stderr = c.Stdout, c.Stdout
	c.Stderr = c.Stdout
	return c
}

// TestChild is not a test: it is what the child processes of other tests do.
func TestChild(t *testing.T) {
	role, rest, _ := strings.Cut(env(childEnv), "\x1f")
	args := strings.Split(rest, "\x1f")
	number := func(i int) int {
		n, err := strconv.Atoi(args[i])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	switch role {
	case "": // the ordinary run of all tests
	case "bigtable":
		bigTable(t, number(0), args[1])
	case "victim":
		victim(t, args[0], args[1], number(2))
	case "writer":
		busyWriter(t, args[0], number(1), args[2])
	default:
		t.Fatal(fmt.Errorf("no role %q", role))
	}
}
