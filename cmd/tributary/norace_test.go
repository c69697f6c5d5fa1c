//go:build !race

package main

// raceScripts is nil: all scripts are run.
var raceScripts []string
