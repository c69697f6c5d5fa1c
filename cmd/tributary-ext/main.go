//go:build cgo

// Command tributary-ext is the loadable extension: built as a C library, it is what SQLite loads. It has no main of its
// own; the entry points are in vtab/loadable, and "make ext" builds it.
package main

import (
	"github.com/tributary-db/tributary/engine"
	"github.com/tributary-db/tributary/engine/zstd"
	"github.com/tributary-db/tributary/vtab/loadable"
)

func init() { loadable.Options = &engine.Options{Compressor: zstd.New()} }

func main() {}
