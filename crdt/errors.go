package crdt

import (
	"errors"
	"fmt"
)

// Decoders fail in one of four ways that a receiver treats differently: an unsupported package waits for a newer program,
// a truncated one is fetched again, a corrupt one is a defect of a carrier or sender, and one over a limit needs
// either a greater limit or a smaller package.
var (
	ErrUnsupported = errors.New("unsupported format")
	ErrCorrupt     = errors.New("corrupt")
	ErrTruncated   = errors.New("truncated")
	ErrLimit       = errors.New("over limit")
)

var (
	// ErrMissingBirth says that a change of some columns came for an incarnation that the row never had.
	// Causal delivery rules it out; a caller without it sets the change aside until the insert arrives.
	ErrMissingBirth = errors.New("crdt: columns of an incarnation whose insert is not there")

	// ErrInvalid says that the caller built a Package that has no encoding.
	ErrInvalid = errors.New("crdt: invalid package")
)

// A DecodeError says where a package is not readable. errors.Is finds its Kind.
type DecodeError struct {
	Kind    error  // ErrUnsupported, ErrCorrupt, ErrTruncated or ErrLimit
	Section string // the part of the package
	Offset  int    // of the byte where it was noticed, counted from the start of the package or, within the body, of the uncompressed body
	Detail  string
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("crdt: package: %s, byte %d: %v: %s", e.Section, e.Offset, e.Kind, e.Detail)
}

func (e *DecodeError) Unwrap() error { return e.Kind }
