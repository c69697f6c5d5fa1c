package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) demoCommand() *cobra.Command {
	var keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show in a few seconds what Tributary does",
		Long: `Show in a few seconds what Tributary does: a small shop database becomes three replicas in a temporary folder. All three
are written to offline and in conflict, with plain SQL; packages travel late, doubled and out of order; and in the end all
replicas hold the same rows, which the demo proves. It ends with the commands for a file of your own.

Exit code 1 when the proof fails.`,
		Example: `  tributary demo
  tributary demo --keep     # leaves the three databases for you to look at`,
		Args: usageArgs(cobra.NoArgs),
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "keep the databases and print where they are")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		folder, err := os.MkdirTemp("", "tributary-demo-")
		if err != nil {
			return err
		}
		d := &demo{app: a, folder: folder, keep: keep, started: time.Now()}
		err = d.run(cmd.Context())
		d.close()
		if !keep {
			err = errors.Join(err, os.RemoveAll(folder))
		}
		return err
	}
	return cmd
}

// demo is one run of the demonstration.
type demo struct {
	app      *app
	folder   string
	keep     bool
	started  time.Time
	scene    int
	replicas []*replica
	bag      []parcel // packages on their way
}

// run tells the story. Every step is a method that shows what it does.
func (d *demo) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		d.openShop,
		d.writeOffline,
		d.showConflict,
		d.deliver,
		d.showResult,
		d.showQuarantine,
		d.giveWay,
		d.prove,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	d.farewell()
	return nil
}

func (d *demo) farewell() {
	d.title("Now with a file of your own")
	for _, line := range []string{
		"tributary track your.db --all             # any client may go on writing to it",
		"tributary clone your.db laptop.db         # a replica: carry it anywhere",
		"sqlite3 laptop.db \"UPDATE ...\"            # write to both, offline, with any program",
		"tributary sync your.db laptop.db          # and they are equal again",
		"tributary diff your.db laptop.db          # says so, row by row",
		"tributary sql your.db \"SELECT site, kind, \\\"table\\\" FROM tributary_changes\"",
	} {
		d.say("  %s", line)
	}
	d.say("")
	if d.keep {
		d.say("The three databases are in %s", d.folder)
	} else {
		d.say("The three databases are gone again; tributary demo --keep leaves them.")
	}
	d.say("Done in %.1f s.", time.Since(d.started).Seconds())
}

// title begins a scene.
func (d *demo) title(text string) {
	d.scene++
	if d.scene > 1 {
		d.say("")
	}
	d.say("== %d. %s ==", d.scene, text)
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.app.out, format+"\n", args...) }
