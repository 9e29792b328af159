package operator

import (
	"cmp"
	"math"
	"slices"

	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/operator/internal/cells"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wide"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/window"
)

// topKRow is the one slot of top_k's states into which rows are merged to be read. It leaves the keys where they lie, in
// order of their bytes, and adds up in 64 bits. What a row is not made of as a rule, be it damage, large sums or very many
// cells, it leaves to ordinary states, into which it then merges all that it was given.
type topKRow struct {
	op *topKOperator
	rowParts
	cells cells.Row
	keys  []rowKey  // by number, as they came
	order []rankKey // the keys in order of their bytes
	fresh []rankKey // scratch of read: keys that are new, in order
	at    []int     // scratch of read: where in order each of them belongs

	decays []rowDecay // of the queries asked so far, as many as a state has features
	scores []int64    // scratch of top, by key number: units of 2^-32
	ranks  []ranked   // scratch of top
	list   []listed   // scratch of Result
}

// rowDecay is the factors of a query, which the operator is asked for once: they are shared, and so locked.
type rowDecay struct {
	window   window.Window
	halfLife int64
	factors  factors
}

// rowKey says where a key's tuple lies in the parts' bytes.
type rowKey struct{ part, from, to uint32 }

// rankKey is a key's number and the head of its bytes, see headOf.
type rankKey struct {
	head   uint64
	number uint32
}

// ranked is a key and its score, in units of 2^-32.
type ranked struct {
	score int64
	rank  int32 // place in order
}

// NewRow implements RowReader.
func (o *topKOperator) NewRow() States {
	return &topKRow{op: o, cells: cells.NewRow(o.tiers), rowParts: rowParts{make: o.NewStates}}
}

// Alone implements Reading: the largest part of a row, whose keys need not be looked up, is best merged first.
func (s *topKRow) Alone() (oldestFirst bool) { return true }

// Grow implements States.
func (s *topKRow) Grow(int) {}

// Fold implements States; nothing is folded into a row.
func (s *topKRow) Fold(*Rows) { invariant.Fail("folding into a row that is read") }

// Merge implements States.
func (s *topKRow) Merge(slot int32, state []byte, newest int64) error {
	return s.merge(slot, state, newest, s.read)
}

// read adds the last part. It returns false if that is not its to read; then the row is of no use until Reset.
func (s *topKRow) read(state []byte, newest int64) bool {
	r := wire.NewReader(state)
	n := r.Uvarint(uint64(len(state) / minTopKBytes))
	if n == 0 || len(state) > math.MaxUint32 {
		return false
	}
	s.cells.Begin()
	first := len(s.keys) == 0
	s.fresh, s.at = s.fresh[:0], s.at[:0]
	at := len(state) - r.Len()
	var before []byte
	var beforeHead uint64
	rank := 0 // where the next key is looked for
	for range n {
		size := s.tuple(state[at:])
		if size == 0 {
			return false
		}
		key := state[at : at+size : at+size]
		head := headAt(state, at, size)
		if before != nil && (head < beforeHead || head == beforeHead && compareTails(before, key) >= 0) {
			return false
		}
		before, beforeHead = key, head
		number := uint32(len(s.keys))
		if first {
			s.order = append(s.order, rankKey{head, number})
			s.add(at, size)
		} else {
			var ok bool
			if rank, ok = s.search(rank, head, key); ok {
				number = s.order[rank].number
			} else {
				s.fresh, s.at = append(s.fresh, rankKey{head, number}), append(s.at, rank)
				s.add(at, size)
			}
		}
		if at = s.cells.ReadGroup(state, at+size, number); at == 0 {
			return false
		}
	}
	s.insertFresh()
	return at == len(state) && s.cells.End(newest)
}

// tuple returns the length of the tuple at the beginning of b, 0 if there is none.
func (s *topKRow) tuple(b []byte) int {
	t := s.op.keys.tuple
	if n := t.Short(b); n > 0 {
		return n
	}
	r := wire.NewReader(b)
	return len(r.Tuple(t, false)) // nil of what is damaged
}

// add adds a key of the last part.
func (s *topKRow) add(at, size int) {
	s.keys = append(s.keys, rowKey{uint32(len(s.parts) - 1), uint32(at), uint32(at + size)})
}

// bytes returns the tuple of the key of this number.
func (s *topKRow) bytes(number uint32) []byte {
	k := &s.keys[number]
	return s.parts[k.part].state[k.from:k.to:k.to]
}

// search returns the place in order, from low on, of the first key that is not before this one, and whether it is this one.
func (s *topKRow) search(low int, head uint64, key []byte) (rank int, ok bool) {
	high := len(s.order)
	for low < high {
		mid := int(uint(low+high) / 2)
		x := &s.order[mid]
		if x.head < head || x.head == head && compareTails(s.bytes(x.number), key) < 0 {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, low < len(s.order) && s.order[low].head == head && compareTails(s.bytes(s.order[low].number), key) == 0
}

// insertFresh puts the keys that are new into their places, the last one first: so each of the others moves once for all.
func (s *topKRow) insertFresh() {
	end := len(s.order)
	s.order = append(s.order, s.fresh...)
	for i, x := range slices.Backward(s.fresh) {
		copy(s.order[s.at[i]+i+1:end+i+1], s.order[s.at[i]:end])
		s.order[s.at[i]+i] = x
		end = s.at[i]
	}
}

// Result implements States.
func (s *topKRow) Result(slot int32, q *Query) Value {
	if s.plain != nil {
		return s.plain.Result(slot, q)
	}
	return s.op.value(s.listOf(q))
}

// AppendResult implements Answerer.
func (s *topKRow) AppendResult(dst []byte, slot int32, q *Query) ([]byte, bool) {
	if s.plain != nil {
		return AppendResult(dst, s.plain, slot, q)
	}
	return s.op.appendJSON(dst, s.listOf(q)), true
}

// listOf returns what q lists. Valid until the next call of any method.
func (s *topKRow) listOf(q *Query) []listed {
	s.score(q)
	s.list = s.list[:0]
	for _, x := range s.top(q.Limit) {
		// What wide.Score.Float does of so small a score.
		s.list = append(s.list, listed{s.bytes(s.order[x.rank].number), float64(x.score) / (1 << wide.ScoreBits)})
	}
	return s.list
}

// score adds up the weights that the query's window holds. No sum can overflow: cells.MaxRowWeight.
func (s *topKRow) score(q *Query) {
	s.scores = slices.Grow(s.scores[:0], len(s.keys))[:len(s.keys)]
	clear(s.scores)
	factors, held := s.factorsOf(q), s.cells.Held(q.Window, q.AsOf)
	all := s.cells.Cells()
	for i := range all {
		c := &all[i]
		if !held.Has(c.Code) {
			continue
		}
		factor := wide.One
		if factors != nil {
			factor = factors.at(held.Age(c.Code))
		}
		s.scores[c.Key] += int64(c.Weight) * int64(factor)
	}
}

// factorsOf returns q's factors, nil if nothing decays.
func (s *topKRow) factorsOf(q *Query) factors {
	if q.HalfLife == 0 {
		return nil
	}
	for i := range s.decays {
		if d := &s.decays[i]; d.halfLife == q.HalfLife && d.window == q.Window {
			return d.factors
		}
	}
	table := s.op.decays.of(q)
	if len(s.decays) < maxRowDecays {
		s.decays = append(s.decays, rowDecay{q.Window, q.HalfLife, table})
	}
	return table
}

// maxRowDecays bounds the factors that a row keeps at hand.
const maxRowDecays = 16

// top returns the keys whose score is above 0, the highest first, at most limit if it is not 0.
func (s *topKRow) top(limit int) []ranked {
	s.ranks = s.ranks[:0]
	if limit == 0 || limit > maxInserted {
		return s.sorted(limit)
	}
	for rank := range s.order {
		score := s.scores[s.order[rank].number]
		n := len(s.ranks)
		if score <= 0 || n == limit && score <= s.ranks[n-1].score {
			continue // of equal scores the earlier key is before the later one
		}
		if n < limit {
			s.ranks = append(s.ranks, ranked{})
			n++
		}
		at := n - 1
		for ; at > 0 && s.ranks[at-1].score < score; at-- {
			s.ranks[at] = s.ranks[at-1]
		}
		s.ranks[at] = ranked{score, int32(rank)}
	}
	return s.ranks
}

// sorted is top of many.
func (s *topKRow) sorted(limit int) []ranked {
	for rank := range s.order {
		if score := s.scores[s.order[rank].number]; score > 0 {
			s.ranks = append(s.ranks, ranked{score, int32(rank)})
		}
	}
	slices.SortFunc(s.ranks, func(a, b ranked) int {
		if a.score != b.score {
			return cmp.Compare(b.score, a.score)
		}
		return cmp.Compare(a.rank, b.rank)
	})
	if limit > 0 {
		return s.ranks[:min(limit, len(s.ranks))]
	}
	return s.ranks
}

// AppendState implements States: as ordinary states do of the same parts.
func (s *topKRow) AppendState(dst []byte, slot int32, newest int64) []byte {
	return s.appendState(dst, slot, newest)
}

// Reset implements States.
func (s *topKRow) Reset() {
	s.forget()
	s.keys, s.order = s.keys[:0], s.order[:0]
	s.cells.Reset()
}
