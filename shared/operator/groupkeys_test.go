package operator_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

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

// maxGroupRows, of one partition, end a group.
const maxGroupRows = 2048

// seen is how many rows of some event a listing has, or a visitor who looks around: mostly a few, at times thousands.
var seen = []share{{.5, 1, 5}, {.9, 4, 60}, {.99, 60, 311}, {1, 311, 3000}}

func newKeyedGroup(rng *rand.Rand, in inputs, prefix byte, ids uint64, parts int) *group {
	g := newParts(in, parts)
	var times []int64
	for slot := range int32(groupSlots) {
		n := drawn(rng, seen)
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
			g.addKeyed(rng, slot, t, prefix, ids)
		}
	}
	return g
}

// addKeyed appends a row of slot at t, about one of the ids, of which the first are the most frequent.
func (g *group) addKeyed(rng *rand.Rand, slot int32, t int64, prefix byte, ids uint64) {
	p := g.next(rng.IntN(len(g.parts)), slot, t)
	u := rng.Float64()
	id := uint64(float64(ids)*u*u*u) * 0x9e37 % 1_000_000_007
	for _, c := range p.In {
		if c.Type == schema.String {
			c.AppendBytes(strconv.AppendUint([]byte{prefix}, id, 36))
		} else {
			c.AppendInt(int64(rng.IntN(8) / 7))
		}
	}
}

// BenchmarkGroupOfKeys folds groups of slots into states that are written and forgotten.
func BenchmarkGroupOfKeys(b *testing.B) {
	for _, l := range keyedLoad {
		b.Run(l.name, func(b *testing.B) {
			rng := rand.New(rand.NewPCG(21, 22))
			groups := make([]*group, 64)
			for i := range groups {
				groups[i] = newKeyedGroup(rng, l.cfg.Inputs, l.prefix, l.ids, l.parts)
			}
			foldGroups(b, newStates(b, l.kind, &l.cfg, groupSlots), groups)
		})
	}
}
