package naive

import (
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
)

// session is the times of the first and the last of some events.
type session struct{ first, last int64 }

// sessionsOf cuts events, which are in order of time, wherever there is more than the gap between two.
func sessionsOf(cfg *operator.Config, events []Event) []session {
	var out []session
	for i, e := range events {
		if i == 0 || e.Time-events[i-1].Time > cfg.Gap {
			out = append(out, session{first: e.Time})
		}
		out[len(out)-1].last = e.Time
	}
	return out
}

func sessionsState(cfg *operator.Config, events []Event, newest int64) []byte {
	bs := buckets(cfg, events, newest)
	var cut []session
	for _, hop := range hops(cfg) { // coarser tiers hold what is older, so they come first in order of time
		var tier []session
		for _, b := range bs {
			if hops(cfg)[b.tier] == hop {
				tier = append(tier, sessionsOf(cfg, b.events)...)
			}
		}
		cut = append(tier, cut...)
	}
	if len(cut) == 0 {
		return nil
	}
	dst := wire.AppendUvarint(nil, uint64(len(cut)))
	for i, s := range cut {
		step := s.first
		if i > 0 {
			step -= cut[i-1].last + 1
		}
		dst = wire.AppendUvarint(wire.AppendUvarint(dst, uint64(step)), uint64(s.last-s.first))
	}
	return dst
}

func sessionsResult(cfg *operator.Config, events []Event, q *operator.Query) operator.Value {
	all := sessionsOf(cfg, events)
	if q.Result != "avg_length" && q.Result != "current_length" {
		return operator.OfInt(int64(len(all)))
	}
	if len(all) == 0 {
		return operator.Value{}
	}
	if q.Result == "current_length" {
		if last := all[len(all)-1]; q.AsOf-last.last <= cfg.Gap {
			return operator.OfInt(last.last - last.first)
		}
		return operator.Value{}
	}
	sum := int64(0)
	for _, s := range all {
		sum += s.last - s.first
	}
	return operator.OfFloat(float64(sum) / float64(len(all)))
}
