// Package vectors holds examples of everything that replicas must agree on to the byte: values, clocks, version
// vectors, packages in both forms, and merges. crdt/FORMAT.md is what they are examples of.
//
// Each file under data is one vector: header lines, an empty line, and parts.
//
//	kind: package
//	expect: corrupt
//	comment: one bit of the checksum is wrong
//
//	-- bytes --
//	545249420137...
//	-- text --
//	...
//
// Headers are kind, expect, comment, and "needs: zstd" for one that a reader without zstd may skip. Kind says which parts there
// are, and expect is one of a closed list of outcomes; both are the constants of this package. A vector with expect
// "accept" has a part text, which is what it means, in the words that render.go writes and README.md describes; one that
// is refused has none. Bytes are in hex; all other parts are lines of text.
//
// The files are written by the program in gen and are what it says they are: a test writes them again and compares.
// reader.py decodes the same files with nothing but crdt/FORMAT.md to go by and must come to the same texts.
package vectors

//go:generate go run ./gen data
