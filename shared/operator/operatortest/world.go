package operatortest

import (
	"math/rand/v2"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/operator/naive"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// Sizes of a world.
const (
	maxEntities   = 4
	maxRows       = 160
	sources       = 2
	maxPartitions = 2
)

// world is a few entities' events in a few partitions.
type world struct {
	entities int
	batches  []*batch
	rows     []row   // all of them, in the order of the log of each partition
	newest   []int64 // by entity; −1 without rows
}

// batch is the rows of one partition.
type batch struct {
	source, partition int32
	time, offset      []int64
	cols              []*column.Column
}

// row is one event: where it stands, whose it is, and whether the operator gets it; one that it does not get (a filter
// took it out) still counts for the newest event time.
type row struct {
	batch  *batch
	at     int32
	entity int
	folded bool
}

func (r row) time() int64 { return r.batch.time[r.at] }

func newWorld(rng *rand.Rand, cfg operator.Config, gen Gen) *world {
	w := &world{entities: 1 + rng.IntN(maxEntities)}
	for source := range int32(sources) {
		for partition := range 1 + rng.Int32N(maxPartitions) {
			b := &batch{source: source, partition: partition}
			for _, in := range cfg.Inputs {
				c := column.NewColumn(in.Type, in.Scale)
				b.cols = append(b.cols, &c)
			}
			w.batches = append(w.batches, b)
		}
	}
	clock := newClock(rng, cfg.Windows)
	for range rng.IntN(maxRows) {
		b := w.batches[rng.IntN(len(w.batches))]
		offset := rng.Int64N(3)
		if n := len(b.offset); n > 0 {
			offset += b.offset[n-1] + 1
		}
		b.time, b.offset = append(b.time, clock.next(rng)), append(b.offset, offset)
		for i := range cfg.Inputs {
			gen(rng, &cfg.Inputs[i], b.cols[i])
		}
		w.rows = append(w.rows, row{b, int32(len(b.time) - 1), rng.IntN(w.entities), rng.IntN(8) > 0})
	}
	w.newest = w.newestOf(w.rows)
	return w
}

// newestOf returns the newest event time by entity among rows.
func (w *world) newestOf(rows []row) []int64 {
	newest := make([]int64, w.entities)
	for i := range newest {
		newest[i] = -1
	}
	for _, r := range rows {
		newest[r.entity] = max(newest[r.entity], r.time())
	}
	return newest
}

// events returns the folded rows of an entity for the naive twin.
func (w *world) events(entity int) []naive.Event {
	var out []naive.Event
	for _, r := range w.rows {
		if r.folded && r.entity == entity {
			out = append(out, naive.Event{
				Time: r.time(), Source: r.batch.source, Partition: r.batch.partition, Offset: r.batch.offset[r.at],
				In: naive.Read(r.batch.cols, int(r.at)),
			})
		}
	}
	return out
}

// clock makes event times: on and around the edges of hops, mostly near the last one, often the same, sometimes late by
// more than a window, sometimes far ahead.
type clock struct {
	now   int64
	steps []int64 // hops and lengths of the windows
}

func newClock(rng *rand.Rand, ws []window.Window) *clock {
	starts := []int64{0, 1, 1_700_000_000_000, 1_700_000_000_000 + rng.Int64N(window.Day), schema.MaxTime - window.Day}
	c := &clock{now: starts[rng.IntN(len(starts))], steps: []int64{1, 7}}
	for _, w := range ws {
		c.steps = append(c.steps, w.Hop, w.Length)
	}
	return c
}

func (c *clock) next(rng *rand.Rand) int64 {
	step := c.steps[rng.IntN(len(c.steps))]
	t := c.now
	switch rng.IntN(10) {
	case 0, 1: // the same again
	case 2: // late
		t -= rng.Int64N(2*step + 2)
	case 3: // on an edge, or just before or after
		if step > 0 {
			t = t/step*step + rng.Int64N(3) - 1
		}
	case 4: // far ahead
		c.now += step
		t = c.now
	default:
		c.now += rng.Int64N(step/8 + 2)
		t = c.now
	}
	c.now = min(c.now, schema.MaxTime)
	return max(0, min(t, schema.MaxTime))
}
