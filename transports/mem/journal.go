package mem

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tributary-db/tributary/transports"
)

// journal keeps the log of a Hub in a file: a line of JSON that says which log it is and where it begins, then packages,
// each a line of JSON and its bytes. It is only appended to, and now and then written anew.
type journal struct {
	path string
	f    *os.File
	size int64
	err  error // of an append that may have left something behind; nothing is appended after it
}

type journalHead struct {
	Tributary string `json:"tributary"` // journalFormat
	Epoch     uint64 `json:"epoch"`
	First     uint64 `json:"first"`
	Stamp     uint64 `json:"stamp"` // the newest that was in use when the file was written
}

const journalFormat = "log 1"

// slack keeps the file of a small log from being written anew all the time.
const slack = 64 << 10

// journalEntry is the line before a package's bytes.
type journalEntry struct {
	Stamp uint64 `json:"stamp"`
	DB    string `json:"db"`
	Site  string `json:"site"`
	From  uint64 `json:"from"`
	To    uint64 `json:"to"`
	ID    string `json:"id"`
	Size  int    `json:"size"`
}

// Open makes a hub whose log is in a file, and is there again after a restart. A package is on disk before Publish
// returns and before anybody else sees it. One process has the file at a time; that is the caller's business. What of
// the file cannot be read is cut off, and the log is another then: positions in it are lost.
func Open(path string) (*Hub, error) {
	h := New()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, fmt.Errorf("mem: %w", err)
	}
	whole, err := h.load(f)
	f.Close()
	if err != nil {
		return nil, fmt.Errorf("mem: %s: %w", path, err)
	}
	if !whole {
		h.epoch = New().epoch
	}
	h.journal = &journal{path: path}
	if err := h.rewrite(); err != nil {
		return nil, fmt.Errorf("mem: %w", err)
	}
	return h, nil
}

// Close closes the file of a hub that has one. Its transports can still read.
func (h *Hub) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.journal == nil || h.journal.f == nil {
		return nil
	}
	err := h.journal.f.Close()
	h.journal.f, h.journal.err = nil, transports.ErrClosed
	return err
}

// load reads a file; whole says that all of it could be read. A file of something else is an error: it stays as it is.
func (h *Hub) load(f *os.File) (whole bool, err error) {
	r := bufio.NewReader(f)
	line, err := r.ReadBytes('\n')
	if err == io.EOF && len(line) == 0 {
		return true, nil // new
	}
	var head journalHead
	if err != nil || json.Unmarshal(line, &head) != nil || head.Tributary != journalFormat {
		return false, errors.New("is not a log of Tributary, or one of a newer program")
	}
	h.epoch, h.first, h.lastUsed = head.Epoch, head.First, head.Stamp
	for {
		line, err := r.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return true, nil
		}
		var e journalEntry
		if err != nil || json.Unmarshal(line, &e) != nil || e.Size < 0 {
			return false, nil
		}
		body, err := io.ReadAll(io.LimitReader(r, int64(e.Size)))
		p := transports.Package{DB: e.DB, Site: e.Site, From: e.From, To: e.To, ID: e.ID, Body: body}
		if err != nil || len(body) != e.Size || !p.Intact() {
			return false, nil
		}
		h.add(p, e.Stamp)
	}
}

// appended writes packages behind the others and waits until they are on disk; the caller holds the hub's mu.
func (j *journal) appended(ps []transports.Package, stamp uint64) error {
	if j.err != nil {
		return j.err
	}
	var b []byte
	for _, p := range ps {
		stamp++
		b = appendEntry(b, p, stamp)
	}
	_, err := j.f.WriteAt(b, j.size)
	if err == nil {
		err = j.f.Sync()
	}
	if err != nil {
		if terr := j.f.Truncate(j.size); terr != nil {
			j.err = errors.Join(err, terr)
		}
		return err
	}
	j.size += int64(len(b))
	return nil
}

func appendEntry(b []byte, p transports.Package, stamp uint64) []byte {
	line, _ := json.Marshal(journalEntry{stamp, p.DB, p.Site, p.From, p.To, p.ID, len(p.Body)}) // numbers and texts
	return append(append(append(b, line...), '\n'), p.Body...)
}

// rewrite replaces the file by one that holds what the log holds; the caller holds mu, or is the only one.
func (h *Hub) rewrite() error {
	j := h.journal
	f, err := os.CreateTemp(filepath.Dir(j.path), ".new-*")
	if err != nil {
		return err
	}
	head, _ := json.Marshal(journalHead{journalFormat, h.epoch, h.first, h.lastUsed})
	w := bufio.NewWriter(f)
	w.Write(append(head, '\n'))
	size := int64(len(head) + 1)
	for i, p := range h.log {
		b := appendEntry(nil, p, h.stamps[i])
		size += int64(len(b))
		w.Write(b)
	}
	err = errors.Join(w.Flush(), f.Sync()) // Flush tells of all writes before it
	if err == nil {
		err = os.Rename(f.Name(), j.path)
	}
	if err != nil {
		f.Close()
		os.Remove(f.Name())
		return err
	}
	if d, derr := os.Open(filepath.Dir(j.path)); derr == nil {
		_ = d.Sync() // some systems cannot sync a folder
		d.Close()
	}
	if j.f != nil {
		j.f.Close()
	}
	j.f, j.size, j.err = f, size, nil
	return nil
}

// record writes packages to the file of a hub that has one, before they are seen; the caller holds mu.
func (h *Hub) record(ps []transports.Package) error {
	if h.journal == nil {
		return nil
	}
	if h.journal.f == nil {
		return transports.ErrClosed
	}
	if h.limit > 0 && h.journal.size > 2*h.limit+slack {
		if err := h.rewrite(); err != nil {
			return err
		}
	}
	return h.journal.appended(ps, h.lastUsed)
}
