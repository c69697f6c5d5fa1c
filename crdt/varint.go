package crdt

import (
	"encoding/binary"
	"fmt"
)

func appendUvarint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

// uvarint reads a varint at the start of b. n is its length; 0 when b ends within it, negative when it is longer
// than needed or beyond 64 bits: every number has one form, so that equal contents have equal bytes.
func uvarint(b []byte) (v uint64, n int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return longUvarint(b)
}

func longUvarint(b []byte) (v uint64, n int) {
	v, n = binary.Uvarint(b)
	if n > 1 && b[n-1] == 0 {
		return 0, -n
	}
	return v, n
}

func decodeUvarint(b []byte) (v uint64, rest []byte, err error) {
	v, n := uvarint(b)
	switch {
	case n == 0:
		return 0, b, fmt.Errorf("crdt: varint: %w", ErrTruncated)
	case n < 0:
		return 0, b, fmt.Errorf("crdt: varint not in its shortest form: %w", ErrCorrupt)
	}
	return v, b[n:], nil
}

// zigzag maps small differences of both signs to small unsigned numbers.
func zigzag(v int64) uint64 { return uint64(v)<<1 ^ uint64(v>>63) }

func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }
