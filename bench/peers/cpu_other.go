//go:build !unix

package main

import "time"

var started = time.Now()

// cpuTime is wall time where the system does not tell CPU time.
func cpuTime() int64 { return time.Since(started).Nanoseconds() }

// peakMemory is unknown.
func peakMemory() int64 { return 0 }
