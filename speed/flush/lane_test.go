package flush_test

import (
	"errors"
	"testing"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/speed/flush"
)

const (
	inc   = lane.Incarnation("aaaaaaaaaa")
	other = lane.Incarnation("bbbbbbbbbb")
)

var part = position.Partition{Source: "events", ID: 3}

func newLane() flush.Lane {
	return flush.Lane{ID: lane.ID{Namespace: "j:v:cccccccccc", N: 2}, Partition: part, First: 7}
}

// marks are those of a lane begun in an incarnation, whose mark of the partition is m (none if nil).
func marks(i lane.Incarnation, m *lane.Mark) lane.Marks {
	ms := lane.Marks{lane.BatchName: lane.BatchMark{Incarnation: i, Run: 1}.Wire()}
	if m != nil {
		ms[part.String()] = m.Wire()
	}
	return ms
}

// TestObserve: what each set of marks makes of a lane.
func TestObserve(t *testing.T) {
	at := func(i lane.Incarnation, low, next int64) *lane.Mark {
		return &lane.Mark{Incarnation: i, Low: low, Next: next}
	}
	garbage := marks(inc, nil)
	garbage[part.String()] = "nonsense"
	for _, c := range []struct {
		name  string
		marks lane.Marks
		state flush.State
		next  int64
	}{
		{"emptied", lane.Marks{}, flush.Waiting, 0},
		{"emptied but for a leftover", lane.Marks{part.String(): at(inc, 0, 9).Wire()}, flush.Waiting, 0},
		{"dropped", lane.Marks{lane.BatchName: lane.Dropped}, flush.Dropped, 0},
		{"new partition", marks(inc, nil), flush.Ready, 7},
		{"joined", marks(inc, at(inc, lane.Joined, 20)), flush.Ready, 20},
		{"not joined", marks(inc, at(inc, 8, 20)), flush.Ready, 20},
		{"of another incarnation", marks(inc, at(other, 8, 20)), flush.Damaged, 0},
		{"garbage", garbage, flush.Damaged, 0},
		{"garbage of batch", lane.Marks{lane.BatchName: "x"}, flush.Damaged, 0},
	} {
		l := newLane()
		if err := l.Observe(marks(inc, at(inc, 0, 12))); err != nil {
			t.Fatal(err)
		}
		err := l.Observe(c.marks)
		if (c.state == flush.Damaged) != errors.Is(err, lane.ErrMark) || l.State() != c.state {
			t.Errorf("%s: state %d, %v", c.name, l.State(), err)
		}
		next, holds := l.Holds()
		if holds != (c.state == flush.Ready) || (holds && (next != c.next || l.Next() != c.next)) {
			t.Errorf("%s: holds %t from %d, want %d", c.name, holds, next, c.next)
		}
	}
}

// TestOutcome: what each answer to a call is called, and what the lane is afterwards.
func TestOutcome(t *testing.T) {
	start := lane.Mark{Incarnation: inc, Low: 8, Next: 20, Append: 100}
	moved := func(f func(*lane.Mark)) lane.Marks {
		m := start
		f(&m)
		return marks(m.Incarnation, &m)
	}
	target := moved(func(m *lane.Mark) { m.Next, m.Append = 30, 200 })
	for _, c := range []struct {
		name    string
		out     lane.Outcome
		refusal flush.Refusal
		state   flush.State
		next    int64
		failed  error
	}{
		{"applied", lane.Outcome{Result: lane.Result{Applied: true}}, flush.None, flush.Ready, 30, nil},
		{"repeated by the library", lane.Outcome{Result: lane.Result{Marks: target}}, flush.None, flush.Ready, 30, nil},
		{"further", refused(moved(func(m *lane.Mark) { m.Next = 40 })), flush.Further, flush.Ready, 40, nil},
		{"joined meanwhile", refused(moved(func(m *lane.Mark) { m.Low = lane.Joined })), flush.Further, flush.Ready, 20, nil},
		{"behind", refused(moved(func(m *lane.Mark) { m.Next = 16 })), flush.Behind, flush.Ready, 16, nil},
		{"begun again", refused(moved(func(m *lane.Mark) { m.Incarnation, m.Next = other, 16 })), flush.Incarnation, flush.Ready, 16, nil},
		{"mark lost", refused(marks(inc, nil)), flush.Behind, flush.Ready, 7, nil},
		{"emptied", refused(lane.Marks{}), flush.Absent, flush.Waiting, 20, nil},
		{"dropped", refused(lane.Marks{lane.BatchName: lane.Dropped}), flush.Gone, flush.Dropped, 20, nil},
		{"timeout", lane.Outcome{Err: lane.ErrUnavailable}, flush.Unknown, flush.Unread, 20, lane.ErrUnavailable},
		{"store failed", lane.Outcome{Err: lane.ErrStore}, flush.Unknown, flush.Unread, 20, lane.ErrStore},
		{"damaged", refused(lane.Marks{lane.BatchName: "x"}), flush.Unknown, flush.Damaged, 20, lane.ErrMark},
	} {
		l := newLane()
		if err := l.Observe(marks(inc, &start)); err != nil {
			t.Fatal(err)
		}
		call := l.Call(30, 200, nil)
		if call.Expect != start.Wire() || call.Set != target[part.String()] || call.Incarnation != "" || !l.InFlight() {
			t.Fatalf("call %+v", call)
		}
		refusal, err := l.Outcome(c.out)
		if refusal != c.refusal || l.State() != c.state || l.InFlight() || l.Next() != c.next || !errors.Is(err, c.failed) {
			t.Errorf("%s: %s, state %d, next %d, %v", c.name, refusal, l.State(), l.Next(), err)
		}
	}
}

func refused(m lane.Marks) lane.Outcome { return lane.Outcome{Result: lane.Result{Marks: m}} }

// TestHoldsWhileUnknown: a lane whose last call may never arrive still needs what it needed, a lane that was emptied
// needs nothing until it is begun.
func TestHoldsWhileUnknown(t *testing.T) {
	l := newLane()
	if _, ok := l.Holds(); ok {
		t.Error("a lane that was never read holds something")
	}
	if err := l.Observe(marks(inc, &lane.Mark{Incarnation: inc, Next: 20})); err != nil {
		t.Fatal(err)
	}
	l.Call(30, 0, nil)
	if _, err := l.Outcome(lane.Outcome{Err: lane.ErrUnavailable}); err == nil {
		t.Fatal("the store's error is gone")
	}
	if next, ok := l.Holds(); !ok || next != 20 {
		t.Errorf("holds %t from %d", ok, next)
	}
	if err := l.Observe(lane.Marks{}); err != nil {
		t.Fatal(err)
	}
	if _, ok := l.Holds(); ok {
		t.Error("an emptied lane holds something")
	}
}

// TestCreateMark: the first call of a new partition expects no mark and the lane's incarnation.
func TestCreateMark(t *testing.T) {
	l := newLane()
	if err := l.Observe(marks(inc, nil)); err != nil {
		t.Fatal(err)
	}
	c := l.Call(9, 5, nil)
	want := lane.Mark{Incarnation: inc, Low: lane.Joined, Next: 9, Append: 5}
	if c.Expect != "" || c.Incarnation != inc || c.Set != want.Wire() || c.RowsOf != inc {
		t.Errorf("call %+v", c)
	}
	if after, ok, err := lane.Decide(marks(inc, nil), &c); !ok || err != nil || after[part.String()] != want.Wire() {
		t.Errorf("the store makes %v, %t, %v of it", after, ok, err)
	}
	if _, ok, _ := lane.Decide(marks(other, nil), &c); ok {
		t.Error("it applies to another incarnation")
	}
}

// TestAppendTimeStays: the append time, for display, does not go back when a block is folded again.
func TestAppendTimeStays(t *testing.T) {
	l := newLane()
	if err := l.Observe(marks(inc, &lane.Mark{Incarnation: inc, Next: 20, Append: 100})); err != nil {
		t.Fatal(err)
	}
	if m, err := lane.ParseMark(l.Call(21, 50, nil).Set); err != nil || m.Append != 100 {
		t.Errorf("mark %+v, %v", m, err)
	}
}

func TestRefusalNames(t *testing.T) {
	seen := map[string]bool{}
	for r := range flush.Refusals {
		if r.String() == "" || seen[r.String()] {
			t.Errorf("refusal %d is called %q", r, r)
		}
		seen[r.String()] = true
	}
}
