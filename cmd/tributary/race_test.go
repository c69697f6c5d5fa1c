//go:build race

package main

// raceScripts are the scripts that are run under the race detector, which makes SQLite some twenty times slower. Commands
// work in one goroutine; these two are where signals and several connections come in.
var raceScripts = []string{"testdata/demo.txtar", "testdata/watch.txtar"}
