package publish_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
)

var unlimited = publish.Limits{RowsPerSecond: -1, BytesPerSecond: -1, RowsPerCall: 2, CallsInFlight: 2}

func newPublisher(t testing.TB, w *world) *publish.Publisher {
	p, err := publish.New(w.store, unlimited)
	if err != nil {
		t.Fatal(err)
	}
	p.Random = func(b []byte) {
		for i := range b {
			b[i] = byte(w.rng.Uint32())
		}
	}
	return p
}

// TestSimulation runs publishers against a store that loses calls, replies, suffixes and lanes, delivers twice and late,
// beside a speed layer, with runs appearing meanwhile. At every call every claim must be true; in the end everything must
// be there, once, with nobody's help.
func TestSimulation(t *testing.T) {
	worlds := 60
	if testing.Short() {
		worlds = 10
	}
	for seed := range uint64(worlds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			if err := simulate(t, seed); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func simulate(t *testing.T, seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 7))
	w := newWorld(t, rng)
	var fault error
	trouble := 1 + rng.IntN(12)
	w.store.SetFaults(func(op memstore.Op) memstore.Fate {
		if op.Kind != memstore.Apply || fault != nil {
			return memstore.Deliver
		}
		if err := w.honest(); err != nil {
			fault = err
		}
		if rng.IntN(trouble) > 0 {
			return memstore.Deliver
		}
		return []memstore.Fate{memstore.LoseCall, memstore.LoseReply, memstore.Twice, memstore.Hold, memstore.Fail}[rng.IntN(5)]
	})
	p := newPublisher(t, w)
	for range 160 {
		switch rng.IntN(13) {
		case 12:
			w.tidy()
		case 0:
			w.addRun()
		case 1:
			p = newPublisher(t, w)
		case 2:
			if w.store.Held() > 0 {
				w.store.Release(rng.IntN(w.store.Held()))
			}
		case 3:
			if n := w.store.History(); n > 0 && rng.IntN(3) == 0 {
				w.store.DropHeld() // what a failover loses is lost on the wire too
				w.store.LoseSuffix(1 + rng.IntN(min(n, 8)))
			}
		case 4:
			if rng.IntN(4) == 0 {
				w.store.EmptyLane(w.target.LaneID(rng.IntN(w.lanes)))
			}
		case 5, 6, 7:
			w.speed(rng.IntN(w.lanes), rng.IntN(2), rng.Int64N(logEnd+1))
		default:
			if err := pass(t, p, w); err != nil {
				return err
			}
		}
		if fault != nil {
			return fault
		}
	}
	return settle(t, p, w)
}

// pass makes a pass; errors of faults that were injected are expected.
func pass(t *testing.T, p *publish.Publisher, w *world) error {
	_, err := p.Pass(t.Context(), []*publish.Target{&w.target})
	if err != nil && !errors.Is(err, lane.ErrUnavailable) && !errors.Is(err, lane.ErrStore) {
		return err
	}
	return nil
}

// settle ends the trouble and lets every role run.
func settle(t *testing.T, p *publish.Publisher, w *world) error {
	for w.store.Held() > 0 {
		w.store.Release(0)
	}
	w.store.SetFaults(nil)
	if err := p.Publish(t.Context(), []*publish.Target{&w.target}, nil); err != nil {
		return err
	}
	for n := range w.lanes {
		for i := range partitions {
			w.speed(n, i, logEnd)
		}
	}
	return w.complete()
}

// TestKilledAtEachStep kills the publisher after each number of calls, before and after the call is applied, and begins
// anew: what the store holds in the end is the same.
func TestKilledAtEachStep(t *testing.T) {
	var want map[string]string
	for kill := 0; ; kill++ {
		w := newWorld(t, rand.New(rand.NewPCG(11, 11)))
		for len(w.cuts) < 5 {
			w.addRun()
		}
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		w.store.SetFaults(func(op memstore.Op) memstore.Fate {
			if op.Kind == memstore.Apply {
				if calls++; calls == kill/2+1 {
					cancel()
					return []memstore.Fate{memstore.LoseCall, memstore.LoseReply}[kill%2]
				}
			}
			return memstore.Deliver
		})
		err := newPublisher(t, w).Publish(ctx, []*publish.Target{&w.target}, nil)
		if (err == nil) != (ctx.Err() == nil) {
			t.Fatalf("killed at %d: %v", kill, err)
		}
		cancel()
		w.store.SetFaults(nil)
		if err := newPublisher(t, w).Publish(t.Context(), []*publish.Target{&w.target}, nil); err != nil {
			t.Fatalf("killed at %d: %v", kill, err)
		}
		got := contents(t, w)
		if want == nil {
			want = got
		}
		if !maps.Equal(got, want) {
			t.Fatalf("killed at %d:\n%v\nwant %v", kill, got, want)
		}
		if err == nil {
			if kill < 20 {
				t.Fatalf("only %d steps", kill)
			}
			return
		}
	}
}

// contents returns all marks and fields of the current fillings, without the random incarnations.
func contents(t *testing.T, w *world) map[string]string {
	t.Helper()
	all := map[string]string{}
	for n := range w.lanes {
		id := w.target.LaneID(n)
		marks, err := w.store.Marks(t.Context(), []lane.ID{id})
		w.must(err)
		batch, _, err := marks[0].Batch()
		w.must(err)
		for name, mark := range marks[0] {
			all[fmt.Sprint(n, name)] = strings.TrimPrefix(mark, string(batch.Incarnation))
		}
		for k := range keys {
			rows, err := w.store.Exact(t.Context(), []lane.RowID{{Lane: id, Incarnation: batch.Incarnation, Key: keyName(k)}})
			w.must(err)
			for _, f := range rows[0].Fields {
				all[fmt.Sprint(n, k, f.Name)] = string(f.Value)
			}
		}
	}
	return all
}

func TestNext(t *testing.T) {
	p0 := position.Partition{Source: "events"}
	g := &publish.Generation{
		Namespace: namespace, Lanes: 1, Origin: position.Cut{p0: 3}, BasesFrom: 2, Lowest: 2,
		Runs: []publish.Run{{Cut: position.Cut{p0: 8}, Rows: []int64{5}}, {Cut: position.Cut{p0: 16}, Rows: []int64{7}}, {Cut: position.Cut{p0: 24}, Rows: []int64{0}}},
	}
	tests := map[string]struct {
		mark   string
		action publish.Action
		class  error
	}{
		"empty":                         {"", publish.Begin, nil},
		"dropped":                       {lane.Dropped, publish.Nothing, nil},
		"run whose file is deleted":     {"inc 1 2 0", publish.Begin, nil},
		"in the middle of a file":       {"inc 2 6 3", publish.Bring, nil},
		"at the file without rows":      {"inc 3 0 3", publish.Bring, nil},
		"done":                          {"inc 4 0 3", publish.Nothing, nil},
		"a run that nobody registered":  {"inc 5 0 3", publish.Nothing, publish.ErrNewer},
		"rows of the run to come":       {"inc 4 1 3", publish.Nothing, publish.ErrNewer},
		"begun by a newer journal":      {"inc 2 0 4", publish.Nothing, publish.ErrNewer},
		"more rows than the file has":   {"inc 2 8 3", publish.Nothing, lane.ErrMark},
		"all rows and not the next run": {"inc 2 7 3", publish.Nothing, lane.ErrMark},
		"damaged":                       {"inc 2 x 3", publish.Nothing, lane.ErrMark},
	}
	for name, test := range tests {
		step, err := publish.Next(g, 0, lane.Marks{lane.BatchName: test.mark})
		if step.Action != test.action || !errors.Is(err, test.class) || (err == nil) != (test.class == nil) {
			t.Errorf("%s: got %+v, %v", name, step, err)
		}
	}
}

func TestBeginCall(t *testing.T) {
	p0, p1 := position.Partition{Source: "events"}, position.Partition{Source: "other", ID: 3}
	g := &publish.Generation{Namespace: namespace, Lanes: 1, Origin: position.Cut{p0: 3}, BasesFrom: 1, Lowest: 1}
	c := publish.BeginCall(g, 0, lane.Marks{}, "new")
	if c.Set != "new 1 0 0" || c.Expect != "" || !c.Once || !maps.Equal(c.Replace, map[string]string{"events/0": "new j 3 0"}) {
		t.Errorf("without runs: %+v", c)
	}
	g.Runs = []publish.Run{{Cut: position.Cut{p0: 8}}, {Cut: position.Cut{p0: 8, p1: 16}}}
	c = publish.BeginCall(g, 0, lane.Marks{lane.BatchName: "old 1 2 0", "events/0": "old 3 9 0"}, "new")
	if c.Set != "new 1 0 2" || c.Expect != "old 1 2 0" || !maps.Equal(c.Replace, map[string]string{"events/0": "new 8 8 0", "other/3": "new 16 16 0"}) {
		t.Errorf("with runs: %+v", c)
	}
}

// TestErrorsOfOneLane shows that a lane that needs somebody to act does not hold up the others, and keeps its content.
func TestErrorsOfOneLane(t *testing.T) {
	w := newWorld(t, rand.New(rand.NewPCG(2, 2)))
	for len(w.cuts) < 2 {
		w.addRun()
	}
	set := func(mark string) {
		w.store.EmptyLane(w.target.LaneID(0))
		w.store.Apply(t.Context(), []lane.Call{{Lane: w.target.LaneID(0), Name: lane.BatchName, AnyMark: true, Set: mark}})
	}
	for mark, class := range map[string]error{"aaaaaaaaaa 9 0 0": publish.ErrNewer, "nonsense": lane.ErrMark, lane.Dropped: nil} {
		set(mark)
		err := newPublisher(t, w).Publish(t.Context(), []*publish.Target{&w.target}, nil)
		if !errors.Is(err, class) || (err != nil && !strings.Contains(err.Error(), w.target.LaneID(0).String())) {
			t.Errorf("%s: got %v", mark, err)
		}
		for n := range w.lanes {
			marks, err := w.store.Marks(t.Context(), []lane.ID{w.target.LaneID(n)})
			w.must(err)
			if b, _, _ := marks[0].Batch(); n > 0 && b.Run != 2 {
				t.Errorf("%s: lane %d: %v", mark, n, marks[0])
			}
			if n == 0 && marks[0][lane.BatchName] != mark {
				t.Errorf("%s became %v", mark, marks[0])
			}
		}
	}
	w.target.Open = func(int64, int) (*runfile.Reader, error) { return nil, runfile.ErrDamaged }
	w.store.Empty()
	if err := newPublisher(t, w).Publish(t.Context(), []*publish.Target{&w.target}, nil); !errors.Is(err, runfile.ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

// TestRates shows that publishing takes as long as the limits say, and is idle meanwhile.
func TestRates(t *testing.T) {
	w := newWorld(t, rand.New(rand.NewPCG(3, 3)))
	for len(w.cuts) < 8 {
		w.addRun()
	}
	rows := int64(0)
	for _, r := range w.target.Runs[w.target.BasesFrom-1:] {
		for _, n := range r.Rows {
			rows += n
		}
	}
	synctest.Test(t, func(t *testing.T) {
		p, err := publish.New(w.store, publish.Limits{RowsPerSecond: 10, RowsPerCall: 1})
		if err != nil {
			t.Fatal(err)
		}
		start, last := time.Now(), int64(1<<62)
		err = p.Publish(t.Context(), []*publish.Target{&w.target}, func(all []publish.Status) {
			if all[0].RowsLeft > last {
				t.Errorf("%d rows left after %d", all[0].RowsLeft, last)
			}
			last = all[0].RowsLeft
		})
		took := time.Since(start)
		if want := time.Duration(rows) * time.Second / 10; err != nil || took < want-time.Second || took > want+time.Second || last != 0 {
			t.Errorf("%d rows took %v, want about %v; %d left; %v", rows, took, want, last, err)
		}
		if c := p.Counts(); c.Rows != rows || c.Begun != int64(w.lanes) || c.Refused+c.Unknown != 0 {
			t.Errorf("%+v, want %d rows", c, rows)
		}
	})
}

func TestLimits(t *testing.T) {
	for _, l := range []publish.Limits{{RowsPerCall: -1}, {RowsPerCall: 4097}, {BytesPerCall: 64<<20 + 1}, {CallsInFlight: 257}} {
		if _, err := publish.New(nil, l); !errors.Is(err, publish.ErrLimits) {
			t.Errorf("%+v: got %v", l, err)
		}
	}
	if _, err := publish.New(nil, publish.Limits{RowsPerCall: 4096, BytesPerCall: 64 << 20, CallsInFlight: 256}); err != nil {
		t.Error(err)
	}
}

// TestSweep shows that rows of earlier fillings go after the grace and not before, and no others.
func TestSweep(t *testing.T) {
	w := newWorld(t, rand.New(rand.NewPCG(4, 4)))
	for len(w.cuts) < 2 {
		w.addRun()
	}
	synctest.Test(t, func(t *testing.T) {
		targets := []*publish.Target{&w.target}
		p := newPublisher(t, w)
		w.must(p.Publish(t.Context(), targets, nil))
		before := count(t, w)
		// Every lane loses its marks and is filled again, beside its old rows.
		for n := range w.lanes {
			w.store.Apply(t.Context(), []lane.Call{{Lane: w.target.LaneID(n), Name: "none", AnyMark: true, Replace: map[string]string{}}})
		}
		w.must(p.Publish(t.Context(), targets, nil))
		if count(t, w) != 2*before {
			t.Fatalf("%d rows, want twice %d", count(t, w), before)
		}
		s, err := publish.NewSweeper(w.store, unlimited)
		w.must(err)
		for _, step := range []struct {
			wait time.Duration
			left int
		}{{0, 2 * before}, {publish.Grace - time.Second, 2 * before}, {time.Second, before}, {publish.Grace, before}} {
			time.Sleep(step.wait)
			all, err := p.Pass(t.Context(), targets)
			w.must(err)
			if _, err := s.Sweep(t.Context(), all); err != nil || count(t, w) != step.left {
				t.Fatalf("after %v: %d rows, want %d; %v", step.wait, count(t, w), step.left, err)
			}
		}
		w.must(w.honest())
	})
}

func count(t *testing.T, w *world) (rows int) {
	t.Helper()
	w.must(w.store.Scan(t.Context(), namespace, func(lane.RowID) error { rows++; return nil }))
	return rows
}
