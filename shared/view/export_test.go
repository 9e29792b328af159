package view

// HoldAll makes a fold ask every state of every slot.
func (f *Fold) HoldAll() {
	for slot := range f.held {
		f.held[slot] = ^uint64(0) >> (heldBits - min(len(f.states), heldBits))
	}
}

// SetGroup makes bodies be written in groups of about so many rows of a partition, some at a time if they have long values.
func (w *Bodies) SetGroup(rows, bytes int) { w.groupRows, w.mostBytes = int32(rows), bytes }

// Gathered returns how many rows there is room for that are brought together.
func (w *Bodies) Gathered() (rows int) {
	for _, g := range w.gatherers {
		rows = max(rows, cap(g.numbers))
	}
	return rows
}

// Keys returns how many keys a splitter knows.
func (s *Splitter) Keys() int { return len(s.keyed.hash) }

// MaxPicked is how many there may be.
const MaxPicked = maxPicked
