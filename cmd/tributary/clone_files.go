package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// identitySuffix names the side file in which the engine keeps the evidence that a database has not been copied.
const identitySuffix = "-tributary"

// journalSuffixes name the files that belong to a database while it is in use. https://sqlite.org/tempfiles.html
var journalSuffixes = []string{"-wal", "-shm", "-journal"}

// temporaryName reserves a name in the folder of path, so that a rename is all that is left to do. The file is made at
// once and empty, which is a database to SQLite.
func temporaryName(path string) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".tributary-*.tmp")
	if err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}

// removeDatabase removes what there is of a database file and the files beside it.
func removeDatabase(path string) {
	os.Remove(path)
	for _, s := range append([]string{identitySuffix}, journalSuffixes...) {
		os.Remove(path + s)
	}
}

// moveDatabase gives a closed database its final name and these permissions.
func moveDatabase(from, to string, mode fs.FileMode) error {
	// A journal that the replaced file left behind would be read into the new one and destroy it.
	for _, s := range journalSuffixes {
		if err := os.Remove(to + s); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	// Temporary files are for their owner only; a replica is for whoever may read the original, and to be written to.
	if err := os.Chmod(from, mode.Perm()|0o200); err != nil {
		return reason(err)
	}
	if err := syncFile(from); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return reason(err)
	}
	// Cut off here, the replica finds no side file of its own and takes one more new site id: harmless.
	err := os.Rename(from+identitySuffix, to+identitySuffix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return reason(err)
	}
	return syncFolder(filepath.Dir(to))
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return reason(err)
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncFolder makes a rename durable. Windows has no such call and needs none.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return reason(err)
	}
	return errors.Join(f.Sync(), f.Close())
}
