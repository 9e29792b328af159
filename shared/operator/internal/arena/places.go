package arena

import "math"

// Places remembers where entries lie in the run of one slot, by the numbers of their keys, so that rows of one slot that come
// one after the other find theirs at once. What is not remembered may be there all the same.
//
// Who moves entries of the run must call Forget.
type Places struct {
	entries []place // by number
	turn    uint32  // of the entries that count
	slot    int32   // + 1; 0 = none
}

// place is where the entry of a number lay in that turn.
type place struct{ turn, at uint32 }

// Reset forgets all places and keeps the memory.
func (p *Places) Reset() {
	p.entries = p.entries[:0]
	p.Forget()
}

// Bytes returns the memory in use, roughly.
func (p *Places) Bytes() int64 { return int64(len(p.entries)) * 8 }

// Of tells whether the places are those of slot.
func (p *Places) Of(slot int32) bool { return p.slot == slot+1 }

// Begin forgets all places and remembers those of slot from now on.
func (p *Places) Begin(slot int32) {
	p.slot = slot + 1
	if p.turn == math.MaxUint32 {
		clear(p.entries)
		p.turn = 0
	}
	p.turn++
}

// Forget forgets all places.
func (p *Places) Forget() { p.slot = 0 }

// At returns the index of the entry of a number in the run, and whether it is remembered.
func (p *Places) At(number uint64) (at int, ok bool) {
	if number >= uint64(len(p.entries)) {
		return 0, false
	}
	e := p.entries[number]
	return int(e.at), e.turn == p.turn
}

// Put remembers the index of the entry of a number.
func (p *Places) Put(number uint64, at int) {
	if have := uint64(len(p.entries)); number >= have {
		p.entries = append(p.entries, make([]place, number+1-have)...)
	}
	p.entries[number] = place{p.turn, uint32(at)}
}
