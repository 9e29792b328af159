package publish_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// refill makes every lane fill itself anew, beside its old rows.
func (w *world) refill(p *publish.Publisher) {
	w.t.Helper()
	for n := range w.lanes {
		w.store.Apply(w.t.Context(), []lane.Call{{Lane: w.target.LaneID(n), Name: "none", AnyMark: true, Replace: map[string]string{}}})
	}
	w.must(p.Publish(w.t.Context(), []*publish.Target{&w.target}, nil))
}

// TestSweepBesideRefused: the store refuses to delete rows of one lane. Those of the others go, the error stays until the
// lane is through, and the store is not scanned all the time.
func TestSweepBesideRefused(t *testing.T) {
	w := newWorld(t, rand.New(rand.NewPCG(4, 4)))
	for len(w.cuts) < 2 {
		w.addRun()
	}
	synctest.Test(t, func(t *testing.T) {
		p := newPublisher(t, w)
		w.must(p.Publish(t.Context(), []*publish.Target{&w.target}, nil))
		before := count(t, w)
		w.refill(p)
		s, err := publish.NewSweeper(w.store, unlimited)
		w.must(err)
		bad, scans, refuse := w.target.LaneID(1), 0, true
		w.store.SetFaults(func(op memstore.Op) memstore.Fate {
			if op.Kind == memstore.Scan {
				scans++
			}
			if refuse && op.Kind == memstore.Apply && op.Call.Lane == bad {
				return memstore.Fail
			}
			return memstore.Deliver
		})
		sweep := func() error {
			all, err := p.Pass(t.Context(), []*publish.Target{&w.target})
			w.must(err)
			_, err = s.Sweep(t.Context(), all)
			return err
		}
		w.must(sweep())
		time.Sleep(publish.Grace)
		for range 30 {
			if err := sweep(); !errors.Is(err, lane.ErrStore) || !strings.Contains(err.Error(), bad.String()) {
				t.Fatalf("got %v", err)
			}
			time.Sleep(time.Second)
		}
		if scans != 1 {
			t.Fatalf("%d scans", scans)
		}
		if left := count(t, w) - before; left == 0 || left >= before {
			t.Fatalf("%d rows of %d are left", left, before)
		}
		refuse = false
		time.Sleep(time.Minute)
		if err := sweep(); err != nil || count(t, w) != before {
			t.Fatalf("%d rows of %d are left: %v", count(t, w)-before, before, err)
		}
	})
}

// TestUnreadableLane: the store refuses to give the marks of a lane. The others are brought what they need, and nothing is
// said of how far that lane is: files that it may need are kept.
func TestUnreadableLane(t *testing.T) {
	w := newWorld(t, rand.New(rand.NewPCG(5, 5)))
	for len(w.cuts) < 3 {
		w.addRun()
	}
	bad := w.target.LaneID(w.lanes - 1)
	p, err := publish.New(unreadable{w.store, bad}, unlimited)
	w.must(err)
	all, err := p.Pass(t.Context(), []*publish.Target{&w.target})
	if !errors.Is(err, publish.ErrLane) || !errors.Is(err, lane.ErrStore) || !strings.Contains(err.Error(), bad.String()) {
		t.Fatalf("got %v", err)
	}
	if st := &all[0]; st.Done != w.lanes-1 || len(st.Refused) != 1 || !st.Settled() || st.Run != w.target.Lowest {
		t.Fatalf("%+v", st)
	}
	w.must(newPublisher(t, w).Publish(t.Context(), []*publish.Target{&w.target}, nil))
	w.must(w.honest())
	st, changed, err := p.Drop(t.Context(), namespace, w.lanes)
	if !errors.Is(err, lane.ErrStore) || changed != w.lanes-1 || len(st.Refused) != 1 {
		t.Fatalf("%d lanes dropped: %v", changed, err)
	}
}

// TestSweepOfDroppedEnds: rows of a dropped lane are looked for as long as a restored dump may bring them back, and no
// longer, until it is dropped again.
func TestSweepOfDroppedEnds(t *testing.T) {
	w := newWorld(t, rand.New(rand.NewPCG(6, 6)))
	for len(w.cuts) < 2 {
		w.addRun()
	}
	synctest.Test(t, func(t *testing.T) {
		p := newPublisher(t, w)
		w.must(p.Publish(t.Context(), []*publish.Target{&w.target}, nil))
		s, err := publish.NewSweeper(w.store, unlimited)
		w.must(err)
		scans := 0
		w.store.SetFaults(func(op memstore.Op) memstore.Fate {
			if op.Kind == memstore.Scan {
				scans++
			}
			return memstore.Deliver
		})
		days := func(n int) {
			for range n * 24 {
				st, _, err := p.Drop(t.Context(), namespace, w.lanes)
				w.must(err)
				_, err = s.Sweep(t.Context(), []publish.Status{st})
				w.must(err)
				time.Sleep(time.Hour)
			}
		}
		days(30)
		if scans != 8 { // one that finds rows, and seven that do not
			t.Errorf("%d scans", scans)
		}
		w.must(w.honest())
		s.Forget(namespace)
		if days(30); scans != 15 {
			t.Errorf("%d scans after it was dropped again", scans)
		}
	})
	w.store.SetFaults(nil)
	if n := count(t, w); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

// unreadable is a store that refuses to give the marks of a lane, whichever are asked for with it.
type unreadable struct {
	publish.Store
	lane lane.ID
}

func (u unreadable) Marks(ctx context.Context, lanes []lane.ID) ([]lane.Marks, error) {
	if slices.Contains(lanes, u.lane) {
		return nil, fmt.Errorf("%w: a foreign value", lane.ErrStore)
	}
	return u.Store.Marks(ctx, lanes)
}
