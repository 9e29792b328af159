package operator

import (
	"cmp"
	"slices"

	"github.com/tidemark-io/tidemark/shared/operator/internal/arena"
	"github.com/tidemark-io/tidemark/shared/window"
)

// interval is the times from first to last, both included, ms: events that are no more than the gap apart.
type interval struct{ first, last uint64 }

// intervals holds, by slot, intervals that are cut at hops: each lies in one bucket of the tier that it is in. An entry of
// a slot is an interval; they stand in any order and may overlap until the slot's room is used up and it is settled.
//
// No tier is written down: that of an interval is the tier of its first time, because hops nest, so that all times of one
// bucket go from tier to tier together.
type intervals struct {
	arena.Runs
	tiers window.Tiers
	gap   uint64
	// The bucket of the first tier that the last event fell into: [low, high).
	low, high uint64
	out       []interval // scratch of settled
}

const intervalStride = 2

func newIntervals(tiers window.Tiers, gap uint64) intervals {
	return intervals{Runs: arena.NewRuns(intervalStride), tiers: tiers, gap: gap}
}

// add adds an event at t: to one of the latest intervals if that is near and in the same bucket, else as one of its own.
func (s *intervals) add(slot int32, t uint64, newest int64) {
	if t < s.low || t >= s.high {
		hop := uint64(s.tiers[0].Hop)
		s.low = t / hop * hop
		s.high = s.low + hop
	}
	all := s.All(slot)
	for end := len(all); end > max(0, len(all)-lookBack*intervalStride); end -= intervalStride {
		w := all[end-intervalStride : end]
		// Times that share a bucket of the finest tier share one of every tier: to extend is safe whatever tier w is in.
		if s.low <= w[0] && w[0] < s.high && t+s.gap >= w[0] && t <= w[1]+s.gap {
			w[0], w[1] = min(w[0], t), max(w[1], t)
			return
		}
	}
	if s.tiers.Of(int64(t), newest) >= 0 {
		s.push(slot, interval{t, t}, newest)
	}
}

// push adds an interval that lies in one bucket. A full run is settled first; if that does not leave it half empty it
// moves to more room, so that settling is paid by the events that filled the other half.
func (s *intervals) push(slot int32, c interval, newest int64) {
	if s.Room(slot) == 0 {
		if s.Len(slot) > 1 {
			settled, all := s.settled(slot, newest), s.All(slot)
			for i, c := range settled {
				all[i*intervalStride], all[i*intervalStride+1] = c.first, c.last
			}
			s.Cut(slot, len(settled))
		}
		if have := s.Len(slot); s.Room(slot) < max(1, have) {
			s.Reserve(slot, max(1, have))
		}
	}
	w := s.Push(slot)
	w[0], w[1] = c.first, c.last
}

// settled returns the intervals of slot that readers reach at newest, cut as they then are, the oldest first. The slot is
// left as it is. Valid until the next call of any method.
func (s *intervals) settled(slot int32, newest int64) []interval {
	s.out = s.out[:0]
	sorted := true
	for w := range slices.Chunk(s.All(slot), intervalStride) {
		if s.tiers.Of(int64(w[0]), newest) < 0 {
			continue
		}
		sorted = sorted && (len(s.out) == 0 || s.out[len(s.out)-1].first <= w[0])
		s.out = append(s.out, interval{w[0], w[1]})
	}
	if !sorted {
		slices.SortFunc(s.out, func(a, b interval) int { return cmp.Compare(a.first, b.first) })
	}
	n := 0
	for _, c := range s.out {
		if n > 0 && c.first <= s.out[n-1].last+s.gap && s.together(s.out[n-1].first, c.first, newest) {
			s.out[n-1].last = max(s.out[n-1].last, c.last)
			continue
		}
		s.out[n] = c
		n++
	}
	s.out = s.out[:n]
	return s.out
}

// tier returns the tier that t is in at newest; the last one for what no reader reaches any more.
func (s *intervals) tier(t uint64, newest int64) int {
	if tier := s.tiers.Of(int64(t), newest); tier >= 0 {
		return tier
	}
	return len(s.tiers) - 1
}

// together tells whether two times are in one bucket of one tier at newest.
func (s *intervals) together(a, b uint64, newest int64) bool {
	tier := s.tier(a, newest)
	return tier == s.tier(b, newest) && s.tiers.Bucket(tier, int64(a)) == s.tiers.Bucket(tier, int64(b))
}

// whole tells whether c lies in one bucket at newest, as each interval of a state does that was written at newest or before.
func (s *intervals) whole(c interval, newest int64) bool { return s.together(c.first, c.last, newest) }

// torn tells whether next, which comes after c, should have been joined with it at any newest time.
func (s *intervals) torn(c, next interval) bool {
	return next.first-c.last <= s.gap && s.tiers.Bucket(0, int64(c.last)) == s.tiers.Bucket(0, int64(next.first))
}
