package engine

// What the engine does from some size on is done in tests from a size that they reach.
func init() { manyInserts, manyRows, minRun, manyTogether = 4, 3, 2, 2 }

// SetChunkRows cuts chunks smaller until the result is called.
func SetChunkRows(n int) (restore func()) {
	was := chunkRows
	chunkRows = int64(n)
	return func() { chunkRows = was }
}

// SetDecodedBytes keeps fewer decoded packages that wait until the result is called.
func SetDecodedBytes(n int) (restore func()) {
	was := decodedBytes
	decodedBytes = n
	return func() { decodedBytes = was }
}
