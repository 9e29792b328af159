package fold_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/oracle"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/window"
	"github.com/tidemark-io/tidemark/speed/flush"
	"github.com/tidemark-io/tidemark/speed/fold"
)

const (
	lanes     = 4
	blockSize = 8
	namespace = "j:v:aaaaaaaaaa"
)

var part = position.Partition{Source: "events", ID: 0}

func testPlan(t testing.TB) *view.Plan {
	t.Helper()
	src := schema.Source{Name: "events", Topic: "events", EventTime: "ts", Block: blockSize, Fields: []schema.Field{
		{Name: "ts", Type: schema.Time, Required: true}, {Name: "user", Type: schema.String}, {Name: "n", Type: schema.Int64},
	}}
	p, err := view.Compile(view.Spec{
		Job: "j", Name: "v", Sources: []schema.Source{src}, Entity: []view.KeySpec{{Kind: "user", Fields: []string{"user"}}},
		Features: []view.FeatureSpec{
			{Name: "count", Op: "count"},
			{Name: "sum_1h", Op: "sum", Value: []string{"n"}, Window: window.Window{Length: window.Hour, Hop: 5 * window.Minute}},
			{Name: "last", Op: "last", Value: []string{"n"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// testLog makes n records of a few users, with gaps in the offsets and late events.
func testLog(r *rand.Rand, plan *view.Plan, n int) *column.Batch {
	b := column.NewBatch(&plan.Spec().Sources[0], 0, false)
	offset := int64(0)
	for range n {
		ts := int64(1_700_000_000_000) + r.Int64N(3*window.Hour)
		b.N++
		b.Offset, b.Time, b.Append = append(b.Offset, offset), append(b.Time, ts), append(b.Append, ts)
		b.AppendType, b.Reject = append(b.AppendType, column.LogAppendTime), append(b.Reject, 0)
		b.Cols[0].AppendInt(ts)
		b.Cols[1].AppendBytes([]byte{'a' + byte(r.IntN(7))})
		b.Cols[2].AppendInt(r.Int64N(100))
		offset += 1 + r.Int64N(2)
	}
	return b
}

// world is a log, a store that fails, workers that fold the same partition, and a stand-in for batch that begins lanes.
type world struct {
	t       testing.TB
	r       *rand.Rand
	plan    *view.Plan
	log     *column.Batch
	end     int64
	store   *memstore.Store
	workers []*worker
	begun   int
	counts  [flush.Refusals]int64
}

// worker is the shell's part of a Generation: it knows where it reads and which calls are under way.
type worker struct {
	*fold.Generation
	calls []lane.Call
}

func newWorld(t testing.TB, seed uint64, workers int) *world {
	r := rand.New(rand.NewPCG(seed, 1))
	w := &world{t: t, r: r, plan: testPlan(t), store: memstore.New()}
	w.log = testLog(r, w.plan, 60)
	w.end = w.log.Offset[w.log.N-1] + 1
	for range workers {
		w.workers = append(w.workers, &worker{Generation: w.generation()})
	}
	return w
}

func (w *world) generation() *fold.Generation {
	return fold.NewGeneration(fold.Config{Namespace: namespace, Plan: w.plan, Lanes: lanes, Partition: part, Block: blockSize})
}

func (w *world) id(n int) lane.ID { return lane.ID{Namespace: namespace, N: n} }

// beginLanes does what batch does for a generation without runs.
func (w *world) beginLanes() {
	for n := range lanes {
		marks, err := w.store.Marks(w.t.Context(), []lane.ID{w.id(n)})
		if err != nil || marks[0][lane.BatchName] != "" {
			continue
		}
		w.begun++
		inc := lane.Incarnation(fmt.Sprintf("inc%07d", w.begun))
		w.store.Apply(w.t.Context(), []lane.Call{{
			Lane: w.id(n), Name: lane.BatchName, Set: lane.BatchMark{Incarnation: inc, Run: 1}.Wire(), Once: true,
			Replace: map[string]string{part.String(): lane.Mark{Incarnation: inc, Low: lane.Joined}.Wire()},
		}})
	}
}

// read lets a worker read marks.
func (w *world) read(k *worker) {
	ids := make([]lane.ID, lanes)
	for n := range ids {
		ids[n] = w.id(n)
	}
	marks, err := w.store.Marks(w.t.Context(), ids)
	if err != nil {
		return
	}
	if err := k.Observe(marks); err != nil {
		w.t.Fatal(err)
	}
}

// take folds the next few records.
func (w *world) take(k *worker, n int) {
	k.Rewind()
	pos, ok := k.Position()
	if !ok || pos >= w.end {
		return
	}
	b := column.NewBatch(w.log.Source, 0, false)
	next := w.end
	for i := range w.log.N {
		if w.log.Offset[i] < pos {
			continue
		}
		if b.N == n {
			next = w.log.Offset[i]
			break
		}
		b.AppendRow(w.log, i)
	}
	k.Add(b, pos, next)
}

// flush sends what is changed. A drain does so without looking whether it must read again first.
func (w *world) flush(k *worker, all bool) {
	if w.r.IntN(2) == 0 {
		k.Rewind()
	}
	k.calls = k.Flush(all)
	outcomes := w.store.Apply(w.t.Context(), k.calls)
	k.Done(k.calls, outcomes, &w.counts)
	k.Trim()
}

// row reads an entity and its lane's marks.
func (w *world) row(key []byte) (lane.Marks, *view.Merger) {
	id := w.id(lane.Of(view.Hash(key), lanes))
	marks, err := w.store.Marks(context.Background(), []lane.ID{id})
	if err != nil {
		return nil, nil
	}
	batch, ok, err := marks[0].Batch()
	if err != nil || !ok {
		return nil, nil
	}
	rows, err := w.store.Rows(context.Background(), []lane.RowID{{Lane: id, Incarnation: batch.Incarnation, Key: key}})
	if err != nil {
		return nil, nil
	}
	m := w.plan.NewMerger()
	m.Reset()
	for _, tile := range rows[0] {
		if _, err := m.AddTile(tile); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := m.Finish(); err != nil {
		w.t.Fatal(err)
	}
	return marks[0], m
}

// check holds every row to the plain fold of the events below its lane's claim, and below its own where that is further.
func (w *world) check(whole bool) {
	o, err := oracle.New(w.plan)
	if err != nil {
		w.t.Fatal(err)
	}
	if whole {
		w.checkEnd()
	}
	for key, events := range o.Group([]*column.Batch{w.log}) {
		marks, m := w.row([]byte(key))
		if marks == nil {
			continue
		}
		mark, ok, err := marks.Partition(part)
		if err != nil || !ok {
			w.t.Fatalf("%s: mark %v of %v", key, err, marks)
		}
		claim := max(mark.Next, m.Last(0, 0)+1)
		var below []oracle.Event
		for _, e := range events {
			if e.Batch.Offset[e.Row] < claim {
				below = append(below, e)
			}
		}
		var want, got []byte
		if len(below) > 0 {
			if want, err = o.Body(below); err != nil {
				w.t.Fatal(err)
			}
		}
		if m.Found() {
			got = m.AppendBody(nil)
		}
		if !bytes.Equal(want, got) {
			w.t.Fatalf("%s at %s: got %x, want %x", key, mark.Wire(), got, want)
		}
	}
}

// checkEnd sees every lane at the log's end, also those of no entity: a reader of one that is not there claims less.
func (w *world) checkEnd() {
	for n := range lanes {
		marks, err := w.store.Marks(w.t.Context(), []lane.ID{w.id(n)})
		if err != nil {
			w.t.Fatal(err)
		}
		if mark, ok, err := marks[0].Partition(part); err != nil || !ok || mark.Next != w.end || !mark.Joined() {
			w.t.Fatalf("lane %d has the marks %v at the end, the log ends at %d (%v)", n, marks[0], w.end, err)
		}
	}
}

// step does one random thing.
func (w *world) step() {
	k := w.workers[w.r.IntN(len(w.workers))]
	switch n := w.r.IntN(100); {
	case n < 30:
		w.take(k, 1+w.r.IntN(12))
	case n < 60:
		w.flush(k, w.r.IntN(3) == 0)
	case n < 75:
		w.read(k)
	case n < 80:
		w.beginLanes()
	case n < 84:
		w.store.LoseSuffix(w.r.IntN(w.store.History() + 1))
	case n < 88:
		w.store.LoseLaneSuffix(w.id(w.r.IntN(lanes)), w.r.IntN(4))
	case n < 90:
		w.store.EmptyLane(w.id(w.r.IntN(lanes)))
	case n < 91:
		w.store.Empty()
	case n < 94 && w.store.Held() > 0:
		w.store.Release(w.r.IntN(w.store.Held()))
	case n < 96:
		k.Generation = w.generation() // a crash: nothing is known any more
	}
}

// faults makes the store misbehave now and then.
func (w *world) faults(op memstore.Op) memstore.Fate {
	if op.Kind != memstore.Apply || op.Call.Once {
		return memstore.Deliver
	}
	return [...]memstore.Fate{
		memstore.Deliver, memstore.Deliver, memstore.Deliver, memstore.Deliver, memstore.Deliver,
		memstore.LoseCall, memstore.LoseReply, memstore.Twice, memstore.Hold,
	}[w.r.IntN(9)]
}

// settle lets everything run without faults until nothing moves any more.
func (w *world) settle() {
	w.store.SetFaults(nil)
	for w.store.Held() > 0 {
		w.store.Release(0)
	}
	for range 40 {
		w.beginLanes()
		for _, k := range w.workers {
			w.read(k)
			w.take(k, 20)
			w.flush(k, true)
		}
	}
}

// TestExactHonestComplete lets two workers of one partition write against a store that loses, repeats, delays and empties,
// and crash: whatever a lane claims is in its rows, byte for byte, and when all is calm every lane is at the log's end.
func TestExactHonestComplete(t *testing.T) {
	var counts [flush.Refusals]int64
	seeds := 400
	if testing.Short() {
		seeds = 50
	}
	for seed := range uint64(seeds) {
		w := newWorld(t, seed, 1+int(seed%2))
		w.store.SetFaults(w.faults)
		ok := t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			w.t = t
			for i := range 120 {
				w.step()
				if i%10 == 0 {
					w.check(false)
				}
			}
			w.settle()
			w.check(true)
		})
		if !ok {
			return
		}
		for i, n := range w.counts {
			counts[i] += n
		}
	}
	for r, n := range counts {
		if flush.Refusal(r) != flush.Gone && n == 0 {
			t.Errorf("no call was answered with %q: the simulation does not reach it", flush.Refusal(r))
		}
	}
}
