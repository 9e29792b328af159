package cells

import (
	"cmp"
	"math"

	"github.com/tidemark-io/tidemark/shared/operator/internal/arena"
	"github.com/tidemark-io/tidemark/shared/operator/internal/tailsort"
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
	stretch         stretch      // the one that NextKeyed returned last
	places          arena.Places // of the cells of its slot that have its code, by key, once it is long
	placed          uint64       // that code

	refs []ref    // scratch of settle
	tail []ref    // scratch of collect
	out  []uint64 // scratch of settle: valid until the next call

	reader wire.Reader // of the state being merged
	span   spans       // scratch of the merge
}

// ref is an entry to be settled: its identity and where it lies among the slot's words.
type ref struct {
	key, code uint64
	at        int
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

// Stride returns the number of words of an entry.
func (c *Cells) Stride() int { return c.stride }

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
	all := c.All(slot)
	for at := len(all) - c.stride; at >= max(0, len(all)-lookBack*c.stride); at -= c.stride {
		if all[at] == code && (c.ident == 1 || all[at+1] == key) {
			return all[at+c.ident : at+c.stride], false
		}
	}
	c.reserve(slot, 1, newest)
	return c.push(slot, code, key), true
}

func (c *Cells) push(slot int32, code, key uint64) []uint64 {
	w := c.Push(slot)
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
	if had := c.Len(slot); had > lookBack {
		out := c.settle(slot, newest, true)
		copy(c.All(slot), out)
		c.Cut(slot, len(out)/c.stride)
		c.places.Forget()
	}
	if have := c.Len(slot); c.Room(slot) < max(n, have) {
		c.Reserve(slot, max(n, have))
	}
}

// Settled returns the cells of slot at newest: one entry each, without empty ones, in order of key number and code. The
// slot is left as it is. Valid until the next call of any method.
func (c *Cells) Settled(slot int32, newest int64) []uint64 {
	if all := c.All(slot); c.isSettled(all, newest) {
		return all
	}
	return c.settle(slot, newest, false)
}

// isSettled tells whether settling would change nothing, as it is with most runs: those of few rows, in order of time.
func (c *Cells) isSettled(all []uint64, newest int64) bool {
	var before ref
	for at := 0; at < len(all); at += c.stride {
		r := ref{code: all[at]}
		if c.ident > 1 {
			r.key = all[at+1]
		}
		if at > 0 && compareRefs(before, r) >= 0 || c.agg.Empty(all[at+c.ident:at+c.stride]) {
			return false
		}
		if code, ok := c.again(r.code, newest); !ok || code != r.code {
			return false
		}
		before = r
	}
	return true
}

// settle does the work of Settled. With free it releases what the entries that go had outside of their words: then the
// caller must put the result in their place.
func (c *Cells) settle(slot int32, newest int64, free bool) []uint64 {
	all := c.All(slot)
	c.collect(all, newest, free)
	out := c.out[:0]
	for i, r := range c.refs {
		last := len(out) - c.stride
		if i > 0 && last >= 0 && out[last] == r.code && (c.ident == 1 || out[last+1] == r.key) {
			// The entry is combined behind the result, which also spares the run the loser's words.
			out = append(out, all[r.at:r.at+c.stride]...)
			dst, src := out[last+c.ident:last+c.stride], out[last+c.stride+c.ident:]
			c.agg.Combine(dst, src)
			if free {
				c.agg.Free(src)
			}
			out = out[:last+c.stride]
			continue
		}
		out = append(c.dropEmpty(out, free), all[r.at:r.at+c.stride]...)
		out[len(out)-c.stride] = r.code
	}
	c.out = c.dropEmpty(out, free)
	return c.out
}

// collect fills refs with the entries that newest leaves in reach, where they then belong, in order.
func (c *Cells) collect(all []uint64, newest int64, free bool) {
	c.refs = c.refs[:0]
	sorted := 0 // how many refs are in order, from the first on: those that were settled before, if not all
	for at := 0; at < len(all); at += c.stride {
		code, ok := c.again(all[at], newest)
		if !ok {
			if free {
				c.agg.Free(all[at+c.ident : at+c.stride])
			}
			continue
		}
		r := ref{code: code, at: at}
		if c.ident > 1 {
			r.key = all[at+1]
		}
		if n := len(c.refs); sorted == n && (n == 0 || compareRefs(c.refs[n-1], r) <= 0) {
			sorted++
		}
		c.refs = append(c.refs, r)
	}
	if sorted < len(c.refs) {
		c.tail = tailsort.Sort(c.refs, sorted, c.tail, compareRefs)
	}
}

func compareRefs(a, b ref) int {
	if a.key != b.key {
		return cmp.Compare(a.key, b.key)
	}
	return cmp.Compare(a.code, b.code)
}

// dropEmpty takes the last entry off out if it is empty: no later one has its identity.
func (c *Cells) dropEmpty(out []uint64, free bool) []uint64 {
	last := len(out) - c.stride
	if last < 0 || !c.agg.Empty(out[last+c.ident:]) {
		return out
	}
	if free {
		c.agg.Free(out[last+c.ident:])
	}
	return out[:last]
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
func (c *Cells) Bytes() int64 { return c.Runs.Bytes() + c.places.Bytes() }

// Reset forgets all slots and keeps the memory.
func (c *Cells) Reset() {
	c.Runs.Reset()
	c.places.Reset()
	if c.tiers[0].Hop != 0 {
		c.low, c.high = 0, 0
	}
}
