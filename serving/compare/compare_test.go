package compare_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tidemark-io/tidemark/serving/compare"
	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/view/viewtest"
)

const incarnation = lane.Incarnation("iiiiiiiiii")

// world is a store with generations of one view, each in one lane, and a log.
type world struct {
	t       *testing.T
	store   *memstore.Store
	batches []*column.Batch
	users   int
}

func newWorld(t *testing.T) *world {
	spec := viewtest.Spec()
	log := viewtest.Log{Partitions: [2]int{2, 1}, Rows: 200, Users: 15}
	return &world{t: t, store: memstore.New(), batches: log.Batches(rand.New(rand.NewPCG(1, 2)), spec.Sources)}
}

// generation fills a generation with the log below a part of each partition, and lets its marks claim that part.
func (w *world) generation(number int64, identity string, edit func(*view.Spec), rows func(b *column.Batch) int) *lookup.Generation {
	w.t.Helper()
	spec := viewtest.Spec()
	spec.Lanes = 1
	if edit != nil {
		edit(&spec)
	}
	plan, err := view.Compile(spec)
	if err != nil {
		w.t.Fatal(err)
	}
	m := &manifest.Manifest{Job: spec.Job, View: spec.Name}
	g, err := lookup.NewGeneration(m, &manifest.Generation{Identity: identity, Number: number, Revision: plan.Revision(), Spec: spec, Lanes: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	fold, marks := plan.NewFold(), map[string]string{}
	for _, b := range w.batches {
		n := rows(b)
		fold.Add(b, 0, n)
		next := b.Offset[b.N-1] + 1
		if n < b.N {
			next = b.Offset[n]
		}
		p := lane.Mark{Incarnation: incarnation, Low: lane.Joined, Next: next}
		marks[b.Source.Name+"/"+string('0'+b.Partition)] = p.Wire()
	}
	h := tile.Header{Kind: tile.KindBase, Run: 1}
	c := lane.Call{
		Lane: lane.ID{Namespace: g.Namespace}, Name: lane.BatchName, AnyMark: true, RowsOf: incarnation, Replace: marks,
		Set: lane.BatchMark{Incarnation: incarnation, Run: 2, WholeFrom: 1}.Wire(),
	}
	for slot := range fold.Len() {
		c.Rows = append(c.Rows, lane.RowChange{
			Key: fold.Key(slot), Set: []lane.Field{{Name: h.Name(), Value: fold.AppendBody(h.Append(nil), slot)}},
		})
	}
	w.users = fold.Len()
	w.apply(c)
	return g
}

func (w *world) apply(c lane.Call) {
	w.t.Helper()
	if o := w.store.Apply(w.t.Context(), []lane.Call{c})[0]; o.Err != nil || !o.Applied {
		w.t.Fatalf("%+v", o)
	}
}

func (w *world) compare(old, fresh *lookup.Generation, sample int) *compare.Report {
	w.t.Helper()
	r, err := compare.Run(w.t.Context(), compare.Config{Store: w.store, Old: old, New: fresh, Sample: sample})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func whole(b *column.Batch) int { return b.N }

// TestSameRevision: equal generations are equal in every feature; a row that is lost or changed is found.
func TestSameRevision(t *testing.T) {
	w := newWorld(t)
	old := w.generation(1, "aaaaaaaaaa", nil, whole)
	fresh := w.generation(2, "bbbbbbbbbb", nil, whole)
	r := w.compare(old, fresh, 0)
	if !r.SameRevision || r.Entities != w.users || r.Differ != 0 || r.Moving != 0 {
		t.Fatalf("%+v", r)
	}
	if r := w.compare(old, fresh, 3); r.Entities != 3 {
		t.Fatalf("%d entities of a sample of 3", r.Entities)
	}
	var key []byte
	if err := w.store.Scan(t.Context(), old.Namespace, func(id lane.RowID) error {
		key = append(key[:0], id.Key...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	w.apply(lane.Call{Lane: lane.ID{Namespace: fresh.Namespace}, AnyMark: true, RowsOf: incarnation, Rows: []lane.RowChange{{Key: key, Del: []string{"b1"}}}})
	if r := w.compare(old, fresh, 0); r.Differ != 1 || r.Entities != w.users {
		t.Fatalf("a lost row: %+v", r)
	}
}

// TestOtherRevision: features that were edited differ, with examples; others do not; those that one side has are named.
func TestOtherRevision(t *testing.T) {
	w := newWorld(t)
	old := w.generation(1, "aaaaaaaaaa", nil, whole)
	const added = "brand_new"
	var edited string
	ratios := map[string]bool{} // they may read what was edited
	fresh := w.generation(2, "bbbbbbbbbb", func(s *view.Spec) {
		s.Features = append([]view.FeatureSpec(nil), s.Features...)
		for i := range s.Features {
			if f := &s.Features[i]; f.Op == "count" && f.Where == "" && edited == "" {
				f.Where, edited = "kind == 'fav'", f.Name
			} else {
				ratios[f.Name] = f.Ratio != nil
			}
		}
		s.Features = append(s.Features, view.FeatureSpec{Name: added, Op: "count", Where: "kind == 'fav'"})
	}, whole)
	r := w.compare(old, fresh, 0)
	if edited == "" || r.SameRevision || r.Entities != w.users || r.Differ == 0 {
		t.Fatalf("%+v", r)
	}
	for _, f := range r.Features {
		switch {
		case f.Feature == edited && (f.Differ == 0 || len(f.Examples) == 0 || len(f.Examples) > compare.MaxExamples):
			t.Errorf("the edited feature: %+v", f)
		case f.Feature == added && f.In != "new":
			t.Errorf("the new feature: %+v", f)
		case f.Feature != edited && f.Differ > 0 && !ratios[f.Feature]:
			t.Errorf("%s was not edited: %+v", f.Feature, f)
		}
	}
}

// TestMoving: rows of which one side has events that the other has not claimed yet are not judged; when it has caught up
// they are.
func TestMoving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.t = t
		old := w.generation(1, "aaaaaaaaaa", nil, whole)
		half := func(b *column.Batch) int { return b.N / 2 }
		fresh := w.generation(2, "bbbbbbbbbb", nil, half)
		r := w.compare(old, fresh, 0)
		if r.Differ != 0 || r.Moving == 0 || !strings.Contains(r.Why, "generation 2 is at") {
			t.Fatalf("%+v", r)
		}
		caught := w.generation(3, "cccccccccc", nil, whole)
		if r := w.compare(old, caught, 0); r.Moving != 0 || r.Differ != 0 {
			t.Fatalf("%+v", r)
		}
		w.store.EmptyLane(lane.ID{Namespace: caught.Namespace})
		if r := w.compare(old, caught, 0); r.Entities != 0 || !strings.Contains(r.Why, lookup.ReasonNotBegun) {
			t.Fatalf("a lane that claims nothing: %+v", r)
		}
	})
}
