package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// Exit codes. Scripts rely on them: they are part of the interface and of the help text below.
const (
	exitOK    = 0
	exitNo    = 1
	exitError = 2
)

// app is what the commands share: the three streams and the global flags.
type app struct {
	in       io.Reader
	out, err *stream
	bar      *bar

	timeout  time.Duration
	progress bool
}

func newApp(in io.Reader, out, err io.Writer) *app {
	b := &bar{clear: err}
	return &app{in: in, out: &stream{out, b}, err: &stream{err, b}, bar: b}
}

// errNo makes a command end with exit code 1 after it has already said why.
var errNo = errors.New("the answer is no")

// run executes one command line and returns its exit code. Every error is printed here and nowhere else.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errNo):
		return exitNo
	}
	fmt.Fprintln(a.err, message(ctx, err))
	return exitError
}

const rootLong = `Tributary keeps many SQLite databases equal, with no primary and no lost writes. Any SQLite client may write to a
tracked database at any time; tributary moves the changes between the files, in any order, as often as you like.

  tributary demo            shows the whole of it in a few seconds, in a temporary folder

Exit codes:
  0  done
  1  the answer is no: databases differ, check found violations, a package was refused, a statement failed
  2  error: the command could not do its work; the reason is on stderr

--json prints one JSON document, or one JSON object per line where a command lists things; the field names are in each
command's help and do not change.`

const rootExample = `  tributary track shop.db --all
  sqlite3 shop.db "UPDATE product SET price = 12 WHERE id = 1"
  tributary clone shop.db laptop.db
  tributary sync shop.db laptop.db
  tributary diff shop.db laptop.db && echo equal`

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:     "tributary",
		Short:   "Keep SQLite databases equal",
		Long:    rootLong,
		Example: rootExample,
		Args:    knownCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },

		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
	})
	flags := root.PersistentFlags()
	flags.DurationVar(&a.timeout, "timeout", 5*time.Second, "how long to wait for a database that another program has locked")
	flags.BoolVar(&a.progress, "progress", false, "report progress on stderr even when it is not a terminal")

	root.AddGroup(
		&cobra.Group{ID: "replicate", Title: "Replicate:"},
		&cobra.Group{ID: "look", Title: "Look:"},
		&cobra.Group{ID: "carry", Title: "Carry packages yourself:"},
		&cobra.Group{ID: "tend", Title: "Tend:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("replicate", a.demoCommand(), a.trackCommand(), a.untrackCommand(), a.cloneCommand(), a.syncCommand(), a.serveCommand())
	add("look", a.statusCommand(), a.fleetCommand(), a.diffCommand(), a.checkCommand(), a.changesCommand(), a.sqlCommand())
	add("carry", a.pullCommand(), a.applyCommand(), a.inspectCommand())
	add("tend", a.compactCommand(), a.forgetPeerCommand(), a.testScriptCommand(), a.versionCommand())
	return root
}

// knownCommand refuses words that are no command, in one line and with what may have been meant.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q; ", args[0])
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return errors.New(text + "did you mean " + strings.Join(near, " or ") + "?")
	}
	return errors.New(text + "tributary --help lists them")
}

// usageArgs makes the complaints about a command's arguments end with where its help is.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return fmt.Errorf("%s: %w; usage: %s", cmd.Name(), err, cmd.UseLine())
		}
		return nil
	}
}

// needArgs asks for at least min arguments and at most max of them; max < 0 is no bound. what names them in the error.
func needArgs(min, max int, what string) cobra.PositionalArgs {
	return usageArgs(func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < min:
			return fmt.Errorf("needs %s", what)
		case max >= 0 && len(args) > max:
			return fmt.Errorf("too many arguments, from %q on: needs %s", args[max], what)
		}
		return nil
	})
}
