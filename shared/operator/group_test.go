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
	parts  []*operator.Rows
	newest []int64
	rows   int
}

// newParts returns a group of so many partitions, without rows.
func newParts(in []operator.Input, parts int) *group {
	g := &group{newest: make([]int64, groupSlots)}
	for i := range parts {
		p := &operator.Rows{Partition: int32(i), Newest: g.newest}
		for _, one := range in {
			c := column.NewColumn(one.Type, one.Scale)
			p.In = append(p.In, &c)
		}
		g.parts = append(g.parts, p)
	}
	return g
}

// next adds a row of slot at t to a partition, but for its inputs.
func (g *group) next(part int, slot int32, t int64) *operator.Rows {
	r := g.parts[part]
	r.Row, r.Slot, r.Time = append(r.Row, int32(len(r.Row))), append(r.Slot, slot), append(r.Time, t)
	r.Offset = append(r.Offset, int64(len(r.Offset)))
	g.rows++
	return r
}

// newGroup returns a group whose rows are spread over some time, a slot's in the order of it but for a few.
func newGroup(rng *rand.Rand, cfg *operator.Config, most []int64, spread int64) *group {
	g := newParts(cfg.Inputs, groupParts)
	const begin = 1_790_000_000_000
	for slot := range int32(groupSlots) {
		home := rng.IntN(groupParts)
		times := make([]int64, drawn(rng, visited))
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
			g.add(rng, home, slot, t, most)
			g.newest[slot] = max(g.newest[slot], t)
		}
		g.newest[slot] += rng.Int64N(window.Hour)
	}
	return g
}

// share says how many rows a slot has, up to a share of all slots.
type share struct{ upTo, low, high float64 }

// visited is how many rows of some event a visitor has: mostly very few, of one in some hundreds thousands.
var visited = []share{{.5, 1, 3}, {.9, 2, 7}, {.99, 6, 93}, {.997, 92, 1000}, {1, 1000, 4000}}

// drawn returns how many rows a slot has.
func drawn(rng *rand.Rand, shares []share) int {
	at := rng.Float64()
	s := shares[slices.IndexFunc(shares, func(s share) bool { return at < s.upTo })]
	return int(s.low * math.Pow(s.high/s.low, rng.Float64()))
}

// add appends a row of slot at t.
func (g *group) add(rng *rand.Rand, part int, slot int32, t int64, most []int64) {
	for i, c := range g.next(part, slot, t).In {
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
	foldGroups(b, newStates(b, kind, cfg, groupSlots), groups)
}

// foldGroups folds one group after the other into states that are reset, and writes them.
func foldGroups(b *testing.B, s operator.States, groups []*group) {
	var fold, write, reset time.Duration
	var buf []byte
	rows := 0
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		g := groups[i%len(groups)]
		rows += g.rows
		begin := time.Now()
		s.Reset()
		s.Grow(groupSlots)
		empty := time.Now()
		for _, p := range g.parts {
			s.Fold(p)
		}
		folded := time.Now()
		buf = buf[:0]
		for slot, newest := range g.newest {
			buf = s.AppendState(buf, int32(slot), newest)
		}
		write += time.Since(folded)
		fold += folded.Sub(empty)
		reset += empty.Sub(begin)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(fold.Nanoseconds())/float64(rows), "fold-ns/row")
	b.ReportMetric(float64(write.Nanoseconds())/float64(b.N*groupSlots), "write-ns/slot")
	b.ReportMetric(float64(reset.Nanoseconds())/float64(b.N), "reset-ns")
	b.ReportMetric(float64((fold+write+reset).Nanoseconds())/float64(rows), "all-ns/row")
}
