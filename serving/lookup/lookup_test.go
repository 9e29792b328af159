package lookup_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/view/viewtest"
)

const incarnation = lane.Incarnation("aaaaaaaaaa")

// world is a store with one entity in a generation of one lane, and a reader with a clock of its own.
type world struct {
	t      *testing.T
	plan   *view.Plan
	fold   *view.Fold
	store  *slowStore
	now    time.Time
	reader *lookup.Reader
	ns     string
	seq    int64
}

// slowStore is a memory store around whose reads of rows things may happen.
type slowStore struct {
	*memstore.Store
	beforeRows func()
	afterRows  func()
	marksRead  int
}

func (s *slowStore) Rows(ctx context.Context, rows []lane.RowID) ([][][]byte, error) {
	if s.beforeRows != nil {
		s.beforeRows()
	}
	if s.afterRows != nil {
		defer s.afterRows()
	}
	return s.Store.Rows(ctx, rows)
}

func (s *slowStore) Marks(ctx context.Context, lanes []lane.ID) ([]lane.Marks, error) {
	s.marksRead++
	return s.Store.Marks(ctx, lanes)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	plan, err := view.Compile(viewtest.Spec())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, plan: plan, fold: plan.NewFold(), store: &slowStore{Store: memstore.New()}, now: time.UnixMilli(viewtest.Begin).AddDate(0, 1, 0)}
	b := viewtest.Regular(plan.Spec().Sources, 10)
	w.fold.Add(b, 0, b.N)
	w.serve("bbbbbbbbbb", plan.Spec())
	w.fill()
	w.reader = lookup.NewReader(lookup.Config{Job: "shop", Views: []string{"visitor"}, Store: w.store, Now: func() time.Time { return w.now }})
	return w
}

// serve writes a manifest whose only generation is this one.
func (w *world) serve(identity string, spec *view.Spec) {
	w.t.Helper()
	w.seq++
	g := manifest.Generation{
		Identity: identity, Number: w.seq, Revision: w.plan.Revision(), State: manifest.Served, Spec: *spec, Lanes: 1,
		Blocks: map[string]int64{}, Origin: position.Cut{}, Cut: position.Cut{},
	}
	for i := range spec.Sources {
		g.Blocks[spec.Sources[i].Name] = spec.Sources[i].Block
	}
	m := &manifest.Manifest{Seq: w.seq, Job: "shop", View: "visitor", Generations: []manifest.Generation{g}}
	w.ns = m.Namespace(&m.Generations[0])
	body, err := m.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.store.PutManifest(w.t.Context(), manifest.Key(m.Job, m.View), w.seq, body); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) id() lane.ID { return lane.ID{Namespace: w.ns} }

// fill writes the entity's base and joined marks.
func (w *world) fill() {
	w.t.Helper()
	h := tile.Header{Kind: tile.KindBase, Run: 1}
	marks := map[string]string{"clicks/0": lane.Mark{Incarnation: incarnation, Low: lane.Joined, Next: 10}.Wire()}
	w.apply(lane.Call{
		Name: lane.BatchName, AnyMark: true, RowsOf: incarnation, Set: lane.BatchMark{Incarnation: incarnation, Run: 2, WholeFrom: 1}.Wire(), Replace: marks,
		Rows: []lane.RowChange{{Key: []byte("user:u"), Set: []lane.Field{{Name: h.Name(), Value: w.fold.AppendBody(h.Append(nil), 0)}}}},
	})
}

func (w *world) apply(c lane.Call) {
	w.t.Helper()
	c.Lane = w.id()
	if o := w.store.Apply(w.t.Context(), []lane.Call{c})[0]; o.Err != nil || !o.Applied {
		w.t.Fatalf("call: %+v", o)
	}
}

func (w *world) get() lookup.Profile {
	w.t.Helper()
	a, err := w.reader.Lookup(w.t.Context(), "visitor", []string{"user:u"}, lookup.Options{Frontier: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return a.Profiles[0]
}

// TestClaim: an answer of a whole lane claims the frontier of its marks.
func TestClaim(t *testing.T) {
	w := newWorld(t)
	p := w.get()
	if !p.Found || p.Degraded != "" || p.Frontier["clicks/0"] != 10 || p.Events != 10 {
		t.Errorf("%+v", p)
	}
}

// TestStats: what is answered is counted, each key once.
func TestStats(t *testing.T) {
	w := newWorld(t)
	w.get()
	if s := &w.reader.Stats; s.Keys.Load() != 1 || s.Found.Load() != 1 || s.Tiles.Load() != 1 || s.Failed.Load() != 0 {
		t.Errorf("of one profile of one tile: %d keys, %d found, %d tiles, %d failed", s.Keys.Load(), s.Found.Load(), s.Tiles.Load(), s.Failed.Load())
	}
	a, err := w.reader.Lookup(t.Context(), w.plan.Spec().Name, []string{"no:such:kind"}, lookup.Options{})
	if err != nil || a.Profiles[0].Err == nil {
		t.Fatalf("%v, %+v", err, a)
	}
	w.store.Empty()
	w.now = w.now.Add(2 * lookup.DefaultCache)
	w.get()
	s := &w.reader.Stats
	for _, reason := range lookup.Reasons() {
		if want := map[string]int64{lookup.ReasonNotBegun: 1}[reason]; s.Degraded(reason) != want {
			t.Errorf("%d are degraded for %q, want %d", s.Degraded(reason), reason, want)
		}
	}
	if s.Keys.Load() != 3 || s.Found.Load() != 1 || s.Tiles.Load() != 1 || s.Failed.Load() != 1 {
		t.Errorf("in all: %d keys, %d found, %d tiles, %d failed", s.Keys.Load(), s.Found.Load(), s.Tiles.Load(), s.Failed.Load())
	}
}

// TestMarksAreCached: within the cache's time marks are not read again, past it they are.
func TestMarksAreCached(t *testing.T) {
	w := newWorld(t)
	w.get()
	w.get()
	if w.store.marksRead != 1 {
		t.Errorf("marks were read %d times within the cache's time", w.store.marksRead)
	}
	w.now = w.now.Add(lookup.DefaultCache + time.Millisecond)
	w.get()
	if w.store.marksRead != 2 {
		t.Errorf("marks were read %d times past it", w.store.marksRead)
	}
}

// TestEmptiedStore: a row that is empty under cached marks makes the reader look at the marks again.
func TestEmptiedStore(t *testing.T) {
	w := newWorld(t)
	w.get()
	w.store.Empty()
	if p := w.get(); p.Found || p.Frontier != nil || !strings.Contains(p.Degraded, lookup.ReasonNotBegun) {
		t.Errorf("%+v", p)
	}
}

// TestDroppedGeneration: a late reader looks at the manifest again and answers from the generation that is served now.
func TestDroppedGeneration(t *testing.T) {
	w := newWorld(t)
	w.get()
	w.apply(lane.Call{Name: lane.BatchName, AnyMark: true, Set: lane.Dropped, Replace: map[string]string{}})
	w.serve("cccccccccc", w.plan.Spec())
	w.fill()
	w.now = w.now.Add(2 * lookup.DefaultCache)
	if p := w.get(); !p.Found || p.Degraded != "" {
		t.Errorf("%+v", p)
	}
}

// TestSleeper: a reader that sleeps between marks and row reads both again, and claims nothing if it does so every time.
func TestSleeper(t *testing.T) {
	w := newWorld(t)
	naps := 1
	w.store.beforeRows = func() {
		if naps > 0 {
			naps--
			w.now = w.now.Add(time.Minute)
		}
	}
	if p := w.get(); p.Degraded != "" || w.store.marksRead != 2 {
		t.Errorf("after one nap: %+v, marks read %d times", p, w.store.marksRead)
	}
	naps = 1000
	if p := w.get(); !strings.Contains(p.Degraded, lookup.ReasonSlow) || p.Frontier != nil {
		t.Errorf("asleep every time: %+v", p)
	}
	s := &w.reader.Stats
	if keys, again, slow := s.Keys.Load(), s.Again.Load(), s.Degraded(lookup.ReasonSlow); keys != 2 || again != 1+3 || slow != 1 {
		t.Errorf("%d keys, %d times read anew, %d degraded", keys, again, slow)
	}
}

// TestSpelledAnew: a default that is edited within a generation is answered by readers that were there before.
func TestSpelledAnew(t *testing.T) {
	w := newWorld(t)
	w.get()
	spec := *w.plan.Spec()
	spec.Features = append([]view.FeatureSpec(nil), spec.Features...)
	spec.Features[0].Name = "views_hour"
	w.serve("bbbbbbbbbb", &spec)
	w.fill()
	w.now = w.now.Add(2 * lookup.DefaultCache)
	a, err := w.reader.Lookup(t.Context(), "visitor", []string{"user:u"}, lookup.Options{Features: []string{"views_hour"}})
	if err != nil || !a.Profiles[0].Found {
		t.Errorf("%v %+v", err, a)
	}
}

// TestExactRows: a lane that is begun again between the look at its marks and the read of the row is read again.
func TestExactRows(t *testing.T) {
	w := newWorld(t)
	g, err := w.reader.Served(t.Context(), "visitor")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := lookup.ExactRows(t.Context(), w.store, g, [][]byte{[]byte("user:u"), []byte("user:nobody")})
	if err != nil || len(rows[0].Fields) != 1 || len(rows[1].Fields) != 0 || lookup.Claims(rows[1].Marks) != "" {
		t.Errorf("%v %+v", err, rows)
	}
	w.store.Empty()
	rows, err = lookup.ExactRows(t.Context(), w.store, g, [][]byte{[]byte("user:u")})
	if err != nil || len(rows[0].Fields) != 0 || !strings.Contains(lookup.Claims(rows[0].Marks), lookup.ReasonNotBegun) {
		t.Errorf("emptied: %v %+v", err, rows)
	}
}
