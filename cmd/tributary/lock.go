package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// errLocked: another process holds the lock.
var errLocked = errors.New("locked")

// lockFile keeps two servers off one store. The file stays when the lock goes: who removed it could remove another's.
type lockFile struct{ f *os.File }

// servedLock is the name of the lock of a database that is being served.
func servedLock(database string) string {
	if full, err := filepath.Abs(database); err == nil {
		database = full
	}
	return database + "-tributary-serve"
}

// takeLock takes a lock and writes the process id into the file, for the message of who comes second.
func takeLock(path string) (*lockFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, reason(err)
	}
	if err := lock(f); err != nil {
		who, _ := os.ReadFile(path)
		f.Close()
		if errors.Is(err, errLocked) {
			return nil, fmt.Errorf("is being served by another process (%s); stop that one first", strings.TrimSpace(string(who)))
		}
		return nil, err
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = fmt.Fprintf(f, "process %d\n", os.Getpid())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &lockFile{f}, nil
}

// release gives the lock back. nil: there is none.
func (l *lockFile) release() {
	if l != nil {
		l.f.Close()
	}
}

// isServed says whether a process serves a database now.
func isServed(database string) bool {
	f, err := os.OpenFile(servedLock(database), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(lock(f), errLocked)
}
