// Package zstd compresses the bodies of packages. It stands apart from package engine, which imports nothing but the
// standard library, so that a program that never compresses does not carry a compressor.
package zstd

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/tributary-db/tributary/crdt"
)

// window is how far back a match may reach. It bounds what an encoder keeps (about twice of it); packages are usually
// cut at a quarter of it.
const window = 1 << 20

// ratio is more than the greatest expansion that the format can express: a block of at most 128 KiB takes no less than
// four bytes. https://datatracker.ietf.org/doc/html/rfc8878#section-3.1.1.2
const ratio = 1 << 15

// Compressor implements [crdt.Compressor]. It is safe for concurrent use, and starts no goroutine; concurrent calls
// wait for one another. It holds its tables until it is collected, about 3 MB once it has compressed something.
type Compressor struct {
	encoder func() *zstd.Encoder
	decoder func() *zstd.Decoder
}

var _ crdt.Compressor = (*Compressor)(nil)

// New makes a Compressor. It costs nothing until it is used.
func New() *Compressor {
	return &Compressor{
		encoder: sync.OnceValue(func() *zstd.Encoder {
			w, err := zstd.NewWriter(nil,
				zstd.WithEncoderConcurrency(1),
				zstd.WithLowerEncoderMem(true),
				zstd.WithWindowSize(window),
				zstd.WithEncoderCRC(false)) // a package ends in a checksum of its own
			if err != nil {
				panic(err) // only for options that contradict one another
			}
			return w
		}),
		decoder: sync.OnceValue(func() *zstd.Decoder {
			r, err := zstd.NewReader(nil,
				zstd.WithDecoderConcurrency(1),
				zstd.WithDecoderLowmem(true),
				zstd.WithDecodeAllCapLimit(true))
			if err != nil {
				panic(err)
			}
			return r
		}),
	}
}

// Compress appends one frame, which states the length of its content.
func (c *Compressor) Compress(dst, src []byte) []byte {
	return c.encoder().EncodeAll(src, dst)
}

// Decompress appends the content of src, which is at most max bytes long. What it allocates is bounded by max, by the
// length that the frame states, and by what a frame of the size of src can hold at all.
func (c *Compressor) Decompress(dst, src []byte, max int) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(src); err != nil {
		return dst, failed(err)
	}
	size := max
	if h.HasFCS {
		if h.FrameContentSize > uint64(size) {
			return dst, fmt.Errorf("tributary: decompress: %w: %d bytes, at most %d allowed", crdt.ErrLimit, h.FrameContentSize, max)
		}
		size = int(h.FrameContentSize)
	}
	if limit := ratio * len(src); limit < size {
		if h.HasFCS {
			return dst, fmt.Errorf("tributary: decompress: %w: %d bytes cannot hold %d", crdt.ErrCorrupt, len(src), size)
		}
		size = limit
	}
	// The decoder writes to exactly this room and fails rather than grow it.
	room := slices.Grow(dst, size)
	out, err := c.decoder().DecodeAll(src, room[:len(dst):len(dst)+size])
	if err != nil {
		return dst, failed(err)
	}
	return out, nil
}

// failed gives an error of the library one of the meanings that package crdt tells apart.
func failed(err error) error {
	kind := crdt.ErrCorrupt
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded) {
		kind = crdt.ErrLimit
	}
	return fmt.Errorf("tributary: decompress: %w: %v", kind, err)
}
