package crdt

import "slices"

// Row is the merged state of one row: a join-semilattice. The zero Row was never inserted.
type Row struct {
	// Deleted has, per site, the greatest version of an insert that a delete has seen, sorted by site, one per site.
	// One version speaks for all before it: a site inserts again only where its former insert was deleted.
	Deleted []Dot

	// Lives are the incarnations that Deleted does not cover, sorted by Birth stamp. Normally there is one;
	// two were inserted at the same time, not knowing of each other.
	Lives []Incarnation
}

// An Effect says what a merge did to a row.
type Effect struct {
	// Was and Is name the incarnation that SQL showed before and shows now; zero when it shows none.
	Was, Is Dot

	// Columns are those whose values must be replaced when Was and Is are the same. Otherwise all must be.
	Columns ColumnSet

	// Changed says whether any part of the state is another, and so must be stored and passed on.
	Changed bool
}

// Alive says whether SQL shows the row.
func (r *Row) Alive() bool { return len(r.Lives) > 0 }

// Covered says whether a delete has seen this birth.
func (r *Row) Covered(birth Dot) bool { return covered(r.Deleted, birth) }

func covered(deleted []Dot, birth Dot) bool {
	i, found := findSite(deleted, birth.Site)
	return found && deleted[i].Version >= birth.Version
}

func findSite(dots []Dot, s Site) (int, bool) {
	return slices.BinarySearchFunc(dots, s, func(d Dot, s Site) int { return d.Site.Compare(s) })
}

// Visible gives the index in Lives of the incarnation that SQL shows: the one that was written last,
// in case of a tie the one inserted last. It is -1 when the row is dead.
func (r *Row) Visible() int {
	at := -1
	var best Stamp
	for i := range r.Lives {
		// Lives ascend by birth, so at a tie the later one is right.
		if s := r.Lives[i].Newest().Stamp; at < 0 || s.Compare(best) >= 0 {
			at, best = i, s
		}
	}
	return at
}

// Life gives the index in Lives of the incarnation of this birth, -1 if there is none.
func (r *Row) Life(birth Dot) int {
	return slices.IndexFunc(r.Lives, func(i Incarnation) bool { return i.Birth.Dot() == birth })
}

// Insert makes a new incarnation of a row that is not alive here, with i's values, and gives its index.
// Birth is a local write and greater than any that the row has.
func (r *Row) Insert(i Incarnation) int {
	r.Lives = append(r.Lives, i)
	dot := i.Birth.Dot()
	r.sortLives()
	return r.Life(dot)
}

// Delete takes note that a delete saw the incarnation of this birth, and drops what that covers.
func (r *Row) Delete(birth Dot) {
	if r.joinDeleted(birth) {
		r.dropCovered()
	}
}

func (r *Row) joinDeleted(d Dot) (raised bool) {
	if d.Version == 0 {
		return false
	}
	i, found := findSite(r.Deleted, d.Site)
	switch {
	case !found:
		r.Deleted = slices.Insert(r.Deleted, i, d)
	case r.Deleted[i].Version < d.Version:
		r.Deleted[i] = d
	default:
		return false
	}
	return true
}

func (r *Row) dropCovered() {
	r.Lives = slices.DeleteFunc(r.Lives, func(i Incarnation) bool { return r.Covered(i.Birth.Dot()) })
}

func (r *Row) sortLives() {
	slices.SortFunc(r.Lives, func(a, b Incarnation) int { return a.Birth.Stamp.Compare(b.Birth.Stamp) })
}

func (r *Row) visibleDot() Dot {
	if i := r.Visible(); i >= 0 {
		return r.Lives[i].Birth.Dot()
	}
	return Dot{}
}

// Merge takes in the full state of the same row at another replica. It is commutative, associative and idempotent,
// and never loses what r knows. Nothing of d is kept but its values' bytes.
func (r *Row) Merge(d *Row) Effect {
	e := Effect{Was: r.visibleDot()}
	e.Changed = r.mergeDeleted(d.Deleted)
	for i := range d.Lives {
		r.mergeLife(&d.Lives[i], true, &e)
	}
	r.finish(&e)
	return e
}

// MergeChange takes in a delta. Column ordinals are taken as the row's own: a caller whose table numbers its columns
// otherwise renumbers the change before. Nothing of c is kept but its values' bytes.
//
// A change of some columns of an incarnation that a delete has seen is dropped: the delete wins. If the incarnation
// was never there the result is ErrMissingBirth and r is as it was.
func (r *Row) MergeChange(c *RowChange) (Effect, error) {
	for i := range c.Lives {
		l := &c.Lives[i]
		dot := l.Birth.Dot()
		if !l.Full && r.Life(dot) < 0 && !r.Covered(dot) && !covered(c.Deleted, dot) {
			return Effect{}, ErrMissingBirth
		}
	}
	e := Effect{Was: r.visibleDot()}
	e.Changed = r.mergeDeleted(c.Deleted)
	for i := range c.Lives {
		r.mergeLife(&c.Lives[i].Incarnation, c.Lives[i].Full, &e)
	}
	r.finish(&e)
	return e, nil
}

func (r *Row) mergeDeleted(deleted []Dot) (changed bool) {
	for _, d := range deleted {
		if r.joinDeleted(d) {
			changed = true
		}
	}
	if changed {
		r.dropCovered()
	}
	return changed
}

func (r *Row) mergeLife(d *Incarnation, full bool, e *Effect) {
	dot := d.Birth.Dot()
	if r.Covered(dot) {
		return
	}
	i := r.Life(dot)
	if i < 0 {
		r.Lives = append(r.Lives, d.clone())
		e.Changed = true
		return
	}
	birth := r.Lives[i].Birth.Stamp
	won := r.Lives[i].Merge(d, full)
	if dot == e.Was {
		e.Columns = e.Columns.Union(won)
	}
	if !won.IsEmpty() || r.Lives[i].Birth.Stamp != birth {
		e.Changed = true
	}
}

func (r *Row) finish(e *Effect) {
	if e.Changed {
		r.sortLives()
	}
	if e.Is = r.visibleDot(); e.Is != e.Was {
		e.Columns = ColumnSet{}
	}
}
