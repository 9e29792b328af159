package view

// HoldAll makes a fold ask every state of every slot.
func (f *Fold) HoldAll() {
	for slot := range f.held {
		f.held[slot] = ^uint64(0) >> (heldBits - min(len(f.states), heldBits))
	}
}
