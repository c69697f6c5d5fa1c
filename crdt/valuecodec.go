package crdt

import (
	"encoding/binary"
	"fmt"
)

// AppendValue appends v to b: one byte for the kind, then nothing for NULL, a zigzag varint for an INTEGER, eight bytes
// (lowest first) for a REAL, and length and bytes for TEXT and BLOB. Equal values, and only they, have equal bytes.
func AppendValue(b []byte, v Value) []byte { return appendPayload(append(b, byte(v.kind)), v) }

// DecodeValue reads one value from the start of b and gives the rest. A TEXT or BLOB borrows b.
func DecodeValue(b []byte) (v Value, rest []byte, err error) {
	if len(b) == 0 {
		return v, b, fmt.Errorf("crdt: value: %w", ErrTruncated)
	}
	v.kind, rest = Kind(b[0]), b[1:]
	switch v.kind {
	case KindNull:
		return v, rest, nil
	case KindInt:
		u, rest, err := decodeUvarint(rest)
		if err != nil {
			return Value{}, b, fmt.Errorf("crdt: integer value: %w", err)
		}
		v.bits = unzigzag(u)
		return v, rest, nil
	case KindReal:
		if len(rest) < 8 {
			return Value{}, b, fmt.Errorf("crdt: real value: %w", ErrTruncated)
		}
		v.bits = int64(binary.LittleEndian.Uint64(rest))
		return v, rest[8:], nil
	case KindText, KindBlob:
		n, rest, err := decodeUvarint(rest)
		if err != nil {
			return Value{}, b, fmt.Errorf("crdt: length of a %v value: %w", v.kind, err)
		}
		if n > uint64(len(rest)) {
			return Value{}, b, fmt.Errorf("crdt: %v value of %d bytes, %d there: %w", v.kind, n, len(rest), ErrTruncated)
		}
		v.bytes = rest[:n:n]
		return v, rest[n:], nil
	}
	return Value{}, b, fmt.Errorf("crdt: value of kind %d: %w", b[0], ErrCorrupt)
}

func appendPayload(b []byte, v Value) []byte {
	switch v.kind {
	case KindInt:
		return appendUvarint(b, zigzag(v.bits))
	case KindReal:
		return binary.LittleEndian.AppendUint64(b, uint64(v.bits))
	case KindText, KindBlob:
		return append(appendUvarint(b, uint64(len(v.bytes))), v.bytes...)
	}
	return b
}
