package operator_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// groupLoad is what a full run folds group by group, as the used-car job declares it.
var groupLoad = []struct {
	name string
	kind string
	cfg  operator.Config
	most []int64 // by input: its values lie below it; 0 for weights
}{
	{"top_k/tag", "top_k", preference(60*window.Day, 6*window.Hour, 2), []int64{300, 9, 0}},
	{"top_k/series_short", "top_k", preference(7*window.Day, 30*window.Minute, 1), []int64{300, 0}},
	{"top_k/series_long", "top_k", preference(180*window.Day, window.Day, 1), []int64{300, 0}},
	{"top_k/brand", "top_k", preference(60*window.Day, 6*window.Hour, 1), []int64{60, 0}},
	{"top_k/city", "top_k", preference(90*window.Day, window.Day, 1), []int64{300, 0}},
	{"count", "count", daily(), nil},
	{"sum", "sum", daily(value(schema.Int32)), []int64{600}},
	{"avg", "avg", daily(value(schema.Decimal)), []int64{1_000_000}},
	{"variance", "variance", daily(value(schema.Decimal)), []int64{1_000_000}},
	{"max", "max", daily(value(schema.Int32)), []int64{600}},
	{"histogram", "histogram", operator.Config{
		Inputs: inputs{value(schema.Decimal)}, Edges: []int64{30_000, 50_000, 80_000, 100_000, 150_000, 200_000, 300_000, 500_000},
		Windows: []window.Window{{Length: 30 * window.Day, Hop: window.Day}},
	}, []int64{1_000_000}},
}

func preference(horizon, hop int64, keys int) operator.Config {
	cfg := operator.Config{Windows: []window.Window{{Length: horizon, Hop: hop}}}
	for i := range keys {
		in := key(schema.Int64)
		in.Name = string(rune('a' + i))
		cfg.Inputs = append(cfg.Inputs, in)
	}
	cfg.Inputs = append(cfg.Inputs, input(operator.RoleWeight, schema.Int64))
	return cfg
}

func daily(in ...operator.Input) operator.Config {
	return operator.Config{Inputs: in, Windows: []window.Window{{Length: 30 * window.Day, Hop: window.Day}}}
}

const (
	groupSlots = 256
	groupParts = 4 // partitions, of which nearly every slot has rows of one
)

// group is the rows of some slots: by partition, of one all rows of a slot side by side.
type group struct {
	parts  []groupRows
	newest []int64
	rows   int
}

// groupRows are those of one partition.
type groupRows struct{ operator.Rows }

// newGroup returns a group whose rows are spread over some time, a slot's in the order of it but for a few.
func newGroup(rng *rand.Rand, cfg *operator.Config, most []int64, spread int64) *group {
	g := &group{parts: make([]groupRows, groupParts), newest: make([]int64, groupSlots)}
	for i := range g.parts {
		p := &g.parts[i]
		p.Partition, p.Newest = int32(i), g.newest
		for _, in := range cfg.Inputs {
			c := column.NewColumn(in.Type, in.Scale)
			p.In = append(p.In, &c)
		}
	}
	const begin = 1_790_000_000_000
	for slot := range int32(groupSlots) {
		home := rng.IntN(groupParts)
		times := make([]int64, rowsOfSlot(rng))
		for i := range times {
			times[i] = begin + rng.Int64N(spread)
		}
		slices.Sort(times)
		for i, t := range times {
			if rng.IntN(50) == 0 {
				t -= rng.Int64N(10 * window.Minute)
			}
			if i > 0 && rng.IntN(500) == 0 {
				home = rng.IntN(groupParts)
			}
			g.parts[home].add(rng, slot, t, most)
			g.newest[slot] = max(g.newest[slot], t)
			g.rows++
		}
		g.newest[slot] += rng.Int64N(window.Hour)
	}
	return g
}

// rowsOfSlot returns how many rows a slot has: mostly very few, of one in some hundreds thousands.
func rowsOfSlot(rng *rand.Rand) int {
	between := func(low, high float64) int { return int(low * math.Pow(high/low, rng.Float64())) }
	switch share := rng.Float64(); {
	case share < .5:
		return between(1, 3)
	case share < .9:
		return between(2, 7)
	case share < .99:
		return between(6, 93)
	case share < .997:
		return between(92, 1000)
	}
	return between(1000, 4000)
}

// add appends a row of slot at t.
func (g *groupRows) add(rng *rand.Rand, slot int32, t int64, most []int64) {
	g.Row, g.Slot, g.Time = append(g.Row, int32(len(g.Row))), append(g.Slot, slot), append(g.Time, t)
	g.Offset = append(g.Offset, int64(len(g.Offset)))
	for i, c := range g.In {
		if most[i] == 0 {
			c.AppendInt([]int64{1, 1, 1, 1, 2, 3, 5, 8, -3}[rng.IntN(9)])
			continue
		}
		near := rng.Float64() // every other row is about the few values that its slot likes best
		if rng.IntN(2) == 0 {
			near = float64(int(slot)*7919%1000+rng.IntN(3)) / 1003
		}
		c.AppendInt(int64(float64(most[i]) * near * near))
	}
}

// BenchmarkGroup folds groups of slots into states that are written and forgotten.
func BenchmarkGroup(b *testing.B) {
	for _, l := range groupLoad {
		for _, spread := range []int64{30 * window.Day, 90 * window.Minute} {
			b.Run(l.name+"/"+window.Text(spread), func(b *testing.B) { benchmarkGroup(b, l.kind, &l.cfg, l.most, spread) })
		}
	}
}

func benchmarkGroup(b *testing.B, kind string, cfg *operator.Config, most []int64, spread int64) {
	rng := rand.New(rand.NewPCG(11, 12))
	groups := make([]*group, 32)
	for i := range groups {
		groups[i] = newGroup(rng, cfg, most, spread)
	}
	s := newStates(b, kind, cfg, groupSlots)
	var fold, write, reset time.Duration
	var buf []byte
	rows := 0
	for i := 0; b.Loop(); i++ {
		g := groups[i%len(groups)]
		rows += g.rows
		begin := time.Now()
		s.Reset()
		s.Grow(groupSlots)
		empty := time.Now()
		for j := range g.parts {
			s.Fold(&g.parts[j].Rows)
		}
		folded := time.Now()
		buf = buf[:0]
		for slot, newest := range g.newest {
			buf = s.AppendState(buf, int32(slot), newest)
		}
		reset += empty.Sub(begin)
		fold += folded.Sub(empty)
		write += time.Since(folded)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(fold.Nanoseconds())/float64(rows), "fold-ns/row")
	b.ReportMetric(float64(write.Nanoseconds())/float64(b.N*groupSlots), "write-ns/slot")
	b.ReportMetric(float64(reset.Nanoseconds())/float64(b.N), "reset-ns")
	b.ReportMetric(float64((fold+write+reset).Nanoseconds())/float64(rows), "all-ns/row")
}
