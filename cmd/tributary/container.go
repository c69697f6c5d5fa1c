package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strings"

	"github.com/tributary-db/tributary/crdt"
)

// A container holds several packages in one stream:
//
//	bytes  content
//	4      magic "TRPS"
//	4      length n of the next package, little-endian; 0 ends the container
//	n      the package
//	...    length and package repeated until a length of 0
//
// The end mark is why it exists: packages say themselves how long they are, but a copy that was cut off between two of
// them would look whole. Containers may be concatenated. Packages without a container, binary or JSON, follow each other,
// with or without a line end between them: that is what comes out of SELECT package FROM stream_out_x.
const (
	containerMagic = "TRPS"
	packageMagic   = "TRIB"
)

// looksLikePackages reports whether a file that starts with head holds packages.
func looksLikePackages(head []byte) bool {
	return strings.HasPrefix(string(head), containerMagic) || strings.HasPrefix(string(head), packageMagic)
}

// containerWriter writes packages into one stream.
type containerWriter struct{ w *bufio.Writer }

func newContainerWriter(w io.Writer) (*containerWriter, error) {
	b := bufio.NewWriter(w)
	_, err := b.WriteString(containerMagic)
	return &containerWriter{b}, err
}

func (c *containerWriter) add(pkg []byte) error {
	if len(pkg) == 0 || uint64(len(pkg)) > math.MaxUint32 {
		return fmt.Errorf("a package of %d bytes does not fit into a container", len(pkg))
	}
	var n [4]byte
	binary.LittleEndian.PutUint32(n[:], uint32(len(pkg)))
	if _, err := c.w.Write(n[:]); err != nil {
		return err
	}
	_, err := c.w.Write(pkg)
	return err
}

func (c *containerWriter) finish() error {
	if _, err := c.w.Write(make([]byte, 4)); err != nil {
		return err
	}
	return c.w.Flush()
}

// errNotPackages is the answer for a file of another kind.
var errNotPackages = errors.New("holds no package: neither the magic TRIB or TRPS nor JSON at its start; look at the name, or copy it again")

// readPackages yields the packages in r: a container or several, one bare package, or packages as JSON. The bytes belong
// to the caller. After an error nothing more comes.
func readPackages(r io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		b := bufio.NewReaderSize(r, 64<<10)
		head, err := b.Peek(4)
		switch {
		case len(head) == 0 && err == io.EOF:
			yield(nil, errors.New("is empty; copy it again"))
		case err != nil && err != io.EOF:
			yield(nil, err)
		case string(head) == containerMagic:
			readContainers(b, yield)
		case looksLikeJSON(head):
			readJSON(b, yield)
		case strings.HasPrefix(packageMagic, string(head)):
			readBare(b, yield)
		default:
			yield(nil, errNotPackages)
		}
	}
}

func looksLikeJSON(head []byte) bool {
	s := strings.TrimLeft(string(head), " \t\r\n")
	return strings.HasPrefix(s, "{")
}

func readContainers(b *bufio.Reader, yield func([]byte, error) bool) {
	var n [4]byte
	for i := 1; ; {
		switch _, err := io.ReadFull(b, n[:]); {
		case err == io.EOF:
			return
		case err != nil || string(n[:]) != containerMagic:
			yield(nil, fmt.Errorf("does not go on with a container after package %d; copy it again", i-1))
			return
		}
		for ; ; i++ {
			if _, err := io.ReadFull(b, n[:]); err != nil {
				yield(nil, truncated(i, err))
				return
			}
			size := int64(binary.LittleEndian.Uint32(n[:]))
			if size == 0 {
				break
			}
			if limit := int64(crdt.DefaultLimits().Package); size > limit {
				yield(nil, fmt.Errorf("package %d: %w: %d bytes, more than %d", i, crdt.ErrLimit, size, limit))
				return
			}
			pkg, err := readUpTo(b, size)
			if err == nil && int64(len(pkg)) < size {
				err = io.ErrUnexpectedEOF
			}
			if err != nil {
				yield(nil, truncated(i, err))
				return
			}
			if !yield(pkg, nil) {
				return
			}
		}
	}
}

// truncated says that the stream ended where package i should have been.
func truncated(i int, err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: the container ends inside or before package %d; copy it again", crdt.ErrTruncated, i)
	}
	return err
}

// readBare takes packages apart by the length that each gives at its start (crdt/FORMAT.md, "Envelope"). Whatever is
// wrong with one, the decoder says it best, so it gets the bytes as they are.
func readBare(b *bufio.Reader, yield func([]byte, error) bool) {
	const lengthAt = len(packageMagic) + 1 // behind a byte for the format version
	limit := int64(crdt.DefaultLimits().Package)
	for {
		size := limit + 1 // of a format whose length field is not known: all there is
		head, _ := b.Peek(lengthAt + 4)
		if len(head) == lengthAt+4 && string(head[:lengthAt]) == packageMagic+"\x01" {
			size = min(size, max(int64(binary.LittleEndian.Uint32(head[lengthAt:])), int64(len(head))))
		}
		pkg, err := readUpTo(b, size)
		if !yield(pkg, err) || err != nil {
			return
		}
		for {
			c, err := b.ReadByte()
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if c != '\n' && c != '\r' {
				b.UnreadByte()
				break
			}
		}
	}
}

// readUpTo reads at most n bytes. It allocates what really comes: a length in a file is only a claim.
func readUpTo(r io.Reader, n int64) ([]byte, error) { return io.ReadAll(io.LimitReader(r, n)) }

func readJSON(b *bufio.Reader, yield func([]byte, error) bool) {
	for d, i := json.NewDecoder(b), 1; ; i++ {
		var raw json.RawMessage
		switch err := d.Decode(&raw); {
		case err == io.EOF:
			return
		case err == io.ErrUnexpectedEOF:
			yield(nil, fmt.Errorf("%w: the JSON ends inside package %d; copy it again", crdt.ErrTruncated, i))
			return
		case err != nil:
			yield(nil, fmt.Errorf("%w: package %d is no JSON: %w", crdt.ErrCorrupt, i, err))
			return
		case !yield(raw, nil):
			return
		}
	}
}
