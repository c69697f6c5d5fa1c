package replicator

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/transports"
)

// The content of a snapshot: the magic, the format, then packages, each behind its length as a uvarint, and a zero. The
// packages are one set: a pull since the beginning.
const (
	snapMagic  = "TRIBSNAP"
	snapFormat = 1
)

// about is what a snapshot says of itself, as JSON in transports.Snapshot.Info.
type about struct {
	Format    int                `json:"format"`
	Vector    crdt.VersionVector `json:"vector"`              // what who merges it has afterwards
	Cursor    []byte             `json:"cursor,omitempty"`    // of the log: what lies before it is in the snapshot
	Forgotten crdt.VersionVector `json:"forgotten,omitempty"` // up to where its maker had forgotten deletes
	Packages  int                `json:"packages"`
	Program   string             `json:"program"`
}

// Errors of snapshots that help nobody, whatever is tried.
var (
	errSnapCorrupt = errors.New("replicator: not a snapshot, or a damaged one")
	errSnapFormat  = errors.New("replicator: a snapshot of a newer program")
)

// aboutOf reads what a snapshot says of itself.
func aboutOf(s transports.Snapshot) (about, error) {
	var a about
	if err := json.Unmarshal(s.Info, &a); err != nil {
		return a, fmt.Errorf("%w: %w", errSnapCorrupt, err)
	}
	if a.Format != snapFormat {
		return a, fmt.Errorf("%w: format %d, this program reads %d", errSnapFormat, a.Format, snapFormat)
	}
	return a, nil
}

// snapWriter writes a content.
type snapWriter struct{ w *bufio.Writer }

func newSnapWriter(w io.Writer) (*snapWriter, error) {
	s := &snapWriter{bufio.NewWriter(w)}
	_, err := s.w.WriteString(snapMagic + string(rune(snapFormat)))
	return s, err
}

func (s *snapWriter) add(body []byte) error {
	if _, err := s.w.Write(binary.AppendUvarint(nil, uint64(len(body)))); err != nil {
		return err
	}
	_, err := s.w.Write(body)
	return err
}

func (s *snapWriter) close() error {
	if err := s.w.WriteByte(0); err != nil {
		return err
	}
	return s.w.Flush()
}

// snapReader reads a content.
type snapReader struct{ r *bufio.Reader }

func newSnapReader(r io.Reader) (*snapReader, error) {
	s := &snapReader{bufio.NewReader(r)}
	start := make([]byte, len(snapMagic)+1)
	if _, err := io.ReadFull(s.r, start); err != nil || string(start[:len(snapMagic)]) != snapMagic {
		return nil, fmt.Errorf("%w: it does not begin with %s", errSnapCorrupt, snapMagic)
	}
	if v := start[len(snapMagic)]; v != snapFormat {
		return nil, fmt.Errorf("%w: format %d, this program reads %d", errSnapFormat, v, snapFormat)
	}
	return s, nil
}

// next gives the next package; io.EOF: there is none, and nothing behind.
func (s *snapReader) next() ([]byte, error) {
	n, err := binary.ReadUvarint(s.r)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: it ends too early", errSnapCorrupt)
	case n > uint64(crdt.DefaultLimits().Package):
		return nil, fmt.Errorf("%w: a package of %d bytes", errSnapCorrupt, n)
	case n == 0:
		if _, err := s.r.ReadByte(); err != io.EOF {
			return nil, fmt.Errorf("%w: there is more behind its end", errSnapCorrupt)
		}
		return nil, io.EOF
	}
	var b bytes.Buffer // what really comes is allocated: a length is only a claim
	if _, err := io.CopyN(&b, s.r, int64(n)); err != nil {
		return nil, fmt.Errorf("%w: it ends too early", errSnapCorrupt)
	}
	return b.Bytes(), nil
}

// examine makes sure, before anything is applied, that a content is one whole set of its maker and brings what it says.
func examine(r io.Reader, maker crdt.Site, a about) error {
	s, err := newSnapReader(r)
	if err != nil {
		return err
	}
	var last *crdt.Package
	n := 0
	for {
		body, err := s.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		p, err := crdt.PackageHeader(body, crdt.DefaultLimits())
		if err != nil {
			return fmt.Errorf("%w: package %d: %w", errSnapCorrupt, n, err)
		}
		switch {
		case p.Sender != maker:
			return fmt.Errorf("%w: package %d is of site %s, and site %s has made the snapshot", errSnapCorrupt, n, p.Sender, maker)
		case last == nil && (!p.Starts || p.Since != 0 || len(p.Needs) > 0), last != nil && (last.Ends || p.Since != last.Until), p.Scope != 0, p.LocalOnly:
			return fmt.Errorf("%w: package %d does not continue a whole set", errSnapCorrupt, n)
		}
		last = p
		n++
	}
	if last == nil || !last.Ends || n != a.Packages {
		return fmt.Errorf("%w: the set is not whole", errSnapCorrupt)
	}
	if !coveredBy(last).Equal(a.Vector) {
		return fmt.Errorf("%w: it holds other versions than it says", errSnapCorrupt)
	}
	return nil
}

// coveredBy is the vector of who has applied a set since the beginning, of which p is the last package.
func coveredBy(p *crdt.Package) crdt.VersionVector {
	v := crdt.VersionVector{}
	for _, c := range p.Covers {
		v[c.Site] = max(v[c.Site], c.To)
	}
	return v
}
