package cells

import (
	"math"
	"math/bits"

	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/window"
)

// AppendState appends the canonical form of slot of cells without keys; no bytes if it has none.
func (c *Cells) AppendState(dst []byte, slot int32, newest int64) []byte {
	return c.AppendGroup(dst, c.Settled(slot, newest))
}

// AppendGroup appends settled entries of one key:
//
//	group  = tiers (bucket aggregate)^n …        tiers: bitmap of the tiers that have cells
//	         for each of them, in order: n, then n cells; of the tier of all time: its one aggregate
//	bucket = its number, of the second and later ones the difference to the one before, less 1
func (c *Cells) AppendGroup(dst []byte, entries []uint64) []byte {
	if len(entries) == 0 {
		return dst
	}
	first, last := entries[0]>>bucketBits, entries[len(entries)-c.stride]>>bucketBits
	if first == last { // as nearly always
		return c.appendTier(wire.AppendUvarint(dst, 1<<first), entries)
	}
	var tiers uint64
	for at := 0; at < len(entries); at += c.stride {
		tiers |= 1 << (entries[at] >> bucketBits)
	}
	dst = wire.AppendUvarint(dst, tiers)
	for len(entries) > 0 {
		n := c.sameTier(entries)
		dst = c.appendTier(dst, entries[:n])
		entries = entries[n:]
	}
	return dst
}

// sameTier returns how many words at the beginning of entries are of one tier.
func (c *Cells) sameTier(entries []uint64) int {
	n := c.stride
	for n < len(entries) && entries[n]>>bucketBits == entries[0]>>bucketBits {
		n += c.stride
	}
	return n
}

func (c *Cells) appendTier(dst []byte, entries []uint64) []byte {
	if c.tiers[entries[0]>>bucketBits].Hop == 0 {
		return c.agg.Append(dst, entries[c.ident:c.stride], 0)
	}
	dst = wire.AppendUvarint(dst, uint64(len(entries)/c.stride))
	next := entries[0] &^ (1<<bucketBits - 1)
	if c.isPlain {
		return c.appendRun(dst, entries, next)
	}
	for at := 0; at < len(entries); at += c.stride {
		code := entries[at]
		dst = wire.AppendUvarint(dst, code-next)
		dst = c.agg.Append(dst, entries[at+c.ident:at+c.stride], c.start(code))
		next = code + 1
	}
	return dst
}

// Merge adds a canonical state without keys to slot. It returns false if the bytes are none.
func (c *Cells) Merge(slot int32, state []byte, newest int64) bool {
	if len(state) == 0 {
		return true
	}
	r := c.BeginMerge(state)
	c.MergeGroup(slot, 0, newest)
	return r.Done() && c.EndMerge(newest)
}

// BeginMerge begins the merge of a state that is made of groups, and returns the reader from which MergeGroup takes them.
// There is one in all: aggregates see it through an interface, so each new one would be an allocation.
func (c *Cells) BeginMerge(state []byte) *wire.Reader {
	c.span.seen = 0
	c.reader.Open(state)
	return &c.reader
}

// MergeGroup reads a group and adds its cells to slot; the reader fails on what AppendGroup does not write.
func (c *Cells) MergeGroup(slot int32, key uint64, newest int64) {
	r := &c.reader
	if size := c.mergeShort(r.Rest(), slot, key); size > 0 {
		r.Skip(size)
		return
	}
	tiers := r.Uvarint(1<<len(c.tiers) - 1)
	if tiers == 0 {
		r.Fail()
	}
	for ; tiers != 0 && !r.Bad(); tiers &= tiers - 1 {
		c.mergeTier(r, slot, key, bits.TrailingZeros64(tiers), newest)
	}
}

// mergeTier reads the cells of one tier into entries behind those that slot has. They are neither searched nor settled:
// most slots that are merged into are read once and forgotten, and reading adds up what lies in the run.
func (c *Cells) mergeTier(r *wire.Reader, slot int32, key uint64, tier int, newest int64) {
	hop, n, last := c.tiers[tier].Hop, 1, c.last[tier]
	if hop != 0 {
		// A cell takes two bytes at least: what claims more cells than that is not believed.
		if n = int(r.Uvarint(uint64(r.Len() / 2))); n == 0 {
			r.Fail()
			return
		}
	}
	if c.Room(slot) < n {
		c.mergeRoom(slot, n, newest)
	}
	had, entries := c.Len(slot), c.Extend(slot, n)
	if hop != 0 && c.isPlain {
		if size := c.readRun(r.Rest(), entries, tier, key, last); size > 0 {
			r.Skip(size)
			c.addRun(tier, entries)
			return
		}
	}
	first, bucket := uint64(0), uint64(0)
	for at := 0; at < len(entries); at += c.stride {
		if hop != 0 {
			step, ok := r.Short()
			if !ok {
				step = r.Uvarint(last)
			}
			bucket += step
		}
		if at == 0 {
			first = bucket
		}
		w := entries[at : at+c.stride : at+c.stride]
		w[0] = uint64(tier)<<bucketBits | bucket
		if c.ident > 1 {
			w[1] = key
		}
		c.agg.Read(r, w[c.ident:], int64(bucket)*hop, hop, newest)
		if r.Bad() || bucket > last {
			r.Fail()
			c.Cut(slot, had+at/c.stride) // what was not read refers to nothing
			return
		}
		bucket++
	}
	c.span.add(tier, int64(first), int64(bucket-1))
}

// mergeShort reads the group at the beginning of b, if it is one of a plain aggregate with few cells of one tier, as most are,
// and adds it to slot. It returns its length, 0 if it is another or damaged: then nothing was added.
func (c *Cells) mergeShort(b []byte, slot int32, key uint64) (size int) {
	if !c.isPlain || len(b) < 2 || b[0]|b[1] >= 0x80 {
		return 0
	}
	tier, n := bits.TrailingZeros8(b[0]), int(b[1])
	if b[0] == 0 || b[0]&(b[0]-1) != 0 || tier >= len(c.tiers) || c.tiers[tier].Hop == 0 || n == 0 || n > c.Room(slot) {
		return 0
	}
	entries := c.Extend(slot, n)
	if size = c.readRun(b[2:], entries, tier, key, c.last[tier]); size == 0 {
		c.Cut(slot, c.Len(slot)-n)
		return 0
	}
	c.addRun(tier, entries)
	return 2 + size
}

// addRun notes the first and the last bucket of entries that were read.
func (c *Cells) addRun(tier int, entries []uint64) {
	head := uint64(tier) << bucketBits
	c.span.add(tier, int64(entries[0]-head), int64(entries[len(entries)-c.stride]-head))
}

// ExpectMerge makes room for n more entries of slot at once, if these are not so many that they had better be settled.
func (c *Cells) ExpectMerge(slot int32, n int) {
	if c.Len(slot)+n < mergeSettleEntries {
		c.Reserve(slot, n)
	}
}

// mergeSettleEntries is the length from which on a run that is merged into is settled when its room is used up, as a
// folded one always is: so many parts of one state are no row any more, and what they have in common should be combined.
const mergeSettleEntries = 1 << 14

// mergeRoom makes room for n entries that are merged.
func (c *Cells) mergeRoom(slot int32, n int, newest int64) {
	if have := c.Len(slot); have < mergeSettleEntries && c.Room(slot) < n {
		c.Reserve(slot, max(n, have))
		return
	}
	c.reserve(slot, n, newest)
}

// EndMerge tells whether there was a newest event time, not after newest, at which the cells read belong to the tiers
// that they were read from. (Not the merged newest: a state is re-tiered only when it is written again.)
func (c *Cells) EndMerge(newest int64) bool { return c.span.fit(c.tiers, newest) }

// spans holds the first and the last bucket read of each tier. What holds for these holds for those between.
type spans struct {
	seen        uint32 // bitmap of tiers; what is not seen has no first and last
	first, last [window.MaxTiers]int64
}

// add notes the first and the last bucket of a group.
func (s *spans) add(tier int, first, last int64) {
	if s.seen&(1<<tier) == 0 {
		s.seen |= 1 << tier
		s.first[tier], s.last[tier] = first, last
		return
	}
	s.first[tier], s.last[tier] = min(s.first[tier], first), max(s.last[tier], last)
}

// fit looks for a time in [low, high]: from the latest start on, after every finer tier has lost the last bucket of each
// tier, before a tier loses its own first one.
func (s *spans) fit(tiers window.Tiers, newest int64) bool {
	low, high := int64(0), newest
	for i, t := range tiers {
		if s.seen&(1<<i) == 0 {
			continue
		}
		start := tiers.Start(i, s.last[i])
		low = max(low, start)
		for _, finer := range tiers[:i] {
			low = max(low, lostAt(finer, start/finer.Hop))
		}
		if t.Hop != 0 {
			high = min(high, lostAt(t, s.first[i])-1)
		}
	}
	return low <= high
}

// lostAt returns the first newest event time at which the tier does not reach the bucket any more.
func lostAt(t window.Tier, bucket int64) int64 {
	if t.Reach > (math.MaxInt64/t.Hop)-bucket {
		return math.MaxInt64
	}
	return (bucket + t.Reach) * t.Hop
}
