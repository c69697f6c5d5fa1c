//go:build !unix

package engine

import "io/fs"

// inode numbers are not told by the file information here; the nonce and the path remain.
func inode(fs.FileInfo) string { return "" }
