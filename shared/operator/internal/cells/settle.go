package cells

import (
	"cmp"
	"math/bits"

	"github.com/tidemark-io/tidemark/shared/operator/internal/tailsort"
)

// Settled returns the cells of slot at newest: one entry each, without empty ones, in order of key and code. The
// slot is left as it is. Valid until the next call of any method.
func (c *Cells) Settled(slot int32, newest int64) []uint64 {
	if all := c.All(slot); c.isSettled(all, newest) {
		return all
	}
	return c.settle(slot, newest, false)
}

// isSettled tells whether settling would change nothing, as it is with most runs: those of few rows, in order of time.
func (c *Cells) isSettled(all []uint64, newest int64) bool {
	hop := c.tiers[0].Hop
	var key, code uint64 // of the entry before
	for at := 0; at < len(all); at += c.stride {
		w := all[at : at+c.stride : at+c.stride]
		k := uint64(0)
		if c.ident > 1 {
			k = w[1]
		}
		if at > 0 && (k < key || k == key && w[0] <= code) || c.empty(w[c.ident:]) {
			return false
		}
		if (w[0]>>bucketBits != 0 || newest-int64(w[0])*hop > c.near) && !c.stays(w[0], newest) {
			return false
		}
		key, code = k, w[0]
	}
	return true
}

// stays tells whether a cell belongs at newest where it is.
func (c *Cells) stays(code uint64, newest int64) bool {
	now, ok := c.again(code, newest)
	return ok && now == code
}

// sums tells whether the cells are sums with keys.
func (c *Cells) sums() bool { return c.isPlain && c.ident == 2 && c.plain == plain{sum: true} }

// empty is Aggregate.Empty, of most aggregates without a call.
func (c *Cells) empty(w []uint64) bool {
	switch {
	case !c.isPlain:
		return c.agg.Empty(w)
	case c.plain.maxCount > 0:
		return w[0] == 0
	}
	return w[0]|w[1] == 0
}

// settle does the work of Settled. With free it releases what the entries that go had outside of their words: then the
// caller must put the result in their place.
func (c *Cells) settle(slot int32, newest int64, free bool) []uint64 {
	all := c.All(slot)
	c.out = c.out[:0]
	switch o := &c.order; {
	case !c.pack(all, newest):
		c.collect(all, newest, free)
		for _, r := range o.refs {
			c.join(all[r.at:r.at+c.stride], r.code, free)
		}
	case c.sums():
		c.joinSums(all)
	default:
		for _, p := range o.packed {
			at := int(p&o.mask) * c.stride
			c.join(all[at:at+c.stride], all[at], free)
		}
	}
	c.dropEmpty(free)
	return c.out
}

// join adds an entry, which belongs to code, to the result. Entries come in order.
func (c *Cells) join(entry []uint64, code uint64, free bool) {
	last := len(c.out) - c.stride
	if last < 0 || c.out[last] != code || c.ident > 1 && c.out[last+1] != entry[1] {
		c.dropEmpty(free)
		c.out = append(c.out, entry...)
		c.out[len(c.out)-c.stride] = code
		return
	}
	// The entry is combined behind the result, which also spares the run the loser's words.
	c.out = append(c.out, entry...)
	dst, src := c.out[last+c.ident:last+c.stride], c.out[last+c.stride+c.ident:]
	c.agg.Combine(dst, src)
	if free {
		c.agg.Free(src)
	}
	c.out = c.out[:last+c.stride]
}

// dropEmpty takes the last entry off the result if it is empty: no later one has its identity.
func (c *Cells) dropEmpty(free bool) {
	last := len(c.out) - c.stride
	if last < 0 || !c.empty(c.out[last+c.ident:]) {
		return
	}
	if free {
		c.agg.Free(c.out[last+c.ident:])
	}
	c.out = c.out[:last]
}

// order is the order in which entries are settled.
type order struct {
	packed []uint64 // by pack
	mask   uint64   // of the bits of packed that say which entry it is
	refs   []ref    // by collect

	words []uint64 // memory of packed, and as much again to sort it
	tail  []ref    // scratch of collect
}

// ref is an entry to be settled: its identity and where it lies among the slot's words.
type ref struct {
	key, code uint64
	at        int
}

// pack fills packed with the entries in order, if all of them stay where they are and key, code and number of each fit
// into one word together, as is so of most: words are sorted several times as fast as refs.
func (c *Cells) pack(all []uint64, newest int64) bool {
	if len(all) == 0 {
		return false
	}
	lowKey, highKey, lowCode, highCode := ^uint64(0), uint64(0), ^uint64(0), uint64(0)
	late, before, hop := false, uint64(0), c.tiers[0].Hop
	for at := 0; at < len(all); at += c.stride {
		code, key := all[at], uint64(0)
		if c.ident > 1 {
			key = all[at+1]
		}
		if (code>>bucketBits != 0 || newest-int64(code)*hop > c.near) && !c.stays(code, newest) { // as a rule no call
			return false
		}
		lowKey, highKey = min(lowKey, key), max(highKey, key)
		lowCode, highCode = min(lowCode, code), max(highCode, code)
		late = late || code < before
		before = code
	}
	n := len(all) / c.stride
	atBits, codeBits := bits.Len(uint(n-1)), 0
	if late { // otherwise entries of one key are in order of their codes as they lie
		codeBits = bits.Len64(highCode - lowCode)
	}
	if bits.Len64(highKey-lowKey)+codeBits+atBits > 64 {
		return false
	}
	o := &c.order
	o.words = room(o.words, 2*n)
	o.packed, o.mask = o.words[:n], 1<<atBits-1
	sorted := 0
	for i := range n {
		code, key := all[i*c.stride], uint64(0)
		if c.ident > 1 {
			key = all[i*c.stride+1]
		}
		p := (key - lowKey) << codeBits
		if late {
			p |= code - lowCode
		}
		p = p<<atBits | uint64(i)
		if sorted == i && (i == 0 || o.packed[i-1] <= p) {
			sorted++
		}
		o.packed[i] = p
	}
	tailsort.Words(o.packed, sorted, atBits, o.words[n:])
	return true
}

// room returns n words that hold anything, in the memory of s if it suffices; otherwise in twice as much as is asked for,
// so that it will.
func room(s []uint64, n int) []uint64 {
	if n > cap(s) {
		s = make([]uint64, 2*n)
	}
	return s[:n]
}

// collect fills refs with the entries that newest leaves in reach, where they then belong, in order.
func (c *Cells) collect(all []uint64, newest int64, free bool) {
	o := &c.order
	o.refs = o.refs[:0]
	sorted := 0 // how many refs are in order, from the first on: those that were settled before, if not all
	for at := 0; at < len(all); at += c.stride {
		code, ok := c.again(all[at], newest)
		if !ok {
			if free {
				c.agg.Free(all[at+c.ident : at+c.stride])
			}
			continue
		}
		r := ref{code: code, at: at}
		if c.ident > 1 {
			r.key = all[at+1]
		}
		if n := len(o.refs); sorted == n && (n == 0 || compareRefs(o.refs[n-1], r) <= 0) {
			sorted++
		}
		o.refs = append(o.refs, r)
	}
	if sorted < len(o.refs) {
		o.tail = tailsort.Sort(o.refs, sorted, o.tail, compareRefs)
	}
}

func compareRefs(a, b ref) int {
	if a.key != b.key {
		return cmp.Compare(a.key, b.key)
	}
	return cmp.Compare(a.code, b.code)
}
