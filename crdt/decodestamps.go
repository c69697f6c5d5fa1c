package crdt

// siteRuns reads n indexes into the dictionary of sites.
func (d *decoder) siteRuns(n int, set func(i int, s Site)) {
	i := 0
	for _, r := range d.sequence(n, uint64(len(d.sites))) {
		if r.value >= uint64(len(d.sites)) {
			d.fail(ErrCorrupt, "site %d of %d", r.value, len(d.sites))
			return
		}
		d.used[r.value] = true
		s := d.sites[r.value]
		for range r.count {
			set(i, s)
			i++
		}
	}
}

// numbers reads n numbers between least and most, coded as differences from the one before.
func (d *decoder) numbers(n int, least, most int64, set func(i int, v int64)) {
	i, v := 0, int64(0)
	for _, r := range d.sequence(n, ^uint64(0)) {
		delta := unzigzag(r.value)
		for range r.count {
			// v is not negative, so a sum that wraps is negative and out of range too.
			if v += delta; v < least || v > most {
				d.fail(ErrCorrupt, "version or time %d out of range", v)
				return
			}
			set(i, v)
			i++
		}
	}
}

func (d *decoder) stamps(n int, at func(i int) *Stamp) {
	if n == 0 {
		return
	}
	d.siteRuns(n, func(i int, s Site) { at(i).Site = s })
	d.numbers(n, 1, int64(MaxVersion), func(i int, v int64) { at(i).Version = Version(v) })
	d.numbers(n, 0, 1<<63-1, func(i int, v int64) { at(i).Time = Time(v) })
}

func (d *decoder) dots(dots []Dot) {
	d.siteRuns(len(dots), func(i int, s Site) { dots[i].Site = s })
	d.numbers(len(dots), 1, int64(MaxVersion), func(i int, v int64) { dots[i].Version = Version(v) })
}

func (d *decoder) deleters(k *block) {
	if k.deleters == 0 {
		return
	}
	stamps := make([]Stamp, k.deleters)
	d.stamps(len(stamps), func(i int) *Stamp { return &stamps[i] })
	row := 0
	for _, r := range k.runs {
		if !k.shapes[r.value].deleter {
			row += r.count
			continue
		}
		for range r.count {
			k.rows[row].Deleter, stamps = stamps[0], stamps[1:]
			row++
		}
	}
}
