package fold_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/jobs"
	"github.com/tidemark-io/tidemark/jobs/usedcar"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/speed/flush"
	"github.com/tidemark-io/tidemark/speed/fold"
)

const (
	// benchBatch is the rows of one delivery, about what one fetch brings of a busy partition.
	benchBatch = 4096
	// benchTraffic is the batches that are measured, folded over and over.
	benchTraffic = 64
	// benchLive is the least number of entities, of both views together, that live meanwhile.
	benchLive = 200_000
	// benchStart is when the traffic begins, ms; it comes at 5k events/s.
	benchStart = 1_790_000_000_000
	// everything is a block that holds all of it: nothing of it is passed while it is measured.
	everything = 1 << 30
)

// traffic is the usedcar job's two views, its decoder and its seeded events.
type traffic struct {
	src     *schema.Source
	decoder *decode.Decoder
	plans   []*view.Plan
	views   []*fold.Generation
	records []record.Record // what is measured
	at      int             // in records
	offset  int64
	batch   *column.Batch
}

// newTraffic returns so many batches of traffic of the views, folded in blocks of a size, after as much before them as
// makes enough entities live.
func newTraffic(tb testing.TB, batches int, block int64, live int) *traffic {
	tb.Helper()
	j, _, err := jobs.Open("usedcar")
	if err != nil {
		tb.Fatal(err)
	}
	t := &traffic{src: j.Source("events"), records: make([]record.Record, batches*benchBatch)}
	if t.decoder, err = decode.Compile(t.src); err != nil {
		tb.Fatal(err)
	}
	t.batch = column.NewBatch(t.src, 0, false)
	t.plans = j.Plans
	var fields []int // that the views use, as the service asks for them
	for _, p := range j.Plans {
		t.views = append(t.views, begun(tb, p, block))
		used, err := p.Uses(t.src)
		if err != nil {
			tb.Fatal(err)
		}
		fields = append(fields, used...)
	}
	t.decoder.Want(fields)
	g, now := usedcar.New(1), int64(0)
	for t.live() < live || now == 0 {
		for i := range t.records {
			v := g.Next(benchStart + now/5).Value
			t.records[i] = record.Record{Append: benchStart + now/5, AppendType: column.LogAppendTime, Value: slices.Clone(v)}
			now++
		}
		for range batches {
			t.decode()
			t.fold()
		}
	}
	return t
}

// begun returns a generation of a plan whose lanes batch has begun at offset 0.
func begun(tb testing.TB, p *view.Plan, block int64) *fold.Generation {
	tb.Helper()
	id := position.Partition{Source: "events"}
	g := fold.NewGeneration(fold.Config{Namespace: namespace, Plan: p, Lanes: lane.DefaultLanes, Partition: id, Block: block})
	marks := slices.Repeat([]lane.Marks{{
		lane.BatchName: lane.BatchMark{Incarnation: "aaaaaaaaaa", Run: 1}.Wire(),
		id.String():    lane.Mark{Incarnation: "aaaaaaaaaa", Low: lane.Joined}.Wire(),
	}}, lane.DefaultLanes)
	if err := g.Observe(marks); err != nil {
		tb.Fatal(err)
	}
	if _, moved := g.Rewind(); !moved {
		tb.Fatal("there is nothing to fold for")
	}
	return g
}

// decode makes the next batch.
func (t *traffic) decode() { t.decodeSome(benchBatch) }

// decodeSome makes a batch of n, which divides the usual number.
func (t *traffic) decodeSome(n int) {
	t.batch.Reset(0)
	for i := range n {
		r := &t.records[t.at+i]
		r.Offset = t.offset + int64(i)
		t.decoder.Append(t.batch, r)
	}
	t.at = (t.at + n) % len(t.records)
	t.offset += int64(n)
}

// fold folds the batch into both views.
func (t *traffic) fold() {
	for _, g := range t.views {
		pos, _ := g.Position()
		g.Add(t.batch, pos, t.offset)
	}
}

// flush writes all changed tiles to a store that takes everything, and returns how many these were and their bytes.
func (t *traffic) flush() (tiles, bytes int) {
	var counts [flush.Refusals]int64
	for _, g := range t.views {
		calls := g.Flush(false)
		for i := range calls {
			for _, r := range calls[i].Rows {
				tiles, bytes = tiles+1, bytes+len(r.Set[0].Value)
			}
		}
		g.Done(calls, slices.Repeat([]lane.Outcome{{Result: lane.Result{Applied: true}}}, len(calls)), &counts)
		g.Trim()
	}
	return tiles, bytes
}

// live returns how many entities live in the open blocks.
func (t *traffic) live() (n int) {
	for _, g := range t.views {
		n += g.Entities()
	}
	return n
}

// BenchmarkDecodeAndFold is the speed layer's hot path on one core: one batch of 4,096 events of the usedcar job decoded
// and folded into both views. The yardstick, decode, is the same without folding. In steady all entities are known, more
// than 200,000; in blocks the tiles are those of blocks of 65,536 offsets, begun and passed, and flushed every 4,096
// events (flushing itself is not all of it: nothing is sent). On a machine that others use too, the best tenth of the
// batches and the processor time say more than the mean.
func BenchmarkDecodeAndFold(b *testing.B) {
	for _, c := range []struct {
		name  string
		block int64
		live  int
		do    func(*traffic)
	}{
		{"decode", everything, 0, func(*traffic) {}},
		{"steady", everything, benchLive, (*traffic).fold},
		{"blocks", position.DefaultBlock, 0, func(t *traffic) { t.fold(); t.flush() }},
	} {
		b.Run(c.name, func(b *testing.B) {
			t := newTraffic(b, benchTraffic, c.block, c.live)
			for range 2 * benchTraffic { // states find their sizes
				t.decode()
				c.do(t)
			}
			b.ReportAllocs()
			n, cpu := 0, cpuTime()
			took := make([]time.Duration, 0, 1<<16)
			for b.Loop() {
				begin := time.Now()
				t.decode()
				c.do(t)
				took = append(took, time.Since(begin))
				n++
			}
			cpu = cpuTime() - cpu
			slices.Sort(took)
			b.ReportMetric(benchBatch/took[len(took)/10].Seconds(), "best-tenth-events/s")
			b.ReportMetric(float64(n*benchBatch)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(cpu.Nanoseconds())/float64(n*benchBatch), "cpu-ns/event")
			b.ReportMetric(float64(t.live()), "entities")
		})
	}
}

// crowd folds one event of each of n visitors and as many of the listings, so that many live without many events.
func (t *traffic) crowd(n int) {
	for begin := 0; begin < n; begin += benchBatch {
		t.batch.Reset(0)
		for i := range benchBatch {
			v := fmt.Appendf(nil, `{"event_id":"c","event_time":%d,"event_type":"view","device_id":"c%d","listing_id":"c%d"}`, benchStart, begin+i, begin+i)
			t.decoder.Append(t.batch, &record.Record{Offset: t.offset + int64(i), Append: benchStart, Value: v})
		}
		t.offset += benchBatch
		t.fold()
	}
}

// TestSteadyStateDoesNotAllocate decodes and folds traffic into more than 200,000 live entities of both views.
func TestSteadyStateDoesNotAllocate(t *testing.T) {
	const batches = 8
	w := newTraffic(t, batches, everything, 0)
	w.crowd(benchLive / 2)
	step := func() { w.decode(); w.fold() }
	for range 2 * batches {
		step()
	}
	if allocs := testing.AllocsPerRun(batches, step); allocs != 0 {
		t.Errorf("%v allocations a batch", allocs)
	}
	if w.live() < benchLive {
		t.Errorf("%d entities live", w.live())
	}
}

// changer changes so many entities of each lane of a generation, the same ones each time.
type changer struct {
	g     *fold.Generation
	batch *column.Batch
	next  int64
}

// newChanger folds the events of one block of the default size and chooses from the events that come next, so that, as in
// any traffic, whoever is active is more likely to be among them.
func newChanger(tb testing.TB, t *traffic, p *view.Plan, each int) *changer {
	tb.Helper()
	c := &changer{g: begun(tb, p, everything), batch: column.NewBatch(t.src, 0, false)}
	t.at, t.offset = 0, 0
	for range position.DefaultBlock / benchBatch {
		t.decode()
		c.g.Add(t.batch, t.offset-benchBatch, t.offset)
	}
	c.next = t.offset
	var chosen [lane.DefaultLanes]int
	f, one := p.NewFold(), column.NewBatch(t.src, 0, false)
	for c.batch.N < each*lane.DefaultLanes {
		t.decode()
		for i := range t.batch.N {
			before := f.Len()
			one.Reset(0)
			one.AppendRow(t.batch, i)
			f.Add(one, 0, 1)
			if f.Len() == before {
				continue // rejected, or seen before
			}
			if l := lane.Of(f.Hash(before), lane.DefaultLanes); chosen[l] < each {
				chosen[l]++
				c.batch.AppendRow(t.batch, i)
			}
		}
	}
	return c
}

func (c *changer) change() {
	for i := range c.batch.Offset {
		c.batch.Offset[i] = c.next
		c.next++
	}
	pos, _ := c.g.Position()
	c.g.Add(c.batch, pos, c.next)
}

// BenchmarkFlush encodes the tiles of one flush of visitors: so many changed ones in each of the 16 lanes, of a block at
// its end, when tiles are largest. It is what a flush costs the worker's goroutine, before anything is sent.
func BenchmarkFlush(b *testing.B) {
	t := newTraffic(b, benchTraffic, everything, 0)
	for _, each := range []int{1, 5, 25, 100} {
		b.Run(fmt.Sprintf("tiles=%d", each), func(b *testing.B) {
			c := newChanger(b, t, t.plans[len(t.plans)-1], each)
			outcomes := slices.Repeat([]lane.Outcome{{Result: lane.Result{Applied: true}}}, lane.DefaultLanes)
			var counts [flush.Refusals]int64
			c.change()
			c.g.Done(c.g.Flush(true), outcomes, &counts)
			tiles, bytes := 0, 0
			var cpu time.Duration
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				c.change()
				begin := cpuTime()
				b.StartTimer()
				calls := c.g.Flush(false)
				b.StopTimer()
				cpu += cpuTime() - begin
				for i := range calls {
					tiles += len(calls[i].Rows)
					for _, r := range calls[i].Rows {
						bytes += len(r.Set[0].Value)
					}
				}
				c.g.Done(calls, outcomes, &counts)
				b.StartTimer()
			}
			if counts[flush.None] == 0 || tiles%(each*lane.DefaultLanes) != 0 {
				b.Fatalf("%d tiles, outcomes %v", tiles, counts)
			}
			b.ReportMetric(float64(cpu.Nanoseconds())/float64(tiles), "cpu-ns/tile")
			b.ReportMetric(float64(bytes)/float64(tiles), "bytes/tile")
		})
	}
}

// benchPartitions is how many partitions a process has in BenchmarkFlushTraffic, by turns: what one leaves in the caches the
// others push out.
const benchPartitions = 4

// partitions returns as many partitions with the same traffic, each at another place of it.
func (t *traffic) partitions(tb testing.TB) (all [benchPartitions]*traffic) {
	tb.Helper()
	for i := range all {
		one := *t
		one.offset, one.at, one.views = 0, len(t.records)/benchPartitions*i, nil
		for _, p := range t.plans {
			one.views = append(one.views, begun(tb, p, position.DefaultBlock))
		}
		all[i] = &one
	}
	return all
}

// flushEvery is how many events of one partition a saturated worker folds between two flushes, about.
const flushEvery = benchBatch / 2

// BenchmarkFlushTraffic encodes the tiles of flushes of both views while events come in: what a flush costs the worker's
// goroutine in the mean over blocks of 65,536 offsets, most of whose tiles are of few events. On a machine that others use
// too, the best tenth of the flushes and the processor time say more than the mean.
func BenchmarkFlushTraffic(b *testing.B) {
	partitions := newTraffic(b, benchTraffic, position.DefaultBlock, 0).partitions(b)
	var cpu time.Duration
	var took []float64
	tiles, bytes := 0, 0
	for b.Loop() {
		t := partitions[len(took)%benchPartitions]
		t.decodeSome(flushEvery)
		t.fold()
		begin, began := cpuTime(), time.Now()
		n, size := t.flush()
		cpu += cpuTime() - begin
		took = append(took, float64(time.Since(began).Nanoseconds())/float64(n))
		tiles, bytes = tiles+n, bytes+size
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/10], "best-tenth-ns/tile")
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(tiles), "cpu-ns/tile")
	b.ReportMetric(float64(bytes)/float64(tiles), "bytes/tile")
	b.ReportMetric(float64(tiles)/float64(b.N*flushEvery), "tiles/event")
}
