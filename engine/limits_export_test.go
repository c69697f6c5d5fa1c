package engine

// What the engine does from some size on is done in tests from a size that they reach.
func init() { manyInserts, manyRows = 4, 3 }

// SetBaseChunkRows cuts base rows into smaller chunks until the result is called.
func SetBaseChunkRows(n int) (restore func()) {
	was := baseChunkRows
	baseChunkRows = int64(n)
	return func() { baseChunkRows = was }
}
