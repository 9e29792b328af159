package expr_test

import (
	"math/rand/v2"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
)

var benchmarks = []struct{ name, text string }{
	{"enum", `kind == "view"`},
	{"and", `kind == "view" && a >= 2`},
	{"in", `kind in ["view", "zoom"] && b in [1, 3, 5]`},
	{"band", "price < 300 ? 0 : price < 500 ? 1 : price < 800 ? 2 : 3"},
	{"ladder of nulls", "b < 1 ? 0 : b < 2 ? 1 : b < 3 ? 2 : b < 4 ? 3 : b < 5 ? 4 : b < 6 ? 5 : b < 7 ? 6 : b < 8 ? 7 : 8"},
	{"nonzero", `(kind == "view" ? 1 : kind == "zoom" && b > 3 ? 2 : 0) != 0`},
	{"arithmetic", "a * 3 + b"},
	{"text", `s == "abcdef"`},
	{"null", "s != null"},
}

// benchBatch has nulls in b only, and 4,096 rows.
func benchBatch(dictionary bool) *column.Batch {
	const rows = 4096
	r := rand.New(rand.NewPCG(1, 2))
	b := column.NewBatch(clicks(), 0, false)
	for range rows {
		v := map[string]any{
			"a": r.Int64N(10), "price": r.Int64N(1000), "kind": clicks().Fields[6].Enum[r.IntN(4)],
			"s": []string{"abcdef", "abcdeg", "x"}[r.IntN(3)],
		}
		if r.IntN(4) > 0 {
			v["b"] = r.Int64N(10)
		}
		appendRow(b, v, 0)
	}
	if dictionary {
		encode(&b.Cols[b.Source.Index("s")])
	}
	return b
}

func BenchmarkEval(b *testing.B) {
	for _, c := range benchmarks {
		b.Run(c.name, func(b *testing.B) {
			p := compile(b, c.text)
			e, batch, out := p.NewEvaluator(), benchBatch(true), column.NewColumn(p.Type(), 0)
			for b.Loop() {
				e.Eval(batch, &out)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(batch.N), "ns/row")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkCEL is the yardstick: cel-go row by row, its rows made beforehand.
func BenchmarkCEL(b *testing.B) {
	for _, c := range benchmarks {
		b.Run(c.name, func(b *testing.B) {
			env := celEnv(b)
			ast, issues := env.Compile(c.text)
			if issues.Err() != nil {
				b.Fatal(issues.Err())
			}
			p, err := env.Program(ast)
			if err != nil {
				b.Fatal(err)
			}
			r := row(benchBatch(false), 0)
			for b.Loop() {
				if _, _, err := p.Eval(r); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns/row")
		})
	}
}

func TestEvalDoesNotAllocate(t *testing.T) {
	for _, dictionary := range []bool{false, true} {
		batch := benchBatch(dictionary)
		for _, c := range append(benchmarks, struct{ name, text string }{"spelled", `paid ? s : kind`}) {
			p := compile(t, c.text)
			e, out := p.NewEvaluator(), column.NewColumn(p.Type(), 0)
			e.Eval(batch, &out)
			e.Eval(batch, &out) // the dictionary was dropped by the first Reset
			if n := testing.AllocsPerRun(10, func() { e.Eval(batch, &out) }); n != 0 {
				t.Errorf("%s: %v allocations a batch", c.name, n)
			}
		}
	}
}
