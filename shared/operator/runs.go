package operator

import "github.com/tidemark-io/tidemark/shared/window"

// sameSlot returns how many rows, from the first on, are of one slot. There is at least one row.
func sameSlot(slots []int32) int {
	n := 1
	for n < len(slots) && slots[n] == slots[0] {
		n++
	}
	return n
}

// minStretch is how many rows of a slot stand side by side, in the mean, where rows are taken for arranged.
const minStretch = 4

// sideBySide tells whether rows of these slots are arranged: many of one slot stand side by side.
func sideBySide(slots []int32) bool {
	stretches := 1
	for i := 1; i < len(slots); i++ {
		if slots[i] != slots[i-1] {
			stretches++
		}
	}
	return minStretch*stretches <= len(slots)
}

// latestRow returns the one of these rows whose place is behind those of the others. There is at least one.
func latestRow(r *Rows, rows []int32) int32 {
	best := rows[0]
	for _, row := range rows[1:] {
		if comparePlaces(r, row, best) > 0 {
			best = row
		}
	}
	return best
}

// reached is the time from which on readers reach events of one entity, remembered for as long as rows are its.
type reached struct {
	newest, from int64
	known        bool
}

// reaches tells whether a reader can reach an event at t: what window.Tiers.Of says, without dividing again.
func (e *reached) reaches(tiers window.Tiers, t, newest int64) bool {
	if !e.known || newest != e.newest {
		*e = reached{newest, reachedFrom(tiers, newest), true}
	}
	return t >= e.from
}

// reachedFrom returns the earliest time that a window holds at newest; 0 or less if all are.
func reachedFrom(tiers window.Tiers, newest int64) int64 {
	from := newest
	for _, t := range tiers {
		if t.Hop == 0 || t.Reach > newest/t.Hop {
			return 0
		}
		from = min(from, (newest/t.Hop-t.Reach+1)*t.Hop)
	}
	return from
}
