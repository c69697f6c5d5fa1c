package zstd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/tributary-db/tributary/crdt"
)

func inputs() map[string][]byte {
	random := make([]byte, 300_000)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(random)
	return map[string][]byte{
		"one byte": {7},
		"text":     bytes.Repeat([]byte("a stream runs to the river; "), 9999),
		"zeros":    make([]byte, 5<<20),
		"random":   random,
	}
}

func TestRoundTrip(t *testing.T) {
	c := New()
	for name, in := range inputs() {
		z := c.Compress([]byte("before"), in)
		if string(z[:6]) != "before" {
			t.Fatalf("%s: Compress must append", name)
		}
		out, err := c.Decompress([]byte("kept"), z[6:], len(in))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if string(out[:4]) != "kept" || !bytes.Equal(out[4:], in) {
			t.Errorf("%s: got something else back", name)
		}
		if _, err := c.Decompress(nil, z[6:], len(in)-1); !errors.Is(err, crdt.ErrLimit) {
			t.Errorf("%s: one byte too long: got %v", name, err)
		}
	}
}

// A frame without a stated length, as a streaming encoder makes it, is decoded within the same bounds.
func TestLengthNotStated(t *testing.T) {
	in := inputs()["text"]
	var z bytes.Buffer
	w, err := zstd.NewWriter(&z)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(in[:99])
	w.Flush()
	w.Write(in[99:])
	w.Close()
	c := New()
	if out, err := c.Decompress(nil, z.Bytes(), len(in)); err != nil || !bytes.Equal(out, in) {
		t.Fatal(err)
	}
	if _, err := c.Decompress(nil, z.Bytes(), len(in)-1); err == nil {
		t.Fatal("one byte too long: want an error")
	}
}

func TestLyingFramesAllocateLittle(t *testing.T) {
	// A single segment that states 1 GiB, and one block of repeated bytes that does not fill it.
	lie := []byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0}
	lie = binary.LittleEndian.AppendUint64(lie, 1<<30)
	lie = append(lie, 0x03, 0x00, 0x10, 'x')
	c := New()
	c.Decompress(nil, c.Compress(nil, []byte("warm")), 4)
	for name, test := range map[string]struct {
		max  int
		want error
	}{
		"over the limit":  {1 << 20, crdt.ErrLimit},
		"under the limit": {math.MaxInt, crdt.ErrCorrupt},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := c.Decompress(nil, lie, test.max)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
			t.Errorf("%s: allocated %d bytes", name, n)
		}
	}
}

func TestDamage(t *testing.T) {
	c := New()
	z := c.Compress(nil, inputs()["text"])
	for i := range z {
		if _, err := c.Decompress(nil, z[:i], 1<<20); err == nil && i > 0 {
			t.Errorf("cut at %d: want an error", i)
		}
		bad := bytes.Clone(z)
		bad[i] ^= 0x55
		if out, err := c.Decompress(nil, bad, 1<<20); err == nil && len(out) > 1<<20 {
			t.Errorf("byte %d changed: %d bytes", i, len(out))
		}
	}
	if _, err := c.Decompress(nil, nil, 1<<20); err == nil {
		t.Error("nothing at all: want an error")
	}
}

func TestConcurrentUse(t *testing.T) {
	c := New()
	in := inputs()["text"]
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			out, err := c.Decompress(nil, c.Compress(nil, in), len(in))
			if err != nil || !bytes.Equal(out, in) {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func FuzzDecompress(f *testing.F) {
	c := New()
	f.Add(c.Compress(nil, []byte("hello hello hello hello")))
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd})
	f.Fuzz(func(t *testing.T, b []byte) {
		const max = 1 << 16
		if out, err := c.Decompress(nil, b, max); err == nil && len(out) > max {
			t.Fatalf("%d bytes", len(out))
		}
	})
}
