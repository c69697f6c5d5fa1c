package crdt

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// DecodePackage reads the package that b is, whole: nothing of it is given before all of it was found right.
// Values borrow b, or the buffer that the Compressor filled. A nil Compressor fails on compressed bodies
// with ErrUnsupported.
func DecodePackage(b []byte, z Compressor, l Limits) (*Package, error) {
	r, p, sites, err := openPackage(b, l)
	if err != nil {
		return nil, err
	}
	used := make([]bool, len(sites))
	markHeaderSites(p, sites, used)
	body, vouched := r.openBody(z)
	if r.err != nil {
		return nil, r.err
	}
	d := decoder{reader: reader{b: body, section: "row counts", limits: r.limits}, p: p, sites: sites, used: used, most: maxWeight(r.limits.Cells, vouched)}
	d.rows()
	if d.err != nil {
		return nil, d.err
	}
	return p, nil
}

// PackageHeader reads all of a package but its rows, so that a duplicate is known before its body is decoded.
// It does judge the checksum of the whole.
func PackageHeader(b []byte, l Limits) (*Package, error) {
	_, p, _, err := openPackage(b, l)
	return p, err
}

// openPackage judges what can be judged without reading the rest, then reads the header. The order is by what the
// answer means: another format may have no checksum where ours is, and damage must not be taken for anything else.
func openPackage(b []byte, l Limits) (*reader, *Package, []Site, error) {
	r := &reader{b: b, section: "envelope", limits: l.within()}
	declared := 0
	switch n := min(len(b), len(magic)); {
	case string(b[:n]) != magic[:n]:
		r.fail(ErrCorrupt, "does not begin with %s", magic)
	case len(b) < lengthOffset:
		r.fail(ErrTruncated, "%d bytes", len(b))
	case b[len(magic)] != formatVersion:
		r.off = len(magic)
		r.fail(ErrUnsupported, "format version %d, this program reads %d", b[len(magic)], formatVersion)
	case len(b) < flagsOffset:
		r.fail(ErrTruncated, "%d bytes", len(b))
	default:
		r.off = lengthOffset
		declared = int(min(binary.LittleEndian.Uint32(b[lengthOffset:]), math.MaxInt32))
	}
	switch {
	case r.err != nil:
	case declared > r.limits.Package:
		r.fail(ErrLimit, "%d bytes, at most %d", declared, r.limits.Package)
	case declared > len(b):
		r.fail(ErrTruncated, "%d bytes of %d", len(b), declared)
	case declared < len(b) || declared < flagsOffset+checksumSize:
		r.fail(ErrCorrupt, "%d bytes where the package says %d", len(b), declared)
	default:
		end := len(b) - checksumSize
		if want, got := binary.LittleEndian.Uint32(b[end:]), crc32.Checksum(b[:end], castagnoli); want != got {
			r.off = end
			r.fail(ErrCorrupt, "checksum %08x, of these bytes %08x", want, got)
		}
		r.b, r.off = b[:end], flagsOffset
	}
	if r.err != nil {
		return nil, nil, nil, r.err
	}
	p, sites := r.header()
	if r.err != nil {
		return nil, nil, nil, r.err
	}
	return r, p, sites, nil
}

func (r *reader) header() (*Package, []Site) {
	p := &Package{}
	r.section = "header"
	flags := byte(0)
	if b := r.take(1); b != nil {
		flags = b[0]
	}
	if flags&^knownFlags != 0 {
		r.off--
		r.fail(ErrUnsupported, "flags %#02x, this program knows %#02x", flags, knownFlags)
	}
	p.Starts, p.Ends = flags&flagStarts != 0, flags&flagEnds != 0
	p.Bulk, p.LocalOnly = flags&flagBulk != 0, flags&flagLocalOnly != 0
	copy(p.Sender[:], r.take(16))
	p.Scope = r.uint64()
	p.Sent = Time(r.uint64())
	since, length, part := r.uvarint(), r.uvarint(), r.uvarint()
	p.Since, p.Until, p.Part = int64(since), int64(since+length), int(part)
	if since > math.MaxInt64 || length > math.MaxInt64-since || part > math.MaxInt32 || p.Sent < 0 {
		r.fail(ErrCorrupt, "interval, part or time out of range")
	}

	r.section = "sites"
	sites := make([]Site, r.count("sites", r.limits.Sites, 16))
	for i := range sites {
		copy(sites[i][:], r.take(16))
		if i > 0 && sites[i-1].Compare(sites[i]) >= 0 {
			r.fail(ErrCorrupt, "site %d not in order", i)
		}
	}
	site := func() Site {
		i := r.uvarint()
		if i >= uint64(len(sites)) {
			r.fail(ErrCorrupt, "site %d of %d", i, len(sites))
			return Site{}
		}
		return sites[i]
	}

	r.section = "covers"
	if n := r.count("covers", r.limits.Covers, 19); n > 0 {
		p.Covers = make([]Cover, n)
	}
	forgets := false
	for i := range p.Covers {
		c := &p.Covers[i]
		c.Site = site()
		from, more := r.uvarint(), r.uvarint()
		copy(c.Prev[:], r.take(8))
		copy(c.ID[:], r.take(8))
		c.From, c.To = Version(from), Version(from+more)
		if flags&flagForgets != 0 {
			if n := r.uvarint(); n > more+1 {
				r.fail(ErrCorrupt, "deletes of %d versions are forgotten, it covers %d", n, more+1)
			} else if n > 0 {
				c.Forgotten, forgets = Version(from+n-1), true
			}
		}
		if r.err != nil {
			return p, sites
		}
		if more > uint64(MaxVersion) {
			r.fail(ErrCorrupt, "cover of %d versions", more)
		} else if err := validateCover(p.Covers, i); err != nil {
			r.fail(ErrCorrupt, "%v", err)
		}
	}

	if flags&flagForgets != 0 && !forgets {
		r.fail(ErrCorrupt, "it says that deletes are forgotten, and of which versions it does not")
	}

	p.Needs = r.vector("needs", site)
	if flags&flagBefore != 0 {
		p.Before = r.vector("before", site)
		if p.Starts || p.Before == nil {
			r.fail(ErrCorrupt, "it says that something lies before it, and starts or does not say what")
		}
	}
	r.tables(p)
	return p, sites
}

// vector reads a version vector, nil if it is empty.
func (r *reader) vector(section string, site func() Site) (v VersionVector) {
	r.section = section
	n := r.count(section, r.limits.Sites, 2)
	if n == 0 {
		return nil
	}
	v = make(VersionVector, n)
	last := Site{}
	for i := range n {
		s, version := site(), Version(r.uvarint())
		if version < 1 || version > MaxVersion || i > 0 && last.Compare(s) >= 0 {
			r.fail(ErrCorrupt, "site %d of %s has no version or is not in order", i, section)
		}
		if r.err != nil {
			return v
		}
		v[s], last = version, s
	}
	return v
}

func (r *reader) tables(p *Package) {
	r.section = "tables"
	if n := r.count("tables", r.limits.Tables, 3); n > 0 {
		p.Tables = make([]Table, n)
	}
	seen := map[string]bool{}
	for i := range p.Tables {
		t, start := &p.Tables[i], r.off
		t.Name = r.name()
		t.Key = r.names("key columns")
		t.Columns = r.names("columns")
		if r.err != nil {
			return
		}
		identity := string(r.b[start:r.off])
		if seen[identity] {
			r.fail(ErrCorrupt, "table %q twice with the same columns", t.Name)
		} else if err := t.validate(&r.limits); err != nil {
			r.fail(ErrCorrupt, "table %q: %v", t.Name, err)
		}
		seen[identity] = true
	}
}

func (r *reader) names(what string) []string {
	n := r.count(what, r.limits.Columns, 1)
	if n == 0 {
		return nil
	}
	names := make([]string, n)
	for i := range names {
		names[i] = r.name()
	}
	return names
}

// openBody gives the uncompressed body, and how many bytes of it vouch for its weight.
func (r *reader) openBody(z Compressor) (body []byte, vouched uint64) {
	r.section = "body"
	encoding := byte(bodyPlain)
	if b := r.take(1); b != nil {
		encoding = b[0]
	}
	plain := r.uvarint()
	if plain > uint64(r.limits.Body) {
		r.fail(ErrLimit, "%d bytes uncompressed, at most %d", plain, r.limits.Body)
	}
	rest := r.take(uint64(len(r.b) - r.off))
	switch {
	case r.err != nil:
		return nil, 0
	case encoding == bodyPlain:
		if uint64(len(rest)) != plain {
			r.fail(ErrCorrupt, "%d bytes where %d are declared", len(rest), plain)
		}
		return rest, plain
	case encoding != bodyZstd:
		r.fail(ErrUnsupported, "compression %d", encoding)
		return nil, 0
	case z == nil:
		r.fail(ErrUnsupported, "compressed, and no decompressor given")
		return nil, 0
	case !pays(int(plain), len(rest)):
		r.fail(ErrCorrupt, "compression of %d bytes to %d does not pay", plain, len(rest))
		return nil, 0
	case plain > maxPlain(len(rest)):
		r.fail(ErrLimit, "%d bytes compressed to %d, which may hold %d", plain, len(rest), maxPlain(len(rest)))
		return nil, 0
	}
	body, err := z.Decompress(nil, rest, int(plain))
	if err != nil {
		r.fail(ErrCorrupt, "%v", err)
	} else if uint64(len(body)) != plain {
		r.fail(ErrCorrupt, "%d bytes where %d are declared", len(body), plain)
	}
	return body, vouching(len(body), len(rest))
}
