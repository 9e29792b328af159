package fold_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/speed/flush"
	"github.com/tidemark-io/tidemark/speed/fold"
)

// rows is a stretch of a partition in which every offset from 0 on has an event, each of another user.
func (r *rules) rows(from, to int64) *column.Batch {
	b := column.NewBatch(&r.w.plan.Spec().Sources[0], 0, false)
	for o := from; o < to; o++ {
		b.N++
		b.Offset, b.Time, b.Append = append(b.Offset, o), append(b.Time, 1_700_000_000_000+o), append(b.Append, o)
		b.AppendType, b.Reject = append(b.AppendType, column.LogAppendTime), append(b.Reject, 0)
		b.Cols[0].AppendInt(b.Time[b.N-1])
		b.Cols[1].AppendBytes([]byte{'a' + byte(o%26), 'a' + byte(o/26)})
		b.Cols[2].AppendInt(o)
	}
	return b
}

// rules is a generation and the marks that a test gives it.
type rules struct {
	*fold.Generation
	t      *testing.T
	w      *world
	counts [flush.Refusals]int64
}

func newRules(t *testing.T) *rules {
	w := newWorld(t, 1, 0)
	return &rules{Generation: w.generation(), t: t, w: w}
}

// marks are those of all lanes, begun, at these positions; the last one is that of the rest.
func marksAt(inc lane.Incarnation, next ...int64) (all []lane.Marks) {
	for l := range lanes {
		m := lane.Mark{Incarnation: inc, Low: lane.Joined, Next: next[min(l, len(next)-1)]}
		all = append(all, lane.Marks{lane.BatchName: lane.BatchMark{Incarnation: inc, Run: 1}.Wire(), part.String(): m.Wire()})
	}
	return all
}

func (r *rules) observe(marks []lane.Marks) {
	r.t.Helper()
	if err := r.Observe(marks); err != nil {
		r.t.Fatal(err)
	}
}

// read folds up to a position from where it is.
func (r *rules) read(to int64) {
	pos, _ := r.Position()
	r.Add(r.rows(pos, to), pos, to)
}

// answer flushes all and gives every call the same outcome.
func (r *rules) answer(o lane.Outcome) []lane.Call {
	calls := r.Flush(true)
	r.Done(calls, slices.Repeat([]lane.Outcome{o}, len(calls)), &r.counts)
	r.Trim()
	return calls
}

var (
	applied = lane.Outcome{Result: lane.Result{Applied: true}}
	lost    = lane.Outcome{Err: lane.ErrUnavailable}
)

// TestUnansweredCallKeepsBlocks: what a store that hangs may not have taken in stays in memory, however many blocks pass.
func TestUnansweredCallKeepsBlocks(t *testing.T) {
	r := newRules(t)
	r.observe(marksAt("aaaaaaaaaa", 0))
	r.Rewind()
	for to := int64(5); to <= 40; to += 5 {
		r.read(to)
		r.answer(lost)
		if _, moved := r.Rewind(); moved || !r.Active() {
			t.Fatal("it gave up what it has")
		}
	}
	if blocks, _ := r.Open(); blocks != 5 || r.Readable() != 0 {
		t.Errorf("%d blocks are in memory, readable up to %d", blocks, r.Readable())
	}
	r.observe(marksAt("aaaaaaaaaa", 0))
	if _, moved := r.Rewind(); moved {
		t.Error("it goes back for what it has in memory")
	}
	rows := 0
	for _, c := range r.answer(applied) {
		rows += len(c.Rows)
	}
	if blocks, _ := r.Open(); rows != 40 || blocks != 0 || r.Readable() != 40 {
		t.Errorf("%d rows were written, %d blocks are in memory, readable up to %d", rows, blocks, r.Readable())
	}
	if r.Spare() > 2 {
		t.Errorf("%d blocks are kept to be used again", r.Spare())
	}
}

// TestDamagedLaneHoldsNothing: a lane whose mark does not read keeps no block, holds up no other, and is told of once.
func TestDamagedLaneHoldsNothing(t *testing.T) {
	r := newRules(t)
	marks := marksAt("aaaaaaaaaa", 0)
	marks[1][part.String()] = "nonsense"
	if err := r.Observe(marks); !errors.Is(err, lane.ErrMark) {
		t.Errorf("it says %v", err)
	}
	r.observe(marks)
	r.Rewind()
	r.read(24)
	if calls := r.answer(applied); len(calls) != lanes-1 {
		t.Errorf("%d calls", len(calls))
	}
	if blocks, _ := r.Open(); blocks != 0 || r.Readable() != 24 {
		t.Errorf("%d blocks are in memory, readable up to %d", blocks, r.Readable())
	}
	r.observe(marksAt("bbbbbbbbbb", 24, 8, 24)) // it was begun again, by a run up to 8
	if from, moved := r.Rewind(); !moved || from != 8 {
		t.Errorf("it goes back to %d, %t", from, moved)
	}
}

// TestEmptiedLaneIsFilledFromTheLog: who empties a lane does not trust what it got, so memory does not fill it again; once
// the log was read anew, lanes that are begun one after the other get it from memory.
func TestEmptiedLaneIsFilledFromTheLog(t *testing.T) {
	r := newRules(t)
	r.observe(marksAt("aaaaaaaaaa", 0))
	r.Rewind()
	r.read(6)
	r.answer(applied)

	waiting := slices.Repeat([]lane.Marks{nil}, lanes)
	r.observe(waiting)
	if _, moved := r.Rewind(); moved {
		t.Error("it reads for lanes that are not begun")
	}
	begun := marksAt("bbbbbbbbbb", 0)
	r.observe(append(slices.Clone(begun[:1]), waiting[1:]...))
	if calls := r.Flush(true); len(calls) != 0 {
		t.Errorf("memory is written to a lane that was emptied since: %v", calls)
	}
	if from, moved := r.Rewind(); !moved || from != 0 {
		t.Errorf("it goes back to %d, %t", from, moved)
	}
	r.read(6)
	r.observe(begun)
	if from, moved := r.Rewind(); moved {
		t.Errorf("it goes back to %d once more", from)
	}
	if calls := r.answer(applied); len(calls) != lanes {
		t.Errorf("%d of %d lanes are written", len(calls), lanes)
	}
	marks := append(slices.Clone(begun[1:]), marksAt("cccccccccc", 0)[0])
	r.observe(marks) // one was emptied and begun between two looks
	if _, moved := r.Rewind(); !moved {
		t.Error("the lane is filled from memory")
	}
}

// TestLostIsNotReadable: what a lane has lost, or a lane that was emptied, is not readable, also before the log is read again
// for it, and if nothing of it is in memory.
func TestLostIsNotReadable(t *testing.T) {
	for name, marks := range map[string][]lane.Marks{
		"behind":  marksAt("aaaaaaaaaa", 16, 3, 16),
		"emptied": append(slices.Clone(marksAt("aaaaaaaaaa", 16)[1:]), marksAt("bbbbbbbbbb", 3)[0]),
	} {
		r := newRules(t)
		r.observe(marksAt("aaaaaaaaaa", 0))
		r.Rewind()
		r.read(16) // two blocks, which are gone when all is written
		r.answer(applied)
		if blocks, _ := r.Open(); blocks != 0 || r.Readable() != 16 {
			t.Fatalf("%s: %d blocks are in memory, readable up to %d", name, blocks, r.Readable())
		}
		if r.observe(marks); r.Readable() != 3 {
			t.Errorf("%s: readable up to %d", name, r.Readable())
		}
		if from, moved := r.Rewind(); !moved || from != 0 || r.Readable() != 0 {
			t.Errorf("%s: it goes back to %d, %t, readable up to %d", name, from, moved, r.Readable())
		}
	}
}

// TestJumpForward: when all lanes are past the block at hand, it is left; when one is not, it is not.
func TestJumpForward(t *testing.T) {
	r := newRules(t)
	r.observe(marksAt("aaaaaaaaaa", 0))
	r.Rewind()
	r.read(5)
	r.observe(marksAt("aaaaaaaaaa", 30, 6, 30))
	if _, moved := r.Rewind(); moved {
		t.Error("it leaves a block that a lane lacks")
	}
	r.observe(marksAt("aaaaaaaaaa", 30, 27, 30))
	if from, moved := r.Rewind(); !moved || from != 24 {
		t.Errorf("it goes to %d, %t", from, moved)
	}
	if r.Behind() || r.Changed() != 0 {
		t.Error("there is something to write")
	}
	r.read(28)
	calls := r.Flush(true)
	if len(calls) != 1 || calls[0].Lane.N != 1 {
		t.Errorf("calls %v", calls)
	}
	for _, c := range calls {
		for _, row := range c.Rows {
			if want := position.Block(27, blockSize); row.Set[0].Name != "e0/0/24" || want != 24 {
				t.Errorf("tile %s", row.Set[0].Name)
			}
		}
	}
}

// TestNothingToReadFor: while all lanes wait for batch there is nothing to fold for.
func TestNothingToReadFor(t *testing.T) {
	r := newRules(t)
	if _, moved := r.Rewind(); moved || r.Active() {
		t.Error("it reads before it knows a mark")
	}
	r.observe(slices.Repeat([]lane.Marks{{}}, lanes))
	if _, moved := r.Rewind(); moved || r.Active() || r.Readable() != 0 {
		t.Error("it reads for lanes that are not begun")
	}
	r.observe(marksAt("aaaaaaaaaa", 0))
	if _, moved := r.Rewind(); !moved || !r.Active() {
		t.Error("it does not read for lanes that are begun")
	}
	r.read(20)
	r.answer(applied)
	r.observe(slices.Repeat([]lane.Marks{{}}, lanes))
	if r.Active() || r.Behind() || len(r.Flush(true)) != 0 {
		t.Error("it writes to lanes that were emptied")
	}
}

// TestNoGap: what lies between the position and a batch cannot be left out.
func TestNoGap(t *testing.T) {
	r := newRules(t)
	r.observe(marksAt("aaaaaaaaaa", 0))
	r.Rewind()
	r.read(5)
	defer func() {
		if recover() == nil {
			t.Error("it folds over a gap")
		}
	}()
	r.Add(r.rows(6, 8), 6, 8)
}

// TestTwoOpenBlocksOneRow: an entity with tiles in two blocks is one row of a call, with both of them.
func TestTwoOpenBlocksOneRow(t *testing.T) {
	r := newRules(t)
	r.observe(marksAt("aaaaaaaaaa", 0))
	r.Rewind()
	b := r.rows(0, 12)
	b.Cols[1].Reset()
	for i := range b.N {
		b.Cols[1].AppendBytes([]byte{'a' + byte(i%8)}) // the first four have events in both blocks
	}
	r.Add(b, 0, 12)
	rows, fields := map[string]int{}, 0
	for _, c := range r.Flush(false) {
		for _, row := range c.Rows {
			rows[string(row.Key)]++
			fields += len(row.Set)
		}
	}
	if len(rows) != 8 || fields != 12 {
		t.Errorf("%d rows of %d tiles: %v", len(rows), fields, rows)
	}
	for key, n := range rows {
		if n != 1 {
			t.Errorf("%s is %d rows", key, n)
		}
	}
}

// TestOverlap: rows below the position, which an overlapping delivery brings again, are folded once.
func TestOverlap(t *testing.T) {
	r := newRules(t)
	r.observe(marksAt("aaaaaaaaaa", 0))
	r.Rewind()
	r.Add(r.rows(0, 6), 0, 6)
	r.Add(r.rows(2, 6), 2, 6)
	r.Add(r.rows(3, 10), 3, 10)
	m := r.w.plan.NewMerger()
	rows := 0
	for _, c := range r.Flush(true) {
		for _, row := range c.Rows {
			m.Reset()
			for _, f := range row.Set {
				if _, err := m.AddTile(f.Value); err != nil {
					t.Fatal(err)
				}
			}
			if err := m.Finish(); err != nil || m.Events() != 1 {
				t.Errorf("%s has %d events, want 1 (%v)", row.Key, m.Events(), err)
			}
			rows++
		}
	}
	if rows != 10 {
		t.Errorf("%d rows of 10 entities", rows)
	}
}
