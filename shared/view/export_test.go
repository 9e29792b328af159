package view

// HoldAll makes a fold ask every state of every slot.
func (f *Fold) HoldAll() {
	for slot := range f.held {
		f.held[slot] = ^uint64(0) >> (heldBits - min(len(f.states), heldBits))
	}
}

// SetGroup makes bodies be written in groups of about so many rows of a partition.
func (w *Bodies) SetGroup(rows int) { w.groupRows = int32(rows) }
