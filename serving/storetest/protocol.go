package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/serving/storelimit"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
)

func mark(inc lane.Incarnation, low, next int64) string {
	return lane.Mark{Incarnation: inc, Low: low, Next: next}.Wire()
}

func batchMark(inc lane.Incarnation, run, rows, whole int64) string {
	return lane.BatchMark{Incarnation: inc, Run: run, Rows: rows, WholeFrom: whole}.Wire()
}

// testRace: of all calls that expect the same mark, one is applied.
func testRace(t *testing.T, open func(testing.TB) store.Store) {
	const clients, each = 2, 100
	id := freshLane()
	at := func(n int64) string {
		if n == 0 {
			return ""
		}
		return mark(incA, lane.Joined, n)
	}
	var wg sync.WaitGroup
	for range clients {
		s := open(t)
		wg.Go(func() {
			for n, applied := int64(0), 0; applied < each; {
				out := s.Apply(context.Background(), []lane.Call{{
					Lane: id, Name: "events/0", Expect: at(n), Set: at(n + 1), RowsOf: incA,
					Rows: []lane.RowChange{set("k", strconv.FormatInt(n, 10), "v")},
				}})[0]
				if out.Err != nil {
					t.Error(out.Err)
					return
				}
				if out.Applied {
					applied++
					n++
					continue
				}
				m, ok, err := out.Marks.Partition(position.Partition{Source: "events"})
				if err != nil || !ok {
					t.Errorf("refused with the marks %v", out.Marks)
					return
				}
				n = m.Next
			}
		})
	}
	wg.Wait()
	e := exactOf(t, open(t), lane.RowID{Lane: id, Incarnation: incA, Key: []byte("k")})
	wantMarks(t, e.Marks, lane.Marks{"events/0": at(clients * each)})
	if len(e.Fields) != clients*each {
		t.Fatalf("%d fields, want %d", len(e.Fields), clients*each)
	}
}

// testOrder: a flush expects what the one before leaves, in one Apply.
func testOrder(t *testing.T, open func(testing.TB) store.Store) {
	s, a, b := open(t), freshLane(), freshLane()
	var calls []lane.Call
	for i := range int64(50) {
		for _, id := range []lane.ID{a, b} {
			expect := ""
			if i > 0 {
				expect = mark(incA, 0, i)
			}
			calls = append(calls, lane.Call{
				Lane: id, Name: "events/0", Expect: expect, Set: mark(incA, 0, i+1), RowsOf: incA, Once: i%7 == 3,
				Rows: []lane.RowChange{set("k", "e0/0/0", strconv.FormatInt(i, 10))},
			})
		}
	}
	for i, o := range s.Apply(context.Background(), calls) {
		if o.Err != nil || !o.Applied {
			t.Fatalf("call %d: %+v", i, o)
		}
	}
	for _, id := range []lane.ID{a, b} {
		e := exactOf(t, s, lane.RowID{Lane: id, Incarnation: incA, Key: []byte("k")})
		if len(e.Fields) != 1 || string(e.Fields[0].Value) != "49" {
			t.Fatalf("row is %q", e.Fields)
		}
	}
}

func testIndependent(t *testing.T, open func(testing.TB) store.Store) {
	s, a, b := open(t), freshLane(), freshLane()
	out := s.Apply(context.Background(), []lane.Call{
		{Lane: a, Name: "events/0", Set: mark(incA, 0, 1)},
		{Lane: lane.ID{Namespace: a.Namespace, N: lane.MaxLanes}, Name: "events/0", Set: "x"},
		{Lane: b, Name: "events/0", Expect: "what is not there", Set: "x"},
		{Lane: b, Name: "events/1", Set: mark(incA, 0, 1)},
	})
	if len(out) != 4 || !out[0].Applied || !errors.Is(out[1].Err, lane.ErrStore) || out[2].Applied || out[2].Err != nil || !out[3].Applied {
		t.Fatalf("outcomes are %+v", out)
	}
	if len(out[2].Marks) != 0 || out[2].Marks == nil {
		t.Fatalf("the refused call tells the marks %v, want an empty map", out[2].Marks)
	}
}

// testRepeat: a call that was applied and comes again is refused, shows its own target, and changes nothing.
func testRepeat(t *testing.T, open func(testing.TB) store.Store) {
	s, id := open(t), freshLane()
	first := lane.Call{
		Lane: id, Name: "events/0", Set: mark(incA, 0, 10), RowsOf: incA,
		Rows: []lane.RowChange{set("k", "e0/0/0", "old")},
	}
	must(t, s, first)
	if got := refused(t, s, first)["events/0"]; got != first.Set {
		t.Fatalf("the repeat tells %q, want its target", got)
	}
	second := first
	second.Expect, second.Set, second.Rows = first.Set, mark(incA, 0, 20), []lane.RowChange{set("k", "e0/0/0", "new")}
	must(t, s, second)
	if got := refused(t, s, first)["events/0"]; got != second.Set {
		t.Fatalf("the late repeat tells %q, want the newer owner's mark", got)
	}
	e := exactOf(t, s, lane.RowID{Lane: id, Incarnation: incA, Key: []byte("k")})
	if len(e.Fields) != 1 || string(e.Fields[0].Value) != "new" {
		t.Fatalf("the late repeat left %q", e.Fields)
	}
}

func testBegin(t *testing.T, open func(testing.TB) store.Store) {
	s, id := open(t), freshLane()
	begin := func(inc lane.Incarnation, expect string, partitions ...string) lane.Call {
		c := lane.Call{
			Lane: id, Name: lane.BatchName, Expect: expect, Set: batchMark(inc, 1, 0, 0),
			RowsOf: inc, Replace: map[string]string{}, Once: true,
		}
		for _, p := range partitions {
			c.Replace[p] = mark(inc, 8, 8)
		}
		return c
	}
	a := begin(incA, "", "events/0", "events/1")
	must(t, s, a)
	wantMarks(t, marksOf(t, s, id), lane.Marks{
		lane.BatchName: a.Set, "events/0": mark(incA, 8, 8), "events/1": mark(incA, 8, 8),
	})
	b := begin(incB, a.Set, "events/1")
	must(t, s, b)
	wantMarks(t, refused(t, s, begin("cccccccccc", a.Set)), lane.Marks{lane.BatchName: b.Set, "events/1": mark(incB, 8, 8)})
	// Without a mark to set, the one named stays, and only the others go.
	must(t, s, lane.Call{Lane: id, Name: lane.BatchName, AnyMark: true, Replace: map[string]string{}})
	wantMarks(t, marksOf(t, s, id), lane.Marks{lane.BatchName: b.Set})
}

func testRaise(t *testing.T, open func(testing.TB) store.Store) {
	s, id := open(t), freshLane()
	must(t, s, lane.Call{
		Lane: id, Name: lane.BatchName, Set: batchMark(incA, 1, 0, 1), RowsOf: incA,
		Replace: map[string]string{
			"events/0": mark(incA, lane.Joined, 100), // behind
			"events/1": mark(incA, 3, 128),           // just there
			"events/2": mark(incA, lane.Joined, position.MaxOffset),
		},
	})
	must(t, s, lane.Call{
		Lane: id, Name: lane.BatchName, Expect: batchMark(incA, 1, 0, 1), Set: batchMark(incA, 1, 5, 1), RowsOf: incA,
		Raise: []lane.Raise{{Name: "events/0", Cut: 128}, {Name: "events/1", Cut: 128}, {Name: "events/2", Cut: 128}, {Name: "other/0", Cut: 64}},
		Rows:  []lane.RowChange{set("k", "d1", "v")},
	})
	wantMarks(t, marksOf(t, s, id), lane.Marks{
		lane.BatchName: batchMark(incA, 1, 5, 1),
		"events/0":     mark(incA, 128, 128),
		"events/1":     mark(incA, 3, 128),
		"events/2":     mark(incA, lane.Joined, position.MaxOffset),
		"other/0":      mark(incA, 64, 64),
	})
}

func testJoin(t *testing.T, open func(testing.TB) store.Store) {
	s, id := open(t), freshLane()
	m := lane.Mark{Incarnation: incA, Low: 3, Next: 128, Append: 1_700_000_000_123}
	must(t, s, lane.Call{
		Lane: id, Name: lane.BatchName, Set: batchMark(incA, 1, 5, 1), RowsOf: incA,
		Replace: map[string]string{"events/0": m.Wire(), "events/1": mark(incA, lane.Joined, 7)},
	})
	must(t, s, lane.Call{
		Lane: id, Name: lane.BatchName, Expect: batchMark(incA, 1, 5, 1), Set: batchMark(incA, 2, 0, 1), RowsOf: incA,
		Raise: []lane.Raise{{Name: "events/2", Cut: 256}}, Join: true,
	})
	m.Low = lane.Joined
	wantMarks(t, marksOf(t, s, id), lane.Marks{
		lane.BatchName: batchMark(incA, 2, 0, 1),
		"events/0":     m.Wire(),
		"events/1":     mark(incA, lane.Joined, 7),
		"events/2":     mark(incA, lane.Joined, 256),
	})
}

// testDamaged: a call that must read a damaged mark fails and changes nothing; one that need not goes on.
func testDamaged(t *testing.T, open func(testing.TB) store.Store) {
	s, id := open(t), freshLane()
	damaged := lane.Marks{lane.BatchName: batchMark(incA, 1, 0, 0), "events/0": string(incA) + " 5 4 0"}
	must(t, s, lane.Call{Lane: id, Replace: damaged})
	for name, c := range map[string]lane.Call{
		"raise": {Raise: []lane.Raise{{Name: "events/0", Cut: 64}}},
		"join":  {Join: true},
	} {
		c.Lane, c.Name, c.Expect, c.Set, c.RowsOf = id, lane.BatchName, damaged[lane.BatchName], batchMark(incA, 2, 0, 0), incA
		c.Rows = []lane.RowChange{set("k", "b1", "v")}
		out := s.Apply(context.Background(), []lane.Call{c})[0]
		if !errors.Is(out.Err, lane.ErrStore) || out.Applied {
			t.Errorf("%s: %+v, want ErrStore", name, out)
		}
	}
	e := exactOf(t, s, lane.RowID{Lane: id, Incarnation: incA, Key: []byte("k")})
	wantMarks(t, e.Marks, damaged)
	if len(e.Fields) != 0 {
		t.Errorf("a call that failed wrote %q", e.Fields)
	}
	must(t, s, lane.Call{Lane: id, Name: "events/1", Set: mark(incA, 0, 1)})
}

func testEmptyLane(t *testing.T, open func(testing.TB) store.Store) {
	s, id := open(t), freshLane()
	must(t, s, lane.Call{Lane: id, Replace: lane.Marks{lane.BatchName: "?", "events/0": "damaged"}})
	if err := store.EmptyLane(context.Background(), s, id); err != nil {
		t.Fatal(err)
	}
	wantMarks(t, marksOf(t, s, id), lane.Marks{})
}

// testLeftovers: deleting rows of an old incarnation expects the one seen as current, and no mark.
func testLeftovers(t *testing.T, open func(testing.TB) store.Store) {
	s, id := open(t), freshLane()
	old := lane.RowID{Lane: id, Incarnation: incA, Key: []byte("k")}
	must(t, s, lane.Call{
		Lane: id, Name: lane.BatchName, Set: batchMark(incA, 1, 0, 0), RowsOf: incA,
		Rows: []lane.RowChange{set("k", "b1", "v", "d2", "w")},
	})
	must(t, s, lane.Call{
		Lane: id, Name: lane.BatchName, Expect: batchMark(incA, 1, 0, 0), Set: batchMark(incB, 1, 0, 0), RowsOf: incB,
		Rows: []lane.RowChange{set("k", "b1", "new")},
	})
	del := lane.Call{
		Lane: id, AnyMark: true, RowsOf: incA,
		Rows: []lane.RowChange{{Key: []byte("k"), Del: []string{"b1", "d2", "not there"}}},
	}
	for _, stale := range []lane.Incarnation{incA, "bbbbb", "bbbbbbbbbbb"} {
		del.Incarnation = stale
		wantMarks(t, refused(t, s, del), lane.Marks{lane.BatchName: batchMark(incB, 1, 0, 0)})
	}
	if e := exactOf(t, s, old); len(e.Fields) != 2 {
		t.Fatalf("a refused delete left %q", e.Fields)
	}
	del.Incarnation = incB
	must(t, s, del)
	if e := exactOf(t, s, old); len(e.Fields) != 0 {
		t.Fatalf("the delete left %q", e.Fields)
	}
	rows, err := scanned(s, id.Namespace)
	if err != nil || len(rows) != 1 || rows[0] != fmt.Sprintf("7 %s %q", incB, "k") {
		t.Fatalf("scan finds %q, %v; want the new row only", rows, err)
	}
}

func testDropped(t *testing.T, open func(testing.TB) store.Store) {
	s, id := open(t), freshLane()
	must(t, s, lane.Call{Lane: id, Name: lane.BatchName, Set: batchMark(incA, 1, 0, 0), Replace: map[string]string{"events/0": mark(incA, 0, 0)}})
	must(t, s, lane.Call{Lane: id, Name: lane.BatchName, AnyMark: true, Set: lane.Dropped, Replace: map[string]string{}})
	dropped := lane.Marks{lane.BatchName: lane.Dropped}
	wantMarks(t, refused(t, s, lane.Call{Lane: id, Name: "events/0", Incarnation: incA, Set: mark(incA, 0, 1)}), dropped)
	wantMarks(t, refused(t, s, lane.Call{Lane: id, Name: lane.BatchName, Set: batchMark(incB, 1, 0, 0)}), dropped)
	wantMarks(t, marksOf(t, s, id), dropped)
}

func testAbsent(t *testing.T, open func(testing.TB) store.Store) {
	s, id := open(t), freshLane()
	wantMarks(t, marksOf(t, s, id), lane.Marks{})
	wantMarks(t, refused(t, s, lane.Call{Lane: id, Name: "events/0", Expect: "x", Set: "y"}), lane.Marks{})
	wantMarks(t, refused(t, s, lane.Call{Lane: id, Name: "events/0", Incarnation: incA, Set: "y"}), lane.Marks{})
	row := lane.RowID{Lane: id, Incarnation: incA, Key: []byte("k")}
	if e := exactOf(t, s, row); e.Marks == nil || len(e.Marks) != 0 || len(e.Fields) != 0 {
		t.Errorf("an absent row reads as %+v", e)
	}
	rows, err := s.Rows(context.Background(), []lane.RowID{row, row})
	if err != nil || len(rows) != 2 || rows[0] == nil || len(rows[0]) != 0 {
		t.Errorf("absent rows read as %v, %v", rows, err)
	}
	if got, err := scanned(s, id.Namespace); err != nil || len(got) != 0 {
		t.Errorf("scanning nothing finds %q, %v", got, err)
	}
	if out := s.Apply(context.Background(), nil); len(out) != 0 {
		t.Errorf("applying nothing gives %v", out)
	}
	if m, err := s.Marks(context.Background(), nil); err != nil || len(m) != 0 {
		t.Errorf("the marks of no lanes are %v, %v", m, err)
	}
	// Creating a partition's mark expects its absence.
	must(t, s, lane.Call{Lane: id, Name: "events/0", Set: mark(incA, lane.Joined, 0)})
	refused(t, s, lane.Call{Lane: id, Name: "events/0", Set: mark(incA, lane.Joined, 5)})
}

// testLimits: each store refuses what another could not hold, and says so before it is sent.
func testLimits(t *testing.T, open func(testing.TB) store.Store) {
	s := open(t)
	bad := lane.ID{Namespace: "a}b", N: 0}
	ctx := context.Background()
	is := func(what string, err error) {
		if !errors.Is(err, lane.ErrStore) || !errors.Is(err, storelimit.ErrLimit) {
			t.Errorf("%s: %v, want ErrLimit", what, err)
		}
	}
	is("apply", s.Apply(ctx, []lane.Call{{Lane: bad, Name: "x", Set: "y"}})[0].Err)
	_, err := s.Marks(ctx, []lane.ID{bad})
	is("marks", err)
	_, err = s.Rows(ctx, []lane.RowID{{Lane: bad, Incarnation: incA}})
	is("rows", err)
	_, err = s.Exact(ctx, []lane.RowID{{Lane: freshLane(), Incarnation: "a b"}})
	is("exact", err)
	is("scan", s.Scan(ctx, "", func(lane.RowID) error { return nil }))
	_, _, err = s.Manifest(ctx, "")
	is("manifest", err)
	_, err = s.PutManifest(ctx, "v", 0, nil)
	is("put manifest", err)
}

func testContext(t *testing.T, open func(testing.TB) store.Store) {
	s, id := open(t), freshLane()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	is := func(what string, err error) {
		if !errors.Is(err, context.Canceled) && !errors.Is(err, lane.ErrUnavailable) {
			t.Errorf("%s: %v, want the context's error or ErrUnavailable", what, err)
		}
	}
	out := s.Apply(ctx, []lane.Call{{Lane: id, Name: "x", Set: "y"}})[0]
	if !errors.Is(out.Err, lane.ErrUnavailable) {
		t.Errorf("apply: %v, want ErrUnavailable: its outcome is not known", out.Err)
	}
	row := []lane.RowID{{Lane: id, Incarnation: incA}}
	_, err := s.Marks(ctx, []lane.ID{id})
	is("marks", err)
	_, err = s.Rows(ctx, row)
	is("rows", err)
	_, err = s.Exact(ctx, row)
	is("exact", err)
	is("scan", s.Scan(ctx, id.Namespace, func(lane.RowID) error { return nil }))
	_, _, err = s.Manifest(ctx, "v")
	is("manifest", err)
	_, err = s.PutManifest(ctx, fresh("v"), 1, nil)
	is("put manifest", err)
}
