package operator_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// keyedLoad is what a full run of the used-car job folds into states of elements, group by group: those of visitors come
// from one partition, those of listings from four.
var keyedLoad = []struct {
	name   string
	kind   string
	cfg    operator.Config
	prefix byte // of ids, of which there are so many
	ids    uint64
	parts  int
}{
	{"last_n/listings", "last_n", operator.Config{Inputs: inputs{value(schema.String)}, N: 50, Windows: days(30)}, 'l', 60_000, 1},
	{"last_n/devices", "last_n", operator.Config{Inputs: inputs{value(schema.String)}, N: 20, Windows: days(1)}, 'd', 348_000, 4},
	{"distinct/listings", "distinct", operator.Config{Inputs: inputs{key(schema.String)}, Windows: days(7, 30)}, 'l', 60_000, 1},
	{"distinct/devices", "distinct", operator.Config{Inputs: inputs{key(schema.String)}, Windows: days(1)}, 'd', 348_000, 4},
	{"set", "set", operator.Config{Inputs: inputs{key(schema.String), remove}, N: 50, Windows: days(30)}, 'l', 60_000, 1},
	{"map", "map", operator.Config{Inputs: inputs{value(schema.String), key(schema.String), remove}, N: 50, Windows: days(30)}, 'l', 60_000, 1},
}

func days(lengths ...int64) (ws []window.Window) {
	for _, n := range lengths {
		ws = append(ws, win(n*window.Day))
	}
	return ws
}

// keyedGroup is the rows of some slots, of each partition all rows of a slot side by side.
type keyedGroup struct {
	parts  []*operator.Rows
	newest []int64
	rows   int
}

// maxGroupSlots and maxGroupRows (of one partition) end a group.
const (
	maxGroupSlots = 256
	maxGroupRows  = 2048
)

func newKeyedGroup(rng *rand.Rand, in inputs, prefix byte, ids uint64, parts int) *keyedGroup {
	g := &keyedGroup{newest: make([]int64, maxGroupSlots)}
	for i := range parts {
		p := &operator.Rows{Partition: int32(i), Newest: g.newest}
		for _, one := range in {
			c := column.NewColumn(one.Type, 0)
			p.In = append(p.In, &c)
		}
		g.parts = append(g.parts, p)
	}
	var times []int64
	for slot := range int32(maxGroupSlots) {
		n := rowsOfKey(rng)
		if slot > 0 && g.rows+n > maxGroupRows*parts {
			n = 1
		}
		g.newest[slot] = t0 + 30*window.Day
		times = times[:0]
		for range n {
			times = append(times, t0+rng.Int64N(30*window.Day))
		}
		slices.Sort(times)
		for i, t := range times {
			if i > 0 && rng.IntN(200) == 0 { // late
				t = max(t0, t-rng.Int64N(2*window.Hour))
			}
			g.add(rng, slot, t, prefix, ids)
		}
	}
	return g
}

// add appends a row of slot at t, about one of the ids, of which the first are the most frequent.
func (g *keyedGroup) add(rng *rand.Rand, slot int32, t int64, prefix byte, ids uint64) {
	p := g.parts[rng.IntN(len(g.parts))]
	p.Row, p.Slot, p.Time = append(p.Row, int32(len(p.Row))), append(p.Slot, slot), append(p.Time, t)
	p.Offset = append(p.Offset, int64(len(p.Offset)))
	u := rng.Float64()
	id := uint64(float64(ids)*u*u*u) * 0x9e37 % 1_000_000_007
	for _, c := range p.In {
		if c.Type == schema.String {
			c.AppendBytes(strconv.AppendUint([]byte{prefix}, id, 36))
		} else {
			c.AppendInt(int64(rng.IntN(8) / 7))
		}
	}
	g.rows++
}

// rowsOfKey returns how many rows a slot has: mostly a few, at times thousands.
func rowsOfKey(rng *rand.Rand) int {
	between := func(low, high float64) int { return int(low * math.Pow(high/low, rng.Float64())) }
	switch share := rng.Float64(); {
	case share < .5:
		return between(1, 5)
	case share < .9:
		return between(4, 60)
	case share < .99:
		return between(60, 311)
	}
	return between(311, 3000)
}

// BenchmarkGroupOfKeys folds groups of slots into states that are written and forgotten.
func BenchmarkGroupOfKeys(b *testing.B) {
	for _, l := range keyedLoad {
		b.Run(l.name, func(b *testing.B) {
			rng := rand.New(rand.NewPCG(21, 22))
			groups := make([]*keyedGroup, 64)
			for i := range groups {
				groups[i] = newKeyedGroup(rng, l.cfg.Inputs, l.prefix, l.ids, l.parts)
			}
			s := newStates(b, l.kind, &l.cfg, maxGroupSlots)
			var fold, write, reset time.Duration
			var buf []byte
			rows := 0
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				g := groups[i%len(groups)]
				begin := time.Now()
				s.Reset()
				s.Grow(maxGroupSlots)
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
				rows += g.rows
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(fold.Nanoseconds())/float64(rows), "fold-ns/row")
			b.ReportMetric(float64(write.Nanoseconds())/float64(b.N*maxGroupSlots), "write-ns/slot")
			b.ReportMetric(float64(reset.Nanoseconds())/float64(b.N), "reset-ns")
			b.ReportMetric(float64((fold+write+reset).Nanoseconds())/float64(rows), "all-ns/row")
		})
	}
}
