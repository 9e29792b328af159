package recompute

import (
	"math/rand/v2"
	"testing"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/view/viewtest"
)

// TestHeapSize: however much memory there is, a column of a heap stays addressable; and however many workers there are, their
// heaps are a part of the budget.
func TestHeapSize(t *testing.T) {
	for _, test := range []struct {
		memory  int64
		workers int
		want    int64
	}{
		{1 << 30, 1, 1 << 28}, {1 << 30, 4, 1 << 26}, {1 << 30, 64, 1 << 22}, {1 << 50, 2, column.MaxBytes},
	} {
		e := &Engine{Memory: test.memory, Workers: test.workers}
		if got := e.heapBytes(); got != test.want {
			t.Errorf("%d workers with %d bytes have heaps of %d each, want %d", test.workers, test.memory, got, test.want)
		}
	}
}

// TestHeaps: heaps are of neighbours in one partition, no larger than they may be, and become smaller towards the end: as
// long as there are pieces enough, no worker is given more than its part of what is left.
func TestHeaps(t *testing.T) {
	for _, workers := range []int{1, 2, 7} {
		var list []work
		for p := range int32(3) {
			for i := range int64(40) {
				of := position.Partition{Source: "s", ID: p}
				list = append(list, work{Piece: Piece{Partition: of, Range: position.Range{From: i * archivefile.GroupRows, Next: (i + 1) * archivefile.GroupRows}}})
			}
		}
		e := &Engine{Workers: workers}
		left := list
		for _, heap := range e.heaps(list) {
			if n := len(heap); n > maxHeapRows/archivefile.GroupRows || n > 1 && n > len(left)/(heapsLeft*workers) {
				t.Errorf("%d workers: a heap of %d pieces, with %d left", workers, n, len(left))
			}
			for i := range heap {
				if heap[i].Partition != heap[0].Partition || &heap[i] != &left[i] {
					t.Fatalf("%d workers: piece %d of a heap is %v, want %v", workers, i, heap[i].Piece, left[i].Piece)
				}
			}
			left = left[len(heap):]
		}
		if len(left) > 0 {
			t.Errorf("%d workers: %d pieces are in no heap", workers, len(left))
		}
	}
}

// TestShards: there are more shards where one would be a large part of the budget, or of very many events.
func TestShards(t *testing.T) {
	for _, test := range []struct {
		lanes          int
		events, budget int64
		want           int
	}{
		{4, 1000, DefaultMemory, 16},
		{64, 1000, DefaultMemory, 64},
		{16, 10 << 20, DefaultMemory, 16},
		{16, 400 << 20, 1 << 40, 128},
		{16, 10 << 20, 128 << 20, 256},
		{16, 1 << 20, 128 << 20, 16},
		{16, 2 << 20, 128 << 20, 32},
		{16, 100_000, 1, 16},
		{16, 1 << 40, 1, 256},
	} {
		if got := shardsFor(test.lanes, test.events, test.budget); got != test.want {
			t.Errorf("%d lanes and %d events with %d bytes have %d shards, want %d", test.lanes, test.events, test.budget, got, test.want)
		}
	}
}

// TestBudgetWithinHeap: shards are given up while a heap is folded, and not when all of it is in memory.
func TestBudgetWithinHeap(t *testing.T) {
	plan, err := view.Compile(viewtest.Spec())
	if err != nil {
		t.Fatal(err)
	}
	heap := viewtest.Log{Partitions: [2]int{1, 1}, Rows: 2000, Users: 500}.Batches(rand.New(rand.NewPCG(1, 1)), plan.Spec().Sources)[0]
	of := partitionOf(heap)
	g := newGeneration(&Task{
		Plan: plan, Run: 1, Lanes: 16, Blocks: map[string]int64{of.Source: viewtest.ClicksBlock},
		To: position.Cut{of: position.Block(heap.Offset[heap.N-1], viewtest.ClicksBlock)},
	}, position.Cut{}, DefaultMemory)
	g.limit = len(g.shards)
	for _, s := range g.shards {
		s.begin(plan)
	}
	e := &Engine{Workers: 1}
	w := e.newWorkers([]*generation{g}, &pass{gens: []*generation{g}, budget: 1})[0]
	w.take(&work{}, heap)
	w.flush()
	folded := int64(0)
	for _, s := range g.shards {
		folded += s.events
	}
	if folded == 0 || folded > int64(heap.N)/4 || g.limit != 1 {
		t.Errorf("%d of %d rows were folded, and %d shards are left", folded, heap.N, g.limit)
	}
}

// TestKeysThatFillAHeap: keys that are kept for the next rows go if they take more than half a heap.
func TestKeysThatFillAHeap(t *testing.T) {
	plan, err := view.Compile(viewtest.Spec())
	if err != nil {
		t.Fatal(err)
	}
	heap := viewtest.Log{Partitions: [2]int{1, 1}, Rows: 2000, Users: 500}.Batches(rand.New(rand.NewPCG(1, 1)), plan.Spec().Sources)[0]
	of := partitionOf(heap)
	kept := func(heapBytes int64) int64 {
		g := newGeneration(&Task{
			Plan: plan, Run: 1, Lanes: 1, Blocks: map[string]int64{of.Source: viewtest.ClicksBlock},
			To: position.Cut{of: position.Block(heap.Offset[heap.N-1], viewtest.ClicksBlock)},
		}, position.Cut{}, DefaultMemory)
		w := (&Engine{Workers: 1}).newWorkers([]*generation{g}, &pass{gens: []*generation{g}})[0]
		w.heapBytes = heapBytes
		w.take(&work{}, heap)
		w.flush()
		return w.size()
	}
	all := kept(DefaultMemory)
	if all == 0 || kept(2*all) != all || kept(all) >= all {
		t.Errorf("of keys of %d bytes %d are kept in a heap of twice as many, %d in one of as many", all, kept(2*all), kept(all))
	}
}

// TestSettledWhereStatesAreSmaller: of shards that have much for each entity what is put by is folded when memory runs out, of
// others it stays; and a shard that folds puts nothing by any more.
func TestSettledWhereStatesAreSmaller(t *testing.T) {
	spec := viewtest.Spec()
	for i := range spec.Features {
		if f := &spec.Features[i]; f.Ratio == nil && f.Where == "" {
			f.Where = "kind == 'view'"
		}
	}
	plan, err := view.Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	for users, settles := range map[int]bool{2: true, 2000: false} {
		heap := viewtest.Log{Partitions: [2]int{1, 1}, Rows: 4000, Users: users}.Batches(rand.New(rand.NewPCG(1, 1)), plan.Spec().Sources)[0]
		of := partitionOf(heap)
		g := newGeneration(&Task{
			Plan: plan, Run: 1, Lanes: 1, Blocks: map[string]int64{of.Source: viewtest.ClicksBlock},
			To: position.Cut{of: position.Block(heap.Offset[heap.N-1], viewtest.ClicksBlock)},
		}, position.Cut{}, DefaultMemory)
		g.limit = len(g.shards)
		for _, s := range g.shards {
			s.begin(plan)
		}
		p := &pass{gens: []*generation{g}, budget: 1 << 40}
		w := (&Engine{Workers: 1}).newWorkers([]*generation{g}, p)[0]
		w.take(&work{}, heap)
		w.flush()
		before, put := p.used.Load(), int64(0)
		for _, s := range g.shards {
			put += s.fold.Deferred()
		}
		p.settle()
		left, bytes := int64(0), int64(0)
		for _, s := range g.shards {
			left += s.fold.Deferred()
			bytes += s.fold.Bytes()
		}
		if put == 0 || settles != (left < put/2) || !settles && left != put {
			t.Errorf("%d users: of %d bytes that were put by %d are left", users, put, left)
		}
		if settles && p.used.Load() >= before {
			t.Errorf("%d users: %d bytes became %d", users, before, p.used.Load())
		}
		if p.used.Load() < bytes {
			t.Errorf("%d users: %d bytes are counted, folds take %d", users, p.used.Load(), bytes)
		}
	}
}
