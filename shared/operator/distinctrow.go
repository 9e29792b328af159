package operator

import (
	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/operator/internal/cells"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
)

// distinctRow is the one slot of distinct's states into which rows are merged to be read. It keeps of each element when it
// was seen last, and leaves its bytes where they lie. Registers, and what is damaged, it leaves to ordinary states, into
// which it then merges all that it was given.
type distinctRow struct {
	*cells.Cells // read the buckets and call Read with each
	op           *distinctOperator
	rowParts

	set  rowSet
	seen []sightedIn // by number

	// Of the part being read.
	left uint64 // elements that were announced and are still to come
}

// sightedIn says when an element was seen last, as a sighting does, and in which part it was found last.
type sightedIn struct {
	at   uint64
	part int
}

// NewRow implements RowReader.
func (o *distinctOperator) NewRow() States {
	s := &distinctRow{op: o, set: newRowSet(), rowParts: rowParts{make: o.NewStates}}
	s.Cells = cells.New(o.tiers, s, codedWords, false)
	s.Cells.Grow(1)
	return s
}

// Grow implements States.
func (s *distinctRow) Grow(int) {}

// Fold implements States; nothing is folded into a row.
func (s *distinctRow) Fold(*Rows) { invariant.Fail("folding into a row that is read") }

// Merge implements States.
func (s *distinctRow) Merge(slot int32, state []byte, newest int64) error {
	return s.merge(slot, state, newest, s.read)
}

// read adds the last part. It returns false if that is not its to read; then the row is of no use until Reset.
func (s *distinctRow) read(state []byte, newest int64) bool {
	s.Cut(0, 0)
	r := s.BeginMerge(state)
	n := r.Uvarint(uint64(s.op.exact)) // of registers it is more
	if s.left = n; n == 0 {
		return false
	}
	s.set.expect(int(n))
	without := r.Uvarint(n)
	if s.op.tiers[len(s.op.tiers)-1].Hop == 0 && without > 0 {
		return false // all time holds every element
	}
	s.readElements(r, without, 0)
	if s.left > 0 {
		s.MergeGroup(0, 0, newest)
	}
	return s.left == 0 && r.Done() && s.EndMerge(newest) && s.set.len() <= s.op.exact
}

// Read implements cells.Aggregate.
func (s *distinctRow) Read(r *wire.Reader, _ []uint64, start, _, _ int64) {
	n := r.Uvarint(s.left)
	if n == 0 {
		r.Fail()
	}
	s.readElements(r, n, uint64(start)+1)
}

// readElements reads n elements of one bucket.
func (s *distinctRow) readElements(r *wire.Reader, n, at uint64) {
	s.left -= n
	part := len(s.parts)
	var before []byte
	var beforeHead uint64
	for range n {
		b := r.Rest()
		size := s.op.tuple.Short(b)
		if size == 0 {
			whole := wire.NewReader(b)
			if size = len(whole.Tuple(s.op.tuple, false)); size == 0 {
				r.Fail()
				return
			}
		}
		tuple, head := b[:size:size], headAt(b, 0, size)
		if before != nil && (head < beforeHead || head == beforeHead && compareTails(before, tuple) >= 0) {
			r.Fail()
			return
		}
		before, beforeHead = tuple, head
		r.Skip(size)
		number, fresh := s.set.number(head, tuple)
		switch {
		case fresh:
			s.seen = append(s.seen, sightedIn{at, part})
		case s.seen[number].part == part:
			r.Fail() // a state has each element once
			return
		default:
			s.seen[number] = sightedIn{max(s.seen[number].at, at), part}
		}
	}
}

// Combine implements cells.Aggregate; cells are read only.
func (*distinctRow) Combine(_, _ []uint64) {}

// Empty implements cells.Aggregate.
func (*distinctRow) Empty([]uint64) bool { return false }

// Free implements cells.Aggregate.
func (*distinctRow) Free([]uint64) {}

// Append implements cells.Aggregate.
func (*distinctRow) Append(dst []byte, _ []uint64, _ int64) []byte { return dst }

// Result implements States.
func (s *distinctRow) Result(slot int32, q *Query) Value {
	if s.plain != nil {
		return s.plain.Result(slot, q)
	}
	from, n := seenFrom(q), int64(0)
	for i := range s.seen {
		if s.seen[i].at >= from {
			n++
		}
	}
	return OfInt(n)
}

// AppendState implements States: as ordinary states do of the same parts.
func (s *distinctRow) AppendState(dst []byte, slot int32, newest int64) []byte {
	return s.appendState(dst, slot, newest)
}

// Reset implements States.
func (s *distinctRow) Reset() {
	s.forget()
	s.set.reset()
	s.seen = s.seen[:0]
}
