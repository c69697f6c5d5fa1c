package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// serveFlags are the flags of serve.
type serveFlags struct {
	dirs, via []string
	http      string
	httpStore string
	metrics   string
	nats      string
	listen    string
	store     string
	natsConf  string
	snapshot  string
	creds     credentials
	logFormat string
	verbose   bool
}

func (a *app) serveCommand() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve [NAME=]FILE ...",
		Short: "Keep databases equal with others, in the background, until stopped",
		Long: `Keep databases equal with the others of their fleet over one or more media, until Ctrl-C or SIGTERM. Every commit to the
file, by any program, goes out within milliseconds; what others commit comes in. Over several media it also relays from
one to the other. A medium that is away is tried again, and made up for. When the file is moved, deleted or replaced, it ends
with an error: others would write to another file than it reads.

The databases of one fleet have the same NAME on all machines; a file without one is "` + defaultFleetName + `". Several databases in
one command need names.

Now and then one of the processes of a fleet puts a snapshot of the whole database on the medium (--snapshot-every). A new
replica, and one that was away until the medium had dropped what it missed, begins with that if no other is there to ask;
what it has itself stays.

With --listen this machine runs the fleet's NATS server in the same process, and the others connect to it with --nats. With
--http others can reach this machine: by "tributary serve --via http://HOST:PORT", with any HTTP client, and for
/metrics (Prometheus) and /healthz. The state of each link is in "tributary status", that of the fleet in "tributary fleet".

` + addresses,
		Example: `  tributary serve shop.db --listen :4222                    # one machine others connect to
  tributary serve shop.db --nats nats://office:4222         # the others
  tributary serve shop.db --http :8080                      # the same over HTTP
  tributary serve shop.db --via http://office:8080
  tributary serve shop.db --dir /mnt/share/fleet            # no server at all
  tributary serve shop=shop.db crm=crm.db --http :8080 --dir /media/stick/fleet --token-file secret`,
		Args: needArgs(1, -1, "a database file"),
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.dirs, "dir", nil, "replicate over a folder; may be given several times")
	flags.StringArrayVar(&f.via, "via", nil, "replicate over the medium at this address; may be given several times")
	flags.StringVar(&f.http, "http", "", "listen at this address for others to connect to, such as :8080")
	flags.StringVar(&f.httpStore, "http-store", "", "folder of the log and the snapshots of --http (default beside the first database)")
	flags.StringVar(&f.metrics, "metrics", "", "listen at this address for /metrics and /healthz alone")
	flags.StringVar(&f.nats, "nats", "", "replicate over the NATS server at this address; \"embedded\" runs one in this process")
	flags.StringVar(&f.listen, "listen", "", "let others connect to the embedded NATS server at this address, such as :4222")
	flags.StringVar(&f.store, "nats-store", "", "folder of the embedded NATS server (default beside the first database)")
	flags.StringVar(&f.natsConf, "nats-config", "", "NATS configuration for the embedded server: users, permissions, TLS")
	flags.StringVar(&f.snapshot, "snapshot-every", "6h", "how old (6h) or how many bytes of changes behind (500MB) the newest snapshot on a medium\nmay get before this process makes another; \"never\"")
	f.creds.flags(flags)
	flags.StringVar(&f.logFormat, "log", "text", "form of the log on stderr: text or json")
	flags.BoolVar(&f.verbose, "verbose", false, "log more")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := a.newServer(f, args)
		if err != nil {
			return fmt.Errorf("serve: %w", err)
		}
		return s.run(cmd.Context())
	}
	return cmd
}

// newServer checks what can be checked before anything is opened.
func (a *app) newServer(f serveFlags, args []string) (*server, error) {
	s := &server{app: a, flags: f}
	names := map[string]string{}
	for _, arg := range args {
		name, file := named(arg)
		if was, twice := names[name]; twice {
			return nil, fmt.Errorf("%s and %s would be one database of the fleet, %q; give them names, such as shop=%s", was, file, name, file)
		}
		names[name] = file
		s.databases = append(s.databases, &served{name: name, file: file})
	}
	for _, d := range f.dirs {
		s.addresses = append(s.addresses, "dir:"+d)
	}
	s.addresses = append(s.addresses, f.via...)
	switch {
	case f.nats != "" && f.nats != "embedded" && f.listen != "":
		return nil, errors.New("--listen is for the embedded NATS server; leave --nats " + f.nats + " out, or give it as --via")
	case f.nats == "embedded", f.listen != "":
		s.flags.nats = "embedded"
	case f.nats != "":
		s.addresses = append(s.addresses, f.nats)
	}
	if len(s.addresses) == 0 && f.http == "" && s.flags.nats != "embedded" {
		return nil, errors.New("needs a medium to replicate over: --listen, --nats, --http, --dir or --via; see tributary serve --help")
	}
	var err error
	if s.every, s.everyBytes, err = snapshotEvery(f.snapshot); err != nil {
		return nil, err
	}
	if s.log, err = newLog(a.err, f); err != nil {
		return nil, err
	}
	return s, nil
}

// snapshotEvery reads a time or a number of bytes.
func snapshotEvery(s string) (every time.Duration, bytes int64, err error) {
	if s == "never" {
		return -1, 0, nil
	}
	if every, err := time.ParseDuration(s); err == nil && every > 0 {
		return every, 0, nil
	}
	for unit, factor := range map[string]int64{"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30} {
		digits, ok := strings.CutSuffix(strings.ToUpper(s), unit)
		if n, err := strconv.ParseInt(digits, 10, 32); ok && err == nil && n > 0 {
			return 0, n * factor, nil
		}
	}
	return 0, 0, fmt.Errorf("--snapshot-every %q is neither a time such as 6h, nor bytes such as 500MB, nor never", s)
}

func newLog(w io.Writer, f serveFlags) (*slog.Logger, error) {
	o := &slog.HandlerOptions{Level: slog.LevelInfo}
	if f.verbose {
		o.Level = slog.LevelDebug
	}
	switch strings.ToLower(f.logFormat) {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, fmt.Errorf("--log %q is not a form; give text or json", f.logFormat)
}

// run serves until ctx ends.
func (s *server) run(ctx context.Context) error {
	if err := s.open(ctx); err != nil {
		return errors.Join(err, s.close())
	}
	s.log.Info("serving", "databases", len(s.databases), "media", s.mediaNames(), "http", s.address(), "nats", s.broker.URL())
	err := s.replicate(ctx)
	if err == nil {
		s.log.Info("stopped")
	}
	return errors.Join(err, s.close())
}
