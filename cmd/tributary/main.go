// Command tributary keeps SQLite databases equal from the command line: it tracks tables, makes replicas, moves changes
// between files, and shows what is in them. "tributary demo" is the shortest way in.
//
// Exit codes: 0 the command did what it was asked; 1 the answer is no (databases differ, a check found violations, a
// package was refused, a statement failed); 2 the command could not do its work.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// The first signal ends the work in an orderly way: statements are interrupted, transactions rolled back, temporary
	// files removed. Whoever sends a second one does not want to wait for that.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(newApp(os.Stdin, os.Stdout, os.Stderr).run(ctx, os.Args[1:]))
}
