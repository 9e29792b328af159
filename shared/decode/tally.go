package decode

import "sync/atomic"

// Tally counts rejected records by reason. The zero value is empty. Safe for concurrent use.
type Tally struct {
	counts [EventTimeRange + 1]atomic.Int64
}

// Add counts the rows of a batch by their reasons, which column.Batch has in Reject, and costs one atomic addition for each
// reason that occurs. A reason that this decoder does not know, of an archive that a later one wrote, is not counted.
func (t *Tally) Add(rejects []uint8) {
	var counts [len(t.counts)]int64
	for _, r := range rejects {
		if r != uint8(Accepted) && int(r) < len(counts) {
			counts[r]++
		}
	}
	for r, n := range counts {
		if n > 0 {
			t.counts[r].Add(n)
		}
	}
}

// Of returns how many records were rejected for a reason.
func (t *Tally) Of(r Reason) int64 { return t.counts[r].Load() }

// Total returns how many records were rejected.
func (t *Tally) Total() int64 {
	total := int64(0)
	for r := range t.counts {
		total += t.counts[r].Load()
	}
	return total
}
