package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/tributary-db/tributary/crdt"
	"github.com/tributary-db/tributary/engine/replicator"
	"github.com/tributary-db/tributary/transports"
)

func (a *app) fleetCommand() *cobra.Command {
	var asJSON bool
	var creds credentials
	cmd := &cobra.Command{
		Use:   "fleet [NAME=]FILE [ADDRESS ...]",
		Short: "List the replicas of a fleet, as one of them knows them",
		Long: `List the replicas of a fleet, as one of them knows them: each site's version here, how many versions it lacks of what is
here (behind; "?" if it has not said), when it was last seen, and its state. With the addresses of media it also asks those
what the sites have told of themselves; without, a site was last seen when it made the newest version that is here.

` + addresses,
		Example: `  tributary fleet shop.db
  tributary fleet shop.db dir:/mnt/share/fleet http://office:8080`,
		Args: needArgs(1, -1, "a database file"),
	}
	creds.flags(cmd.Flags())
	jsonFlag(cmd, &asJSON, `one object per site: {"site", "self", "version", "behind", "last_seen", "state", "why", "program"}; behind is null if
unknown.`)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		sites, err := a.fleet(cmd.Context(), args[0], args[1:], creds)
		if err != nil {
			return err
		}
		if asJSON {
			for _, s := range sites {
				if err := printJSON(a.out, s); err != nil {
					return err
				}
			}
			return nil
		}
		rows := [][]string{{"site", "version", "behind", "last seen", "state", ""}}
		for _, s := range sites {
			behind := "?"
			if s.Behind != nil {
				behind = count(*s.Behind)
			}
			rows = append(rows, []string{s.Site, fmt.Sprint(s.Version), behind, ago(s.LastSeen), s.State, cell(s.Why, 60)})
		}
		return columns(a.out, "", rows)
	}
	return cmd
}

// member is one site of a fleet. Version is the newest that is known of, here or from what it told.
type member struct {
	Site     string       `json:"site"`
	Self     bool         `json:"self"`
	Version  crdt.Version `json:"version"`
	Behind   *uint64      `json:"behind"`
	LastSeen time.Time    `json:"last_seen"`
	State    string       `json:"state"`
	Why      string       `json:"why"`
	Program  string       `json:"program"`
}

func (a *app) fleet(ctx context.Context, arg string, media []string, c credentials) ([]*member, error) {
	name, file := named(arg)
	d, err := a.open(ctx, file, toRead)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	here, err := d.engine.Vector(ctx)
	if err != nil {
		return nil, d.fail(err)
	}
	known, err := d.knownMembers(ctx, here)
	if err != nil {
		return nil, d.fail(err)
	}
	for _, address := range media {
		if err := tell(ctx, known, here, name, address, c); err != nil {
			return nil, fmt.Errorf("fleet: %s: %w", withoutSecrets(address), err)
		}
	}
	var out []*member
	for _, m := range known {
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b *member) int {
		if a.Self != b.Self {
			return map[bool]int{true: -1, false: 1}[a.Self]
		}
		return cmp.Compare(a.Site, b.Site)
	})
	return out, nil
}

// knownMembers is what the database itself knows.
func (d *database) knownMembers(ctx context.Context, here crdt.VersionVector) (map[string]*member, error) {
	out := map[string]*member{}
	peers, err := d.engine.Peers(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range peers {
		m := &member{Site: p.Site.String(), Version: p.Version, State: "-"}
		if p.Time > 0 {
			m.LastSeen = time.UnixMilli(p.Time.Millis())
		}
		if p.Ack != nil {
			n := lacks(p.Ack, here, p.Site)
			m.Behind = &n
		}
		if p.Retired {
			m.State = "retired"
		}
		out[m.Site] = m
	}
	self := d.engine.Site()
	if self.IsZero() {
		return out, nil
	}
	links, err := linksOf(ctx, d)
	if err != nil {
		return nil, err
	}
	none := uint64(0)
	m := &member{Site: self.String(), Self: true, Version: here[self], Behind: &none, LastSeen: time.Now(), State: "-"}
	for _, s := range replicator.States { // the worst of its links
		for _, l := range links {
			if l.State == s && m.State == "-" && l.Why != whyUnused {
				m.State, m.Why = string(s), l.Link
			}
		}
	}
	out[m.Site] = m
	return out, nil
}

// lacks counts the versions of here that are not in have. What a site wrote itself it has.
func lacks(have, here crdt.VersionVector, site crdt.Site) (n uint64) {
	for s, v := range here {
		if s != site && v > have[s] {
			n += uint64(v - have[s])
		}
	}
	return n
}

// tell adds what the sites have told a medium.
func tell(ctx context.Context, known map[string]*member, here crdt.VersionVector, name, address string, c credentials) error {
	t, err := openMedium(address, c, nil)
	if err != nil {
		return err
	}
	defer t.Close()
	if err := connected(ctx, t); err != nil {
		return err
	}
	reg, ok := t.Transport.(transports.Registry)
	if !ok {
		return fmt.Errorf("the medium remembers no sites")
	}
	list, err := reg.Sites(ctx, name)
	if err != nil {
		return err
	}
	for _, s := range list {
		var i replicator.Info
		site, err := crdt.ParseSite(s.Site)
		if err != nil || json.Unmarshal(s.Info, &i) != nil {
			continue // of another program
		}
		m := known[s.Site]
		if m == nil {
			m = &member{Site: s.Site}
			known[s.Site] = m
		}
		if m.Self || s.At.Before(m.LastSeen) && m.State != "-" && m.State != "" {
			continue
		}
		m.Version, m.LastSeen, m.State, m.Why, m.Program = max(m.Version, i.Version), s.At, string(i.State), i.Why, i.Program
		if i.Vector != nil {
			n := lacks(i.Vector, here, site)
			m.Behind = &n
		}
	}
	return nil
}
