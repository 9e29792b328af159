package service_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/batch/service"
	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
)

// lanes returns the lanes of a view's served generation.
func (w *world) lanes(name string) []lane.ID {
	w.t.Helper()
	m := w.manifest(name)
	return m.LaneIDs(m.Served())
}

// refuse makes the store refuse every call that changes a lane.
func (w *world) refuse(id lane.ID) {
	w.store.SetFaults(func(op memstore.Op) memstore.Fate {
		if op.Kind == memstore.Apply && op.Call.Lane == id {
			return memstore.Fail
		}
		return memstore.Deliver
	})
}

// leftovers returns how many rows of earlier fillings a view's served generation has.
func (w *world) leftovers(name string) (n int) {
	w.t.Helper()
	ids := w.lanes(name)
	marks, err := w.store.Marks(w.t.Context(), ids)
	must(w.t, err)
	must(w.t, w.store.Scan(w.t.Context(), ids[0].Namespace, func(id lane.RowID) error {
		if b, _, _ := marks[id.Lane.N].Batch(); b.Incarnation != id.Incarnation {
			n++
		}
		return nil
	}))
	return n
}

// unmark deletes all marks of a lane, so that it fills itself beside its old rows.
func (w *world) unmark(id lane.ID) {
	w.store.Apply(w.t.Context(), []lane.Call{{Lane: id, Name: "none", AnyMark: true, Replace: map[string]string{}}})
}

// TestRefusedLane: the store refuses one lane for good. Runs are made and brought to all others, leftovers of the others are
// swept and their old files removed, a generation is dropped; the role says which lane it is until somebody has mended it.
func TestRefusedLane(t *testing.T) {
	w := newWorld(t, 57) // a base in each run: older files are not needed
	w.grow(0.5)
	w.once()
	bad := w.lanes("visitor")[1]
	w.refuse(bad)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, done := w.service(), make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		w.unmark(w.lanes("visitor")[0])
		w.unmark(w.lanes("item")[0])
		for _, part := range []float64{0.7, 1} {
			w.grow(part)
			time.Sleep(time.Minute)
		}
		if err := s.Refused(); !errors.Is(err, lane.ErrStore) || !strings.Contains(err.Error(), bad.String()) || s.Failure() != nil {
			t.Errorf("refused %v, failure %v", err, s.Failure())
		}
		if n := w.leftovers("visitor") * w.leftovers("item"); n == 0 {
			t.Error("nothing is left over: the test shows nothing")
		}
		time.Sleep(publish.Grace)
		if v, i := w.leftovers("visitor"), w.leftovers("item"); v+i > 0 {
			t.Errorf("%d and %d rows are left over", v, i)
		}
		if v, i := w.folders("visitor"), w.folders("item"); !slices.Equal(v, []int64{2, 3}) || !slices.Equal(i, []int64{3}) {
			t.Errorf("files of runs %v and %v are kept", v, i)
		}
		for _, st := range s.Status() {
			if want := map[string]int{"visitor": 1, "item": 4}[st.View]; st.Lanes.Done != want || len(st.Lanes.Refused) != st.Lanes.Lanes-want {
				t.Errorf("view %s: %+v", st.View, st.Lanes)
			}
		}
		w.store.SetFaults(nil)
		time.Sleep(time.Minute)
		if err := s.Refused(); err != nil || w.told(service.EventTrouble) != 1 || w.told(service.EventRecovered) != 1 {
			t.Errorf("after it was mended: %v, told %d times, over %d times", err, w.told(service.EventTrouble), w.told(service.EventRecovered))
		}
		if v := w.folders("visitor"); !slices.Equal(v, []int64{3}) {
			t.Errorf("files of runs %v are kept", v)
		}
		cancel()
		must(t, <-done)
	})
	w.verify()
}

// TestRefusedDrop: the store refuses a lane of a generation that is dropped. It keeps no other generation from anything.
func TestRefusedDrop(t *testing.T) {
	w := newWorld(t, 58)
	w.grow(0.5)
	w.once()
	_, err := w.service().Rebuild(t.Context(), "visitor")
	must(t, err)
	w.once()
	m := w.manifest("visitor")
	bad := m.LaneIDs(&m.Generations[1])[0]
	w.refuse(bad)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, done := w.service(), make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		must(t, w.service().Drop(t.Context(), "visitor", 2))
		w.grow(1)
		time.Sleep(time.Minute)
		if err := s.Refused(); !errors.Is(err, lane.ErrStore) || !strings.Contains(err.Error(), bad.String()) {
			t.Errorf("refused %v", err)
		}
		for _, name := range []string{"visitor", "item"} {
			if g := w.manifest(name).Served(); g.Run != 2 {
				t.Errorf("view %s is at run %d", name, g.Run)
			}
		}
		w.store.SetFaults(nil)
		time.Sleep(time.Minute)
		if err := s.Refused(); err != nil {
			t.Errorf("after it was mended: %v", err)
		}
		cancel()
		must(t, <-done)
	})
	w.verifyAll(manifest.Served, manifest.Dropped)
}

// TestOnceBesideRefused: batch --once makes its runs and brings them wherever it can, and says which lane is at fault.
func TestOnceBesideRefused(t *testing.T) {
	w := newWorld(t, 59)
	w.grow(0.5)
	w.once()
	bad := w.lanes("visitor")[1]
	w.refuse(bad)
	w.grow(1)
	s := w.service()
	r, err := s.Once(t.Context())
	if !errors.Is(err, lane.ErrStore) || !strings.Contains(err.Error(), bad.String()) || len(r.Runs) != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, st := range s.Status() {
		if want := map[string]int{"visitor": 1, "item": 4}[st.View]; st.Run != 2 || st.Lanes.Done != want {
			t.Errorf("view %s: %+v", st.View, st)
		}
	}
	w.store.SetFaults(nil)
	w.once()
	w.verify()
}
