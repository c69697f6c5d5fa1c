//go:build unix

package bench

import (
	"syscall"
	"time"
)

// cpuTime is the CPU time of this process up to now, of all threads, user and system.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
