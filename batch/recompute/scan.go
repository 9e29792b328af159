package recompute

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
)

// work is one piece of the archive and how it is read for all tasks.
type work struct {
	Piece
	src    *schema.Source
	fields []int
	copies []copying // by task; zero for one that does not read the source
}

// plan lists the pieces that hold rows of any task, each once.
func (e *Engine) plan(ctx context.Context, gens []*generation) ([]work, error) {
	ranges := map[position.Partition]position.Range{}
	for _, g := range gens {
		for _, p := range g.To.Partitions() {
			r := g.blocks.of(p)
			if r == nil {
				continue
			}
			all, ok := ranges[p]
			if !ok {
				all = r.Range
			}
			ranges[p] = position.Range{From: min(all.From, r.From), Next: max(all.Next, r.Next)}
		}
	}
	readings := map[string]work{}
	var list []work
	for _, p := range partitionsOf(ranges) {
		w, ok := readings[p.Source]
		if !ok {
			var err error
			if w, err = reading(gens, p.Source); err != nil {
				return nil, err
			}
			w.copies = make([]copying, len(gens))
			for i, g := range gens {
				if g.Plan.SourceRank(p.Source) >= 0 {
					w.copies[i] = g.copyingTo(p.Source, &w)
				}
			}
			readings[p.Source] = w
		}
		pieces, err := e.Archive.Pieces(ctx, p, ranges[p])
		if err != nil {
			return nil, err
		}
		for _, piece := range pieces {
			w.Piece = piece
			if slices.ContainsFunc(gens, func(g *generation) bool { return g.needs(&w) }) {
				list = append(list, w)
			}
		}
	}
	return list, nil
}

func partitionsOf(ranges map[position.Partition]position.Range) []position.Partition {
	c := position.Cut{}
	for p := range ranges {
		c[p] = 0
	}
	return c.Partitions()
}

// needs tells whether a piece holds offsets of the task.
func (g *generation) needs(w *work) bool {
	r := g.blocks.of(w.Partition)
	return r != nil && r.From < w.Range.Next && w.Range.From < r.Next
}

// reading finds the declaration with which a source is read for all tasks, which is that of the task with most fields,
// and the fields that any of them uses.
func reading(gens []*generation, source string) (work, error) {
	var w work
	for _, g := range gens {
		if rank := g.Plan.SourceRank(source); rank >= 0 {
			if src := &g.Plan.Spec().Sources[rank]; w.src == nil || len(src.Fields) > len(w.src.Fields) {
				w.src = src
			}
		}
	}
	for _, g := range gens {
		if g.Plan.SourceRank(source) < 0 {
			continue
		}
		used, err := g.Plan.Uses(w.src)
		if err != nil {
			return work{}, fmt.Errorf("reading source %s for %s: %w", source, g.Task, err)
		}
		for _, i := range used {
			if !slices.Contains(w.fields, i) {
				w.fields = append(w.fields, i)
			}
		}
	}
	slices.Sort(w.fields)
	return w, nil
}

// pass is one scan of the archive by all workers.
type pass struct {
	gens   []*generation
	budget int64
	used   atomic.Int64
	shed   sync.Mutex // held while shards are settled or given up
	first  bool       // rows are counted in the first pass only
}

// worker is what one goroutine scans with.
type worker struct {
	*pass
	number    int
	heapBytes int64            // bound of the heap
	splitters []*view.Splitter // by task
	scanned   []int64          // by task
	rows      int              // of the heap: what the splitters have collected
	busy      []int            // scratch of flush
}

func (e *Engine) newWorkers(gens []*generation, p *pass) []*worker {
	workers := make([]*worker, e.workers())
	for i := range workers {
		w := &worker{pass: p, number: i, heapBytes: e.heapBytes(), scanned: make([]int64, len(gens))}
		for _, g := range gens {
			w.splitters = append(w.splitters, g.Plan.NewSplitter(len(g.shards)))
		}
		workers[i] = w
	}
	return workers
}

// scan folds all rows of the tasks into their live shards.
func (e *Engine) scan(ctx context.Context, gens []*generation, first bool) error {
	list, err := e.plan(ctx, gens)
	if err != nil {
		return err
	}
	workers := e.newWorkers(gens, &pass{gens: gens, budget: e.memory(), first: first})
	heaps := e.heaps(list)
	var done atomic.Int64
	err = parallel(ctx, e.workers(), len(heaps), func(w, i int) error {
		for j := range heaps[i] {
			one := &heaps[i][j]
			err := e.Archive.Read(ctx, one.Piece, one.src, one.fields, func(b *column.Batch) error {
				workers[w].take(one, b)
				return nil
			})
			if err != nil {
				return err
			}
			e.progress("scan", int(done.Add(1)), len(list))
		}
		workers[w].flush()
		return nil
	}, nil)
	if err != nil || !first {
		return err
	}
	for i, g := range gens {
		for _, w := range workers {
			g.out.Scanned += w.scanned[i]
			g.out.Errors += w.splitters[i].Errors()
		}
		for j := range list {
			if g.needs(&list[j]) {
				g.out.Files++
			}
		}
	}
	return nil
}

// Rows are folded a heap at a time: those of several pieces of a partition, since the more rows stand together, the more of
// them are of the same entities, each of which is fetched from memory once a heap.
const (
	// maxHeapRows bounds the rows of a heap: beyond, its columns are in no cache any more, and cost what is gained.
	maxHeapRows = 1 << 19
	// heapsPart is the part of the budget that the heaps of all workers may take. They are beside the budget, as the batches
	// are that the archive is read into.
	heapsPart = 4
	// heapsLeft is how many heaps there are for each worker at least in the pieces that are left: heaps become smaller
	// towards the end, so that all workers have work to it.
	heapsLeft = 2
)

// heapBytes returns how large a worker's heap may be. No column of it can be larger than columns may be.
func (e *Engine) heapBytes() int64 {
	return min(e.memory()/int64(heapsPart*e.workers()), column.MaxBytes)
}

// heaps divides pieces into those that one worker reads one after the other: neighbours in one partition that have no more
// rows than a heap may have, or a single piece.
func (e *Engine) heaps(list []work) (heaps [][]work) {
	for len(list) > 0 {
		first := list[0].Partition
		n, rows := 1, list[0].Range.Next-list[0].Range.From
		most := min(maxHeapRows, int64(len(list)/(heapsLeft*e.workers()))*archivefile.GroupRows)
		for ; n < len(list) && list[n].Partition == first; n++ {
			if rows += list[n].Range.Next - list[n].Range.From; rows > most {
				break
			}
		}
		heaps, list = append(heaps, list[:n]), list[n:]
	}
	return heaps
}

// take collects the rows of a batch for every task that it has rows of. What was collected before is folded first if the
// batch does not fit beside it.
func (w *worker) take(from *work, b *column.Batch) {
	if w.rows > 0 && (w.rows+b.N > maxHeapRows || w.size()+bytesOf(b, from.fields) > w.heapBytes) {
		w.flush()
	}
	w.rows += b.N
	for i, g := range w.gens {
		first, next := g.clip(b)
		if first == next {
			continue
		}
		w.scanned[i] += int64(next - first)
		w.splitters[i].Split(b, first, next)
		if w.first {
			g.sampler.take(&from.copies[i], w.splitters[i], b)
		}
	}
}

// size returns about how many bytes of memory the heap takes.
func (w *worker) size() (n int64) {
	for _, sp := range w.splitters {
		n += sp.Size()
	}
	return n
}

// bytesOf returns about how much memory columns of a batch take.
func bytesOf(b *column.Batch, fields []int) (n int64) {
	for _, i := range fields {
		n += int64(8*b.N + len(b.Cols[i].Bytes))
	}
	return n
}

// flush folds what was collected. A shard that another worker is folding into is passed over, and comes last.
func (w *worker) flush() {
	for i, g := range w.gens {
		sp := w.splitters[i]
		sp.Only(w.live(g))
		w.busy = w.busy[:0]
		for j := range g.shards {
			// Each worker begins with another shard, so that they seldom meet.
			number := (j + w.number*len(g.shards)/2 + w.number) % len(g.shards)
			switch s := g.shards[number]; {
			case sp.Len(number) == 0:
			case s.mu.TryLock():
				w.fold(g, sp, number)
			default:
				w.busy = append(w.busy, number)
			}
		}
		for _, number := range w.busy {
			g.shards[number].mu.Lock()
			w.fold(g, sp, number)
		}
		sp.Drop()
	}
	w.rows = 0
	if w.size() > w.heapBytes/2 { // keys alone: rows are to have room
		for _, sp := range w.splitters {
			sp.DropKeys()
		}
	}
}

func partitionOf(b *column.Batch) position.Partition {
	return position.Partition{Source: b.Source.Name, ID: b.Partition}
}

// clip returns the rows of a batch that are the task's.
func (g *generation) clip(b *column.Batch) (from, to int) {
	r := g.blocks.of(partitionOf(b))
	if r == nil {
		return 0, 0
	}
	from, _ = slices.BinarySearch(b.Offset[:b.N], r.From)
	to, _ = slices.BinarySearch(b.Offset[:b.N], r.Next)
	return from, max(from, to)
}

// fold folds the rows of a shard, which is locked, and unlocks it; then it makes all shards fit the budget.
func (w *worker) fold(g *generation, sp *view.Splitter, number int) {
	blocks := g.blocks.of(position.Partition{Source: sp.Source().Name, ID: sp.Partition()})
	w.used.Add(g.shards[number].addLocked(sp, number, blocks))
	if w.used.Load() > w.budget { // not behind the last one only: a heap may make as much again as the budget
		w.giveUp()
	}
}

// settledBytes is how much a shard must have put by for each of its entities for their states to be smaller, as a rule: of
// few and short rows an entity, states take more.
const settledBytes = 8 << 10

// settle makes live shards fold the rows that they have put by, where that gives memory back.
func (p *pass) settle() {
	for _, g := range p.gens {
		for _, s := range g.shards[g.done:g.limit] {
			s.mu.Lock()
			if s.fold.Deferred() > settledBytes*int64(s.fold.Len()) {
				s.fold.Settle()
				p.used.Add(s.count())
			}
			s.mu.Unlock()
		}
	}
}

// live returns which shards of a task are folded: those from one up to another.
func (p *pass) live(g *generation) (from, to int) {
	p.shed.Lock()
	defer p.shed.Unlock()
	return g.done, g.limit
}

// giveUp frees the upper half of the live shards of every task, for a later pass, until the rest fits the budget or one
// shard of each is left; if folding what they have put by does not do.
func (p *pass) giveUp() {
	p.shed.Lock()
	defer p.shed.Unlock()
	p.settle()
	for p.used.Load() > p.budget {
		freed := false
		for _, g := range p.gens {
			if live := g.limit - g.done; live > 1 {
				freed = true
				g.limit = g.done + (live+1)/2
				p.free(g.shards[g.limit : g.done+live])
			}
		}
		if !freed {
			return
		}
	}
}

func (p *pass) free(shards []*shard) {
	for _, s := range shards {
		s.mu.Lock()
		p.used.Add(-s.bytes)
		s.end()
		s.mu.Unlock()
	}
}
