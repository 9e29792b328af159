package cells

import (
	"math"

	"github.com/tidemark-io/tidemark/shared/window"
)

// Held is a window at a time, made ready to be asked about many entries: what window.Window.Holds divides for each of
// them is divided once.
type Held struct {
	tiers window.Tiers
	from  int64 // buckets that start here or later are held
	hop   int64
	now   int64 // number of the hop that holds asOf
}

// Held returns the window w at asOf.
func (c *Cells) Held(w window.Window, asOf int64) Held { return heldBy(c.tiers, w, asOf) }

func heldBy(tiers window.Tiers, w window.Window, asOf int64) Held {
	if w.Length == 0 {
		return Held{tiers: tiers, from: math.MinInt64}
	}
	now := asOf / w.Hop
	return Held{tiers: tiers, from: (now - w.Length/w.Hop + 1) * w.Hop, hop: w.Hop, now: now}
}

// Has tells whether the window holds the bucket of an entry's code.
func (h *Held) Has(code uint64) bool {
	return h.tiers.Start(int(code>>bucketBits), int64(code&(1<<bucketBits-1))) >= h.from
}

// Age returns how many hops of the window the bucket of an entry's code lies before asOf. The window is not all of time.
func (h *Held) Age(code uint64) int64 {
	tier, bucket := int(code>>bucketBits), int64(code&(1<<bucketBits-1))
	if h.tiers[tier].Hop == h.hop {
		return h.now - bucket
	}
	return h.now - h.tiers.Start(tier, bucket)/h.hop
}

// Each calls f with the aggregates of slot that the window holds at asOf, one or more a cell, in no order.
func (c *Cells) Each(slot int32, w window.Window, asOf int64, f func(w []uint64)) {
	held := c.Held(w, asOf)
	all := c.All(slot)
	for at := 0; at < len(all); at += c.stride {
		if held.Has(all[at]) {
			f(all[at+c.ident : at+c.stride])
		}
	}
}
