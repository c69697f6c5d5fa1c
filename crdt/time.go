package crdt

import (
	"math"
	"strconv"
	"time"
)

// Time is a hybrid logical time: 48 bits of milliseconds since 1970 and a counter of 16 bits below them.
// As one integer a full counter carries into the milliseconds by itself.
type Time int64

const counterBits = 16

// TimeOf gives the first Time of a wall clock millisecond. Milliseconds beyond 48 bits are held at the ends.
func TimeOf(ms int64) Time {
	const limit = math.MaxInt64 >> counterBits
	return Time(min(max(ms, -limit-1), limit) << counterBits)
}

// Millis gives the milliseconds since 1970.
func (t Time) Millis() int64 { return int64(t) >> counterBits }

// Counter gives the lower 16 bits.
func (t Time) Counter() int { return int(t & (1<<counterBits - 1)) }

// String gives RFC 3339 in UTC with milliseconds, and the counter after a # when it is not zero.
func (t Time) String() string {
	s := time.UnixMilli(t.Millis()).UTC().Format("2006-01-02T15:04:05.000Z")
	if c := t.Counter(); c != 0 {
		s += "#" + strconv.Itoa(c)
	}
	return s
}

// Clock gives the times of one replica's writes. A write made after seeing another gets a greater time than it,
// whatever the wall clocks say; concurrent writes are ordered by the wall clocks.
// The caller keeps Last durable and brings the wall clock, because this package reads none.
type Clock struct {
	Last Time
}

// Tick gives a time that is greater than all before it. At the very end of time it repeats the last one rather than wrap.
func (c *Clock) Tick(nowMillis int64) Time {
	next := c.Last
	if next < math.MaxInt64 {
		next++
	}
	c.Last = max(next, TimeOf(nowMillis))
	return c.Last
}

// Observe takes note of a time that another replica gave. The caller refuses times too far ahead before.
func (c *Clock) Observe(t Time) { c.Last = max(c.Last, t) }
