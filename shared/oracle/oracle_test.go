package oracle_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/oracle"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/view/viewtest"
)

var small = viewtest.Log{Partitions: [2]int{3, 2}, Rows: 60, Users: 2}

func compile(t testing.TB) (*view.Plan, *oracle.Oracle) {
	t.Helper()
	p, err := view.Compile(viewtest.Spec())
	if err != nil {
		t.Fatal(err)
	}
	o, err := oracle.New(p)
	if err != nil {
		t.Fatal(err)
	}
	return p, o
}

// genRand draws a seed; rapid prints it when a case fails.
func genRand(t *rapid.T) *rand.Rand {
	return rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
}

func fold(p *view.Plan, batches []*column.Batch) *view.Fold {
	f := p.NewFold()
	for _, b := range batches {
		f.Add(b, 0, b.N)
	}
	return f
}

// TestFoldEqualsOracle compares entities, bodies and the answers of every feature.
func TestFoldEqualsOracle(t *testing.T) {
	p, o := compile(t)
	present := make([]int, len(p.Features()))
	rapid.Check(t, func(t *rapid.T) {
		batches := small.Batches(genRand(t), p.Spec().Sources)
		f := fold(p, batches)
		entities := o.Group(batches)
		if len(entities) != f.Len() {
			t.Fatalf("%d entities, the oracle has %d", f.Len(), len(entities))
		}
		for key, events := range entities {
			slot, ok := f.Lookup([]byte(key))
			if !ok {
				t.Fatalf("the fold does not know %s", key)
			}
			want, err := o.Body(events)
			if err != nil {
				t.Fatal(err)
			}
			if got := f.AppendBody(nil, slot); string(got) != string(want) {
				t.Fatalf("%s: body %x\nthe oracle has %x", key, got, want)
			}
			for _, later := range []int64{0, 40 * 60_000, 3 * 86_400_000} {
				asOf := f.Newest(slot) + later
				want, err := o.Values(events, asOf)
				if err != nil {
					t.Fatal(err)
				}
				for i, ft := range p.Features() {
					got := f.Value(slot, i, asOf)
					if !same(got, want[i]) {
						t.Fatalf("%s: %s %d ms later is %v, the oracle says %v", key, ft.Spec.Name, later, got, want[i])
					}
					if got.Kind != operator.Null {
						present[i]++
					}
				}
			}
		}
	})
	for i, n := range present {
		if n == 0 {
			t.Errorf("%s was never there: the test has lost its point", p.Features()[i].Spec.Name)
		}
	}
}

// same compares values; the oracle's ratios are rounded once, ours at every step.
func same(got, want operator.Value) bool {
	if got.Kind == operator.Float && want.Kind == operator.Float {
		return math.Abs(got.F-want.F) <= 1e-12*math.Abs(want.F)
	}
	return fmt.Sprint(got) == fmt.Sprint(want)
}

func TestBodyOfNothing(t *testing.T) {
	p, _ := compile(t)
	if _, err := oracle.Body(p, nil); !errors.Is(err, oracle.ErrNoEvents) {
		t.Errorf("got %v", err)
	}
}

// BenchmarkBody judges entities as the sampled check of a run does.
func BenchmarkBody(b *testing.B) {
	p, o := compile(b)
	log := viewtest.Log{Partitions: [2]int{3, 2}, Rows: 1000, Users: 40}
	entities := o.Group(log.Batches(rand.New(rand.NewPCG(1, 0)), p.Spec().Sources))
	b.ReportAllocs()
	events := 0
	for b.Loop() {
		for _, of := range entities {
			if _, err := o.Body(of); err != nil {
				b.Fatal(err)
			}
			events += len(of)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
}
