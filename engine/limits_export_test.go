package engine

// What the engine does from some size on is done in tests from a size that they reach.
func init() { manyInserts, manyRows = 4, 3 }
