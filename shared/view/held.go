package view

import (
	"math/bits"
	"slices"
)

// Most states of most tiles are empty: an event passes few filters, and an entity has few events in a block. So a fold
// remembers, in one word a slot, which states rows were folded into or bodies merged into, and a tile is written without
// asking the others, which lie all over memory. A state that is held may still be empty (its inputs were null); one that is
// not held is.

// heldBits is the number of bits of the word. States beyond it share the last one.
const heldBits = 64

// heldBit returns the bit of a state.
func heldBit(state int) uint64 { return 1 << min(state, heldBits-1) }

// holdsOf returns the bits of the states that a filter's rows are folded into.
func (b *binding) holdsOf(filter int) uint64 {
	var held uint64
	for i := range b.states {
		if b.states[i].filter == filter {
			held |= heldBit(b.states[i].state)
		}
	}
	return held
}

// hold notes that rows of these stretches will be folded into the states of every row.
func (f *Fold) hold(stretches []Stretch, every uint64) {
	if every == 0 {
		return
	}
	for _, s := range stretches {
		f.held[s.Slot] |= every
	}
}

// holdPassed notes into which states of filters the rows of these stretches will be folded. passes has their bits of those
// filters, of which only some are asked for.
func (f *Fold) holdPassed(stretches []Stretch, passes []passWord, some passWord, filters []boundFilter) {
	from := int32(0)
	for _, s := range stretches {
		passed := passWord(0)
		for _, word := range passes[from:s.To] {
			passed |= word
		}
		held := uint64(0)
		for passed &= some; passed != 0; passed &= passed - 1 {
			held |= filters[bits.TrailingZeros16(uint16(passed))].holds
		}
		f.held[s.Slot] |= held
		from = s.To
	}
}

// appendStates appends the states of a slot, each behind its length, which of an empty state is all there is. Those that
// are not the fold's are those of slot local in group; all empty with -1.
func (f *Fold) appendStates(dst []byte, slot int32, group *Fold, local int32) []byte {
	next, held, newest := 0, f.held[slot], f.newest[slot]
	if local >= 0 {
		held |= group.held[local]
	}
	for ; held != 0; held &= held - 1 {
		state := bits.TrailingZeros64(held)
		dst = append(dst, make([]byte, state-next)...)
		dst = f.appendState(dst, state, slot, newest, group, local)
		next = state + 1
	}
	for next >= heldBits && next < len(f.states) {
		dst = f.appendState(dst, next, slot, newest, group, local)
		next++
	}
	return append(dst, make([]byte, len(f.states)-next)...)
}

func (f *Fold) appendState(dst []byte, state int, slot int32, newest int64, group *Fold, local int32) []byte {
	switch {
	case f.states[state] != nil:
		return appendState(dst, f.states[state], slot, newest)
	case local >= 0:
		return appendState(dst, group.states[state], local, newest)
	}
	return append(dst, 0)
}

// Touch reads what AppendBody of some dozen slots will read first: those who write many tiles, in an order that is not
// that of the slots, wait for memory once and not for each state of each slot.
func (f *Fold) Touch(slots []int32) {
	var asked uint64
	for _, slot := range slots {
		asked |= f.held[slot]
	}
	for i, states := range f.states {
		t, ok := states.(toucher)
		if bit := heldBit(i); ok && asked&bit != 0 {
			f.ahead = slices.Grow(f.ahead[:0], len(slots))[:len(slots)]
			n := 0
			for _, slot := range slots {
				f.ahead[n] = slot
				if f.held[slot]&bit != 0 {
					n++
				}
			}
			f.touchedSum += t.Touch(f.ahead[:n])
		}
	}
}
