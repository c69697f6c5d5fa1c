package main

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tributary": main})
}

// TestScripts runs the scripts in testdata. Beyond the usual commands they have
//
//	exits CODE COMMAND ...   runs a command that must end with this exit code
//	plain FILE SQL ...       runs SQL on a connection that knows nothing of Tributary
//	capture NAME             puts the last output, without blanks around it, into an environment variable
//	truncate FILE BYTES      cuts a file off; a negative number counts from its end
//	flip FILE OFFSET         inverts a byte
//	await FILE SQL           waits until the query has a row
//	port NAME                puts a free port into an environment variable
//	get URL TEXT ...         gets a page until it holds all the texts, and leaves it in stdout
//	lock FILE, unlock        holds the file's write lock, and gives it back
//
// and the condition [root], under which permissions stop nobody.
func TestScripts(t *testing.T) {
	dir := "testdata"
	if raceScripts != nil {
		dir = ""
	}
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		Files:               raceScripts,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			holder := new(lockHolder)
			env.Values[lockKey{}] = holder
			env.Defer(func() { holder.release() })
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, errors.New("unknown condition")
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    scriptExits,
			"plain":    scriptPlain,
			"capture":  scriptCapture,
			"truncate": scriptTruncate,
			"flip":     scriptFlip,
			"await":    scriptAwait,
			"lock":     scriptLock,
			"unlock":   scriptUnlock,
			"port":     scriptPort,
			"get":      scriptGet,
			"term":     scriptTerm,
		},
	})
}

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit := new(exec.ExitError)
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func scriptPlain(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: plain FILE SQL ...")
	}
	conn, err := sqlite3.OpenFlags(ts.MkAbs(args[0]), sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE)
	ts.Check(err)
	defer conn.Close()
	ts.Check(conn.BusyTimeout(time.Minute))
	for _, sql := range args[1:] {
		err := conn.Exec(sql)
		if neg && err == nil {
			ts.Fatalf("%s: no error", sql)
		}
		if !neg && err != nil {
			ts.Fatalf("%s: %v", sql, err)
		}
	}
}

func scriptCapture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: capture NAME")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

func scriptTruncate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: truncate FILE BYTES")
	}
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	if n < 0 {
		info, err := os.Stat(ts.MkAbs(args[0]))
		ts.Check(err)
		n += info.Size()
	}
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}

func scriptFlip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE OFFSET")
	}
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	b[at] ^= 0xff
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o666))
}

func scriptAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await FILE SQL")
	}
	conn, err := sqlite3.OpenFlags(ts.MkAbs(args[0]), sqlite3.OPEN_READWRITE)
	ts.Check(err)
	defer conn.Close()
	ts.Check(conn.BusyTimeout(time.Minute))
	// Another process is to do something in its own time: there is nothing to wait on but its effect.
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		names, err := queryNames(conn, args[1])
		ts.Check(err)
		if len(names) > 0 {
			return
		}
	}
	ts.Fatalf("no row came: %s", args[1])
}

type lockKey struct{}

func scriptLock(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: lock FILE")
	}
	conn, err := sqlite3.OpenFlags(ts.MkAbs(args[0]), sqlite3.OPEN_READWRITE)
	ts.Check(err)
	ts.Check(conn.BusyTimeout(time.Minute))
	ts.Check(conn.Exec("BEGIN IMMEDIATE"))
	holder := ts.Value(lockKey{}).(*lockHolder)
	holder.conn = conn
}

func scriptUnlock(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: unlock")
	}
	ts.Check(ts.Value(lockKey{}).(*lockHolder).release())
}

// lockHolder is the connection of a script that holds a lock.
type lockHolder struct{ conn *sqlite3.Conn }

func (h *lockHolder) release() error {
	if h.conn == nil {
		return nil
	}
	conn := h.conn
	h.conn = nil
	return conn.Close()
}
