package fold

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/speed/flush"
)

// Config says what a Generation folds. All fields are required; First may be 0.
type Config struct {
	Namespace string // of the generation in the store
	Plan      *view.Plan
	Lanes     int // power of two, ≤ lane.MaxLanes
	Partition position.Partition
	Block     int64 // offsets in a block, power of two
	First     int64 // first offset of the partition that the generation knows (its origin)
}

// maxSpare bounds the blocks that are kept to be used again: one that was just passed, and one of a jump.
const maxSpare = 2

// touchTiles is how many tiles' states are touched before they are encoded, few enough to stay in the nearer caches.
const touchTiles = 64

// Generation folds one partition for one generation of a view. Not safe for concurrent use.
//
// It holds the tiles of the blocks from start's on, folded up to pos: for every lane that can be written to, a tile whose
// last offset is at or past the lane's mark is in memory whole, or else Rewind says from where the log must be read again.
// A tile that a lane has not been sent is on the list of the lane's changed ones.
type Generation struct {
	cfg   Config
	rank  int // of the source in the view
	lanes []flush.Lane

	begun  bool
	start  int64 // first offset folded: a block's first, or First
	pos    int64 // everything in [start, pos) is folded
	append int64 // append time reached, ms
	blocks []*block
	spare  []*block
	errors int64 // see Errors
	long   int64 // see LongKeys

	// By lane: at most the offset of the first event that a changed tile has and the lane has not, of the tiles listed as
	// changed and of those in the call under way.
	since   []int64
	sending []int64

	// By lane: its incarnation when what is in memory began to be folded, or when it was first begun since; "" = not yet.
	filled []lane.Incarnation

	tiles tileBuffer
	mask  []bool  // by lane, of restore
	slots []int32 // scratch of past
}

// NewGeneration returns a Generation that has folded nothing and knows no marks.
func NewGeneration(cfg Config) *Generation {
	rank := cfg.Plan.SourceRank(cfg.Partition.Source)
	invariant.Check(rank >= 0 && lane.ValidLanes(cfg.Lanes) && position.ValidBlock(cfg.Block),
		"folding %s with %d lanes in blocks of %d", cfg.Partition, cfg.Lanes, cfg.Block)
	g := &Generation{cfg: cfg, rank: rank, lanes: make([]flush.Lane, cfg.Lanes), mask: make([]bool, cfg.Lanes), filled: make([]lane.Incarnation, cfg.Lanes)}
	g.since, g.sending = make([]int64, cfg.Lanes), make([]int64, cfg.Lanes)
	for i := range g.lanes {
		g.lanes[i] = flush.Lane{ID: lane.ID{Namespace: cfg.Namespace, N: i}, Partition: cfg.Partition, First: cfg.First}
	}
	return g
}

// Lanes returns the lanes, for reading.
func (g *Generation) Lanes() []flush.Lane { return g.lanes }

// Position returns the offset that is to be folded next; ok is false before the first Rewind.
func (g *Generation) Position() (pos int64, ok bool) { return g.pos, g.begun }

// AppendState appends, for comparison and for people, all that decides what the Generation does next: of the same log,
// equal texts are equal Generations.
func (g *Generation) AppendState(dst []byte) []byte {
	dst = fmt.Appendf(dst, "%t [%d,%d)", g.begun, g.start, g.pos)
	for l := range g.lanes {
		dst = append(append(g.lanes[l].AppendState(append(dst, ' ')), '/'), g.filled[l]...)
	}
	for _, b := range g.blocks {
		dst = fmt.Appendf(dst, " %s:%d", b.name, b.fold.Len())
		for slot, listed := range b.listed {
			if listed {
				dst = append(append(dst, ' '), b.fold.Key(slot)...)
			}
		}
	}
	return dst
}

// Open returns the number of blocks in memory and the bytes that they hold, about.
func (g *Generation) Open() (blocks int, bytes int64) {
	for _, b := range g.blocks {
		bytes += b.bytes()
	}
	return len(g.blocks), bytes
}

// Errors returns how many values were null so far because their expression overflowed or divided by zero; what was folded
// again counts again.
func (g *Generation) Errors() int64 { return g.errors }

// LongKeys returns how many values were too long for a key so far and counted as null in one, as Fold.LongKeys does.
func (g *Generation) LongKeys() int64 { return g.long }

// Active tells whether there is anything to fold for: a lane that can be written to, or one that could until its last
// call went astray. Without one, all lanes wait for batch, which will say from where they lack the log.
func (g *Generation) Active() bool {
	for i := range g.lanes {
		if _, ok := g.lanes[i].Holds(); ok {
			return true
		}
	}
	return false
}

// Rewind decides where the log must be read from so that all lanes get what they lack, and forgets what is in memory if
// that is elsewhere. moved is false if reading just goes on, or if there is nothing to read for.
//
// It goes back to the first offset of the block of the smallest mark when that block is not in memory, and forward when
// all lanes are further than the block being folded (another owner of the partition, or batch, was faster). A lane that was
// emptied is filled from the log, as at start-up, and not from memory: whoever empties a lane does not trust what it got.
func (g *Generation) Rewind() (from int64, moved bool) {
	least, ok := g.least()
	if !ok {
		return 0, false
	}
	from = max(position.Block(least, g.cfg.Block), g.cfg.First)
	if g.begun && g.start <= from && from <= g.pos && g.allCurrent() {
		return 0, false
	}
	g.release(len(g.blocks))
	g.begun, g.start, g.pos, g.append = true, from, from, 0
	clear(g.filled)
	g.allCurrent()
	return from, true
}

// current tells whether what is in memory was folded since lane l, which holds something, was emptied the last time, as far
// as this worker saw.
func (g *Generation) current(l int) bool {
	return g.filled[l] == "" || g.filled[l] == g.lanes[l].Incarnation()
}

// allCurrent tells whether what is in memory may be written to every lane that holds something. A lane that is begun for
// the first time since the folding began counts as begun then.
func (g *Generation) allCurrent() bool {
	for l := range g.lanes {
		if _, holds := g.lanes[l].Holds(); !holds {
			continue
		}
		if !g.current(l) {
			return false
		}
		g.filled[l] = g.lanes[l].Incarnation()
	}
	return true
}

// least returns the smallest mark of the lanes that hold one.
func (g *Generation) least() (least int64, ok bool) {
	for i := range g.lanes {
		if next, holds := g.lanes[i].Holds(); holds && (!ok || next < least) {
			least, ok = next, true
		}
	}
	return least, ok
}

// Add folds the rows of b from the position on; b holds all records of the partition in [from, next), and from is not
// past the position. Rows below the position are skipped: they are folded already.
func (g *Generation) Add(b *column.Batch, from, next int64) {
	if !g.begun || next <= g.pos {
		return
	}
	if from > g.pos {
		invariant.Fail("folding %s from %d on, at position %d: what lies between would be lost", g.cfg.Partition, from, g.pos)
	}
	row := sort.Search(b.N, func(i int) bool { return b.Offset[i] >= g.pos })
	for l := range g.since {
		if g.changed(l) == 0 {
			g.since[l] = g.pos
		}
	}
	for row < b.N {
		first := position.Block(b.Offset[row], g.cfg.Block)
		end := row + sort.Search(b.N-row, func(i int) bool { return b.Offset[row+i] >= first+g.cfg.Block })
		errs, long := g.block(first).add(b, row, end, g.cfg.Lanes)
		g.errors, g.long = g.errors+errs, g.long+long
		row = end
	}
	if b.N > 0 {
		g.append = max(g.append, b.Append[b.N-1])
	}
	g.pos = next
}

// block returns the open block with this first offset, opening it if it is the newest.
func (g *Generation) block(first int64) *block {
	if n := len(g.blocks); n > 0 && g.blocks[n-1].first == first {
		return g.blocks[n-1]
	}
	var b *block
	if n := len(g.spare); n > 0 {
		b, g.spare = g.spare[n-1], g.spare[:n-1]
	} else {
		b = &block{fold: g.cfg.Plan.NewFold(), dirty: make([][]int32, g.cfg.Lanes)}
	}
	b.open(tile.Header{Kind: tile.KindBlock, Source: g.rank, Partition: g.cfg.Partition.ID, Block: first})
	g.blocks = append(g.blocks, b)
	return b
}

// release forgets the first n open blocks.
func (g *Generation) release(n int) {
	for _, b := range g.blocks[:n] {
		if len(g.spare) < maxSpare {
			b.reset()
			g.spare = append(g.spare, b)
		}
	}
	g.blocks = slices.Delete(g.blocks, 0, n)
}

// Trim drops the blocks that every lane has passed. Lanes that wait for batch hold nothing: when they are begun, Rewind
// reads again what they lack.
func (g *Generation) Trim() {
	n := 0
	for n < len(g.blocks) && g.passed(g.blocks[n].first+g.cfg.Block) {
		g.start = g.blocks[n].first + g.cfg.Block
		n++
	}
	g.release(n)
}

// passed tells whether the fold and every lane are at or past end.
func (g *Generation) passed(end int64) bool {
	least, ok := g.least()
	return g.pos >= end && (!ok || least >= end)
}

// movable tells whether lane l can be written to and its mark moved to the position. A lane that lacks tiles which are
// not in memory cannot until Rewind: its mark would pass what is not written. Nor can one that was emptied since.
func (g *Generation) movable(l int) bool {
	la := &g.lanes[l]
	return la.State() == flush.Ready && !la.InFlight() && g.begun && g.start <= la.Next() && la.Next() < g.pos && g.current(l)
}

// Written tells whether every lane that holds anything holds all that is folded.
func (g *Generation) Written() bool {
	least, ok := g.least()
	return !ok || least >= g.pos
}

// Behind tells whether a mark can be moved: Flush(true) would return a call.
func (g *Generation) Behind() bool {
	for l := range g.lanes {
		if g.movable(l) {
			return true
		}
	}
	return false
}

// Changed returns the largest number of changed tiles of any one lane that can be moved; 0 means that Flush(false) would
// return nothing.
func (g *Generation) Changed() int {
	most := 0
	for l := range g.lanes {
		if n := g.changed(l); n > most && g.movable(l) {
			most = n
		}
	}
	return most
}

func (g *Generation) changed(l int) int {
	n := 0
	for _, b := range g.blocks {
		n += len(b.dirty[l])
	}
	return n
}

// Readable returns up to where, at most the position, what was folded is in the store, whatever its entity. Lanes that
// will never take it in (dropped or damaged ones) do not count; those that wait for batch hold it back.
func (g *Generation) Readable() int64 {
	to := g.pos
	for l := range g.lanes {
		switch la := &g.lanes[l]; la.State() {
		case flush.Ready:
			if g.begun && (la.Next() < g.start || !g.current(l)) {
				to = min(to, la.Next()) // it lost what is not in memory: Rewind goes back for it
			}
			if g.changed(l) > 0 {
				to = min(to, g.since[l])
			}
			if la.InFlight() {
				to = min(to, g.sending[l])
			}
		case flush.Waiting:
			return 0
		case flush.Unread:
			next, _ := la.Holds()
			to = min(to, next)
		case flush.Dropped, flush.Damaged:
		}
	}
	return to
}

// Flush returns a call for every lane that can be moved and has changed tiles, and with all also for the others that can
// be moved. The calls' rows alias memory that the next Flush uses again: no Flush before all outcomes were given to Done.
func (g *Generation) Flush(all bool) []lane.Call {
	var calls []lane.Call
	g.tiles.reset()
	for i := range g.lanes {
		if g.movable(i) && (all || g.changed(i) > 0) {
			l := &g.lanes[i]
			if g.sending[i] = g.pos; g.changed(i) > 0 {
				g.sending[i] = g.since[i]
			}
			calls = append(calls, l.Call(g.pos, g.append, g.take(i, l.Next())))
		}
	}
	return calls
}

// take encodes lane l's changed tiles that the mark does not cover. What it does cover (another worker wrote it) is no
// longer changed.
func (g *Generation) take(l int, next int64) []lane.RowChange {
	g.tiles.begin()
	for _, b := range g.blocks {
		if b.first+g.cfg.Block > next {
			for slots := range slices.Chunk(g.past(b, l, next), touchTiles) {
				b.fold.Touch(slots)
				for _, slot := range slots {
					g.tiles.add(b, int(slot))
				}
			}
		}
		b.sent(l)
	}
	return g.tiles.rows()
}

// past returns the slots of lane l's changed tiles whose last offset is not below next. Valid until the next call.
func (g *Generation) past(b *block, l int, next int64) []int32 {
	g.slots = g.slots[:0]
	for _, slot := range b.dirty[l] {
		if b.fold.Last(int(slot), g.rank, g.cfg.Partition.ID) >= next {
			g.slots = append(g.slots, slot)
		}
	}
	return g.slots
}

// Done takes the outcomes of the calls that Flush returned, in the same order, counts each refusal in counts, and
// returns, by call, the errors that the store failed with. After an unknown outcome the lane must be observed before it
// is flushed again.
func (g *Generation) Done(calls []lane.Call, outcomes []lane.Outcome, counts *[flush.Refusals]int64) []error {
	invariant.Check(len(outcomes) == len(calls), "%d outcomes of %d calls", len(outcomes), len(calls))
	errs := make([]error, len(calls))
	clear(g.mask)
	for i := range calls {
		n := calls[i].Lane.N
		var refusal flush.Refusal
		refusal, errs[i] = g.lanes[n].Outcome(outcomes[i])
		counts[refusal]++
		g.mask[n] = refusal != flush.None
	}
	g.restore()
	return errs
}

// Observe takes over the marks of all lanes, read while no call was under way. The errors, of class lane.ErrMark, are of
// lanes that were not damaged before; the others are fine all the same.
func (g *Generation) Observe(marks []lane.Marks) error {
	invariant.Check(len(marks) == len(g.lanes), "marks of %d lanes of %d", len(marks), len(g.lanes))
	var errs []error
	clear(g.mask)
	for i := range g.lanes {
		l := &g.lanes[i]
		before, next := l.State(), l.Next()
		if err := l.Observe(marks[i]); err != nil && before != flush.Damaged {
			errs = append(errs, err)
		}
		// A lane whose mark is where we left it keeps its list of changed tiles, which is all that lies past the mark.
		g.mask[i] = before != flush.Ready || l.State() != flush.Ready || l.Next() != next
	}
	g.restore()
	return errors.Join(errs...)
}

// restore lists as changed, for each lane in the mask, every tile in memory that its mark does not cover: what was sent
// may not be there. It does so whenever a mark was learned from the store rather than moved by ourselves.
func (g *Generation) restore() {
	if !slices.Contains(g.mask, true) {
		return
	}
	for l, masked := range g.mask {
		if masked {
			g.since[l] = g.lanes[l].Next()
		}
	}
	for _, b := range g.blocks {
		for l, masked := range g.mask {
			if masked {
				b.sent(l)
			}
		}
		for slot := range b.fold.Len() {
			l := lane.Of(b.fold.Hash(slot), g.cfg.Lanes)
			next, holds := g.lanes[l].Holds()
			if g.mask[l] && holds && b.fold.Last(slot, g.rank, g.cfg.Partition.ID) >= next {
				b.change(l, int32(slot))
			}
		}
	}
}
