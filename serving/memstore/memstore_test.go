package memstore_test

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/serving/storetest"
	"github.com/tidemark-io/tidemark/shared/lane"
)

func TestConformance(t *testing.T) {
	s := memstore.NewWithHistory(100) // little history, so that the base takes in changes
	storetest.Run(t, func(testing.TB) store.Store { return s })
}

var (
	laneA = lane.ID{Namespace: "n", N: 0}
	laneB = lane.ID{Namespace: "n", N: 1}
)

const inc = lane.Incarnation("aaaaaaaaaa")

// step is the n-th flush of a lane: it expects what the one before left, and writes its number into a row.
func step(id lane.ID, n int) lane.Call {
	expect := ""
	if n > 0 {
		expect = strconv.Itoa(n - 1)
	}
	return lane.Call{
		Lane: id, Name: "events/0", Expect: expect, Set: strconv.Itoa(n), RowsOf: inc,
		Rows: []lane.RowChange{{Key: []byte("k"), Set: []lane.Field{{Name: "e", Value: []byte(strconv.Itoa(n))}}}},
	}
}

func apply(s *memstore.Store, c lane.Call) lane.Outcome {
	return s.Apply(context.Background(), []lane.Call{c})[0]
}

// at returns the number that a lane's mark and row both have, -1 for none.
func at(t *testing.T, s *memstore.Store, id lane.ID) int {
	t.Helper()
	e, err := s.Exact(context.Background(), []lane.RowID{{Lane: id, Incarnation: inc, Key: []byte("k")}})
	if err != nil {
		t.Fatal(err)
	}
	if len(e[0].Fields) == 0 && len(e[0].Marks) == 0 {
		return -1
	}
	n, err := strconv.Atoi(e[0].Marks["events/0"])
	if err != nil || string(e[0].Fields[0].Value) != e[0].Marks["events/0"] {
		t.Fatalf("lane %s has the marks %v and the row %q", id, e[0].Marks, e[0].Fields)
	}
	return n
}

func want(t *testing.T, s *memstore.Store, a, b int) {
	t.Helper()
	if gotA, gotB := at(t, s, laneA), at(t, s, laneB); gotA != a || gotB != b {
		t.Fatalf("lanes are at %d and %d, want %d and %d", gotA, gotB, a, b)
	}
}

func TestLosses(t *testing.T) {
	s := memstore.NewWithHistory(8)
	for n := range 10 {
		apply(s, step(laneA, n))
		apply(s, step(laneB, n))
	}
	want(t, s, 9, 9)
	if s.History() != 8 {
		t.Fatalf("history of %d changes, want 8", s.History())
	}
	s.LoseSuffix(0)
	want(t, s, 9, 9)
	s.LoseSuffix(3)
	want(t, s, 8, 7)
	s.LoseLaneSuffix(laneA, 2)
	want(t, s, 6, 7)
	s.LoseLaneSuffix(laneB, 100) // all that it remembers
	want(t, s, 6, 5)
	s.EmptyLane(laneA)
	want(t, s, -1, 5)
	s.LoseSuffix(s.History())
	want(t, s, -1, 5)
	if o := apply(s, step(laneB, 6)); !o.Applied {
		t.Fatalf("going on after losses: %+v", o)
	}
	s.Empty()
	want(t, s, -1, -1)
}

func TestLostManifest(t *testing.T) {
	s := memstore.New()
	ctx := context.Background()
	for seq := range int64(3) {
		if ok, err := s.PutManifest(ctx, "v", seq+1, []byte("x")); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	s.LoseSuffix(2)
	if seq, _, err := s.Manifest(ctx, "v"); seq != 1 || err != nil {
		t.Fatalf("manifest %d, %v; want 1", seq, err)
	}
}

func TestFates(t *testing.T) {
	for _, c := range []struct {
		name    string
		fate    memstore.Fate
		once    bool
		class   error
		applied bool // what the caller is told
		at      int  // where the lane is
	}{
		{"deliver", memstore.Deliver, false, nil, true, 0},
		{"lose call", memstore.LoseCall, false, lane.ErrUnavailable, false, -1},
		{"lose reply", memstore.LoseReply, false, lane.ErrUnavailable, false, 0},
		{"twice", memstore.Twice, false, nil, false, 0},
		{"twice, but once", memstore.Twice, true, nil, true, 0},
		{"hold", memstore.Hold, false, lane.ErrUnavailable, false, -1},
		{"fail", memstore.Fail, false, lane.ErrStore, false, -1},
	} {
		s := memstore.New()
		s.SetFaults(func(op memstore.Op) memstore.Fate {
			if op.Kind != memstore.Apply || op.Call == nil {
				return memstore.Deliver
			}
			return c.fate
		})
		call := step(laneA, 0)
		call.Once = c.once
		o := apply(s, call)
		if !errors.Is(o.Err, c.class) || o.Applied != c.applied || at(t, s, laneA) != c.at {
			t.Errorf("%s: %+v, the lane is at %d", c.name, o, at(t, s, laneA))
		}
	}
}

func TestHeld(t *testing.T) {
	s := memstore.New()
	s.SetFaults(func(op memstore.Op) memstore.Fate {
		if op.Kind == memstore.Apply {
			return memstore.Hold
		}
		return memstore.Deliver
	})
	value := []byte("0")
	first := step(laneA, 0)
	first.Rows[0].Set[0].Value = value
	apply(s, first)
	value[0] = 'x' // the caller's arena is used again; the call in flight is not touched
	apply(s, step(laneA, 1))
	if s.Held() != 2 || s.Release(1) {
		t.Fatal("the second call was applied before the first")
	}
	if !s.Release(0) || s.Held() != 0 {
		t.Fatal("the first call was not applied")
	}
	want(t, s, 0, -1)
	apply(s, step(laneA, 1))
	s.DropHeld()
	if s.Held() != 0 {
		t.Fatal("dropped calls are still held")
	}
}

func TestFailingReads(t *testing.T) {
	s := memstore.New()
	ctx := context.Background()
	for fate, class := range map[memstore.Fate]error{memstore.LoseCall: lane.ErrUnavailable, memstore.Fail: lane.ErrStore} {
		s.SetFaults(func(memstore.Op) memstore.Fate { return fate })
		_, marks := s.Marks(ctx, nil)
		_, rows := s.Rows(ctx, nil)
		_, exact := s.Exact(ctx, nil)
		scan := s.Scan(ctx, "n", nil)
		_, _, manifest := s.Manifest(ctx, "v")
		_, put := s.PutManifest(ctx, "v", 1, nil)
		for i, err := range []error{marks, rows, exact, scan, manifest, put} {
			if !errors.Is(err, class) {
				t.Errorf("read %d: %v, want %v", i, err, class)
			}
		}
	}
}
