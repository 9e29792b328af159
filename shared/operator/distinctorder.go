package operator

import (
	"bytes"
	"cmp"
	"math/bits"
	"slices"

	"github.com/tidemark-io/tidemark/shared/operator/internal/tailsort"
)

// minPacked is the number of elements from which on it pays to pack them.
const minPacked = 16

// sort puts coded in order of code, then of tuple or register.
//
// Elements are packed into words for that, which are sorted much faster: the rank of the code, some bits of the tuple's
// head behind those that begin all of them, and which element it is. What is equal so far is sorted by all of the tuple.
func (c *distinctCodec) sort() {
	if c.registers || len(c.coded) < minPacked {
		slices.SortFunc(c.coded, c.compare)
		return
	}
	low := bits.Len(uint(len(c.coded) - 1)) // the bits that say which element it is
	c.pack(low)
	c.sorted = slices.Grow(c.sorted[:0], len(c.packed))[:len(c.packed)]
	tailsort.Words(c.packed, 0, low, c.sorted)
	c.spare = c.spare[:0]
	for _, p := range c.packed {
		c.spare = append(c.spare, c.coded[p&(1<<low-1)])
	}
	c.coded, c.spare = c.spare, c.coded
	for from, to := 0, 1; from < len(c.packed); from, to = to, to+1 {
		for to < len(c.packed) && c.packed[to]>>low == c.packed[from]>>low {
			to++
		}
		if to-from > 1 {
			slices.SortFunc(c.coded[from:to], c.compare)
		}
	}
}

// pack fills packed with coded. So many low bits say which element it is.
func (c *distinctCodec) pack(low int) {
	c.codes = c.codes[:0]
	differing := uint64(0)
	for i := range c.coded {
		x := &c.coded[i]
		differing |= x.head ^ c.coded[0].head
		if i == 0 || x.code != c.coded[i-1].code { // elements mostly lie as they were seen, many of one bucket side by side
			c.codes = append(c.codes, x.code)
		}
	}
	slices.Sort(c.codes)
	c.codes = slices.Compact(c.codes)
	ranks, common := bits.Len(uint(len(c.codes)-1)), bits.LeadingZeros64(differing)
	// Twice as many bits as number the elements, and a few more as not every bit differs, nearly always tell them apart.
	head := min(2*low+headBits, 64-ranks-low)
	c.packed = c.packed[:0]
	rank := 0
	for i := range c.coded {
		x := &c.coded[i]
		if c.codes[rank] != x.code {
			rank = c.rankOf(x.code, rank+1)
		}
		c.packed = append(c.packed, uint64(rank)<<(head+low)|x.head<<common>>(64-head)<<low|uint64(i))
	}
}

// headBits is how many bits of a head are packed for elements that few bits number.
const headBits = 8

// rankOf returns which of the codes is code; probably that one, if there is.
func (c *distinctCodec) rankOf(code uint64, probably int) int {
	if probably < len(c.codes) && c.codes[probably] == code {
		return probably
	}
	rank, _ := slices.BinarySearch(c.codes, code)
	return rank
}

func (c *distinctCodec) compare(a, b coded) int {
	switch {
	case a.code != b.code:
		return cmp.Compare(a.code, b.code)
	case a.head != b.head:
		return cmp.Compare(a.head, b.head)
	case c.registers:
		return cmp.Compare(a.what, b.what)
	}
	return bytes.Compare(c.states.keys.Bytes(a.what), c.states.keys.Bytes(b.what))
}
