package engine_test

import (
	"context"
	"testing"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/zstd"
	"github.com/tributary-db/tributary/vtab/ncruces"
)

// counting counts how many packages are decoded.
type counting struct {
	crdt.Compressor
	n int
}

func (c *counting) Decompress(dst, src []byte, max int) ([]byte, error) {
	c.n++
	return c.Compressor.Decompress(dst, src, max)
}

// TestWaitingDecodedOnce: the parts of a set are decoded when they come and not again when the last one is there, as long as
// there is room for them; what the caller does with the bytes of a package afterwards is its own business.
func TestWaitingDecodedOnce(t *testing.T) {
	defer engine.SetChunkRows(10)()
	for _, c := range []struct {
		name        string
		bytes       int
		z           crdt.Compressor // of the sender
		least, most int             // times that a part is decompressed; the last is too small to be compressed
	}{
		{"room", 16 << 20, zstd.New(), 1, 1},
		{"room for one", 60_000, zstd.New(), 1, 3},
		{"no room", 0, zstd.New(), 1, 3},
		{"not compressed", 16 << 20, nil, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer engine.SetDecodedBytes(c.bytes)()
			r := newReplicas(t, 2, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
			a, b := r[0], r[1]
			z := &counting{Compressor: zstd.New()}
			for x, options := range map[*replica]*engine.Options{a: {Compressor: c.z}, b: {Compressor: z}} {
				x.e.Close()
				var err error
				if x.e, err = engine.Open(context.Background(), ncruces.NewConn(x.db), options); err != nil {
					t.Fatal(err)
				}
			}
			a.exec("INSERT INTO t SELECT value, 'the same text for all ' || value / 100 FROM generate_series(1, 1000)")
			parts := a.pull(engine.PullOptions{MaxBytes: 3000}, -1)
			if len(parts) < 4 {
				t.Fatalf("%d parts", len(parts))
			}
			for _, p := range parts {
				body := append([]byte(nil), p.Package...)
				if _, err := b.e.Apply(context.Background(), body, engine.ApplyOptions{}); err != nil {
					t.Fatal(err)
				}
				clear(body)
			}
			if big := len(parts) - 1; z.n < c.least*big || z.n > c.most*big {
				t.Errorf("%d parts were decompressed %d times", big, z.n)
			}
			same(t, a, b)
		})
	}
}
