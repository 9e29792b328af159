package operator

import (
	"bytes"

	"github.com/tidemark-io/tidemark/shared/operator/internal/cells"
	"github.com/tidemark-io/tidemark/shared/operator/internal/hll"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
)

// distinctCodec writes and reads the states of distinct. The buckets are written as the cells of other operators are; what
// stands in a bucket is a list of elements or of pairs of register and rank. It is the cells' aggregate: the words of a
// written cell say which part of coded it is, those of a read one say nothing.
type distinctCodec struct {
	*cells.Cells
	states *distinctStates

	coded  []coded  // what is being written
	spare  []coded  // scratch of sort
	codes  []uint64 // scratch of sort
	packed []uint64 // scratch of sort
	sorted []uint64 // scratch of sort
	where  []int32  // scratch of collectOnce, by number of element: place in coded + 1; all 0 between calls
	words  []uint64 // the cells of it
	// reached is from which time on, + 1 as sightings' are, sightings have a bucket; last is such a time and its code.
	reached uint64
	last    sighting

	// What is being read.
	slot      int32
	newest    int64
	registers bool
	left      uint64   // elements or pairs that were announced and are still to come
	ids       []uint64 // elements read
	marks     marks    // of elements
	steps     []step   // by register
}

// codedWords is the number of words of a cell: from and to in coded.
const codedWords = 2

// coded is a sighting and the code of its bucket, + 1; 0 of one without a bucket. head is that of an element's bytes, see
// headOf.
type coded struct{ code, head, what uint64 }

// mergeSettleSightings is the length from which on a run that is merged into is settled when its room is used up.
const mergeSettleSightings = 1 << 14

// AppendState implements States. A state of elements is: how many, as uvarint; how many of them have no bucket, and these,
// in order of their tuples' bytes; the group of the others' buckets, if there are others, each with how many elements it
// has and these. One of registers is: the bound + 1; how many pairs there are; the group of their buckets, if there are
// pairs, each with how many it has and these, in order of the registers: a uvarint whose lower RankBits are the rank and
// whose others are the register, of the second and later ones the difference to the one before, less 1.
func (s *distinctStates) AppendState(dst []byte, slot int32, newest int64) []byte {
	c := &s.codec
	c.reach(newest)
	if _, c.registers = s.form(slot); !c.registers && s.Len(slot) <= s.exact {
		c.collectOnce(s.All(slot), newest)
	} else {
		var out []sighting
		out, c.registers = s.settle(slot, newest)
		c.collect(out, newest)
	}
	switch {
	case c.registers:
		dst = wire.AppendUvarint(dst, uint64(s.exact)+1)
	case len(c.coded) == 0:
		return dst
	}
	return c.append(wire.AppendUvarint(dst, uint64(len(c.coded))))
}

// append appends what is in coded, in order.
func (c *distinctCodec) append(dst []byte) []byte {
	c.sort()
	without := 0
	for without < len(c.coded) && c.coded[without].code == 0 {
		without++
	}
	if !c.registers {
		dst = c.appendList(dst, c.coded[:without])
	}
	c.words = c.words[:0]
	for from := without; from < len(c.coded); {
		to := from + 1
		for to < len(c.coded) && c.coded[to].code == c.coded[from].code {
			to++
		}
		c.words = append(c.words, c.coded[from].code-1, uint64(from), uint64(to))
		from = to
	}
	return c.AppendGroup(dst, c.words)
}

// collect fills coded with list.
func (c *distinctCodec) collect(list []sighting, newest int64) {
	c.coded = c.coded[:0]
	for _, x := range list {
		c.coded = append(c.coded, c.codedOf(x, newest))
	}
}

// collectOnce fills coded with what sightings of elements say, each element once: of one that is there several times the
// latest one. A slot that has no more sightings than the bound, as nearly all have, need not be settled for that.
func (c *distinctCodec) collectOnce(all []uint64, newest int64) {
	if n := c.states.keys.Len(); n > len(c.where) {
		c.where = append(c.where, make([]int32, n-len(c.where))...)
	}
	c.coded = c.coded[:0]
	for at := 0; at < len(all); at += sightingWords {
		what, seen := all[at], all[at+1]
		place := &c.where[what]
		if *place == 0 {
			c.coded = append(c.coded, coded{code: seen, what: what})
			*place = int32(len(c.coded))
			continue
		}
		known := &c.coded[*place-1]
		known.code = max(known.code, seen)
	}
	for i := range c.coded {
		x := &c.coded[i]
		c.where[x.what] = 0
		*x = c.codedOf(sighting{x.what, x.code}, newest)
	}
}

// codedOf returns a sighting as it is written. Many that come one after the other are of one bucket.
func (c *distinctCodec) codedOf(x sighting, newest int64) coded {
	y := coded{what: x.what}
	if !c.registers {
		y.head = c.states.keys.Head(x.what)
	}
	if x.at >= c.reached {
		if x.at != c.last.at {
			c.last.what, _ = c.Code(int64(x.at-1), newest)
			c.last.at = x.at
		}
		y.code = c.last.what + 1
	}
	return y
}

// reach prepares codedOf for a state at newest: what that puts out of reach has no bucket any more.
func (c *distinctCodec) reach(newest int64) {
	c.reached = uint64(max(0, reachedFrom(c.states.tiers, newest))) + 1
	c.last.at = 0 // of none that is reached
}

// appendList appends how many there are, and these.
func (c *distinctCodec) appendList(dst []byte, list []coded) []byte {
	dst = wire.AppendUvarint(dst, uint64(len(list)))
	next := uint64(0)
	for _, x := range list {
		if !c.registers {
			dst = c.states.keys.AppendTo(dst, x.what)
			continue
		}
		register := x.what >> hll.RankBits
		dst = wire.AppendUvarint(dst, sightingOf(register-next, rankOf(x.what)))
		next = register + 1
	}
	return dst
}

// Append implements cells.Aggregate.
func (c *distinctCodec) Append(dst []byte, w []uint64, _ int64) []byte {
	return c.appendList(dst, c.coded[w[0]:w[1]])
}

// Combine implements cells.Aggregate; cells are written and read, never combined.
func (*distinctCodec) Combine(_, _ []uint64) {}

// Empty implements cells.Aggregate.
func (*distinctCodec) Empty([]uint64) bool { return false }

// Free implements cells.Aggregate.
func (*distinctCodec) Free([]uint64) {}

// Merge implements States.
func (s *distinctStates) Merge(slot int32, state []byte, newest int64) error {
	if len(state) > 0 && !s.codec.merge(slot, state, newest) {
		return stateError(s.name, state)
	}
	return nil
}

func (c *distinctCodec) merge(slot int32, state []byte, newest int64) bool {
	s := c.states
	c.Cut(0, 0)
	r := c.BeginMerge(state)
	n := r.Uvarint(uint64(s.exact) + 1)
	c.slot, c.newest, c.registers, c.ids = slot, newest, n > uint64(s.exact), c.ids[:0]
	if c.registers {
		s.toRegisters(slot)
		c.beginSteps()
		c.left = r.Uvarint(hll.Registers * hll.MaxRank)
	} else {
		c.left = n
		s.keys.Expect(int(n))
		without := r.Uvarint(n)
		if s.tiers[len(s.tiers)-1].Hop == 0 && without > 0 {
			r.Fail() // all time holds every element
		}
		c.readElements(r, without, 0)
	}
	if c.left > 0 {
		c.MergeGroup(0, 0, newest)
	}
	return n > 0 && c.left == 0 && r.Done() && c.EndMerge(newest) && c.once()
}

// Read implements cells.Aggregate.
func (c *distinctCodec) Read(r *wire.Reader, _ []uint64, start, hop, _ int64) {
	n := r.Uvarint(c.left)
	switch {
	case n == 0:
		r.Fail()
	case c.registers:
		c.readPairs(r, n, uint64(start)+1, hop)
	default:
		c.readElements(r, n, uint64(start)+1)
	}
}

// readElements reads n elements of one bucket.
func (c *distinctCodec) readElements(r *wire.Reader, n, at uint64) {
	c.left -= n
	var before []byte
	for i := uint64(0); i < n && !r.Bad(); i++ {
		tuple := r.Tuple(c.states.keys.tuple, false)
		if r.Bad() || i > 0 && bytes.Compare(before, tuple) >= 0 {
			r.Fail()
			return
		}
		before = tuple
		id := c.states.keys.ID(tuple)
		c.ids = append(c.ids, id)
		c.add(sighting{id, at})
	}
}

// readPairs reads n pairs of one bucket.
func (c *distinctCodec) readPairs(r *wire.Reader, n, at uint64, hop int64) {
	c.left -= n
	next := uint64(0)
	for range n {
		v := r.Uvarint(sightingOf(hll.Registers, 0) - 1)
		register, rank := v>>hll.RankBits+next, rankOf(v)
		if r.Bad() || register >= hll.Registers || rank == 0 || rank > hll.MaxRank || !c.steps[register].take(rank, hop) {
			r.Fail()
			return
		}
		next = register + 1
		c.add(sighting{sightingOf(register, rank), at})
	}
}

// add adds what was read to the slot, which may be of registers already, or become that for want of room.
func (c *distinctCodec) add(x sighting) {
	s := c.states
	if s.Room(c.slot) == 0 {
		if have := s.Len(c.slot); have < mergeSettleSightings {
			s.Reserve(c.slot, max(1, have))
		} else {
			s.makeRoom(c.slot, c.newest)
		}
	}
	if _, registers := s.form(c.slot); registers && !c.registers {
		if x.at == 0 {
			return
		}
		x.what = sightingOfTuple(s.keys.Bytes(x.what))
	}
	w := s.Push(c.slot)
	w[0], w[1] = x.what, x.at
}

// once tells whether no element was read twice.
func (c *distinctCodec) once() bool {
	c.marks.begin(c.states.keys.Len())
	for _, id := range c.ids {
		if !c.marks.first(id) {
			return false
		}
	}
	return true
}

// step is what was read of a register, to tell whether a pair is beaten by another: cells come tier by tier from the
// finest on, which is from the newest on, and within a tier from the oldest on.
type step struct {
	hop   int64 // of the last pair's tier
	last  uint8 // its rank; 0 = no pair yet
	first uint8 // the rank of that tier's first pair, which is the highest so far
	above uint8 // what a pair of this tier must be above: the highest rank of the finer ones
}

// take tells whether a pair of rank, in the tier of hop, is none that the pairs before beat, or that beats one of them.
func (t *step) take(rank uint8, hop int64) bool {
	switch {
	case t.last == 0 || t.hop != hop:
		t.above = t.first
		t.hop, t.first = hop, rank
	case rank >= t.last:
		return false
	}
	t.last = rank
	return rank > t.above
}

// beginSteps forgets what was read of registers.
func (c *distinctCodec) beginSteps() {
	if c.steps == nil {
		c.steps = make([]step, hll.Registers)
	}
	clear(c.steps)
}
