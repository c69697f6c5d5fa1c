package crdt

// A sequence of numbers is coded in tokens: an odd token t says that the number after it is there t>>1 times,
// an even one that t>>1 numbers follow. Repeats are of shortest and longest possible lengths: each stretch
// of at least minRepeat equal numbers is one repeat and all between two repeats is one token, so a sequence has one form.
const minRepeat = 4

// A run is a number and how often it is there.
type run struct {
	value uint64
	count int
}

func appendSequence(b []byte, v []uint64) []byte {
	start := 0 // of the numbers that are not written yet
	literal := func(end int) {
		if start < end {
			b = appendUvarint(b, uint64(end-start)<<1)
			for _, u := range v[start:end] {
				b = appendUvarint(b, u)
			}
		}
	}
	for i := 0; i < len(v); {
		j := i + 1
		for j < len(v) && v[j] == v[i] {
			j++
		}
		if j-i >= minRepeat {
			literal(i)
			b = appendUvarint(b, uint64(j-i)<<1|1)
			b = appendUvarint(b, v[i])
			start = j
		}
		i = j
	}
	literal(len(v))
	return b
}

// sequence reads n numbers, all at most most, as runs. They are good until the next call, and are not more than
// the bytes that were read.
func (r *reader) sequence(n int, most uint64) []run {
	runs := r.runs[:0]
	var last uint64  // the number before
	var equal int    // how many numbers before are the same
	literal := false // whether the token before was a literal
	for left := n; left > 0 && r.err == nil; {
		t := r.uvarint()
		count := t >> 1
		if count == 0 || count > uint64(left) {
			r.fail(ErrCorrupt, "run of %d numbers where %d are left", count, left)
			break
		}
		left -= int(count)
		if t&1 != 0 {
			v := r.uvarint()
			switch {
			case v > most:
				r.fail(ErrCorrupt, "number %d above %d", v, most)
			case count < minRepeat || equal > 0 && v == last:
				r.fail(ErrCorrupt, "run of %d not in its shortest form", count)
			}
			last, equal, literal = v, minRepeat, false
			runs = append(runs, run{v, int(count)})
			continue
		}
		if literal {
			r.fail(ErrCorrupt, "two lists of numbers in a row")
		}
		literal = true
		if count > uint64(len(r.b)-r.off) {
			r.fail(ErrCorrupt, "list of %d numbers, %d bytes are left", count, len(r.b)-r.off)
			break
		}
		for range count {
			v := r.uvarint()
			if v > most {
				r.fail(ErrCorrupt, "number %d above %d", v, most)
			}
			if equal > 0 && v == last {
				if equal++; equal >= minRepeat {
					r.fail(ErrCorrupt, "repeated number in a list")
				}
			} else {
				last, equal = v, 1
			}
			if r.err != nil {
				break
			}
			runs = append(runs, run{v, 1})
		}
	}
	r.runs = runs
	if r.err != nil {
		return nil
	}
	return runs
}
