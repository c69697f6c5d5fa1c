//go:build cgo

// Command tributary-ext is the loadable extension: built as a C library, it is what SQLite loads. It has no main of its
// own; the entry points are in vtab/loadable, and "make ext" builds it.
package main

import (
	"os"
	"runtime/debug"

	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/zstd"
	"github.com/tributary-db/tributary/vtab/loadable"
)

func init() {
	loadable.Options = &engine.Options{Compressor: zstd.New()}
	// Go collects garbage whenever the heap has doubled, and first at 4 MB. Here the heap is mostly one package that is
	// garbage a moment later, and collecting took a fifth of the time of an apply.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
}

func main() {}
