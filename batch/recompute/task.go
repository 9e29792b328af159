package recompute

import (
	"errors"
	"fmt"
	"sync"

	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
)

// Task is one run of one generation.
type Task struct {
	Plan     *view.Plan
	Identity string
	Run      int64
	Kind     tile.Kind // KindBase for a full run, KindDelta for any other
	Lanes    int
	Blocks   map[string]int64 // block size by source
	// From and To are the cuts between which the run lies. A partition that From does not have is new: it is read from the
	// archive's first offset on.
	From, To position.Cut
	// Bases says which hash ranges get fresh bases (0, To] in the place of deltas: those that are not 0, which are merged
	// from the files of the runs from the one given to Run-1, and the run's own changes.
	Bases Bases
	// Open opens a lane's file of an earlier run. Not needed if Bases has none. It may be called concurrently; the caller
	// closes the file.
	Open func(run int64, lane int) (*runfile.Reader, error)
	// Folder becomes the folder of the run's files; FileName gives the name of a lane's.
	Folder   string
	FileName func(lane int) string
}

// Outcome is what came of a task. Unless Mismatch is set its Draft waits to be committed; the caller discards it in any
// case when it is done.
type Outcome struct {
	Draft *runfile.Draft
	Lanes []runfile.Summary
	// Mismatch is the first sampled row that the oracle computes otherwise; nil if there is none.
	Mismatch *Mismatch
	Rows     int64
	Bytes    int64 // of all files
	Events   int64 // accepted rows with an entity
	Scanned  int64 // rows between the cuts
	Errors   int64 // expressions that erred and were null
	Files    int64 // archive files that hold them
	Sampled  int64 // rows that were computed a second time
	Bases    int64 // rows that are fresh bases in the place of deltas
	Merged   int64 // rows of earlier runs' files that were merged into them
	Tiles    int64 // bytes of these rows' tiles
}

// Mismatch is a row whose bytes in a run file are not what the oracle computes from the same events.
type Mismatch struct {
	Key    string
	Reason string
}

// ErrPanic is the class of errors of a worker that panicked: a bug, in an operator perhaps. Nothing was skipped, and
// nothing of the run is kept.
var ErrPanic = errors.New("worker panicked")

// The number of shards of a view: as few as leave none with more than eventsPerShard events, if evenly spread, so that a
// batch has many rows for each, and none that is a large part of the budget if each event were of another entity: one
// shard is folded whatever it needs, and giving one up should free a small part of the memory. (Fewer events than
// minEventsPerShard are not worth a shard, whatever the budget.)
const (
	minShards         = 16
	eventsPerShard    = 4 << 20
	minEventsPerShard = 16 << 10
	// eventBytes is about what the states of an entity with one event take, shardPart the part of the budget that a shard
	// of such entities may have.
	eventBytes = 256
	shardPart  = 8
)

// shardsFor returns the number of shards for a number of events and a budget in bytes.
func shardsFor(lanes int, events, budget int64) int {
	most := min(eventsPerShard, max(minEventsPerShard, budget/shardPart/eventBytes))
	n := max(minShards, lanes)
	for n < view.MaxShards && events/int64(n) > most {
		n *= 2
	}
	return n
}

// generation is a task under way.
type generation struct {
	*Task
	shards  []*shard
	perLane int
	blocks  blockTable
	done    int         // shards below this are written
	limit   int         // shards from this on are given up in this pass
	sinks   []sink      // by lane
	files   []*laneFile // by lane; none of a full check
	out     *Outcome

	sampler *sampler
	mergers *sync.Pool     // of *view.Merger
	bodies  []*view.Bodies // by worker: what it writes rows with

	mu sync.Mutex // of out.Events
}

func newGeneration(t *Task, origins position.Cut, budget int64) *generation {
	invariant.Check(lane.ValidLanes(t.Lanes), "a task of %d lanes", t.Lanes)
	g := &generation{Task: t, out: &Outcome{}, sampler: newSampler(t.Run), blocks: newBlockTable(t, origins)}
	g.mergers = &sync.Pool{New: func() any { return t.Plan.NewMerger() }}
	events := int64(0)
	for _, r := range g.blocks.partitions {
		events += r.Next - r.From
	}
	n := shardsFor(t.Lanes, events, budget)
	g.perLane = n / t.Lanes
	for range n {
		g.shards = append(g.shards, &shard{})
	}
	return g
}

// blockTable numbers the blocks of a task in order of (source, partition, block).
type blockTable struct {
	partitions []blockRun
	byName     map[position.Partition]int
}

// blockRun is the blocks of one partition.
type blockRun struct {
	position.Range       // of offsets
	source         int   // rank in the view
	block          int64 // size
	base           int32 // number of the first block
	id             int32
}

func newBlockTable(t *Task, origins position.Cut) blockTable {
	bt := blockTable{byName: map[position.Partition]int{}}
	base := int64(0)
	for _, p := range t.To.Partitions() { // in order of (source name, number); ranks follow the names
		rank := t.Plan.SourceRank(p.Source)
		from, known := t.From[p]
		if !known {
			from = origins[p]
		}
		r := position.Range{From: from, Next: t.To[p]}
		if rank < 0 || r.Empty() {
			continue
		}
		size := t.Blocks[p.Source]
		bt.byName[p] = len(bt.partitions)
		bt.partitions = append(bt.partitions, blockRun{Range: r, source: rank, block: size, base: int32(base), id: p.ID})
		base += (r.Next-1)/size - r.From/size + 1
	}
	invariant.Check(base <= maxBlocks, "a run of %d blocks", base)
	return bt
}

// maxBlocks bounds the blocks of one run: their numbers are int32.
const maxBlocks = 1<<31 - 1

// of returns the blocks of a partition, nil if the task has none of it.
func (bt *blockTable) of(p position.Partition) *blockRun {
	if i, ok := bt.byName[p]; ok {
		return &bt.partitions[i]
	}
	return nil
}

// at returns the number of the block that holds offset, and all offsets of that block.
func (r *blockRun) at(offset int64) (number int32, all position.Range) {
	from := offset - offset%r.block
	return r.base + int32(offset/r.block-r.From/r.block), position.Range{From: from, Next: from + r.block}
}

// header returns the header of the tiles of a block by its number.
func (bt *blockTable) header(number int32) tile.Header {
	i := len(bt.partitions) - 1
	for bt.partitions[i].base > number {
		i--
	}
	r := &bt.partitions[i]
	return tile.Header{
		Kind: tile.KindBlock, Source: r.source, Partition: r.id,
		Block: (r.From/r.block + int64(number-r.base)) * r.block,
	}
}

// String names the task in messages.
func (t *Task) String() string {
	return fmt.Sprintf("run %d of generation %s of view %s", t.Run, t.Identity, t.Plan.Spec().Name)
}
