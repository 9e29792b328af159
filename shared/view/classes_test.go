package view_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/view/viewtest"
)

// TestSplitterOfAnyStates compares as TestSplitterIsAFold does, of views whose states are divided in many ways: of
// every row, few or none, with more filters than one word tells apart, and of a source that has got a field since. Errors
// of expressions are counted as often.
func TestSplitterOfAnyStates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genRand(t)
		spec := someStates(r)
		p, err := view.Compile(spec)
		if err != nil {
			t.Fatal(err)
		}
		sources := viewtest.Sources()
		if r.IntN(2) == 0 {
			sources[1].Fields = append(sources[1].Fields, sources[0].Fields[viewtest.Note])
		}
		batches := small.Batches(r, sources)
		one, got := whole(p, ofEntities(batches)), map[string]string{}
		s, folds := p.NewSplitter(2), []*view.Fold{p.NewFold(), p.NewFold()}
		folds[r.IntN(2)].Defer()
		for _, b := range batches {
			if b = bare(t, p, b); r.IntN(2) == 0 {
				withDictionaries(b)
			}
			from := 0
			for _, to := range viewtest.Split(r, b.N, 60) {
				s.Split(b, from, to)
				if from = to; from < b.N && r.IntN(2) == 0 {
					continue
				}
				s.Only(0, r.IntN(3))
				for shard, f := range folds {
					if r.IntN(20) == 0 {
						f.Settle()
					}
					s.AddTo(f, shard)
				}
				s.Drop()
			}
		}
		w := p.NewBodies()
		for _, f := range folds {
			maps.Copy(got, written(t, r, w, f))
		}
		sameBodies(t, "in shards", got, bodies(one))
		if got, want := s.Errors(), one.Errors(); got != want {
			t.Fatalf("%d errors of expressions, want %d", got, want)
		}
	})
}

// ofEntities returns the batches with all rows rejected that have no key: a fold counts errors in these, a splitter does not.
func ofEntities(batches []*column.Batch) (of []*column.Batch) {
	for _, b := range batches {
		c := *b
		c.Reject = slices.Clone(b.Reject)
		for i := range c.Reject {
			if c.Reject[i] == 0 && keyOf(b, i) == "" {
				c.Reject[i] = 1
			}
		}
		of = append(of, &c)
	}
	return of
}

// someStates returns a view of some of the features of viewtest.Spec, some with other filters or of one source only, of two of
// strings, and up to 130 counts with a filter each.
func someStates(r *rand.Rand) view.Spec {
	spec := viewtest.Spec()
	filtered := r.IntN(3) == 0
	spec.Features = slices.DeleteFunc(spec.Features, func(f view.FeatureSpec) bool {
		return f.Ratio != nil || filtered && f.Where == "" || r.IntN(3) > 0
	})
	spec.Features = append(spec.Features,
		view.FeatureSpec{Name: "last_note", Op: "last", Value: []string{"note", "item"}, From: "clicks"},
		view.FeatureSpec{Name: "last_notes", Op: "last_n", Key: []string{"note"}, From: "clicks", N: 3},
	)
	for i, input := range []string{
		"kind == 'fav' ? 1 : kind == 'view' && secs > 5 ? 2 : 0", "price < 2 ? 0 : price < 5 ? 1 : 2", "size(note)",
		"note != null ? note : 'none'", "(noted ? kind : band)", "secs % 3", "6 / (secs - 4)",
	} {
		if r.IntN(2) == 0 {
			spec.Features = append(spec.Features, view.FeatureSpec{
				Name: fmt.Sprintf("last_%d", i), Op: "last", Value: []string{input}, From: "clicks", Where: []string{"", "kind == 'call'", "secs > 6"}[r.IntN(3)],
			})
		}
	}
	for i := range spec.Features {
		f := &spec.Features[i]
		if f.Where == "" && (filtered || r.IntN(2) == 0) {
			f.Where = []string{"kind == 'view'", "secs > 3", "item % 4 == 1", "price != null"}[r.IntN(4)]
		}
		if r.IntN(4) == 0 {
			f.From = "clicks"
		}
	}
	for i := range []int{1, 3, 63, 130}[r.IntN(4)] {
		f := view.FeatureSpec{Name: fmt.Sprintf("n%d", i), Op: "count", Where: fmt.Sprintf("secs == %d || item == %d", i, i/2)}
		if r.IntN(4) == 0 {
			f.Op, f.Value = "sum", []string{[]string{"price", "secs", "cost", "secs * 3"}[r.IntN(4)]}
		}
		at := r.IntN(len(spec.Features) + 1)
		spec.Features = slices.Insert(spec.Features, at, f)
	}
	return spec
}

// TestManyRowsOfOneEntity: however many rows of an entity are put by, so many and no more are brought together.
func TestManyRowsOfOneEntity(t *testing.T) {
	spec := someStates(rand.New(rand.NewPCG(3, 3)))
	p := compile(t, spec)
	log := viewtest.Log{Partitions: [2]int{1, 1}, Rows: 5 * view.MaxPicked, Users: 1}
	b := log.Batches(rand.New(rand.NewPCG(3, 4)), spec.Sources)[0]
	one, f, s, w := p.NewFold(), p.NewFold(), p.NewSplitter(1), p.NewBodies()
	one.Add(b, 0, b.N)
	f.Defer()
	for from := 0; from < b.N; from += b.N / 3 {
		s.Split(b, from, min(from+b.N/3, b.N))
		s.AddTo(f, 0)
		s.Drop()
	}
	var slots []int32
	for slot := range f.Len() {
		slots = append(slots, int32(slot))
	}
	w.Begin(f, slots)
	for _, slot := range slots {
		at, ok := one.Lookup(f.Key(int(slot)))
		if got := w.Append(nil); !ok || !bytes.Equal(got, one.AppendBody(nil, at)) {
			t.Fatalf("the body of %s differs", f.Key(int(slot)))
		}
	}
	if rows := w.Gathered(); rows < view.MaxPicked/2 || rows > 2*view.MaxPicked {
		t.Errorf("there is room for %d rows that are brought together", rows)
	}
}
