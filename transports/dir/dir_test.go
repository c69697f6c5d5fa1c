package dir_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tributary-db/tributary/conformance"
	"github.com/tributary-db/tributary/transports"
	"github.com/tributary-db/tributary/transports/dir"
)

func packages(t *testing.T, root string) []string {
	t.Helper()
	m, err := filepath.Glob(filepath.Join(root, "*", "*", "*.pkg"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(m)
	return m
}

func TestTransport(t *testing.T) {
	conformance.TestTransport(t, func(t *testing.T) *conformance.Medium {
		root := filepath.Join(t.TempDir(), "shared")
		return &conformance.Medium{
			Open: func(*testing.T) transports.Transport { return dir.Open(root, &dir.Options{Poll: 5 * time.Millisecond}) },
			Truncate: func(t *testing.T) {
				list := packages(t, root)
				for _, name := range list[:len(list)/2] {
					if err := os.Remove(name); err != nil {
						t.Fatal(err)
					}
				}
			},
			Recreate: func(t *testing.T) {
				list, err := filepath.Glob(filepath.Join(root, "*"))
				if err != nil {
					t.Fatal(err)
				}
				for _, name := range list {
					if err := os.RemoveAll(name); err != nil {
						t.Fatal(err)
					}
				}
			},
			Rollback: func(t *testing.T, between func()) {
				before := packages(t, root)
				between()
				for _, name := range packages(t, root) {
					if !slices.Contains(before, name) {
						if err := os.Remove(name); err != nil {
							t.Fatal(err)
						}
					}
				}
			},
			Corrupt: func(t *testing.T, db, site string) {
				list := packages(t, root)
				damage(t, list[len(list)-1])
			},
			Cannot: map[string]string{"Restart": "there is no broker"},
		}
	})
}

func damage(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b[:len(b)/2], 0o666); err != nil {
		t.Fatal(err)
	}
	return b
}

func pack(site string, v uint64) transports.Package {
	body := []byte{byte(v), byte(v >> 8), 7}
	return transports.Package{DB: "d", Site: site, From: v, To: v, ID: transports.PackageID(body), Body: body}
}

// TestPartialCopies: files that are half there or come late are delivered when they are whole.
func TestPartialCopies(t *testing.T) {
	root := t.TempDir()
	tr := dir.Open(root, &dir.Options{Poll: time.Millisecond})
	defer tr.Close()
	for v := uint64(1); v <= 5; v++ {
		if err := tr.Publish(t.Context(), pack("a", v)); err != nil {
			t.Fatal(err)
		}
	}
	list := packages(t, root)
	late, err := os.ReadFile(list[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(list[1]); err != nil {
		t.Fatal(err)
	}
	whole := damage(t, list[2])
	done := errors.New("done")
	var got []uint64
	read := func(from transports.Cursor, n int) (at transports.Cursor) {
		err := tr.Subscribe(t.Context(), "d", from, func(b transports.Batch) error {
			for _, p := range b.Packages {
				got = append(got, p.From)
			}
			if at = b.Cursor; len(got) == n && b.Live {
				return done
			}
			return nil
		})
		if err != done {
			t.Fatal(err)
		}
		return at
	}
	at := read(nil, 3)
	if want := []uint64{1, 4, 5}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for name, b := range map[string][]byte{list[1]: late, list[2]: whole} {
		if err := os.WriteFile(name, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	at = read(at, 5)
	if want := []uint64{1, 4, 5, 2, 3}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	if tr.Counts()["damaged"] == 0 {
		t.Error("nothing was counted as damaged")
	}
	got = nil
	if read(at, 0); len(got) != 0 {
		t.Fatalf("%v came twice", got)
	}
}

// TestPulledOut: a stick that is pulled out while somebody reads has not lost anything.
func TestPulledOut(t *testing.T) {
	root := filepath.Join(t.TempDir(), "stick")
	tr := dir.Open(root, &dir.Options{Poll: time.Millisecond})
	defer tr.Close()
	if err := tr.Publish(t.Context(), pack("a", 1)); err != nil {
		t.Fatal(err)
	}
	var at transports.Cursor
	err := tr.Subscribe(t.Context(), "d", nil, func(b transports.Batch) error {
		at = b.Cursor
		return os.Rename(root, root+"-away")
	})
	if err == nil || errors.Is(err, transports.ErrCursorLost) {
		t.Fatalf("got %v, want an error that is not ErrCursorLost", err)
	}
	if err := os.Rename(root+"-away", root); err != nil {
		t.Fatal(err)
	}
	if err := tr.Publish(t.Context(), pack("a", 2)); err != nil {
		t.Fatal(err)
	}
	done := errors.New("done")
	err = tr.Subscribe(t.Context(), "d", at, func(b transports.Batch) error {
		if len(b.Packages) != 1 || b.Packages[0].From != 2 {
			t.Errorf("got %+v", b.Packages)
		}
		return done
	})
	if err != done {
		t.Fatal(err)
	}
}

// TestAway: a folder that is not there is no error, nor is one that comes later.
func TestAway(t *testing.T) {
	root := filepath.Join(t.TempDir(), "stick", "fleet")
	tr := dir.Open(root, nil)
	defer tr.Close()
	if l, err := tr.Sites(t.Context(), "d"); err != nil || len(l) != 0 {
		t.Fatalf("%v %v", l, err)
	}
	if p, err := tr.Tail(t.Context(), "d", "a"); err != nil || p.ID != "" {
		t.Fatalf("%v %v", p, err)
	}
	if err := tr.Publish(t.Context(), pack("a", 1)); err != nil {
		t.Fatal(err)
	}
}
