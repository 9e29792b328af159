package operator_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// load is the kinds under configurations such as jobs have, for the tests of allocation and the benchmarks.
var load = []struct {
	name  string
	kind  string
	cfg   operator.Config
	query operator.Query
}{
	{"count/all", "count", operator.Config{}, operator.Query{}},
	{"count", "count", windowed(operator.Config{}), operator.Query{Window: win(window.Day)}},
	{"sum", "sum", windowed(operator.Config{Inputs: inputs{value(schema.Int64)}}), operator.Query{Window: win(window.Day)}},
	{"avg", "avg", windowed(operator.Config{Inputs: inputs{value(schema.Decimal)}}), operator.Query{Window: win(window.Day)}},
	{"distinct", "distinct", windowed(operator.Config{Inputs: inputs{key(schema.String)}}), operator.Query{Window: win(window.Day)}},
	{"histogram", "histogram", windowed(operator.Config{Inputs: inputs{value(schema.Int64)}, Edges: []int64{100, 200, 300, 400, 500, 600, 700}}), operator.Query{Window: win(window.Day)}},
	{"variance", "variance", windowed(operator.Config{Inputs: inputs{value(schema.Decimal)}}), operator.Query{Window: win(window.Day)}},
	{"min", "min", windowed(operator.Config{Inputs: inputs{value(schema.Int32)}}), operator.Query{Window: win(window.Day)}},
	{"max", "max", windowed(operator.Config{Inputs: inputs{value(schema.Int32)}}), operator.Query{Window: win(window.Day)}},
	{"first", "first", windowed(operator.Config{Inputs: inputs{value(schema.String)}}), operator.Query{Window: win(window.Day)}},
	{"last", "last", operator.Config{Inputs: inputs{value(schema.String), value(schema.Int32)}}, operator.Query{}},
	{"last_n", "last_n", operator.Config{Inputs: inputs{key(schema.String)}, N: 50}, operator.Query{}},
	{"set", "set", operator.Config{Inputs: inputs{key(schema.String), remove}, N: 50}, operator.Query{}},
	{"map", "map", operator.Config{Inputs: inputs{value(schema.Int32), key(schema.String), remove}, N: 50}, operator.Query{}},
	{
		"active_days", "active_days",
		operator.Config{Windows: []window.Window{{Length: 30 * window.Day, Hop: window.Day}}},
		operator.Query{Window: window.Window{Length: 30 * window.Day, Hop: window.Day}},
	},
	{
		"sessions", "sessions",
		operator.Config{Gap: 30 * window.Minute, Windows: []window.Window{win(7 * window.Day)}},
		operator.Query{Window: win(7 * window.Day)},
	},
	{
		"top_k", "top_k",
		operator.Config{
			Inputs:  inputs{key(schema.Int32), key(schema.Enum), input(operator.RoleWeight, schema.Int32)},
			Windows: []window.Window{{Length: 60 * window.Day, Hop: 6 * window.Hour}},
		},
		operator.Query{Window: window.Window{Length: 60 * window.Day, Hop: 6 * window.Hour}, HalfLife: 7 * window.Day, Limit: 20},
	},
}

func windowed(cfg operator.Config) operator.Config {
	cfg.Windows = []window.Window{win(window.Hour), win(window.Day)}
	return cfg
}

// traffic makes batches of rows for many slots, a few of which have most of them, at times that go on by a minute a
// batch.
type traffic struct {
	rng    *rand.Rand
	slots  int
	rows   operator.Rows
	now    int64
	offset int64
}

const batchRows = 1024

func newTraffic(cfg *operator.Config, slots int) *traffic {
	tr := &traffic{rng: rand.New(rand.NewPCG(1, 2)), slots: slots, now: 1_700_000_000_000}
	tr.rows.Newest = make([]int64, slots)
	for _, in := range cfg.Inputs {
		c := column.NewColumn(in.Type, in.Scale)
		for range batchRows {
			if in.Type == schema.String {
				c.AppendBytes(fmt.Appendf(nil, "listing-%08d", tr.rng.IntN(2000)))
				continue
			}
			if in.Type == schema.Bool {
				c.AppendInt(int64(tr.rng.IntN(2)))
				continue
			}
			low, high := column.Range(&schema.Field{Type: in.Type, Enum: in.Enum})
			c.AppendInt(max(low, min(high, tr.rng.Int64N(800))))
		}
		tr.rows.In = append(tr.rows.In, &c)
	}
	for i := range int32(batchRows) {
		tr.rows.Row = append(tr.rows.Row, i)
	}
	tr.rows.Slot = make([]int32, batchRows)
	tr.rows.Time = make([]int64, batchRows)
	tr.rows.Offset = make([]int64, batchRows)
	return tr
}

// next is the next batch. It allocates nothing.
func (tr *traffic) next() *operator.Rows {
	tr.now += window.Minute
	for i := range tr.rows.Row {
		slot := int32(float64(tr.slots) * tr.rng.Float64() * tr.rng.Float64() * tr.rng.Float64())
		t := tr.now + int64(i)
		if i%50 == 0 {
			t -= tr.rng.Int64N(2 * window.Hour)
		}
		tr.offset++
		tr.rows.Slot[i], tr.rows.Time[i], tr.rows.Offset[i] = slot, t, tr.offset
		tr.rows.Newest[slot] = max(tr.rows.Newest[slot], t)
	}
	return &tr.rows
}

// arranged is next with all rows of a slot side by side, as a full run folds them.
func (tr *traffic) arranged() *operator.Rows {
	tr.next()
	slices.Sort(tr.rows.Slot)
	for i, slot := range tr.rows.Slot {
		tr.rows.Newest[slot] = max(tr.rows.Newest[slot], tr.rows.Time[i])
	}
	return &tr.rows
}

func newStates(tb testing.TB, kind string, cfg *operator.Config, slots int) operator.States {
	tb.Helper()
	if len(cfg.Windows) == 0 {
		cfg.Windows = []window.Window{window.All}
	}
	k, ok := operator.Lookup(kind)
	if !ok {
		tb.Fatalf("no kind %q", kind)
	}
	op, err := k.New(*cfg)
	if err != nil {
		tb.Fatal(err)
	}
	s := op.NewStates()
	s.Grow(slots)
	return s
}

// TestFoldDoesNotAllocate folds until every slot has seen its windows pass, and then wants no allocation; nor after a
// Reset, when the same load comes again.
func TestFoldDoesNotAllocate(t *testing.T) {
	const slots, warmUp, measured = 300, 3500, 50
	for _, l := range load {
		t.Run(l.name, func(t *testing.T) {
			s := newStates(t, l.kind, &l.cfg, slots)
			tr := newTraffic(&l.cfg, slots)
			for range warmUp {
				s.Fold(tr.next())
			}
			if n := testing.AllocsPerRun(measured, func() { s.Fold(tr.next()) }); n != 0 {
				t.Errorf("folding a batch in steady state: %v allocations", n)
			}
			tr = newTraffic(&l.cfg, slots)
			s.Reset()
			s.Grow(slots)
			if n := testing.AllocsPerRun(measured, func() { s.Fold(tr.next()) }); n != 0 {
				t.Errorf("folding a batch after Reset: %v allocations", n)
			}
			for range measured {
				s.Fold(tr.arranged())
			}
			if n := testing.AllocsPerRun(measured, func() { s.Fold(tr.arranged()) }); n != 0 {
				t.Errorf("folding an arranged batch: %v allocations", n)
			}
		})
	}
}

// TestEmptySlotsAreSmall holds the states to the memory that many empty slots may cost.
func TestEmptySlotsAreSmall(t *testing.T) {
	const slots, limit = 10_000, 16 // bytes a slot
	for _, l := range load {
		s := newStates(t, l.kind, &l.cfg, slots)
		if n := sizeOf(t, s); n > slots*limit {
			t.Errorf("%s: %d empty slots take %d bytes", l.name, slots, n)
		}
	}
}

// TestResetForgets wants states that were folded into and reset to hold no more than new ones.
func TestResetForgets(t *testing.T) {
	const slots = 50
	for _, l := range load {
		s, fresh := newStates(t, l.kind, &l.cfg, slots), newStates(t, l.kind, &l.cfg, slots)
		tr := newTraffic(&l.cfg, slots)
		for range 20 {
			s.Fold(tr.next())
		}
		folded := sizeOf(t, s)
		s.Reset()
		s.Grow(slots)
		if n, want := sizeOf(t, s), sizeOf(t, fresh); n != want || folded <= want {
			t.Errorf("%s: %d bytes folded, %d after Reset; new states have %d", l.name, folded, n, want)
		}
	}
}

func sizeOf(t *testing.T, s operator.States) int64 {
	t.Helper()
	sizer, ok := s.(operator.Sizer)
	if !ok {
		t.Fatalf("%T does not tell its size", s)
	}
	return sizer.Bytes()
}

func BenchmarkFold(b *testing.B) {
	const slots, warmUp = 50_000, 200
	for _, l := range load {
		b.Run(l.name, func(b *testing.B) {
			s := newStates(b, l.kind, &l.cfg, slots)
			tr := newTraffic(&l.cfg, slots)
			for range warmUp {
				s.Fold(tr.next())
			}
			rows := tr.next()
			b.ReportAllocs()
			for b.Loop() {
				s.Fold(rows)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batchRows), "ns/row")
		})
	}
}

// BenchmarkFoldArranged folds batches of which each slot has some dozen rows side by side.
func BenchmarkFoldArranged(b *testing.B) {
	const slots, warmUp = 40, 50
	for _, l := range load {
		b.Run(l.name, func(b *testing.B) {
			s := newStates(b, l.kind, &l.cfg, slots)
			tr := newTraffic(&l.cfg, slots)
			for range warmUp {
				s.Fold(tr.arranged())
			}
			rows := tr.arranged()
			b.ReportAllocs()
			for b.Loop() {
				s.Fold(rows)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batchRows), "ns/row")
		})
	}
}

// folded returns states of a hundred slots, what they are written as, and the newest event time of each.
func folded(b *testing.B, kind string, cfg *operator.Config) (s operator.States, states [][]byte, newest []int64) {
	const slots, batches = 100, 300
	s = newStates(b, kind, cfg, slots)
	tr := newTraffic(cfg, slots)
	for range batches {
		s.Fold(tr.next())
	}
	for slot := range int32(slots) {
		states = append(states, s.AppendState(nil, slot, tr.rows.Newest[slot]))
	}
	return s, states, tr.rows.Newest
}

func BenchmarkMerge(b *testing.B) {
	for _, l := range load {
		b.Run(l.name, func(b *testing.B) {
			s, states, newest := folded(b, l.kind, &l.cfg)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				at := i % len(states)
				s.Reset()
				s.Grow(1)
				if err := s.Merge(0, states[at], newest[at]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendState(b *testing.B) {
	for _, l := range load {
		b.Run(l.name, func(b *testing.B) {
			s, states, newest := folded(b, l.kind, &l.cfg)
			var buf []byte
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				at := i % len(states)
				buf = s.AppendState(buf[:0], int32(at), newest[at])
			}
		})
	}
}

func BenchmarkResult(b *testing.B) {
	for _, l := range load {
		b.Run(l.name, func(b *testing.B) {
			s, states, newest := folded(b, l.kind, &l.cfg)
			q := l.query
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				at := i % len(states)
				q.Newest, q.AsOf = newest[at], newest[at]
				s.Result(int32(at), &q)
			}
		})
	}
}
