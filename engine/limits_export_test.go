package engine

import (
	"fmt"
	"math"
	"strings"

	"github.com/tributary-db/tributary/crdt"
)

// What the engine does from some size on is done in tests from a size that they reach.
func init() { manyInserts, minAlike, manyRows, minRun, minRemoved, manyTogether = 4, 1, 3, 2, 2, 2 }

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

// FoldRowByRow folds updates and deletes one by one until the result is called.
func FoldRowByRow() (restore func()) {
	was := minAlike
	minAlike = math.MaxInt64
	return func() { minAlike = was }
}

// VarintSQL is a number as a varint in SQL without parameters.
func VarintSQL(n int64) string {
	return strings.ReplaceAll(varintSQL(fmt.Sprint(n)), "?6", fmt.Sprintf("X'%X'", bytesInOrder.Bytes()))
}

// Clocks is what the clocks of a table say, but for times and positions.
func (e *Engine) Clocks(name string) (list []string, err error) {
	t := e.tracked(name)
	n := len(t.schema.Key)
	dot := func(d crdt.Dot) string { return fmt.Sprintf("%d.%d", e.ords[d.Site], d.Version) }
	err = e.each(fmt.Sprintf("SELECT %s, %s FROM %s ORDER BY %[1]s", keyColumns(n, ""), clockColumns, t.sql.clock), n+clockWidth, func(r []crdt.Value) error {
		var c clock
		if err := e.decodeClock(r[n:], &c); err != nil {
			return err
		}
		base := t.chunkAt(c.birth.Pos) != nil
		s := fmt.Sprintf("%s birth=%s base=%v dead=%v hidden=%v siblings=%v deleted=", keyText(r[:n]), dot(c.birth.Dot()), base, c.dead, c.hidden, c.siblings)
		for _, d := range c.deleted {
			s += dot(d) + " "
		}
		var later crdt.Time
		for _, g := range c.newer {
			s += fmt.Sprintf("%v by %s now=%v rises=%v ", g.Columns, dot(g.Write.Dot()), g.Write.Pos == c.pos, g.Write.Time > later)
			later = g.Write.Time
		}
		list = append(list, s)
		return nil
	})
	return list, err
}
