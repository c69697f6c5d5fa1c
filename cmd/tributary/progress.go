package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/tributary-db/tributary/engine"
)

// progressDelay is how long work stays silent: what is done sooner needs no report.
const progressDelay = time.Second

// reporter returns the function that the engine reports to, nil when nobody wants to read it.
func (a *app) reporter() func(engine.Progress) {
	tty := isTerminal(a.err)
	if !tty && !a.progress {
		return nil
	}
	p := &progressLine{w: a.err, rewrite: tty, now: time.Now}
	return p.report
}

// progressLine prints the state of long work: one line that is written over on a terminal, a line a second elsewhere.
type progressLine struct {
	w       io.Writer
	rewrite bool
	now     func() time.Time

	step           string
	started, wrote time.Time
	shown          bool
}

func (p *progressLine) report(r engine.Progress) {
	now := p.now()
	if r.Step != p.step {
		p.clear()
		p.step, p.started, p.wrote = r.Step, now, time.Time{}
	}
	done := r.Total > 0 && r.Done >= r.Total
	if now.Sub(p.started) < progressDelay || !p.rewrite && !done && now.Sub(p.wrote) < progressDelay {
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
	p.shown = true
	fmt.Fprintf(p.w, "\r\x1b[K%s", line)
	if done {
		p.clear()
	}
}

// clear takes the line off the terminal, so that what is printed next does not continue it.
func (p *progressLine) clear() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

// isTerminal reports whether a stream is a terminal. Streams that are not files, as in tests, are none.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
