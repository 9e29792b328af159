package fold

import (
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

// Generation folds one partition for one generation of a view. Not safe for concurrent use.
//
// It holds the tiles of the blocks from start's on, folded up to pos: for every lane, a tile whose last offset is at or
// past the lane's mark is in memory whole, or else Rewind says from where the log must be read again.
type Generation struct {
	cfg   Config
	rank  int // of the source in the view
	lanes []flush.Lane

	begun  bool
	start  int64 // first offset folded: a block's first, or First
	pos    int64 // everything in [start, pos) is folded
	append int64 // append time reached, ms
	blocks []*block
	spare  []*view.Fold

	tiles tileBuffer
}

// block is an open block: its tiles, and which of them each lane has not been sent yet.
type block struct {
	first int64
	fold  *view.Fold
	dirty [][]int32 // by lane: slots changed since they were last put into a call
	clean []bool    // by slot: not in dirty
}

// NewGeneration returns a Generation that has folded nothing and knows no marks.
func NewGeneration(cfg Config) *Generation {
	rank := cfg.Plan.SourceRank(cfg.Partition.Source)
	invariant.Check(rank >= 0 && lane.ValidLanes(cfg.Lanes) && position.ValidBlock(cfg.Block), "folding %s with %d lanes in blocks of %d", cfg.Partition, cfg.Lanes, cfg.Block)
	g := &Generation{cfg: cfg, rank: rank, lanes: make([]flush.Lane, cfg.Lanes)}
	for i := range g.lanes {
		g.lanes[i] = flush.Lane{ID: lane.ID{Namespace: cfg.Namespace, N: i}, Partition: cfg.Partition, First: cfg.First}
	}
	return g
}

// Lanes returns the lanes, to be observed and read by the caller.
func (g *Generation) Lanes() []flush.Lane { return g.lanes }

// Position returns the offset that is to be folded next; ok is false before the first Rewind.
func (g *Generation) Position() (pos int64, ok bool) { return g.pos, g.begun }

// Open returns the number of blocks in memory and the bytes that they hold, about.
func (g *Generation) Open() (blocks int, bytes int64) {
	for _, b := range g.blocks {
		bytes += b.fold.Bytes()
	}
	return len(g.blocks), bytes
}

// Rewind decides where the log must be read from so that all lanes that can be written to get what they lack, and
// forgets what is in memory if that is elsewhere. moved is false if reading just goes on. Before any lane is ready there
// is nothing to read for.
//
// It goes back to the first offset of the block of the smallest mark when that block is not in memory, and forward when
// all lanes are further than the block being folded (another owner of the partition was faster).
func (g *Generation) Rewind() (from int64, moved bool) {
	least, any := int64(0), false
	for i := range g.lanes {
		if l := &g.lanes[i]; l.State() == flush.Ready && (!any || l.Next() < least) {
			least, any = l.Next(), true
		}
	}
	if !any {
		return 0, false
	}
	from = max(position.Block(least, g.cfg.Block), g.cfg.First)
	if g.begun && g.start <= from && from <= g.pos {
		return 0, false
	}
	for _, b := range g.blocks {
		g.release(b)
	}
	g.blocks = g.blocks[:0]
	g.begun, g.start, g.pos, g.append = true, from, from, 0
	return from, true
}

// Add folds the rows of b from the position on; b holds all records of the partition in [its first offset, next), and
// must not begin past the position. Rows below the position are skipped: they are folded already.
func (g *Generation) Add(b *column.Batch, next int64) {
	if !g.begun || next <= g.pos {
		return
	}
	row := sort.Search(b.N, func(i int) bool { return b.Offset[i] >= g.pos })
	for row < b.N {
		first := position.Block(b.Offset[row], g.cfg.Block)
		end := row + sort.Search(b.N-row, func(i int) bool { return b.Offset[row+i] >= first+g.cfg.Block })
		g.block(first).add(b, row, end, g.cfg.Lanes)
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
	var f *view.Fold
	if n := len(g.spare); n > 0 {
		f, g.spare = g.spare[n-1], g.spare[:n-1]
	} else {
		f = g.cfg.Plan.NewFold()
	}
	b := &block{first: first, fold: f, dirty: make([][]int32, g.cfg.Lanes)}
	g.blocks = append(g.blocks, b)
	return b
}

func (g *Generation) release(b *block) {
	b.fold.Reset()
	g.spare = append(g.spare, b.fold)
}

func (b *block) add(batch *column.Batch, from, to, lanes int) {
	b.fold.Add(batch, from, to)
	for len(b.clean) < b.fold.Len() {
		b.clean = append(b.clean, true)
	}
	for _, slot := range b.fold.Touched() {
		if b.clean[slot] {
			b.clean[slot] = false
			l := lane.Of(b.fold.Hash(int(slot)), lanes)
			b.dirty[l] = append(b.dirty[l], slot)
		}
	}
}

// Trim drops the blocks that every lane that can be written to has passed. Lanes that wait for batch hold nothing: when
// they are begun, Rewind reads again what they lack.
func (g *Generation) Trim() {
	keep := 0
	for keep < len(g.blocks) && g.passed(g.blocks[keep].first+g.cfg.Block) {
		g.release(g.blocks[keep])
		g.start = g.blocks[keep].first + g.cfg.Block
		keep++
	}
	g.blocks = append(g.blocks[:0], g.blocks[keep:]...)
}

// passed tells whether the fold and every ready lane are at or past end.
func (g *Generation) passed(end int64) bool {
	if g.pos < end {
		return false
	}
	for i := range g.lanes {
		if l := &g.lanes[i]; l.State() == flush.Ready && l.Next() < end {
			return false
		}
	}
	return true
}

// Changed returns the largest number of changed tiles of any one lane that can be written to.
func (g *Generation) Changed() int {
	most := 0
	for i := range g.lanes {
		if g.lanes[i].State() == flush.Ready {
			most = max(most, g.changed(i))
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

// Flush returns a call for every ready lane that has changed tiles, and with all also for those whose mark is merely
// behind the position. append is the append time reached. The calls' rows alias memory that the next Flush uses again:
// no Flush before all outcomes were given to Done.
func (g *Generation) Flush(all bool) []lane.Call {
	var calls []lane.Call
	g.tiles.reset()
	for i := range g.lanes {
		l := &g.lanes[i]
		if l.State() != flush.Ready || l.InFlight() || l.Next() >= g.pos {
			continue
		}
		if l.Next() < g.start {
			continue // it lacks tiles that are not in memory: Rewind first, or the mark would pass what is not written
		}
		if !all && g.changed(i) == 0 {
			continue
		}
		calls = append(calls, l.Call(g.pos, g.append, g.take(i, l.Next())))
	}
	return calls
}

// take encodes lane l's changed tiles that the mark does not cover. What it does cover (another worker wrote it) is no
// longer changed.
func (g *Generation) take(l int, next int64) []lane.RowChange {
	g.tiles.begin()
	for _, b := range g.blocks {
		if b.first+g.cfg.Block > next {
			h := tile.Header{Kind: tile.KindBlock, Source: g.rank, Partition: g.cfg.Partition.ID, Block: b.first}
			for _, slot := range b.dirty[l] {
				if b.fold.Last(int(slot), g.rank, g.cfg.Partition.ID) >= next {
					g.tiles.add(h, b.fold, int(slot))
				}
			}
		}
		for _, slot := range b.dirty[l] {
			b.clean[slot] = true
		}
		b.dirty[l] = b.dirty[l][:0]
	}
	return g.tiles.rows()
}

// Done takes the outcomes of the calls that Flush returned, in the same order, counts each refusal in counts, and
// returns the errors that the store failed with. After an unknown outcome the lane must be observed before it is
// flushed again.
func (g *Generation) Done(calls []lane.Call, outcomes []lane.Outcome, counts *[flush.Refusals]int64) (errs []error) {
	for i := range calls {
		l := &g.lanes[calls[i].Lane.N]
		refusal, err := l.Outcome(outcomes[i])
		counts[refusal]++
		if err != nil {
			errs = append(errs, err)
		}
		if refusal != flush.None {
			g.Restore(calls[i].Lane.N)
		}
	}
	return errs
}

// Restore marks as changed every tile of lane l in memory that its mark does not cover: what was sent may not be there.
// Called whenever the lane's mark was learned from the store rather than moved by ourselves.
func (g *Generation) Restore(l int) {
	next := int64(0)
	if g.lanes[l].State() == flush.Ready {
		next = g.lanes[l].Next()
	}
	for _, b := range g.blocks {
		b.dirty[l] = b.dirty[l][:0]
		for slot := range b.fold.Len() {
			if lane.Of(b.fold.Hash(slot), g.cfg.Lanes) != l {
				continue
			}
			changed := b.fold.Last(slot, g.rank, g.cfg.Partition.ID) >= next
			b.clean[slot] = !changed
			if changed {
				b.dirty[l] = append(b.dirty[l], int32(slot))
			}
		}
	}
}
