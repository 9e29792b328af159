package operator

// foldStretches is Fold of rows of which many of one slot stand side by side.
func (s *distinctStates) foldStretches(r *Rows) {
	s.keys.begin(r.In, r.Row)
	for from := 0; from < len(r.Row); {
		to := from + sameSlot(r.Slot[from:len(r.Row)])
		if at := s.foldExact(r, from, to); at < to {
			s.foldRegisters(r, at, to)
		}
		s.before = r.Slot[from] + 1
		from = to
	}
}

const (
	// rememberStretch is how many elements of a slot are remembered, at most, for each row of a stretch.
	rememberStretch = 8
	// stretchRoom is the most sightings that a stretch makes room for at once, if the slot has none.
	stretchRoom = 8
)

// foldExact adds rows of one slot, from one to another, as long as it is exact, and returns where it stopped. Where the
// elements of the slot lie is remembered, of all of them unless it has very many more than rows come: then none is added
// twice, and nothing would be gained by settling the slot when its room is used up. So it just moves to more.
func (s *distinctStates) foldExact(r *Rows, from, to int) (at int) {
	slot := r.Slot[from]
	settled, registers := s.form(slot)
	if !registers && !s.places.Of(slot) {
		s.remember(slot, settled, rememberBack+rememberStretch*(to-from))
	}
	for at = from; at < to && !registers; at++ {
		row := r.Row[at]
		what, seen := s.keys.of(row), s.start(r.Time[row])+1
		if s.placed(slot, settled, what, seen) {
			continue
		}
		if have := s.Len(slot); s.Room(slot) == 0 && have < s.exact {
			s.Reserve(slot, min(max(have, min(stretchRoom, to-at)), s.exact-have))
		}
		s.add(slot, sighting{what, seen}, false, r.Newest[slot])
		settled, registers = s.form(slot)
	}
	return at
}

// foldRegisters adds rows of one slot, which is of registers, from one to another.
func (s *distinctStates) foldRegisters(r *Rows, from, to int) {
	slot := r.Slot[from]
	for i := from; i < to; i++ {
		settled, _ := s.form(slot)
		x := sighting{sightingOfTuple(s.keys.bytes(i)), s.start(r.Time[r.Row[i]]) + 1}
		if !s.known(slot, settled, true, x.what, x.at) {
			s.add(slot, x, true, r.Newest[slot])
		}
	}
}
