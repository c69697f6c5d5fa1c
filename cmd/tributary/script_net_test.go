package main

import (
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func scriptPort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: port NAME")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	ts.Setenv(args[0], fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
}

// scriptGet polls: another process is to bring about what the page says, in its own time.
func scriptGet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: get URL TEXT ...")
	}
	var last string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		res, err := nethttp.Get(args[0])
		if err != nil {
			last = err.Error()
			continue
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		ts.Check(err)
		last = res.Status + "\n" + string(b)
		all := true
		for _, text := range args[1:] {
			all = all && strings.Contains(last, text)
		}
		if all {
			fmt.Fprint(ts.Stdout(), last)
			return
		}
	}
	ts.Fatalf("never came: %q; last: %s", args[1:], last)
}

// scriptTerm sends SIGTERM to the process that serves a file, as the lock names it.
func scriptTerm(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: term FILE")
	}
	text, err := os.ReadFile(servedLock(ts.MkAbs(args[0])))
	ts.Check(err)
	var pid int
	_, err = fmt.Sscanf(string(text), "process %d", &pid)
	ts.Check(err)
	p, err := os.FindProcess(pid)
	ts.Check(err)
	ts.Check(p.Signal(syscall.SIGTERM))
}
