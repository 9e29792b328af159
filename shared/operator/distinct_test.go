package operator_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/operator/naive"
	"github.com/tidemark-io/tidemark/shared/operator/operatortest"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// TestDistinctLawsPastTheBound lets small worlds pass bounds that are as small, here and there and not at all.
func TestDistinctLawsPastTheBound(t *testing.T) {
	for _, exact := range []int{1, 7, 20} {
		for name, ws := range windowSets {
			for _, in := range []inputs{{key(schema.String)}, {key(schema.Int32), key(schema.Bool)}} {
				t.Run(fmt.Sprintf("%d/%s/%d", exact, name, len(in)), func(t *testing.T) {
					t.Parallel()
					operatortest.Laws(t, operator.DistinctOf(exact), operator.Config{Inputs: in, Windows: ws}, operatortest.DistinctGen(30))
				})
			}
		}
	}
}

// visits are events of one entity, each with one element.
type visits struct {
	rows operator.Rows
	all  []naive.Event
}

// newVisits makes events of each of so many elements, in any order: one at least, the others as chance has it.
func newVisits(rng *rand.Rand, elements, more int, span int64) *visits {
	c := column.NewColumn(schema.Int64, 0)
	v := &visits{rows: operator.Rows{In: []*column.Column{&c}, Newest: []int64{0}}}
	for i, element := range append(rng.Perm(elements), make([]int, more)...) {
		if i >= elements {
			element = rng.IntN(elements)
		}
		at := t0 + rng.Int64N(span)
		c.AppendInt(int64(element))
		v.rows.Row, v.rows.Slot = append(v.rows.Row, int32(i)), append(v.rows.Slot, 0)
		v.rows.Time, v.rows.Offset = append(v.rows.Time, at), append(v.rows.Offset, int64(i))
		v.rows.Newest[0] = max(v.rows.Newest[0], at)
		v.all = append(v.all, naive.Event{Time: at, Offset: int64(i), In: []naive.Datum{{Int: int64(element)}}})
	}
	return v
}

// part returns the rows from one to another.
func (v *visits) part(from, to int) *operator.Rows {
	r := v.rows
	r.Row, r.Slot, r.Newest = r.Row[from:to], r.Slot[from:to], []int64{0}
	for _, row := range r.Row {
		r.Newest[0] = max(r.Newest[0], r.Time[row])
	}
	return &r
}

// TestDistinctAtItsBound folds as many elements as are kept exactly, one more, and many more, at once and in parts that
// are merged in some order, and wants the bytes and the answers of the naive twin.
func TestDistinctAtItsBound(t *testing.T) {
	const limit = operator.MaxExact
	for _, elements := range []int{limit - 1, limit, limit + 1, 3 * limit} {
		for name, ws := range windowSets {
			seed := rand.Uint64()
			rng := rand.New(rand.NewPCG(seed, 12))
			cfg := operator.Config{Inputs: inputs{key(schema.Int64)}, Windows: ws}
			v := newVisits(rng, elements, limit, max(100, 2*ws[0].Length))
			newest := v.rows.Newest[0]
			want, err := naive.State("distinct", cfg, v.all, newest)
			if err != nil {
				t.Fatal(err)
			}
			s := newStates(t, "distinct", &cfg, 2)
			s.Fold(&v.rows)
			if got := s.AppendState(nil, 0, newest); !bytes.Equal(got, want) {
				t.Fatalf("%d elements, windows %s, seed %d: %d bytes, the twin has %d", elements, name, seed, len(got), len(want))
			}
			mergeParts(t, s, &cfg, v, rng)
			if got := s.AppendState(nil, 1, newest); !bytes.Equal(got, want) {
				t.Fatalf("%d elements, windows %s, seed %d: merged %d bytes, the twin has %d", elements, name, seed, len(got), len(want))
			}
			for _, w := range ws {
				q := operator.Query{Window: w, Newest: newest, AsOf: newest + rng.Int64N(w.Length/2+1)}
				twin, err := naive.Result("distinct", cfg, v.all, q)
				if err != nil {
					t.Fatal(err)
				}
				if a, b := s.Result(0, &q), s.Result(1, &q); !a.Equal(twin) || !b.Equal(twin) {
					t.Errorf("%d elements, windows %s, seed %d, %+v: %s folded, %s merged, the twin answers %s", elements, name, seed, q, a, b, twin)
				}
			}
		}
	}
}

// mergeParts folds parts of the visits apart from each other and merges their states into slot 1 of s.
func mergeParts(t *testing.T, s operator.States, cfg *operator.Config, v *visits, rng *rand.Rand) {
	t.Helper()
	for from := 0; from < len(v.all); {
		to := min(len(v.all), from+1+rng.IntN(1500))
		part := newStates(t, "distinct", cfg, 1)
		rows := v.part(from, to)
		part.Fold(rows)
		if err := s.Merge(1, part.AppendState(nil, 0, rows.Newest[0]), rows.Newest[0]); err != nil {
			t.Fatal(err)
		}
		from = to
	}
}

// TestDistinctOfAMillion holds an entity of a million elements to the bytes that it may take, written and in memory, and
// to the error that is stated: four standard errors at most.
func TestDistinctOfAMillion(t *testing.T) {
	const (
		elements = 1_000_000
		month    = 30 * window.Day
		hours    = month / window.Hour
		maxState = 64 << 10 // bytes
		maxInUse = 4 << 20  // bytes
		standard = 1.04 / 64
		batch    = 10_000
	)
	cfg := operator.Config{Inputs: inputs{key(schema.String)}, Windows: []window.Window{win(window.Day), win(month), window.All}}
	s := newStates(t, "distinct", &cfg, 1)
	newest := int64(0)
	for from := 0; from < elements; from += batch {
		c := column.NewColumn(schema.String, 0)
		rows := operator.Rows{In: []*column.Column{&c}}
		for i := range batch {
			c.AppendBytes(fmt.Appendf(nil, "visitor-%d", from+i))
			newest = t0 + int64(from+i)*hours/elements*window.Hour
			rows.Row, rows.Slot, rows.Time = append(rows.Row, int32(i)), append(rows.Slot, 0), append(rows.Time, newest)
		}
		rows.Newest = []int64{newest}
		s.Fold(&rows)
		if n := sizeOf(t, s); n > maxInUse {
			t.Fatalf("%d bytes in use after %d elements", n, from+batch)
		}
	}
	state := s.AppendState(nil, 0, newest)
	t.Logf("a million elements: %d bytes written, %d in use", len(state), sizeOf(t, s))
	if len(state) > maxState {
		t.Errorf("the state has %d bytes", len(state))
	}
	for w, want := range map[window.Window]float64{win(window.Day): elements / 30.0, win(month): elements, window.All: elements} {
		v := s.Result(0, &operator.Query{Window: w, Newest: newest, AsOf: newest})
		if off := float64(v.Lo)/want - 1; math.Abs(off) > 4*standard {
			t.Errorf("window of %d ms: %s of %.0f, off by %.2f %%", w.Length, v, want, 100*off)
		}
	}
}

// crowd makes batches of rows of many elements for one hot slot.
func crowd(elements int) (cfg operator.Config, next func() *operator.Rows) {
	cfg = windowed(operator.Config{Inputs: inputs{key(schema.Int64)}})
	rng := rand.New(rand.NewPCG(3, 3))
	c := column.NewColumn(schema.Int64, 0)
	rows := &operator.Rows{In: []*column.Column{&c}, Newest: []int64{0}, Time: make([]int64, batchRows), Slot: make([]int32, batchRows)}
	for i := range int32(batchRows) {
		rows.Row = append(rows.Row, i)
		c.AppendInt(0)
	}
	now := int64(t0)
	return cfg, func() *operator.Rows {
		now += 10 * window.Second
		for i := range c.Ints {
			c.Ints[i] = rng.Int64N(int64(elements))
			rows.Time[i] = now
		}
		rows.Newest[0] = now
		return rows
	}
}

// TestDistinctRegistersDoNotAllocate folds until the windows have passed.
func TestDistinctRegistersDoNotAllocate(t *testing.T) {
	cfg, next := crowd(1_000_000)
	s := newStates(t, "distinct", &cfg, 1)
	for range 10_000 {
		s.Fold(next())
	}
	if n := testing.AllocsPerRun(50, func() { s.Fold(next()) }); n != 0 {
		t.Errorf("folding a batch into registers: %v allocations", n)
	}
}

func BenchmarkDistinctOfOneEntity(b *testing.B) {
	for _, elements := range []int{10, 1_000, 1_000_000} {
		b.Run(strconv.Itoa(elements), func(b *testing.B) {
			cfg, next := crowd(elements)
			s := newStates(b, "distinct", &cfg, 1)
			for range 500 {
				s.Fold(next())
			}
			rows := next()
			b.ReportAllocs()
			for b.Loop() {
				rows.Time[0]++
				s.Fold(rows)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batchRows), "ns/row")
			b.ReportMetric(float64(len(s.AppendState(nil, 0, rows.Newest[0]))), "bytes")
		})
	}
}
