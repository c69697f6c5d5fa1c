// Command guard counts what the hot paths do, and fails when they do more than ten per cent more than bench/guard.json says.
//
//	go run ./bench/guard            # compare
//	go run ./bench/guard -update    # write what is counted now
//
// It counts nothing that depends on how busy the machine is: allocations, opcodes of SQLite's virtual machine, bytes in
// the log, in the file and on the wire, and instructions of the captured writes under valgrind.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	update := flag.Bool("update", false, "write the counts instead of comparing with them")
	file := flag.String("file", "bench/guard.json", "where the counts are kept")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := guard(ctx, *file, *update); err != nil {
		fmt.Fprintln(os.Stderr, "guard:", err)
		os.Exit(1)
	}
}

func guard(ctx context.Context, file string, update bool) error {
	dir, err := os.MkdirTemp("", "tributary-guard")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	now := newCounts()
	if err := countEngine(ctx, dir, now); err != nil {
		return err
	}
	skipped, err := countInstructions(ctx, dir, now)
	if err != nil {
		return err
	}
	if skipped != "" {
		fmt.Println("instruction counts: skipped:", skipped)
	}
	then, err := readCounts(file)
	if update {
		if err == nil && skipped != "" {
			now.keep(then, instructions) // what could not be counted stays as it was
		}
		fmt.Printf("%d figures written to %s\n", len(now.Figures), file)
		return now.write(file)
	}
	if err != nil {
		return fmt.Errorf("%w; make it with make guard UPDATE=1", err)
	}
	if skipped != "" {
		then.drop(instructions)
	}
	report, failed := compare(then, now)
	for _, line := range report {
		fmt.Println(line)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d figures have become worse by more than %d %%; if that is the price of something better, say so in the commit that runs make guard UPDATE=1", failed, len(then.Figures), tolerance)
	}
	fmt.Printf("%d figures, none worse by more than %d %%\n", len(then.Figures), tolerance)
	return nil
}
