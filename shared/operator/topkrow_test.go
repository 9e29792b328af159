package operator_test

import (
	"math/rand/v2"
	"testing"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// topKRowConfigs have keys that fit into a word, keys that are long and begin alike, and keys of two members.
var topKRowConfigs = []operator.Config{
	{Inputs: inputs{key(schema.Int32), input(operator.RoleWeight, schema.Int64)}},
	{Inputs: inputs{key(schema.String), input(operator.RoleWeight, schema.Int64)}},
	{Inputs: inputs{key(schema.Int32), key(schema.String)}},
}

// newRow returns states of the kind for rows alone.
func newRow(tb testing.TB, kind string, cfg *operator.Config) operator.States {
	tb.Helper()
	k, ok := operator.Lookup(kind)
	if !ok {
		tb.Fatalf("no kind %q", kind)
	}
	op, err := k.New(*cfg)
	if err != nil {
		tb.Fatal(err)
	}
	r, ok := op.(operator.RowReader)
	if !ok {
		tb.Fatalf("%s has no states for rows alone", kind)
	}
	return r.NewRow()
}

// rowParts folds random stretches of traffic into parts of one row, as bytes. Weights are small, of either sign, and now and
// then large.
func rowParts(t testing.TB, cfg *operator.Config, rng *rand.Rand) (parts [][]byte, newest int64) {
	t.Helper()
	tr := newTraffic(cfg, 1)
	weights := tr.rows.In[len(tr.rows.In)-1]
	keys := 1 + rng.Int64N(1<<rng.IntN(11))
	for range 1 + rng.IntN(6) {
		s := newStates(t, "top_k", cfg, 1)
		rows := tr.next()
		from := int32(rng.IntN(batchRows))
		rows.Row = rows.Row[:0]
		for i := range min(int32(rng.IntN(1<<rng.IntN(11))), batchRows-from) {
			rows.Row = append(rows.Row, from+i)
		}
		for i := range batchRows {
			if len(cfg.Inputs) > 1 && cfg.Inputs[1].Role == operator.RoleWeight {
				weights.Ints[i] = rng.Int64N(9) - 2
				if rng.IntN(500) == 0 {
					weights.Ints[i] <<= rng.IntN(60)
				}
			}
			if cfg.Inputs[0].Type == schema.Int32 {
				rows.In[0].Ints[i] = rng.Int64N(keys) * 37
			}
		}
		s.Fold(rows)
		parts = append(parts, s.AppendState(nil, 0, tr.now))
	}
	return parts, tr.rows.Newest[0]
}

// TestTopKRowAgainstStates reads random rows with states made for it and, as twin, with ordinary ones, and compares the text
// of what they list, its order among equal scores included.
func TestTopKRowAgainstStates(t *testing.T) {
	read, left, listed := 0, 0, 0
	for seed := range uint64(600) {
		rng := rand.New(rand.NewPCG(seed, 29))
		cfg := topKRowConfigs[rng.IntN(len(topKRowConfigs))]
		cfg.Windows = windowSets[[]string{"all", "nested", "mixed"}[rng.IntN(3)]]
		twin, row := newStates(t, "top_k", &cfg, 1), newRow(t, "top_k", &cfg)
		for range 2 { // the second time in memory that was used
			parts, newest := rowParts(t, &cfg, rng)
			row.Reset()
			twin.Reset()
			twin.Grow(1)
			for _, part := range parts {
				if err := row.Merge(0, part, newest); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				if err := twin.Merge(0, part, newest); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
			if operator.RowLeft(row) {
				left++
			} else {
				read++
			}
			for _, limit := range []int{0, 1, 2 + rng.IntN(60), 65} {
				w := cfg.Windows[rng.IntN(len(cfg.Windows))]
				q := operator.Query{Window: w, Newest: newest, AsOf: newest + rng.Int64N(2*window.Day), Limit: limit}
				if w.Length > 0 && rng.IntN(2) == 0 {
					q.HalfLife = 1 + rng.Int64N(w.Length)
				}
				got, _ := operator.AppendResult(nil, row, 0, &q)
				want, _ := operator.AppendResult(nil, twin, 0, &q)
				if string(got) != string(want) || row.Result(0, &q).String() != string(want) {
					t.Fatalf("seed %d, asking %+v: %s, ordinary states %s", seed, q, got, want)
				}
				listed += len(want)
			}
		}
	}
	if read < 500 || left < 50 || listed < 1<<20 {
		t.Errorf("%d rows read, %d left, %d bytes listed: the test has lost its point", read, left, listed)
	}
}

// TestRowDoesNotAllocate merges and answers a row again and again.
func TestRowDoesNotAllocate(t *testing.T) {
	cfg := topKRowConfigs[0]
	cfg.Windows = windowSets["one"]
	parts, newest := rowParts(t, &cfg, rand.New(rand.NewPCG(1, 1)))
	row := newRow(t, "top_k", &cfg)
	q := operator.Query{Window: cfg.Windows[0], Newest: newest, AsOf: newest, Limit: 10, HalfLife: window.Day}
	var buf []byte
	if n := testing.AllocsPerRun(20, func() {
		row.Reset()
		for _, part := range parts {
			if err := row.Merge(0, part, newest); err != nil {
				t.Fatal(err)
			}
		}
		buf, _ = operator.AppendResult(buf[:0], row, 0, &q)
	}); n != 0 {
		t.Errorf("%v allocations a row", n)
	}
}

// BenchmarkTopKRow reads rows of some hundred keys in three parts, with ordinary states and with those made for it.
func BenchmarkTopKRow(b *testing.B) {
	cfg := topKRowConfigs[0]
	cfg.Windows = windowSets["one"]
	parts, newest := rowParts(b, &cfg, rand.New(rand.NewPCG(1, 1)))
	q := operator.Query{Window: cfg.Windows[0], Newest: newest, AsOf: newest, Limit: 10, HalfLife: window.Day}
	for name, s := range map[string]operator.States{"states": newStates(b, "top_k", &cfg, 1), "row": newRow(b, "top_k", &cfg)} {
		b.Run(name, func(b *testing.B) {
			if r, ok := s.(operator.Reading); ok {
				r.Alone()
			}
			var buf []byte
			for b.Loop() {
				s.Reset()
				s.Grow(1)
				for _, part := range parts {
					if err := s.Merge(0, part, newest); err != nil {
						b.Fatal(err)
					}
				}
				buf, _ = operator.AppendResult(buf[:0], s, 0, &q)
			}
			b.ReportMetric(float64(len(parts)), "parts")
		})
	}
}
