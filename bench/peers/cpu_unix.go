//go:build unix

package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// cpuTime is the CPU time of this process up to now in nanoseconds, of all threads, user and system.
func cpuTime() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// peakMemory is the most that was ever resident, in bytes, 0 if the system does not tell. What getrusage says includes the
// process before exec.
func peakMemory() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	var kb int64
	fmt.Sscan(rest, &kb)
	return kb << 10
}
