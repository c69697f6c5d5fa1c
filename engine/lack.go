package engine

import (
	"fmt"
	"math"

	"github.com/tributary-db/tributary/crdt"
)

// lack is one thing that a package has to wait for: versions of a site, or, for the zero site, the time of its newest
// stamp. The zero lack is nothing, or the rest of the package's set.
type lack struct {
	site   crdt.Site
	until  int64
	reason string // for people

	deletes bool // it is deletes that the sender has forgotten: nothing of the package may count before they are here
}

// future says that a package waits for time to pass.
func (l lack) future() bool { return l.site.IsZero() && l.until > 0 }

// never says that what is lacking does not come: the package is of no use.
func (l lack) never() bool { return l.until == math.MaxInt64 }

// firm says that a package has to wait in eventual mode, too.
func (l lack) firm() bool { return l.future() || l.never() || l.deletes }

// lacks says what a package has to wait for besides the rest of its set.
func (a *applier) lacks(p *crdt.Package) (lack, error) {
	v, err := a.e.vector()
	if err != nil {
		return lack{}, err
	}
	if l := (lack{until: int64(newest(p)), reason: "its clock is ahead of ours"}); a.lacking(l, v) {
		return l, nil
	}
	for _, s := range p.Needs.Sites() {
		if l := (lack{site: s, until: int64(p.Needs[s])}); a.lacking(l, v) {
			l.reason = fmt.Sprintf("version %d of site %s (here: %d)", p.Needs[s], s, v[s])
			return l, nil
		}
	}
	if put, err := a.e.putBack(p); err != nil || put {
		return lack{site: p.Sender, until: math.MaxInt64, reason: fmt.Sprintf("the beginning of the feed of site %s, which was put back to an older state: pull it again since 0", p.Sender)}, err
	}
	return a.lacksDeletes(p, v), nil
}

// lacking says whether a lack is one still.
func (a *applier) lacking(l lack, have crdt.VersionVector) bool {
	if l.site.IsZero() {
		return crdt.Time(l.until) > crdt.TimeOf(a.e.opt.Now().Add(a.e.opt.MaxSkew).UnixMilli())
	}
	return have[l.site] < crdt.Version(l.until)
}
