package operator

import (
	"bytes"
	"cmp"
	"math/bits"
	"slices"
)

// minPacked is the number of elements from which on it pays to pack them.
const minPacked = 16

// sort puts coded in order of code, then of tuple or register.
//
// Elements are packed into words for that, which are sorted much faster: the rank of the code, as much of the tuple's head
// as there is room for, without the bits that begin all of them, and which element it is. What is equal so far is sorted
// by all of the tuple.
func (c *distinctCodec) sort() {
	if c.registers || len(c.coded) < minPacked {
		slices.SortFunc(c.coded, c.compare)
		return
	}
	low := bits.Len(uint(len(c.coded) - 1)) // the bits that say which element it is
	c.pack(low)
	slices.Sort(c.packed)
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
	c.packed = c.packed[:0]
	rank := 0
	for i := range c.coded {
		x := &c.coded[i]
		if c.codes[rank] == x.code {
			// As it mostly is.
		} else if next := rank + 1; next < len(c.codes) && c.codes[next] == x.code {
			rank = next
		} else {
			rank, _ = slices.BinarySearch(c.codes, x.code)
		}
		c.packed = append(c.packed, uint64(rank)<<(64-ranks)|x.head<<common>>ranks>>low<<low|uint64(i))
	}
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
