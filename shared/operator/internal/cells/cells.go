package cells

import (
	"math"

	"github.com/tidemark-io/tidemark/shared/operator/internal/arena"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// A code is tier << bucketBits | bucket: codes of one state stand in the order of tiers, then of time.
const bucketBits = 48

// lookBack is how many of the latest entries a row is compared with before it appends one of its own.
const lookBack = 8

// Aggregate is what one cell holds, in a fixed number of words. Combine must be associative and commutative, with words
// for which Empty holds as its zero.
type Aggregate interface {
	// Combine adds src to dst. What dst then does not refer to any more it leaves in src.
	Combine(dst, src []uint64)
	// Empty tells whether w is the same as no cell.
	Empty(w []uint64) bool
	// Free releases what w refers to outside of its words.
	Free(w []uint64)
	// Append appends the canonical form of w, the aggregate of a bucket that starts at start.
	Append(dst []byte, w []uint64, start int64) []byte
	// Read reads it into w, all of whose words it sets. hop is the bucket's length, 0 for that of all time; newest the
	// entity's newest event time. It fails the reader on bytes that Append does not write, and on what is Empty; then w
	// refers to nothing.
	Read(r *wire.Reader, w []uint64, start, hop, newest int64)
}

// Cells is the sets of cells of many slots.
type Cells struct {
	arena.Runs
	tiers window.Tiers
	agg   Aggregate
	plain plain
	// isPlain says that the aggregate is of that kind.
	isPlain bool
	ident   int // words of identity: 1, or 2 with keys
	stride  int
	last    []uint64 // by tier: the number of its last bucket

	// The bucket of the finest hop that the last row fell into: [low, high), and its code in the first tier. near is the age,
	// in ms, up to which every event is in that tier.
	low, high, near int64
	code            uint64
	feed            feed
	table           table // of the cells of the slot that many rows are added to

	order order    // scratch of settle
	out   []uint64 // scratch of settle: valid until the next call

	reader wire.Reader // of the state being merged
	span   spans       // scratch of the merge
}

// New returns cells of aggregates of words words for no slots yet.
func New(tiers window.Tiers, agg Aggregate, words int, keyed bool) *Cells {
	c := &Cells{tiers: tiers, agg: agg, ident: 1}
	c.plain, c.isPlain = plainOf(agg)
	if keyed {
		c.ident = 2
	}
	c.stride = c.ident + words
	c.Runs = arena.NewRuns(c.stride)
	for _, t := range tiers {
		c.last = append(c.last, lastBucket(t))
	}
	if first := tiers[0]; first.Hop == 0 {
		c.high, c.near = math.MaxInt64, math.MaxInt64
	} else if first.Reach <= math.MaxInt64/first.Hop {
		c.near = (first.Reach - 1) * first.Hop
	} else {
		c.near = math.MaxInt64
	}
	return c
}

// lastBucket returns the number of a tier's last bucket.
func lastBucket(t window.Tier) uint64 {
	if t.Hop == 0 {
		return 0
	}
	return uint64(schema.MaxTime / t.Hop)
}

// Code returns where a row at t belongs if the entity's newest event time is newest ≥ t; false if no reader reaches it.
func (c *Cells) Code(t, newest int64) (code uint64, ok bool) {
	if c.low <= t && t < c.high && newest-t <= c.near {
		return c.code, true
	}
	return c.place(t, newest)
}

func (c *Cells) place(t, newest int64) (code uint64, ok bool) {
	if t < c.low || t >= c.high {
		hop := c.tiers[0].Hop // not 0: the bucket of all time holds t
		bucket := t / hop
		c.low, c.high, c.code = bucket*hop, bucket*hop+hop, uint64(bucket)
	}
	if newest-t <= c.near {
		return c.code, true
	}
	i := c.tiers.Of(t, newest)
	if i < 0 {
		return 0, false
	}
	return uint64(i)<<bucketBits | uint64(c.tiers.Bucket(i, t)), true
}

// start returns when the bucket of a code starts, ms.
func (c *Cells) start(code uint64) int64 {
	return c.tiers.Start(int(code>>bucketBits), int64(code&(1<<bucketBits-1)))
}

// search returns the aggregate of a code and key in slot, one of the latest or a new one of zeros, for the caller to add rows
// to; fresh says that it is new. It is valid until the next call. newest is that of the entity: what it puts out of reach
// may be dropped.
func (c *Cells) search(slot int32, code, key uint64, newest int64) (w []uint64, fresh bool) {
	if w := c.First(slot); w != nil {
		return c.name(w, code, key), true
	}
	all := c.All(slot)
	for at := len(all) - c.stride; at >= max(0, len(all)-lookBack*c.stride); at -= c.stride {
		if all[at] == code && (c.ident == 1 || all[at+1] == key) {
			return all[at+c.ident : at+c.stride], false
		}
	}
	c.reserve(slot, 1, newest)
	return c.push(slot, code, key), true
}

func (c *Cells) push(slot int32, code, key uint64) []uint64 { return c.name(c.Push(slot), code, key) }

// name makes an entry that of a code and key, and returns its aggregate.
func (c *Cells) name(w []uint64, code, key uint64) []uint64 {
	w[0] = code
	if c.ident > 1 {
		w[1] = key
	}
	return w[c.ident:]
}

// reserve makes room for n entries. A full run is settled first; if that does not leave it half empty it moves to more
// room, so that settling is paid by the rows that filled the other half. A short run is not: no entry in it is there twice,
// because each was compared with all before it.
func (c *Cells) reserve(slot int32, n int, newest int64) {
	if c.Room(slot) >= n {
		return
	}
	if all := c.All(slot); len(all) > lookBack*c.stride && !c.isSettled(all, newest) {
		out := c.settle(slot, newest, true)
		copy(all, out)
		c.Cut(slot, len(out)/c.stride)
	}
	if have := c.Len(slot); c.Room(slot) < max(n, have) {
		c.Reserve(slot, max(n, have))
	}
}

// again returns where a cell belongs at newest.
func (c *Cells) again(code uint64, newest int64) (uint64, bool) {
	if c.tiers[0].Hop == 0 {
		return code, true
	}
	start := c.start(code)
	if code>>bucketBits == 0 && newest-start <= c.near {
		return code, true
	}
	i := c.tiers.Of(start, newest)
	if i < 0 {
		return 0, false
	}
	return uint64(i)<<bucketBits | uint64(c.tiers.Bucket(i, start)), true
}

// Bytes returns the memory in use, roughly.
func (c *Cells) Bytes() int64 { return c.Runs.Bytes() + c.table.bytes() }

// Reset forgets all slots and keeps the memory.
func (c *Cells) Reset() {
	c.Runs.Reset()
	c.table.reset()
	if c.tiers[0].Hop != 0 {
		c.low, c.high = 0, 0
	}
}
