package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
)

// packageOutput is where pull puts packages.
type packageOutput interface {
	add(sender crdt.Site, p engine.Pulled) error
	// finish makes all of it visible and names the files that there are now.
	finish() ([]string, error)
	// abandon removes what has not been finished. After finish it does nothing.
	abandon()
}

func (a *app) newPackageOutput(name string, format engine.Format) (packageOutput, error) {
	switch {
	case name == "-":
		s, err := newStream(a.out, format)
		return &stdoutOutput{s}, err
	case isFolder(name):
		if err := os.MkdirAll(name, 0o777); err != nil {
			return nil, inFile(name, reason(err))
		}
		return &folderOutput{folder: name, format: format, files: []string{}}, nil
	}
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() { // a device or a pipe: a file in its place would not be what was asked for
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return nil, inFile(name, reason(err))
		}
		s, err := newStream(f, format)
		return &throughOutput{stdoutOutput{s}, f, name}, err
	}
	to := linked(name) // the file is replaced, not the link to it
	f, err := createTemp(filepath.Dir(to))
	if err != nil {
		return nil, inFile(name, reason(err))
	}
	s, err := newStream(f, format)
	return &fileOutput{stream: s, file: f, to: to, name: name}, err
}

// linked follows symbolic links, also one to a file that is still to be made.
func linked(name string) string {
	for range 40 { // as many as Linux follows
		to, err := os.Readlink(name)
		if err != nil {
			break
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(name), to)
		}
		name = to
	}
	return name
}

// packageStream writes packages one after the other, in the form that readPackages takes apart again.
type packageStream interface {
	add(pkg []byte) error
	finish() error
}

func newStream(w io.Writer, format engine.Format) (packageStream, error) {
	if format == engine.FormatJSON {
		return &lineWriter{bufio.NewWriter(w)}, nil
	}
	return newContainerWriter(w)
}

// lineWriter writes packages in JSON, one on a line.
type lineWriter struct{ w *bufio.Writer }

func (l *lineWriter) add(pkg []byte) error {
	if _, err := l.w.Write(bytes.TrimSpace(pkg)); err != nil {
		return err
	}
	return l.w.WriteByte('\n')
}

func (l *lineWriter) finish() error { return l.w.Flush() }

type stdoutOutput struct{ packageStream }

func (s *stdoutOutput) add(_ crdt.Site, p engine.Pulled) error { return s.packageStream.add(p.Package) }
func (s *stdoutOutput) finish() ([]string, error)              { return []string{}, s.packageStream.finish() }
func (s *stdoutOutput) abandon()                               {}

// throughOutput writes to what is no file and has a name.
type throughOutput struct {
	stdoutOutput
	file *os.File
	name string
}

func (o *throughOutput) finish() ([]string, error) {
	_, err := o.stdoutOutput.finish()
	if err := errors.Join(err, o.file.Close()); err != nil {
		return nil, err
	}
	return []string{o.name}, nil
}

func (o *throughOutput) abandon() { o.file.Close() }

// fileOutput collects all packages in a file that gets its name when it is complete.
type fileOutput struct {
	stream packageStream
	file   *os.File
	to     string // name, with links followed
	name   string
	done   bool
}

func (f *fileOutput) add(_ crdt.Site, p engine.Pulled) error { return f.stream.add(p.Package) }

func (f *fileOutput) finish() ([]string, error) {
	if err := f.stream.finish(); err != nil {
		return nil, err
	}
	if err := publish(f.file, f.to); err != nil {
		return nil, err
	}
	f.done = true
	return []string{f.name}, nil
}

func (f *fileOutput) abandon() {
	if !f.done {
		f.file.Close()
		os.Remove(f.file.Name())
	}
}

// folderOutput writes one file per package. Each has its name only when it is complete, so that whoever watches the
// folder never reads half a package.
type folderOutput struct {
	folder string
	format engine.Format
	files  []string
}

func (f *folderOutput) add(sender crdt.Site, p engine.Pulled) error {
	kind := "trib"
	if f.format == engine.FormatJSON {
		kind = "json"
	}
	// The numbers are of one width, so that names sort as packages were made. The content belongs into the name: two
	// pulls may end at one cursor and yet hold different rows.
	id := crdt.PackageID(p.Package)
	name := filepath.Join(f.folder, fmt.Sprintf("%s-%012d-%03d-%x.%s", short(sender), p.Cursor, p.Part, id[:4], kind))
	temp, err := createTemp(f.folder)
	if err != nil {
		return reason(err)
	}
	if _, err = temp.Write(p.Package); err == nil {
		err = publish(temp, name)
	}
	if err != nil {
		temp.Close()
		os.Remove(temp.Name())
		return err
	}
	f.files = append(f.files, name)
	return nil
}

func (f *folderOutput) finish() ([]string, error) { return f.files, syncFolder(f.folder) }
func (f *folderOutput) abandon()                  {}

// publish closes a complete temporary file and gives it its name, durably: what is deleted at the sender afterwards must
// not be lost here.
func publish(temp *os.File, name string) error {
	if err := temp.Sync(); err != nil {
		return reason(err)
	}
	if err := temp.Close(); err != nil {
		return reason(err)
	}
	return os.Rename(temp.Name(), name)
}

// createTemp makes a file with the permissions that the user's umask gives to any new file; os.CreateTemp makes ones
// that nobody else can read, and these files are to be carried away.
func createTemp(folder string) (*os.File, error) {
	return os.OpenFile(filepath.Join(folder, ".tributary-"+rand.Text()+".tmp"), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o666)
}
