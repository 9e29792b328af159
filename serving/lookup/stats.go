package lookup

import (
	"strings"
	"sync/atomic"
)

// Stats are what a Reader has answered since it was made. A request costs a few atomic additions. Safe for concurrent use.
type Stats struct {
	Keys   atomic.Int64 // answered
	Found  atomic.Int64 // of them, profiles with events
	Failed atomic.Int64 // of them, answered by an error: no such key can be, as_of is too old, or the row does not read
	Tiles  atomic.Int64 // that the rows read were made of
	Again  atomic.Int64 // requests that were read anew, because what was cached or read too slowly was not to be trusted

	degraded [len(reasons)]atomic.Int64
}

// reasons are those that a profile may be degraded for.
var reasons = [...]string{ReasonNotBegun, ReasonDropped, ReasonFilling, ReasonDamaged, ReasonSlow}

// Reasons returns the reasons for degraded answers, in no order that means anything.
func Reasons() []string { return reasons[:] }

// Degraded returns how many profiles were degraded for one of Reasons.
func (s *Stats) Degraded(reason string) int64 {
	for i := range reasons {
		if reasons[i] == reason {
			return s.degraded[i].Load()
		}
	}
	return 0
}

// answered counts an answer.
func (s *Stats) answered(a *Answer) {
	found, failed := 0, 0
	var degraded [len(reasons)]int64
	for i := range a.Profiles {
		p := &a.Profiles[i]
		switch {
		case p.Err != nil:
			failed++
		case p.Found:
			found++
		}
		for r := range reasons {
			if p.Degraded != "" && strings.HasPrefix(p.Degraded, reasons[r]) {
				degraded[r]++
			}
		}
	}
	s.Keys.Add(int64(len(a.Profiles)))
	s.Found.Add(int64(found))
	s.Failed.Add(int64(failed))
	s.Tiles.Add(int64(a.tiles))
	for r, n := range degraded {
		if n > 0 {
			s.degraded[r].Add(n)
		}
	}
}
