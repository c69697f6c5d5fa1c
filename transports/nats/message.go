package nats

import (
	"fmt"
	"strconv"

	natsgo "github.com/nats-io/nats.go"

	"github.com/tributary-db/tributary/transports"
)

// Headers of a message. Every chunk carries all of them.
const (
	headerID    = "C-Id"
	headerFrom  = "C-From"
	headerTo    = "C-To"
	headerChunk = "C-Chunk" // "i/n", from 0
	headerSite  = "C-Site"  // in answers, where the subject does not tell
	headerEnd   = "C-End"   // ends an answer: the number of packages
	headerError = "C-Error" // ends an answer: what was wrong
	headerSelf  = "C-Self"  // ends an answer: the request came to who had made it
)

// messages cuts a package into chunks. nonce makes the ids new when somebody else has taken them.
func messages(subject string, p transports.Package, nonce string) []*natsgo.Msg {
	n := max(1, (len(p.Body)+chunkSize-1)/chunkSize)
	out := make([]*natsgo.Msg, n)
	for i := range out {
		out[i] = &natsgo.Msg{Subject: subject, Data: p.Body[i*chunkSize : min(len(p.Body), (i+1)*chunkSize)], Header: natsgo.Header{
			"Nats-Msg-Id": {fmt.Sprintf("%s%s#%d", p.ID, nonce, i)},
			headerID:      {p.ID}, headerFrom: {strconv.FormatUint(p.From, 10)}, headerTo: {strconv.FormatUint(p.To, 10)},
			headerChunk: {fmt.Sprintf("%d/%d", i, n)},
		}}
	}
	return out
}

// envelope reads what the headers say of a package, without its body.
func envelope(h natsgo.Header) (p transports.Package, i, n int, ok bool) {
	p.ID = h.Get(headerID)
	var err1, err2 error
	p.From, err1 = strconv.ParseUint(h.Get(headerFrom), 10, 64)
	p.To, err2 = strconv.ParseUint(h.Get(headerTo), 10, 64)
	_, err := fmt.Sscanf(h.Get(headerChunk), "%d/%d", &i, &n)
	return p, i, n, err == nil && err1 == nil && err2 == nil && p.ID != "" && i >= 0 && i < n && n <= maxChunks
}

// assembler puts chunks together, one package at a time for each site, as they are published.
type assembler struct {
	open map[string]*group
	drop func(what string) // told of "incomplete" and "corrupt"
}

type group struct {
	pkg  transports.Package
	next int
}

// add takes a chunk and gives the package that it completes. Whatever is not a chunk that fits is left out.
func (a *assembler) add(site, db string, h natsgo.Header, data []byte) (transports.Package, bool) {
	p, i, n, ok := envelope(h)
	if !ok {
		a.drop("corrupt")
		return p, false
	}
	p.Site, p.DB = site, db
	g := a.open[site]
	if g != nil && (g.pkg.ID != p.ID || g.next != i) {
		a.drop("incomplete")
		delete(a.open, site)
		g = nil
	}
	if g == nil {
		if i != 0 {
			return p, false // the rest of a group of which the beginning is missing
		}
		g = &group{pkg: p}
		a.open[site] = g
	}
	g.pkg.Body = append(g.pkg.Body, data...)
	g.next++
	if g.next < n {
		return p, false
	}
	delete(a.open, site)
	if !g.pkg.Intact() {
		a.drop("corrupt")
		return p, false
	}
	return g.pkg, true
}
