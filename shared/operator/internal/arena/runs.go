package arena

import (
	"math"
	"math/bits"

	"github.com/tidemark-io/tidemark/shared/invariant"
)

// maxClass bounds a run: 2^maxClass entries, and as many entries in all.
const maxClass = 31

// run is where the entries of one slot lie: n of them, from entry off on, in room for 2^class. Twelve bytes, because
// most slots of most states are empty.
type run struct {
	off   uint32
	n     uint32
	class int8 // −1 = no room yet
}

// Runs holds a run of entries of Stride words per slot, in one slice. A run that outgrows its room moves to one of twice
// the size, and the old room is given to the next run of that size.
type Runs struct {
	stride int
	words  []uint64
	runs   []run
	free   [maxClass + 1][]uint32
}

// NewRuns returns runs of entries of stride words, for no slots yet.
func NewRuns(stride int) Runs { return Runs{stride: stride} }

// Grow makes sure that slots 0 to n-1 exist.
func (a *Runs) Grow(n int) {
	have := len(a.runs)
	if n <= have {
		return
	}
	a.runs = grow(a.runs, n-have)[:n]
	for i := have; i < n; i++ {
		a.runs[i] = run{class: -1}
	}
}

// Reset forgets all slots and keeps the memory.
func (a *Runs) Reset() {
	a.words, a.runs = a.words[:0], a.runs[:0]
	for i := range a.free {
		a.free[i] = a.free[i][:0]
	}
}

// Bytes returns the memory in use, roughly.
func (a *Runs) Bytes() int64 { return int64(len(a.words))*8 + int64(len(a.runs))*12 }

// Len returns the number of entries of slot.
func (a *Runs) Len(slot int32) int { return int(a.runs[slot].n) }

// Last returns the latest entry of slot, nil if it has none. It is valid until an entry is pushed in any slot.
func (a *Runs) Last(slot int32) []uint64 {
	r := &a.runs[slot]
	if r.n == 0 {
		return nil
	}
	at := (int(r.off) + int(r.n) - 1) * a.stride
	return a.words[at : at+a.stride : at+a.stride]
}

// All returns the words of all entries of slot, in order; valid until an entry is pushed in any slot.
func (a *Runs) All(slot int32) []uint64 {
	r := &a.runs[slot]
	at, n := int(r.off)*a.stride, int(r.n)*a.stride
	return a.words[at : at+n : at+n]
}

// Room returns how many entries slot can take before it must move.
func (a *Runs) Room(slot int32) int {
	r := &a.runs[slot]
	if r.class < 0 {
		return 0
	}
	return 1<<r.class - int(r.n)
}

// Push adds an entry of zeros to slot, which must have room, and returns it.
func (a *Runs) Push(slot int32) []uint64 {
	r := &a.runs[slot]
	r.n++
	w := a.Last(slot)
	clear(w)
	return w
}

// First adds an entry of zeros to a slot that never had room, and returns it; nil if the slot had.
func (a *Runs) First(slot int32) []uint64 {
	r := &a.runs[slot]
	if r.class >= 0 {
		return nil
	}
	r.off, r.n, r.class = a.take(0), 1, 0
	at := int(r.off) * a.stride
	w := a.words[at : at+a.stride : at+a.stride]
	clear(w)
	return w
}

// Extend adds n entries to slot, which must have room, and returns them, for the caller to write every word; valid until
// an entry is pushed in any slot.
func (a *Runs) Extend(slot int32, n int) []uint64 {
	r := &a.runs[slot]
	from := (int(r.off) + int(r.n)) * a.stride
	to := from + n*a.stride
	r.n += uint32(n)
	return a.words[from:to:to]
}

// Open returns the words of all entries of slot, in order, with capacity for all that it can take before it must move: who
// adds many appends to them and says so by Cut. Valid until an entry is pushed in any slot.
func (a *Runs) Open(slot int32) []uint64 {
	r := &a.runs[slot]
	if r.class < 0 {
		return nil
	}
	at := int(r.off) * a.stride
	return a.words[at : at+int(r.n)*a.stride : at+a.stride<<r.class]
}

// Cut makes the entries of slot the first n that lie in its room.
func (a *Runs) Cut(slot int32, n int) { a.runs[slot].n = uint32(n) }

// Reserve makes room for n more entries of slot.
func (a *Runs) Reserve(slot int32, n int) {
	r := &a.runs[slot]
	if n <= a.Room(slot) {
		return
	}
	class := bits.Len(uint(int(r.n) + n - 1))
	off := a.take(class)
	from, to := int(r.off)*a.stride, int(off)*a.stride
	copy(a.words[to:], a.words[from:from+int(r.n)*a.stride])
	if r.class >= 0 {
		a.free[r.class] = append(a.free[r.class], r.off)
	}
	r.off, r.class = off, int8(class)
}

// take returns room for 2^class entries.
func (a *Runs) take(class int) uint32 {
	off := len(a.words) / a.stride
	// The arguments of invariant.Check would be boxed each time: the branch stands here.
	if class > maxClass || off+1<<class > math.MaxUint32 {
		invariant.Fail("taking room for 2^%d entries in an arena of %d", class, off)
	}
	if free := a.free[class]; len(free) > 0 {
		a.free[class] = free[:len(free)-1]
		return free[len(free)-1]
	}
	n := a.stride << class
	a.words = grow(a.words, n)[:len(a.words)+n]
	return uint32(off)
}
