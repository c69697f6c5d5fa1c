//go:build cgo && tributary_testclock

package main

import (
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tributary-db/tributary/vtab/loadable"
)

// The scenarios of package conformance move the wall clocks of their sites. The library that they load, and no other,
// reads it from a file, in milliseconds of Unix time.
func init() {
	name := os.Getenv("TRIBUTARY_TEST_CLOCK")
	if name == "" {
		return
	}
	loadable.Options.Now = func() time.Time {
		b, err := os.ReadFile(name)
		if err != nil {
			panic(err)
		}
		ms, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
		if err != nil {
			panic(err)
		}
		return time.UnixMilli(ms)
	}
}
