package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// A worker is the process of one engine. It is started with the data set and a folder for its files, prints a line
//
//	version	TEXT
//
// and then makes one run for each line that it reads: two empty replicas, the operations insert, update (the last column
// of every row), update-all (every column but the key) and delete at the first, each with 1,000 rows in a transaction,
// and each brought to the second. It prints lines
//
//	phase	NAME	ROWS	WALL	CPU        nanoseconds; NAME is "local", "seal", "pull" or "apply" and the operation,
//	                                   "apply duplicate" or "apply losing"
//	wire	OPERATION	BYTES	FILE       what travelled
//	bytes	WHAT	BYTES              loaded, received, settled: the size of a replica; memory: the peak of the process
//	error	TEXT                       the run or the start failed
//	end
//
// and checks itself that the replicas show what was written last: a fast engine that loses writes is an error here.
type worker struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	lines   chan string // closed at the end of the output
	errors  *bytes.Buffer
	version string
}

// start runs the peer's program and waits until it has named its version.
func start(ctx context.Context, p *peer, data, scratch string) (*worker, error) {
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return nil, err
	}
	args := append([]string{}, p.args...)
	for i, a := range args {
		args[i] = strings.NewReplacer("DATA", data, "SCRATCH", scratch).Replace(a)
	}
	w := &worker{cmd: exec.CommandContext(ctx, args[0], args[1:]...), lines: make(chan string), errors: &bytes.Buffer{}}
	w.cmd.Stderr = w.errors
	in, err := w.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	w.in = in
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := w.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	go func() {
		defer close(w.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			w.lines <- s.Text()
		}
	}()
	// A version may not come when the start fails; the first run reports why.
	if line, ok := <-w.lines; ok && strings.HasPrefix(line, "version\t") {
		w.version = strings.TrimPrefix(line, "version\t") + p.note
	} else if ok {
		w.version = "unknown: " + line
	}
	return w, nil
}

// stop ends the process; it has nothing left to do.
func (w *worker) stop() {
	w.in.Close()
	w.cmd.Process.Kill()
	for range w.lines {
	}
	w.cmd.Wait()
}

// result is what one run measured.
type result struct {
	phases map[string]cost
	wire   map[string]sizes
	bytes  map[string]int64
}

// cost is for one row, in nanoseconds.
type cost struct{ wall, cpu float64 }

// sizes are bytes of all rows: as they travel, and compressed as a whole if they are not.
type sizes struct{ raw, zstd int64 }

func (w *worker) run(limit time.Duration) (*result, error) {
	if strings.HasPrefix(w.version, "unknown: error\t") {
		return nil, errors.New(strings.TrimPrefix(w.version, "unknown: error\t"))
	}
	r := &result{phases: map[string]cost{}, wire: map[string]sizes{}, bytes: map[string]int64{}}
	io.WriteString(w.in, "run\n") // should it have died, its output ends
	deadline := time.After(limit)
	for {
		select {
		case <-deadline:
			w.cmd.Process.Kill()
			return nil, fmt.Errorf("was not done after %s", limit)
		case line, ok := <-w.lines:
			if !ok {
				return nil, fmt.Errorf("ended early: %s", strings.TrimSpace(w.errors.String()))
			}
			if line == "end" {
				return r, nil
			}
			if err := r.add(strings.Split(line, "\t")); err != nil {
				return nil, err
			}
		}
	}
}

func (r *result) add(f []string) error {
	number := func(i int) float64 {
		if i >= len(f) {
			return 0
		}
		n, _ := strconv.ParseFloat(f[i], 64)
		return n
	}
	switch {
	case f[0] == "error":
		return errors.New(strings.Join(f[1:], " "))
	case f[0] == "phase" && len(f) == 5 && number(2) > 0:
		r.phases[f[1]] = cost{number(3) / number(2), number(4) / number(2)}
	case f[0] == "bytes" && len(f) == 3:
		r.bytes[f[1]] = int64(number(2))
	case f[0] == "wire" && len(f) == 4:
		content, err := os.ReadFile(f[3])
		if err != nil {
			return err
		}
		r.wire[f[1]] = sizes{int64(len(content)), int64(len(compressor.EncodeAll(content, nil)))}
	default:
		return fmt.Errorf("the worker printed %q", strings.Join(f, " "))
	}
	return nil
}

var compressor, _ = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1)) // its options cannot fail
