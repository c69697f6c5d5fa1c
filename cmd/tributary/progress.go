package main

import (
	"fmt"
	"io"
	"time"

	"golang.org/x/term"

	"github.com/tributary-db/tributary/engine"
)

// progressDelay is how long work stays silent: what is done sooner needs no report.
const progressDelay = time.Second

// reporter returns the function that engines report to, nil when nobody wants to read it. All engines of a command share
// one line.
func (a *app) reporter() func(engine.Progress) {
	tty := isTerminal(a.err)
	if !tty && !a.progress {
		return nil
	}
	if a.bar.report == nil {
		a.bar.report = (&progressLine{w: a.err.w, bar: a.bar, rewrite: tty, now: time.Now}).show
	}
	return a.bar.report
}

// progressLine prints the state of long work: one line that is written over on a terminal, a line a second elsewhere.
type progressLine struct {
	w       io.Writer
	bar     *bar
	rewrite bool
	now     func() time.Time

	started, heard, wrote time.Time
}

func (p *progressLine) show(r engine.Progress) {
	now := p.now()
	if now.Sub(p.heard) > progressDelay {
		p.started = now // other work, after a pause
	}
	p.heard = now
	if now.Sub(p.started) < progressDelay || !p.rewrite && now.Sub(p.wrote) < progressDelay {
		return
	}
	line := r.Step + ": " + count(r.Done)
	if r.Total > 0 {
		line = fmt.Sprintf("%s of %s (%d %%)", line, count(r.Total), r.Done*100/r.Total)
	}
	p.wrote = now
	if !p.rewrite {
		fmt.Fprintln(p.w, line)
		return
	}
	p.bar.shown = true
	fmt.Fprintf(p.w, "\r\x1b[K%s", line)
}

// bar says whether a progress line stands on the terminal.
type bar struct {
	report func(engine.Progress)
	shown  bool
	clear  io.Writer
}

// stream is an output that takes the progress line off the terminal before it writes, so as not to continue it.
type stream struct {
	w   io.Writer
	bar *bar
}

func (s *stream) Write(p []byte) (int, error) {
	if s.bar.shown {
		s.bar.shown = false
		fmt.Fprint(s.bar.clear, "\r\x1b[K")
	}
	return s.w.Write(p)
}

// Fd is that of the file behind the stream.
func (s *stream) Fd() uintptr {
	if f, ok := s.w.(interface{ Fd() uintptr }); ok {
		return f.Fd()
	}
	return ^uintptr(0)
}

// isTerminal reports whether a stream is a terminal. Streams that are not files, as in tests, are none.
func isTerminal(stream any) bool {
	f, ok := stream.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}
